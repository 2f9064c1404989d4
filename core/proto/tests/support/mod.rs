//! Outboxes in tests: messages with numbers, and what lies on the wire.
#![allow(dead_code)]

use bytes::Bytes;
use keepline_proto::Epoch;
use keepline_proto::config::OutboxLimits;
use keepline_proto::correlator::Ticket;
use keepline_proto::framing::Header;
use keepline_proto::outbox::{Accounting, Flight, HandedOver, Meta, Outbox, Outcome, Settled};
use std::convert::Infallible;
use std::io::IoSlice;

pub(crate) const LIMITS: OutboxLimits = OutboxLimits { messages: 100_000, bytes: 16 << 20, age: None };

pub(crate) fn open() -> Outbox {
    let mut outbox = Outbox::new(LIMITS);
    outbox.open(Epoch(1), Accounting::HandedOver, 0);
    outbox
}

pub(crate) fn open_with_figures() -> Outbox {
    let mut outbox = Outbox::new(LIMITS);
    outbox.open(Epoch(1), Accounting::Kernel, 0);
    outbox
}

pub(crate) fn ticket(number: u64) -> Ticket {
    Ticket::new(number).unwrap()
}

pub(crate) fn tracked(number: u64) -> Meta {
    Meta { ticket: Some(ticket(number)), ..Meta::default() }
}

pub(crate) fn settled_as(number: u64, outcome: Outcome) -> Settled {
    Settled { ticket: ticket(number), outcome, request: false }
}

/// Twelve bytes of number and size, then the number's last byte again and again.
pub(crate) fn frame(number: u64, size: usize) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend_from_slice(&((12 + size) as u32).to_be_bytes());
    bytes.resize(12 + size, number as u8);
    bytes
}

pub(crate) fn push(outbox: &mut Outbox, meta: Meta, bytes: &[u8]) {
    let pushed: Result<(), Infallible> = outbox.push(meta, bytes.len(), |buffer| {
        buffer.extend_from_slice(bytes);
        Ok(())
    });
    let Ok(()) = pushed;
}

/// The first eight bytes as a header, the rest by reference.
pub(crate) fn by_reference(outbox: &mut Outbox, meta: Meta, frame: &[u8]) {
    let (first, rest) = frame.split_at(8);
    outbox.push_bytes(meta, Header::from_slice(first).unwrap(), Bytes::copy_from_slice(rest));
}

pub(crate) fn wire(flight: &Flight) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 64];
    let filled = flight.slices(&mut slices);
    slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect()
}

pub(crate) fn advance(outbox: &mut Outbox, flight: &mut Flight, count: usize) -> Vec<(Ticket, Outcome)> {
    let mut outcomes = Vec::new();
    outbox.advance(flight, count, |handed, settled| {
        if let HandedOver::Ticket { ticket: Some(ticket), .. } = handed {
            outcomes.extend(settled.map(|settled| {
                assert_eq!(settled.ticket, ticket);
                (ticket, settled.outcome)
            }));
        }
    });
    outcomes
}

pub(crate) fn assert_balanced(outbox: &Outbox) {
    let counts = outbox.counts();
    let sum = counts.acked + counts.not_sent + counts.unknown + counts.expired + counts.queued + counts.in_flight;
    assert_eq!(counts.accepted, sum, "{counts:?}");
}
