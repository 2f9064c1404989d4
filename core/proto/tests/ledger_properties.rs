//! Outcomes are true whatever the kernel did: steps drawn at random, compared with what lay on the wires.

mod support;

use bytes::Bytes;
use keepline_proto::correlator::Ticket;
use keepline_proto::framing::Header;
use keepline_proto::outbox::{Accounting, Flight, Inline, Meta, Outcome, Standing, Urgent};
use keepline_proto::{Epoch, Time};
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};
use support::*;

#[derive(Debug, Clone)]
enum Step {
    Send { size: usize, tracked: bool, idempotent: bool, request: bool },
    Inline { size: usize, cut: Option<usize> },
    Write(usize),
    Heartbeat,
    Look { transmitted: u8, acked: u8 },
    Break { transmitted: u8, acked: u8 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1usize..300, any::<bool>(), prop::bool::weighted(0.1), prop::bool::weighted(0.1)).prop_map(
            |(size, tracked, idempotent, request)| Step::Send { size, tracked, idempotent, request }
        ),
        1 => (8_000usize..90_000, any::<bool>()).prop_map(
            |(size, tracked)| Step::Send { size, tracked, idempotent: false, request: false }
        ),
        2 => (1usize..10_000, proptest::option::of(0usize..10_000)).prop_map(|(size, cut)| Step::Inline { size, cut }),
        6 => (1usize..70_000).prop_map(Step::Write),
        1 => Just(Step::Heartbeat),
        4 => any::<(u8, u8)>().prop_map(|(transmitted, acked)| Step::Look { transmitted, acked }),
        1 => any::<(u8, u8)>().prop_map(|(transmitted, acked)| Step::Break { transmitted, acked }),
    ];
    proptest::collection::vec(step, 1..150)
}

/// A kernel: how many of the bytes it was given it has transmitted, and how many of those were acknowledged.
#[derive(Default)]
struct Kernel {
    wire: Vec<u8>,
    /// What was to follow: of a message cut within its header, only this tells the number.
    rest: Vec<u8>,
    transmitted: usize,
    acked: usize,
}

impl Kernel {
    /// Is given so many of these bytes.
    fn take(&mut self, bytes: &[u8], count: usize) {
        self.wire.extend_from_slice(&bytes[..count]);
        self.rest = bytes[count..].to_vec();
    }

    /// Moves on by so many 255ths of what is possible.
    fn run(&mut self, transmitted: u8, acked: u8) -> Standing {
        self.transmitted += (self.wire.len() - self.transmitted) * usize::from(transmitted) / 255;
        self.acked += (self.transmitted - self.acked) * usize::from(acked) / 255;
        Standing { acked: self.acked as u64, transmitted: self.transmitted as u64 }
    }
}

