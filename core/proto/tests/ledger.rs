//! The ledger: what the kernel's figures prove of each message, while the connection lives and after its death.

mod support;

use bytes::Bytes;
use keepline_proto::framing::Header;
use keepline_proto::outbox::{Accounting, Flight, Inline, Meta, Outbox, Outcome, Standing, Urgent};
use keepline_proto::{Epoch, Time};
use std::time::Duration;
use support::*;

#[test]
fn a_message_is_acked_when_its_last_byte_is() {
    let (mut outbox, mut flight) = written(&[10, 10, 10], 30);
    assert_eq!(weigh(&mut outbox, &mut flight, 19, 30), [settled_as(1, Outcome::Acked)]);
    assert!(outbox.is_unsettled());
    assert_eq!(weigh(&mut outbox, &mut flight, 29, 30), [settled_as(2, Outcome::Acked)]);
    assert_eq!(weigh(&mut outbox, &mut flight, 30, 30), [settled_as(3, Outcome::Acked)]);
    assert!(!outbox.is_unsettled());
    assert_eq!(outbox.counts().acked, 3);
    assert_balanced(&outbox);
}

#[test]
fn a_message_of_a_chunk_that_is_still_being_written_is_acked_too() {
    let (mut outbox, mut flight) = written(&[10, 10], 15);
    assert_eq!(weigh(&mut outbox, &mut flight, 15, 15), [settled_as(1, Outcome::Acked)]);
    advance(&mut outbox, &mut flight, 5);
    assert_eq!(weigh(&mut outbox, &mut flight, 20, 20), [settled_as(2, Outcome::Acked)]);
    assert_balanced(&outbox);
}

#[test]
fn what_was_never_transmitted_goes_out_again_whole_and_in_order() {
    let (mut outbox, mut flight) = written(&[10; 5], 45);
    // The peer has acknowledged the first, the second was transmitted in part, the rest never; the fifth was cut.
    assert_eq!(
        restore(&mut outbox, &mut flight, 10, 20),
        [settled_as(1, Outcome::Acked), settled_as(2, Outcome::Unknown)]
    );
    assert_eq!((outbox.len(), outbox.bytes()), (3, 30));
    outbox.open(Epoch(2), Accounting::Kernel, 0);
    outbox.take(Time::ZERO, &mut flight, &mut Vec::new());
    assert_eq!(wire(&flight), [[3; 10], [4; 10], [5; 10]].concat());
    assert_balanced(&outbox);
}

#[test]
fn a_frame_cut_by_the_boundary_is_unknown_only_if_a_byte_of_it_was_transmitted() {
    for (transmitted, outcomes) in [(10, vec![]), (11, vec![settled_as(2, Outcome::Unknown)])] {
        let (mut outbox, mut flight) = written(&[10, 10], 15);
        let mut settled = restore(&mut outbox, &mut flight, 10, transmitted);
        assert_eq!(settled.remove(0), settled_as(1, Outcome::Acked));
        assert_eq!(settled, outcomes);
        assert_eq!(outbox.len(), 1 - outcomes.len());
        assert_balanced(&outbox);
    }
}

#[test]
fn urgent_frames_count_in_the_stream_and_belong_to_no_message() {
    let mut outbox = Outbox::new(LIMITS);
    let mut flight = Flight::new();
    // A greeting of six bytes, then two messages with a heartbeat of four between them.
    flight.push_urgent(Bytes::from_static(b"hello!"), Urgent::Greeting);
    flight.advance_urgent(6, |kind| assert_eq!(kind, Urgent::Greeting));
    outbox.open(Epoch(1), Accounting::Kernel, 6);
    push(&mut outbox, tracked(1), &[1; 10]);
    push(&mut outbox, tracked(2), &[2; 10]);
    outbox.take(Time::ZERO, &mut flight, &mut Vec::new());
    advance(&mut outbox, &mut flight, 3);
    flight.push_urgent(Bytes::from_static(b"PING"), Urgent::Heartbeat);
    while !flight.is_empty() {
        advance(&mut outbox, &mut flight, 1);
    }
    assert_eq!(outbox.written(), 30);
    assert_eq!(weigh(&mut outbox, &mut flight, 15, 20), []);
    assert_eq!(weigh(&mut outbox, &mut flight, 16, 20), [settled_as(1, Outcome::Acked)]);
    assert_eq!(restore(&mut outbox, &mut flight, 16, 20), [], "the heartbeat was transmitted, the message was not");
    assert_eq!(outbox.len(), 1);
}

