//! The outbox: order, outcomes, bounds, and what a boundary does to a frame in the middle.

mod support;

use bytes::{Bytes, BytesMut};
use keepline_proto::config::OutboxLimits;
use keepline_proto::correlator::Ticket;
use keepline_proto::framing::Header;
use keepline_proto::outbox::{Accounting, Cork, Flight, Gate, Meta, Outbox, Outcome, Refusal, Standing, Urgent};
use keepline_proto::{Epoch, Time};
use proptest::prelude::*;
use std::io::IoSlice;
use std::time::Duration;
use support::*;

#[test]
fn small_messages_of_one_turn_are_one_slice() {
    let mut outbox = open();
    for number in 0..1_000u32 {
        push(&mut outbox, Meta::default(), &number.to_be_bytes());
    }
    let mut flight = Flight::new();
    outbox.take(Time::ZERO, &mut flight, &mut Vec::new());
    let mut slices = [IoSlice::new(&[]); 8];
    assert_eq!(flight.slices(&mut slices), 1);
    assert_eq!(slices[0].len(), 4_000);
}

#[test]
fn a_frame_cut_by_the_boundary_is_unknown_and_the_rest_is_kept_in_order() {
    let mut outbox = open();
    for number in 1..=4u64 {
        push(&mut outbox, tracked(number), &[number as u8; 10]);
    }
    let mut flight = Flight::new();
    outbox.take(Time::ZERO, &mut flight, &mut Vec::new());
    let handed = advance(&mut outbox, &mut flight, 15);
    assert_eq!(handed, [(ticket(1), Outcome::Unknown)]);
    let mut settled = Vec::new();
    outbox.restore(&mut flight, Standing::unknown(), &mut settled);
    assert_eq!(settled, [settled_as(2, Outcome::Unknown)]);
    assert_eq!((outbox.len(), outbox.bytes()), (2, 20));
    outbox.open(Epoch(2), Accounting::HandedOver, 0);
    outbox.take(Time::ZERO, &mut flight, &mut settled);
    assert_eq!(wire(&flight), [[3; 10], [4; 10]].concat());
    assert_balanced(&outbox);
}

#[test]
fn an_inline_write_cut_by_the_kernel_dies_with_its_connection_though_the_writer_never_saw_it() {
    let mut outbox = open();
    outbox.push_cut(tracked(1), Header::NONE, Bytes::from_static(b"0123456789"), 4);
    push(&mut outbox, tracked(2), b"next");
    let (mut flight, mut settled) = (Flight::new(), Vec::new());
    outbox.restore(&mut flight, Standing::unknown(), &mut settled);
    assert_eq!(settled, [settled_as(1, Outcome::Unknown)]);
    assert_eq!((outbox.len(), outbox.bytes()), (1, 4));
    outbox.drop_all(&mut settled);
    assert_eq!(settled, [settled_as(1, Outcome::Unknown), settled_as(2, Outcome::NotSent)]);
    assert_balanced(&outbox);
}

#[test]
fn an_inline_write_of_which_nothing_was_transmitted_goes_out_whole() {
    let mut outbox = open_with_figures();
    outbox.push_cut(tracked(1), Header::NONE, Bytes::from_static(b"0123456789"), 4);
    let (mut flight, mut settled) = (Flight::new(), Vec::new());
    outbox.restore(&mut flight, Standing { acked: 0, transmitted: 0 }, &mut settled);
    outbox.open(Epoch(2), Accounting::Kernel, 0);
    outbox.take(Time::ZERO, &mut flight, &mut settled);
    assert_eq!(wire(&flight), b"0123456789");
    assert_eq!(settled, []);
}

#[test]
fn an_inline_write_cut_by_the_kernel_continues_and_dies_with_its_connection() {
    let mut outbox = open();
    outbox.push_cut(tracked(1), Header::NONE, Bytes::from_static(b"0123456789"), 4);
    push(&mut outbox, tracked(2), b"next");
    assert!(!outbox.allows_inline());
    let mut flight = Flight::new();
    outbox.take(Time::ZERO, &mut flight, &mut Vec::new());
    assert_eq!(wire(&flight), b"456789next");
    let mut settled = Vec::new();
    outbox.restore(&mut flight, Standing::unknown(), &mut settled);
    assert_eq!(settled, [settled_as(1, Outcome::Unknown)]);
    assert_eq!((outbox.len(), outbox.bytes()), (1, 4));
}