proptest! {
    /// Against a kernel that transmits and hears what it likes: nothing is called acked that was not acknowledged whole,
    /// nothing is sent again of which a byte was transmitted (unless it may arrive twice), nothing is lost, the order
    /// holds on each connection, every message has one outcome, and the counts add up.
    #[test]
    fn outcomes_are_true_whatever_the_kernel_did(steps in steps()) {
        let mut outbox = open_with_figures();
        let mut flight = Flight::new();
        let (mut next, mut epoch) = (1u64, 1u64);
        let mut outcomes: Vec<(Ticket, Outcome)> = Vec::new();
        let (mut tickets, mut idempotents, mut requests) = (Vec::new(), HashSet::new(), HashSet::new());
        let mut kernels = vec![Kernel::default()];
        for step in steps.into_iter().chain([Step::Break { transmitted: 0, acked: 0 }]) {
            let mut settled = Vec::new();
            match step {
                Step::Send { size, tracked, idempotent, request } => {
                    let number = next;
                    next += 1;
                    let has_ticket = tracked || request;
                    let meta = Meta { ticket: has_ticket.then(|| ticket(number)), request, idempotent, expires: None };
                    if request { requests.insert(number); } else if tracked { tickets.push(ticket(number)); }
                    if idempotent { idempotents.insert(number); }
                    let body = frame(number, size);
                    if size >= 8_000 { by_reference(&mut outbox, meta, &body); } else { push(&mut outbox, meta, &body); }
                }
                Step::Inline { size, cut } => {
                    outbox.uncork();
                    if outbox.allows_inline() {
                        let number = next;
                        next += 1;
                        tickets.push(ticket(number));
                        let body = frame(number, size);
                        let cut = cut.map_or(body.len(), |cut| cut.min(body.len()));
                        kernels.last_mut().unwrap().take(&body, cut);
                        if cut < body.len() {
                            outbox.push_cut(tracked(number), Header::NONE, body.into(), cut);
                        } else {
                            let kept = match size {
                                ..8_000 => Inline::Small(&body),
                                8_000.. => Inline::Large(Header::NONE, body.into()),
                            };
                            settled.extend(outbox.wrote_inline(tracked(number), kept));
                        }
                        outbox.cork();
                    }
                }
                Step::Write(count) => {
                    outbox.take(Time::ZERO, &mut flight, &mut settled);
                    let bytes = wire(&flight);
                    let count = count.min(bytes.len());
                    kernels.last_mut().unwrap().take(&bytes, count);
                    outcomes.extend(advance(&mut outbox, &mut flight, count));
                }
                Step::Heartbeat => flight.push_urgent(Bytes::from(frame(u64::MAX, 0)), Urgent::Heartbeat),
                Step::Look { transmitted, acked } => {
                    let standing = kernels.last_mut().unwrap().run(transmitted, acked);
                    outbox.weigh(&mut flight, standing, &mut settled);
                }
                Step::Break { transmitted, acked } => {
                    let standing = kernels.last_mut().unwrap().run(transmitted, acked);
                    outbox.restore(&mut flight, standing, &mut settled);
                    epoch += 1;
                    outbox.open(Epoch(epoch), Accounting::Kernel, 0);
                    kernels.push(Kernel::default());
                }
            }
            outcomes.extend(settled.into_iter().map(|settled| (settled.ticket, settled.outcome)));
            prop_assert_eq!(outbox.written(), kernels.last().unwrap().wire.len() as u64);
            assert_balanced(&outbox);
        }
        // What is left could still go out: it is given up, and nothing of it may be on a wire of its own accord.
        let mut settled = Vec::new();
        outbox.drop_all(&mut settled);
        outcomes.extend(settled.into_iter().map(|settled| (settled.ticket, settled.outcome)));
        prop_assert_eq!(outbox.counts().queued, 0);

        let told: HashMap<u64, Outcome> = outcomes.iter().map(|(ticket, outcome)| (ticket.get(), *outcome)).collect();
        prop_assert_eq!(told.len(), outcomes.len(), "two outcomes for one message");
        for ticket in &tickets {
            prop_assert!(told.contains_key(&ticket.get()), "message {} has no outcome", ticket.get());
        }

        // How far each message got on each connection.
        let (mut acked, mut transmitted, mut times) = (HashSet::new(), HashSet::new(), HashMap::<u64, u32>::new());
        for kernel in &kernels {
            let (mut start, mut last) = (0, 0);
            let planned = [kernel.wire.as_slice(), &kernel.rest].concat();
            while start < kernel.wire.len() {
                let number = u64::from_be_bytes(planned[start..start + 8].try_into().unwrap());
                let size = u32::from_be_bytes(planned[start + 8..start + 12].try_into().unwrap()) as usize;
                let end = start + size;
                if number != u64::MAX {
                    prop_assert!(number > last, "message {number} after {last}");
                    last = number;
                    if end <= kernel.acked { acked.insert(number); }
                    if start < kernel.transmitted {
                        transmitted.insert(number);
                        *times.entry(number).or_default() += 1;
                    }
                }
                if end > kernel.wire.len() { break; }
                prop_assert!(kernel.wire[start + 12..end].iter().all(|byte| *byte == number as u8));
                start = end;
            }
        }
        for (number, outcome) in &told {
            match outcome {
                Outcome::Acked => prop_assert!(acked.contains(number), "{number} was not acknowledged"),
                Outcome::NotSent | Outcome::Expired => {
                    prop_assert!(!transmitted.contains(number) || idempotents.contains(number), "{number} was transmitted");
                }
                Outcome::Unknown => {
                    prop_assert!(transmitted.contains(number), "{number} never left");
                    prop_assert!(!acked.contains(number), "{number} was acknowledged");
                }
                _ => prop_assert!(false, "an outcome this test does not know"),
            }
        }
        for (number, times) in &times {
            prop_assert!(*times == 1 || idempotents.contains(number), "{number} was transmitted {times} times");
        }
    }
}