#[test]
fn messages_written_by_their_callers_are_accounted_like_any_other() {
    let mut outbox = open_with_figures();
    let mut flight = Flight::new();
    for number in 1..=3u64 {
        assert_eq!(outbox.wrote_inline(tracked(number), Inline::Small(&[number as u8; 10])), None);
    }
    let large = Bytes::from(vec![4; 9_000]);
    outbox.wrote_inline(tracked(4), Inline::Large(Header::from_slice(b"9000").unwrap(), large));
    assert_eq!(outbox.written(), 9_034);
    let settled = restore(&mut outbox, &mut flight, 10, 15);
    assert_eq!(settled, [settled_as(1, Outcome::Acked), settled_as(2, Outcome::Unknown)]);
    outbox.open(Epoch(2), Accounting::Kernel, 0);
    outbox.take(Time::ZERO, &mut flight, &mut Vec::new());
    assert_eq!(wire(&flight), [vec![3; 10], b"9000".to_vec(), vec![4; 9_000]].concat());
    assert_balanced(&outbox);
}

#[test]
fn an_idempotent_message_goes_out_again_where_nobody_knows() {
    let mut outbox = open_with_figures();
    let mut flight = Flight::new();
    push(&mut outbox, tracked(1), &[1; 10]);
    push(&mut outbox, Meta { idempotent: true, ..tracked(2) }, &[2; 10]);
    push(&mut outbox, tracked(3), &[3; 10]);
    outbox.take(Time::ZERO, &mut flight, &mut Vec::new());
    advance(&mut outbox, &mut flight, 30);
    weigh(&mut outbox, &mut flight, 0, 30);
    let settled = restore(&mut outbox, &mut flight, 0, 30);
    assert_eq!(settled, [settled_as(1, Outcome::Unknown), settled_as(3, Outcome::Unknown)]);
    outbox.open(Epoch(2), Accounting::Kernel, 0);
    outbox.take(Time::ZERO, &mut flight, &mut Vec::new());
    assert_eq!(wire(&flight), [2; 10]);
    advance(&mut outbox, &mut flight, 10);
    assert_eq!(weigh(&mut outbox, &mut flight, 10, 10), [settled_as(2, Outcome::Acked)]);
    assert_balanced(&outbox);
}

#[test]
fn an_idempotent_message_that_was_acked_does_not_go_out_again() {
    let mut outbox = open_with_figures();
    let mut flight = Flight::new();
    push(&mut outbox, Meta { idempotent: true, ..Meta::default() }, &[1; 10]);
    outbox.take(Time::ZERO, &mut flight, &mut Vec::new());
    advance(&mut outbox, &mut flight, 10);
    assert_eq!(restore(&mut outbox, &mut flight, 10, 10), []);
    assert!(outbox.is_empty());
    assert_eq!(outbox.counts().acked, 1);
}

#[test]
fn a_request_that_was_never_transmitted_is_told_so_and_not_sent_again() {
    let mut outbox = open_with_figures();
    let mut flight = Flight::new();
    for number in 1..=3 {
        push(&mut outbox, Meta { request: true, ..tracked(number) }, &[number as u8; 10]);
    }
    outbox.take(Time::ZERO, &mut flight, &mut Vec::new());
    advance(&mut outbox, &mut flight, 30);
    let settled = restore(&mut outbox, &mut flight, 10, 15);
    assert_eq!(
        settled.iter().map(|told| (told.ticket, told.outcome)).collect::<Vec<_>>(),
        [(ticket(3), Outcome::NotSent)]
    );
    assert!(settled[0].request && outbox.is_empty());
    assert_balanced(&outbox);
}

#[test]
fn a_connection_that_is_left_in_order_takes_its_bytes_along() {
    let (mut outbox, mut flight) = written(&[10, 10], 20);
    let standing = Standing { acked: 10, transmitted: 10 }.left_in_order();
    let mut settled = Vec::new();
    outbox.restore(&mut flight, standing, &mut settled);
    assert_eq!(settled, [settled_as(1, Outcome::Acked), settled_as(2, Outcome::Unknown)]);
    assert!(outbox.is_empty());
}