#[test]
fn dropped_by_policy_is_not_sent() {
    let mut outbox = open();
    push(&mut outbox, tracked(1), b"one");
    push(&mut outbox, Meta::default(), b"two");
    let mut settled = Vec::new();
    outbox.drop_all(&mut settled);
    assert_eq!(settled, [settled_as(1, Outcome::NotSent)]);
    assert_eq!(outbox.counts().not_sent, 2);
    assert_balanced(&outbox);
}

#[test]
fn requests_end_with_their_connection_and_messages_go_on() {
    let mut outbox = open();
    push(&mut outbox, Meta { request: true, ..tracked(1) }, b"request");
    push(&mut outbox, Meta::default(), b"message");
    let mut settled = Vec::new();
    outbox.restore(&mut Flight::new(), Standing::unknown(), &mut settled);
    assert_eq!(settled.len(), 1);
    assert_eq!((settled[0].ticket, settled[0].outcome, settled[0].request), (ticket(1), Outcome::NotSent, true));
    assert_eq!(outbox.len(), 1);
    assert_balanced(&outbox);
}

#[test]
fn what_is_too_old_expires_and_the_next_expiry_is_known() {
    let mut outbox = Outbox::new(LIMITS);
    let at = |seconds: u64| Some(Time::ZERO + Duration::from_secs(seconds));
    push(&mut outbox, Meta { expires: at(5), ..tracked(1) }, b"old");
    push(&mut outbox, Meta::default(), b"ageless");
    push(&mut outbox, Meta { expires: at(9), ..tracked(2) }, b"younger");
    assert_eq!(outbox.next_expiry(), at(5));
    let mut settled = Vec::new();
    outbox.expire(at(5).unwrap(), &mut settled);
    assert_eq!(settled, [settled_as(1, Outcome::Expired)]);
    assert_eq!(outbox.next_expiry(), at(9));
    outbox.open(Epoch(1), Accounting::HandedOver, 0);
    let mut flight = Flight::new();
    outbox.take(at(9).unwrap(), &mut flight, &mut settled);
    assert_eq!(wire(&flight), b"ageless");
    assert_balanced(&outbox);
}

#[test]
fn a_cancelled_message_is_taken_back_unless_it_is_being_written() {
    let mut outbox = open();
    for number in 1..=3 {
        push(&mut outbox, tracked(number), &[number as u8; 3]);
    }
    assert!(outbox.cancel(ticket(2)));
    assert!(!outbox.cancel(ticket(2)));
    let mut flight = Flight::new();
    outbox.take(Time::ZERO, &mut flight, &mut Vec::new());
    assert_eq!(wire(&flight), [1, 1, 1, 3, 3, 3]);
    assert!(!outbox.cancel(ticket(1)));
}

#[test]
fn urgent_frames_overtake_at_a_frame_boundary_and_never_inside_a_frame() {
    let mut outbox = open();
    push(&mut outbox, Meta::default(), b"aaaa");
    push(&mut outbox, Meta::default(), b"bbbb");
    let mut flight = Flight::new();
    outbox.take(Time::ZERO, &mut flight, &mut Vec::new());
    advance(&mut outbox, &mut flight, 2);
    flight.push_urgent(Bytes::from_static(b"PING"), Urgent::Heartbeat);
    let mut written = Vec::new();
    while !flight.is_empty() {
        let next = wire(&flight);
        written.push(next[0]);
        advance(&mut outbox, &mut flight, 1);
    }
    assert_eq!(written, b"aaPINGbbbb");
}

#[test]
fn limits_hold_in_messages_and_bytes() {
    let mut outbox = Outbox::new(OutboxLimits { messages: 2, bytes: 10, age: None });
    assert_eq!(outbox.admit(11), Err(Refusal::TooLarge));
    push(&mut outbox, Meta::default(), b"123456");
    assert_eq!(outbox.admit(5), Err(Refusal::Full));
    assert_eq!(outbox.admit(4), Ok(()));
    push(&mut outbox, Meta::default(), b"1");
    assert_eq!(outbox.admit(1), Err(Refusal::Full));
}

