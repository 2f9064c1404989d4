//! Requests find their replies, and only theirs.

use bytes::Bytes;
use keepline_proto::Time;
use keepline_proto::config::Matcher;
use keepline_proto::correlator::{Abandoned, Correlation, Correlator, IdField, ReserveError, Route, Ticket};
use keepline_proto::framing::Endian;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(2);
const MODBUS_ID: Correlation = Correlation::Id(IdField { offset: 0, width: 2, endian: Endian::Big });

#[test]
fn replies_in_order_go_to_the_requests_in_order_of_handing_over() {
    let mut correlator = fifo(8);
    reserve(&mut correlator, 1);
    reserve(&mut correlator, 2);
    // The heartbeat overtook, and the second message was first at the socket.
    correlator.heartbeat(&mut []).unwrap();
    correlator.heartbeat_handed_over();
    correlator.handed_over(ticket(2));
    correlator.handed_over(ticket(1));
    assert_eq!(correlator.in_flight(), 2);
    assert_eq!(correlator.route(b"a"), Route::Heartbeat);
    assert_eq!(correlator.route(b"b"), reply(2));
    assert_eq!(correlator.route(b"c"), reply(1));
    assert_eq!(correlator.route(b"d"), Route::Inbox);
    assert!(correlator.is_empty());
}

#[test]
fn the_reply_to_a_plain_message_goes_to_the_inbox_in_its_place() {
    let mut correlator = fifo(8);
    correlator.handed_over_plain();
    correlator.handed_over_plain();
    in_flight(&mut correlator, 1);
    correlator.handed_over_plain();
    in_flight(&mut correlator, 2);
    let routes: Vec<Route> = (0..6).map(|_| correlator.route(b"x")).collect();
    assert_eq!(routes, [Route::Inbox, Route::Inbox, reply(1), Route::Inbox, reply(2), Route::Inbox]);
}

#[test]
fn a_pushed_frame_takes_no_place() {
    for correlation in [Correlation::Fifo, MODBUS_ID] {
        let push = Matcher::Prefix(Bytes::from_static(b">"));
        let mut correlator = Correlator::new(correlation, Some(push), 8);
        let mut message = *b"id";
        correlator.reserve(ticket(1), &mut message).unwrap();
        correlator.handed_over(ticket(1));
        assert_eq!(correlator.route(b">3\r\n"), Route::Inbox);
        assert!(matches!(correlator.route(&message), Route::Reply { .. }));
    }
}

#[test]
fn a_message_that_nothing_answers_takes_no_place_and_is_nobodys_request() {
    for correlation in [Correlation::Fifo, MODBUS_ID] {
        let mut correlator = Correlator::new(correlation, None, 1);
        correlator.expect_nothing(ticket(7));
        assert!(correlator.is_empty());
        let mut message = *b"id";
        correlator.reserve(ticket(1), &mut message).unwrap();
        correlator.handed_over(ticket(7));
        correlator.handed_over(ticket(1));
        assert!(matches!(correlator.route(&message), Route::Reply { .. }));
        correlator.expect_nothing(ticket(8));
        assert!(!correlator.is_handed_over(ticket(8)));
        assert_eq!(correlator.abandon(ticket(8), Time::ZERO, TIMEOUT), Abandoned::Unknown);
        assert_eq!(correlator.clear(), []);
    }
}

#[test]
fn ids_are_written_into_the_request_and_the_callers_is_restored_in_the_reply() {
    for (width, endian, first) in [
        (1, Endian::Big, &[1][..]),
        (2, Endian::Big, &[0, 1]),
        (2, Endian::Little, &[1, 0]),
        (4, Endian::Big, &[0, 0, 0, 1]),
        (4, Endian::Little, &[1, 0, 0, 0]),
        (8, Endian::Big, &[0, 0, 0, 0, 0, 0, 0, 1]),
        (8, Endian::Little, &[1, 0, 0, 0, 0, 0, 0, 0]),
    ] {
        let field = IdField { offset: 3, width, endian };
        let mut correlator = Correlator::new(Correlation::Id(field), None, 8);
        let mut request = [b"abc", &[0xee; 8][..width], b"xyz"].concat();
        let original = request.clone();
        correlator.reserve(ticket(1), &mut request).unwrap();
        assert_eq!(request, [b"abc", first, b"xyz"].concat());
        correlator.handed_over(ticket(1));
        let Route::Reply { ticket: answered, restore: Some(restore) } = correlator.route(&request) else {
            panic!("not the reply")
        };
        assert_eq!(answered, ticket(1));
        restore.write(&mut request);
        assert_eq!(request, original);
        // Too short for the field: nothing happens.
        restore.write(&mut [0; 3]);
    }
}