#[test]
fn what_went_out_before_the_last_256_kib_is_not_sent_again_even_if_it_never_left() {
    let mut outbox = open_with_figures();
    let mut flight = Flight::new();
    for number in 1..=50u64 {
        by_reference(&mut outbox, tracked(number), &vec![number as u8; 16 << 10]);
    }
    while outbox.has_waiting() || !flight.is_empty() {
        outbox.take(Time::ZERO, &mut flight, &mut Vec::new());
        let bytes = wire(&flight).len();
        advance(&mut outbox, &mut flight, bytes);
    }
    assert!(outbox.wants_look());
    let settled = restore(&mut outbox, &mut flight, 0, 0);
    assert_eq!(outbox.len(), 16, "16 KiB each");
    assert_eq!(settled.len(), 34);
    assert!(settled.iter().all(|told| told.outcome == Outcome::NotSent));
    assert_balanced(&outbox);
}

#[test]
fn bytes_that_are_known_to_be_transmitted_are_not_held() {
    let mut outbox = open_with_figures();
    let mut flight = Flight::new();
    for round in 0..100u64 {
        by_reference(&mut outbox, Meta::default(), &vec![1; 16 << 10]);
        outbox.take(Time::ZERO, &mut flight, &mut Vec::new());
        advance(&mut outbox, &mut flight, 16 << 10);
        weigh(&mut outbox, &mut flight, 0, (round + 1) * (16 << 10));
        assert!(!outbox.wants_look());
    }
}

#[test]
fn a_million_tiny_messages_in_flight_stay_within_their_memory() {
    let mut outbox = open_with_figures();
    let mut flight = Flight::new();
    for _ in 0..1_000 {
        for _ in 0..1_000 {
            push(&mut outbox, Meta::default(), b"x");
        }
        outbox.take(Time::ZERO, &mut flight, &mut Vec::new());
        advance(&mut outbox, &mut flight, 1_000);
    }
    assert_eq!(weigh(&mut outbox, &mut flight, 500_000, 1_000_000), []);
    let acked = outbox.counts().acked;
    assert!((400_000..=500_000).contains(&acked), "those told together are told late, never wrongly: {acked}");
    restore(&mut outbox, &mut flight, 999_999, 1_000_000);
    let counts = outbox.counts();
    assert_eq!((counts.acked + counts.unknown, counts.in_flight), (1_000_000, 0));
    assert!(counts.acked <= 999_999);
    assert_balanced(&outbox);
}

#[test]
fn a_message_that_grew_too_old_while_the_kernel_had_it_expires() {
    let mut outbox = open_with_figures();
    let mut flight = Flight::new();
    let expiry = Time::ZERO + Duration::from_secs(5);
    push(&mut outbox, Meta { expires: Some(expiry), ..tracked(1) }, &[1; 10]);
    outbox.take(Time::ZERO, &mut flight, &mut Vec::new());
    advance(&mut outbox, &mut flight, 10);
    assert_eq!(restore(&mut outbox, &mut flight, 0, 0), []);
    assert_eq!(outbox.next_expiry(), Some(expiry));
    let mut settled = Vec::new();
    outbox.expire(expiry, &mut settled);
    assert_eq!(settled, [settled_as(1, Outcome::Expired)]);
}

/// An outbox whose messages of these sizes, numbered from 1, are handed over up to `count` bytes.
fn written(sizes: &[usize], count: usize) -> (Outbox, Flight) {
    let mut outbox = open_with_figures();
    let mut flight = Flight::new();
    for (number, size) in (1u64..).zip(sizes) {
        push(&mut outbox, tracked(number), &vec![number as u8; *size]);
    }
    outbox.take(Time::ZERO, &mut flight, &mut Vec::new());
    assert_eq!(advance(&mut outbox, &mut flight, count), [], "no outcome before the kernel tells");
    (outbox, flight)
}

fn weigh(
    outbox: &mut Outbox,
    flight: &mut Flight,
    acked: u64,
    transmitted: u64,
) -> Vec<keepline_proto::outbox::Settled> {
    let mut settled = Vec::new();
    let progress = outbox.weigh(flight, Standing { acked, transmitted }, &mut settled);
    assert!(progress || settled.is_empty());
    settled
}

fn restore(
    outbox: &mut Outbox,
    flight: &mut Flight,
    acked: u64,
    transmitted: u64,
) -> Vec<keepline_proto::outbox::Settled> {
    let mut settled = Vec::new();
    outbox.restore(flight, Standing { acked, transmitted }, &mut settled);
    settled
}