#[test]
fn an_encoder_that_fails_leaves_nothing_behind() {
    let mut outbox = open();
    push(&mut outbox, Meta::default(), b"before");
    let failed = outbox.push(Meta::default(), 4, |buffer: &mut BytesMut| {
        buffer.extend_from_slice(b"half");
        Err("no")
    });
    assert_eq!(failed, Err("no"));
    let mut flight = Flight::new();
    outbox.take(Time::ZERO, &mut flight, &mut Vec::new());
    assert_eq!(wire(&flight), b"before");
}

#[test]
fn callers_write_inline_only_while_nothing_is_before_them() {
    let mut outbox = Outbox::new(LIMITS);
    assert_eq!(outbox.gate(), Gate::Shut);
    assert!(!outbox.allows_inline());
    outbox.open(Epoch(1), Accounting::HandedOver, 0);
    assert!(outbox.allows_inline());
    outbox.cork();
    assert!(!outbox.allows_inline());
    outbox.uncork();
    assert!(outbox.allows_inline());
    push(&mut outbox, Meta::default(), b"queued");
    assert!(!outbox.allows_inline());
    let mut flight = Flight::new();
    outbox.take(Time::ZERO, &mut flight, &mut Vec::new());
    assert!(!outbox.allows_inline(), "a writer is at work");
    advance(&mut outbox, &mut flight, 6);
    assert_eq!(outbox.corked(), Cork::Burst, "a message that had to wait begins a burst");
    assert!(!outbox.allows_inline());
}

#[test]
fn callers_write_inline_again_once_messages_come_singly() {
    let mut outbox = Outbox::new(LIMITS);
    outbox.open(Epoch(1), Accounting::HandedOver, 0);
    let turn = |outbox: &mut Outbox, messages: usize| {
        for _ in 0..messages {
            push(outbox, Meta::default(), b"queued");
        }
        let mut flight = Flight::new();
        outbox.take(Time::ZERO, &mut flight, &mut Vec::new());
        advance(outbox, &mut flight, 6 * messages);
        outbox.uncork();
        outbox.allows_inline()
    };
    assert!(!turn(&mut outbox, 1), "one that follows an inline write comes in a burst");
    let lone = |outbox: &mut Outbox, turns: usize| (0..turns).map(|_| turn(outbox, 1)).collect::<Vec<_>>();
    assert_eq!(lone(&mut outbox, 3), [false; 3]);
    assert!(!turn(&mut outbox, 2), "two at once are a burst");
    assert_eq!(lone(&mut outbox, 4), [false, false, false, true]);
    outbox.shut();
    assert!(!turn(&mut outbox, 2));
    outbox.open(Epoch(2), Accounting::HandedOver, 0);
    assert!(outbox.allows_inline(), "a new connection begins anew");
}

#[derive(Debug, Clone)]
enum Step {
    Send { size: usize, tracked: bool, expires: bool },
    Write(usize),
    Heartbeat,
    Break,
    Tick,
    Cancel(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1usize..200, any::<bool>(), any::<bool>())
            .prop_map(|(size, tracked, expires)| Step::Send { size, tracked, expires }),
        1 => (8_000usize..20_000, any::<bool>()).prop_map(|(size, tracked)| Step::Send { size, tracked, expires: false }),
        6 => (1usize..9_000).prop_map(Step::Write),
        1 => Just(Step::Heartbeat),
        1 => Just(Step::Break),
        1 => Just(Step::Tick),
        1 => (1u64..60).prop_map(Step::Cancel),
    ];
    proptest::collection::vec(step, 1..120)
}