#[test]
fn a_frame_with_an_id_that_nobody_waits_for_goes_to_the_inbox() {
    let mut correlator = Correlator::new(MODBUS_ID, None, 8);
    let mut request = [0; 4];
    correlator.reserve(ticket(1), &mut request).unwrap();
    // Not handed over yet: the peer cannot have answered it.
    assert_eq!(correlator.route(&request), Route::Inbox);
    correlator.handed_over(ticket(1));
    assert_eq!(correlator.route(&[0xff, 0xff, 0, 0]), Route::Inbox);
    assert_eq!(correlator.route(&[0]), Route::Inbox);
    assert_eq!(correlator.route(&[]), Route::Inbox);
    assert!(matches!(correlator.route(&request), Route::Reply { .. }));
    assert_eq!(correlator.route(&request), Route::Inbox);
}

#[test]
fn ids_wrap_at_the_width_of_the_field_and_pass_over_those_in_use() {
    let field = IdField { offset: 0, width: 1, endian: Endian::Big };
    let mut correlator = Correlator::new(Correlation::Id(field), None, 1000);
    let (mut stays, mut late) = ([0], [0]);
    correlator.reserve(ticket(1), &mut stays).unwrap();
    correlator.reserve(ticket(2), &mut late).unwrap();
    correlator.handed_over(ticket(2));
    assert_eq!(correlator.abandon(ticket(2), Time::ZERO, TIMEOUT), Abandoned::Tombstone);
    for number in 3..1000 {
        let mut message = [0];
        correlator.reserve(ticket(number), &mut message).unwrap();
        assert!(message != stays && message != late && message != [0]);
        correlator.handed_over(ticket(number));
        assert!(matches!(correlator.route(&message), Route::Reply { .. }));
    }
    // 255 ids, 0 excluded: all others can be in use at the same time, and then none is left.
    for number in 2000..2253 {
        correlator.reserve(ticket(number), &mut [0]).unwrap();
    }
    assert_eq!(correlator.reserve(ticket(3000), &mut [0]), Err(ReserveError::Full));
    assert_eq!(correlator.heartbeat(&mut [0]), Err(ReserveError::Full));
}

#[test]
fn a_message_without_room_for_its_id_is_refused_and_reserves_nothing() {
    let field = IdField { offset: 2, width: 4, endian: Endian::Big };
    let mut correlator = Correlator::new(Correlation::Id(field), None, 1);
    assert_eq!(correlator.reserve(ticket(1), &mut [0; 5]), Err(ReserveError::TooShort { needed: 6 }));
    assert_eq!(correlator.heartbeat(&mut [0; 5]), Err(ReserveError::TooShort { needed: 6 }));
    assert!(correlator.is_empty());
    assert_eq!(correlator.reserve(ticket(1), &mut [0; 6]), Ok(()));
}

#[test]
fn requests_reserved_in_flight_and_late_share_the_room() {
    for correlation in [Correlation::Fifo, MODBUS_ID] {
        let mut correlator = Correlator::new(correlation, None, 3);
        let mut messages = [[0; 2]; 3];
        for (number, message) in (1..).zip(&mut messages) {
            correlator.reserve(ticket(number), message).unwrap();
        }
        correlator.handed_over(ticket(1));
        correlator.handed_over(ticket(2));
        correlator.abandon(ticket(1), Time::ZERO, TIMEOUT);
        let mut refused = [7; 2];
        assert_eq!(correlator.reserve(ticket(4), &mut refused), Err(ReserveError::Full));
        assert_eq!(refused, [7; 2]);
        assert_eq!((correlator.in_flight(), correlator.occupied()), (1, 3));
        assert_eq!(correlator.route(&messages[0]), Route::Swallowed);
        assert_eq!(correlator.reserve(ticket(4), &mut refused), Ok(()));
    }
}

#[test]
fn a_request_given_up_before_it_was_handed_over_leaves_nothing_behind() {
    for correlation in [Correlation::Fifo, MODBUS_ID] {
        let mut correlator = Correlator::new(correlation, None, 1);
        reserve(&mut correlator, 1);
        assert_eq!(correlator.abandon(ticket(1), Time::ZERO, TIMEOUT), Abandoned::NeverSent);
        assert_eq!(correlator.abandon(ticket(1), Time::ZERO, TIMEOUT), Abandoned::Unknown);
        assert!(correlator.is_empty());
        assert_eq!(correlator.desync_deadline(), None);
        assert_eq!(correlator.route(&[0, 1]), Route::Inbox);
        reserve(&mut correlator, 2);
    }
}

#[test]
fn a_late_reply_is_swallowed_and_the_next_one_still_finds_its_request() {
    let mut correlator = fifo(2);
    in_flight(&mut correlator, 1);
    in_flight(&mut correlator, 2);
    assert_eq!(correlator.abandon(ticket(1), Time::ZERO, TIMEOUT), Abandoned::Tombstone);
    assert_eq!(correlator.route(b"late"), Route::Swallowed);
    assert_eq!(correlator.route(b"answer"), reply(2));
    assert_eq!(correlator.abandon(ticket(2), Time::ZERO, TIMEOUT), Abandoned::Unknown);
}

#[test]
fn a_request_given_up_in_the_middle_of_its_frame_still_has_its_reply_swallowed() {
    for correlation in [Correlation::Fifo, MODBUS_ID] {
        let mut correlator = Correlator::new(correlation, None, 2);
        let (mut begun, mut next) = ([0; 2], [0; 2]);
        correlator.reserve(ticket(1), &mut begun).unwrap();
        correlator.reserve(ticket(2), &mut next).unwrap();
        assert_eq!(correlator.abandon_begun(ticket(1), Time::ZERO, TIMEOUT), Abandoned::Tombstone);
        assert_eq!(correlator.abandon_begun(ticket(1), Time::ZERO, TIMEOUT), Abandoned::Unknown);
        assert_eq!(correlator.occupied(), 2);
        correlator.handed_over(ticket(1));
        correlator.handed_over(ticket(2));
        assert_eq!(correlator.route(&begun), Route::Swallowed);
        assert!(matches!(correlator.route(&next), Route::Reply { ticket: answered, .. } if answered == ticket(2)));
        assert!(correlator.is_empty());
    }
}

#[test]
fn a_connection_full_of_late_replies_is_out_of_step_after_another_timeout() {
    for correlation in [Correlation::Fifo, MODBUS_ID] {
        let mut correlator = Correlator::new(correlation, None, 2);
        let mut messages = [[0; 2]; 2];
        for (number, message) in (1..).zip(&mut messages) {
            correlator.reserve(ticket(number), message).unwrap();
            correlator.handed_over(ticket(number));
        }
        correlator.abandon(ticket(1), at(10), TIMEOUT);
        assert_eq!(correlator.desync_deadline(), None);
        correlator.abandon(ticket(2), at(11), Duration::from_secs(5));
        assert_eq!(correlator.desync_deadline(), Some(at(16)));
        assert!(!correlator.is_desynced(at(15)));
        assert!(correlator.is_desynced(at(16)));
        // The peer woke up: there is room again.
        assert_eq!(correlator.route(&messages[0]), Route::Swallowed);
        assert_eq!(correlator.desync_deadline(), None);
        assert!(!correlator.is_desynced(at(99)));
    }
}

#[test]
fn the_end_of_a_connection_returns_every_live_request_once() {
    for correlation in [Correlation::Fifo, MODBUS_ID] {
        let mut correlator = Correlator::new(correlation, None, 8);
        for number in 1..=5 {
            reserve(&mut correlator, number);
        }
        for number in [1, 2, 3] {
            correlator.handed_over(ticket(number));
        }
        correlator.heartbeat(&mut [0; 2]).unwrap();
        correlator.heartbeat_handed_over();
        correlator.abandon(ticket(2), Time::ZERO, TIMEOUT);
        correlator.abandon_begun(ticket(5), Time::ZERO, TIMEOUT);
        assert!(correlator.is_handed_over(ticket(1)) && !correlator.is_handed_over(ticket(4)));
        assert_eq!(correlator.clear(), [ticket(1), ticket(3), ticket(4)]);
        assert_eq!(correlator.clear(), []);
        assert!(correlator.is_empty());
        assert_eq!(correlator.route(&[0, 1]), Route::Inbox);
        assert_eq!(correlator.desync_deadline(), None);
    }
}