proptest! {
    /// Whatever happens: on each connection whole frames in the order of acceptance, except for one cut at its end;
    /// every tracked message exactly one outcome; `NotSent` and `Expired` never touched a wire; the counts add up.
    #[test]
    fn every_message_has_one_true_outcome_and_order_is_kept(steps in steps()) {
        let mut outbox = open();
        let mut flight = Flight::new();
        let mut settled: Vec<(Ticket, Outcome)> = Vec::new();
        let (mut next, mut epoch, mut now) = (1u64, 1u64, Time::ZERO);
        let mut sizes = std::collections::HashMap::new();
        let mut wires: Vec<Vec<u8>> = vec![Vec::new()];
        let mut tickets = Vec::new();
        for step in steps {
            let mut fresh = Vec::new();
            match step {
                Step::Send { size, tracked: with_receipt, expires } => {
                    let number = next;
                    next += 1;
                    let expires = expires.then(|| now + Duration::from_secs(3));
                    let meta = Meta { ticket: with_receipt.then(|| ticket(number)), expires, ..Meta::default() };
                    if with_receipt { tickets.push(ticket(number)); }
                    let body = frame(number, size);
                    sizes.insert(number, body.len());
                    if size >= 8_000 { by_reference(&mut outbox, meta, &body); } else { push(&mut outbox, meta, &body); }
                }
                Step::Write(count) => {
                    outbox.take(now, &mut flight, &mut fresh);
                    let bytes = wire(&flight);
                    let count = count.min(bytes.len());
                    wires.last_mut().unwrap().extend_from_slice(&bytes[..count]);
                    settled.extend(advance(&mut outbox, &mut flight, count));
                }
                Step::Heartbeat => flight.push_urgent(Bytes::from(frame(u64::MAX, 0)), Urgent::Heartbeat),
                Step::Break => {
                    outbox.restore(&mut flight, Standing::unknown(), &mut fresh);
                    epoch += 1;
                    outbox.open(Epoch(epoch), Accounting::HandedOver, 0);
                    wires.push(Vec::new());
                }
                Step::Tick => {
                    now = now + Duration::from_secs(2);
                    outbox.expire(now, &mut fresh);
                }
                Step::Cancel(number) => {
                    if outbox.cancel(ticket(number)) {
                        settled.push((ticket(number), Outcome::NotSent));
                    }
                }
            }
            settled.extend(fresh.into_iter().map(|settled| (settled.ticket, settled.outcome)));
            assert_balanced(&outbox);
        }
        let mut fresh = Vec::new();
        outbox.restore(&mut flight, Standing::unknown(), &mut fresh);
        outbox.drop_all(&mut fresh);
        settled.extend(fresh.into_iter().map(|settled| (settled.ticket, settled.outcome)));
        assert_balanced(&outbox);
        prop_assert_eq!(outbox.counts().queued, 0);

        // One outcome each.
        let mut told: Vec<_> = settled.iter().map(|(ticket, _)| *ticket).collect();
        told.sort();
        let before = told.len();
        told.dedup();
        prop_assert_eq!(before, told.len(), "two outcomes for one message");
        tickets.sort();
        prop_assert_eq!(told, tickets);

        // Whole frames, in order, over all connections.
        let mut last = 0;
        let mut touched = std::collections::HashSet::new();
        for wire in &wires {
            let mut rest = &wire[..];
            while rest.len() >= 12 {
                let number = u64::from_be_bytes(rest[..8].try_into().unwrap());
                let size = u32::from_be_bytes(rest[8..12].try_into().unwrap()) as usize;
                let whole = rest.len() >= size;
                prop_assert!(rest[12..size.min(rest.len())].iter().all(|byte| *byte == number as u8));
                if number != u64::MAX {
                    prop_assert!(number > last, "message {number} after {last}");
                    last = number;
                    touched.insert(number);
                    prop_assert_eq!(size, sizes[&number]);
                }
                if !whole { rest = &[]; break; }
                rest = &rest[size..];
            }
            if !rest.is_empty() && rest.len() >= 8 {
                touched.insert(u64::from_be_bytes(rest[..8].try_into().unwrap()));
            }
        }
        for (ticket, outcome) in settled {
            if matches!(outcome, Outcome::NotSent | Outcome::Expired) {
                prop_assert!(!touched.contains(&ticket.get()), "{outcome} message {} was on the wire", ticket.get());
            }
        }
    }
}