#[test]
fn a_heartbeat_has_an_id_of_its_own_and_needs_no_room() {
    let mut correlator = Correlator::new(MODBUS_ID, None, 1);
    let mut request = [0; 2];
    correlator.reserve(ticket(1), &mut request).unwrap();
    correlator.handed_over(ticket(1));
    let (mut dropped, mut heartbeat) = ([0; 2], [0; 2]);
    correlator.heartbeat(&mut dropped).unwrap();
    // The first never went out; the second takes its place.
    correlator.heartbeat(&mut heartbeat).unwrap();
    correlator.heartbeat_handed_over();
    assert_ne!(heartbeat, request);
    assert_eq!(correlator.route(&dropped), Route::Inbox);
    assert_eq!(correlator.route(&heartbeat), Route::Heartbeat);
    assert_eq!(correlator.route(&heartbeat), Route::Inbox);
    assert_eq!(correlator.in_flight(), 1);
}

#[test]
fn unanswered_heartbeats_do_not_pile_up() {
    for correlation in [Correlation::Fifo, MODBUS_ID] {
        let mut correlator = Correlator::new(correlation, None, 1);
        for _ in 0..16 {
            correlator.heartbeat(&mut [0; 2]).unwrap();
            correlator.heartbeat_handed_over();
        }
        assert_eq!(correlator.heartbeat(&mut [0; 2]), Err(ReserveError::Full));
        assert_eq!(correlator.route(&[0, 1]), Route::Heartbeat);
        assert_eq!(correlator.heartbeat(&mut [0; 2]), Ok(()));
    }
}

#[test]
fn news_of_unknown_tickets_does_not_break_the_order() {
    let mut correlator = fifo(4);
    in_flight(&mut correlator, 1);
    correlator.handed_over(ticket(1));
    // Given up, and sent nevertheless: its reply is nobody's.
    correlator.handed_over(ticket(9));
    in_flight(&mut correlator, 2);
    assert_eq!(correlator.route(b""), reply(1));
    assert_eq!(correlator.route(b""), Route::Inbox);
    assert_eq!(correlator.route(b""), reply(2));
    Correlator::new(MODBUS_ID, None, 4).handed_over(ticket(9));
}

#[test]
fn an_id_field_that_cannot_be_is_refused_by_name_and_never_panics() {
    for (offset, width, name) in [
        (0, 0, "correlation.width"),
        (0, 3, "correlation.width"),
        (0, usize::MAX, "correlation.width"),
        (usize::MAX, 2, "correlation.offset"),
    ] {
        let correlation = Correlation::Id(IdField { offset, width, endian: Endian::Little });
        assert_eq!(correlation.validate().unwrap_err().field, name);
        let mut correlator = Correlator::new(correlation, None, 4);
        let _ = correlator.reserve(ticket(1), &mut [0; 16]);
        let _ = correlator.route(&[0; 16]);
    }
    assert_eq!(MODBUS_ID.validate(), Ok(()));
    assert_eq!(Correlation::Fifo.validate(), Ok(()));
}

fn ticket(number: u64) -> Ticket {
    Ticket::new(number).unwrap()
}

fn reply(number: u64) -> Route {
    Route::Reply { ticket: ticket(number), restore: None }
}

fn fifo(max_in_flight: usize) -> Correlator {
    Correlator::new(Correlation::Fifo, None, max_in_flight)
}

fn reserve(correlator: &mut Correlator, number: u64) {
    correlator.reserve(ticket(number), &mut [0; 2]).unwrap();
}

fn in_flight(correlator: &mut Correlator, number: u64) {
    reserve(correlator, number);
    correlator.handed_over(ticket(number));
}

fn at(seconds: u64) -> Time {
    Time::ZERO + Duration::from_secs(seconds)
}
