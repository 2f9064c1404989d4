//! How messages leave without being handed over: the end of a connection, policy, age, a change of mind.

use super::chunk::{Chunk, Fate, Special};
use super::load::Load;
use super::message::Pass;
use super::{Cork, Flight, Outbox, Outcome, SPARES, Settled, Standing};
use crate::Time;
use crate::correlator::Ticket;
use std::collections::VecDeque;

impl Outbox {
    /// Ends a connection: shuts the gate, gives every message that was handed over its outcome, and puts the rest back in
    /// order, before what waits: what was not begun, what was never transmitted, and what may arrive twice. Requests end
    /// with their connection.
    pub fn restore(&mut self, flight: &mut Flight, standing: Standing, settled: &mut Vec<Settled>) {
        self.shut();
        self.writing = false;
        self.cork = Cork::Out;
        let standing = if self.pass.is_kept() { standing } else { Standing::unknown() };
        (self.pass, self.written) = (Pass::Shut, 0);
        let load = self.load.get_or_insert_default();
        load.spares = VecDeque::new();
        let mut ended = load.ledger.end();
        ended.extend(flight.drain());
        // One that its caller began is in nobody's flight while the writer has not had a turn since.
        if load.chunks.front().is_some_and(Chunk::is_begun) {
            ended.extend(load.chunks.pop_front());
        }
        let counts = &mut self.counts;
        for chunk in &mut ended {
            chunk.bury(standing, |frames, special, fate| {
                let outcome = match fate {
                    Fate::Acked => Outcome::Acked,
                    Fate::Unknown => Outcome::Unknown,
                    Fate::Lost => Outcome::NotSent,
                    Fate::Replay => return,
                };
                match outcome {
                    Outcome::Acked => counts.acked += frames as u64,
                    Outcome::NotSent => counts.rare().not_sent += frames as u64,
                    // Counted below, together with those of which not even this is known.
                    Outcome::Unknown | Outcome::Expired => {}
                }
                settled.extend(special.and_then(|special| told(&special, outcome)));
            });
        }
        for chunk in ended.into_iter().rev().filter(|chunk| !chunk.is_done()) {
            let expiries = chunk.specials().iter().filter_map(|special| special.expires);
            load.next_expiry = expiries.fold(load.next_expiry, Time::min);
            load.chunks.push_front(chunk);
        }
        load.messages = load.chunks.iter().map(Chunk::frames).sum();
        load.bytes = load.chunks.iter().map(Chunk::bytes).sum();
        self.counts.end(load.messages as u64);
        self.retain(settled, |special| if special.request { Some(Outcome::NotSent) } else { None });
        self.rest();
    }

    /// Gives the messages of a living connection that are acknowledged their outcome, and forgets the bytes that need not
    /// be sent again. Says whether anything was acknowledged.
    pub fn weigh(&mut self, flight: &mut Flight, standing: Standing, settled: &mut Vec<Settled>) -> bool {
        let counts = &mut self.counts;
        let before = counts.acked;
        let mut report = |frames: usize, special: Option<Special>| {
            counts.acked += frames as u64;
            settled.extend(special.and_then(|special| told(&special, Outcome::Acked)));
        };
        let is_busy = self.cork != Cork::Out;
        if let Some(Load { ledger, spares, .. }) = self.load.as_deref_mut() {
            let limit = if is_busy { SPARES } else { 0 };
            ledger.weigh(standing, &mut report, |buffer| {
                if spares.len() < limit && buffer.capacity() > 0 {
                    spares.push_back(buffer);
                }
            });
        }
        flight.settle(standing, report);
        let has_progress = counts.acked > before;
        if !is_busy {
            self.rest();
        }
        has_progress
    }

    /// Drops everything that waits as `NotSent`.
    pub fn drop_all(&mut self, settled: &mut Vec<Settled>) {
        let Some(load) = &mut self.load else { return };
        for chunk in std::mem::take(&mut load.chunks) {
            for special in chunk.specials_left() {
                if let Some(ticket) = special.ticket {
                    settled.push(Settled { ticket, outcome: Outcome::NotSent, request: special.request });
                }
            }
        }
        if load.messages > 0 {
            self.counts.rare().not_sent += load.messages as u64;
        }
        (load.messages, load.bytes, load.next_expiry) = (0, 0, Time::FAR_FUTURE);
        self.rest();
    }

    /// Drops a waiting message whose ticket was given back; `false` if it is being written or is not here.
    pub fn cancel(&mut self, ticket: Ticket) -> bool {
        let before = self.len();
        let mut settled = Vec::new();
        self.retain(&mut settled, |special| (special.ticket == Some(ticket)).then_some(Outcome::NotSent));
        self.len() < before
    }

    /// Drops what has grown too old.
    pub fn expire(&mut self, now: Time, settled: &mut Vec<Settled>) {
        let mut next = Time::FAR_FUTURE;
        self.retain(settled, |special| match special.expires {
            Some(expiry) if expiry <= now => Some(Outcome::Expired),
            Some(expiry) => {
                next = next.min(expiry);
                None
            }
            None => None,
        });
        if let Some(load) = &mut self.load {
            load.next_expiry = next;
        }
    }

    /// Drops the messages for which `verdict` has an outcome. Only whole frames that nobody has begun to write.
    fn retain(&mut self, settled: &mut Vec<Settled>, mut verdict: impl FnMut(&Special) -> Option<Outcome>) {
        let (mut messages, mut bytes) = (0, 0);
        let Some(load) = &mut self.load else { return };
        let counts = &mut self.counts;
        for chunk in &mut load.chunks {
            chunk.retain(&mut verdict, |length, special, outcome| {
                messages += 1;
                bytes += length;
                match outcome {
                    Outcome::Expired => counts.rare().expired += 1,
                    Outcome::NotSent => counts.rare().not_sent += 1,
                    Outcome::Acked => counts.acked += 1,
                    Outcome::Unknown => counts.rare().unknown += 1,
                }
                if let Some(ticket) = special.ticket {
                    settled.push(Settled { ticket, outcome, request: special.request });
                }
            });
        }
        if messages > 0 {
            load.chunks.retain(|chunk| !chunk.is_done());
            load.messages -= messages;
            load.bytes -= bytes;
        }
    }
}

/// What the holder of a ticket is told. Whoever waits for a reply is told of its connection's end, not of an outcome,
/// unless the request never left.
fn told(special: &Special, outcome: Outcome) -> Option<Settled> {
    let ticket = special.ticket?;
    let is_told = !special.request || outcome == Outcome::NotSent;
    is_told.then_some(Settled { ticket, outcome, request: special.request })
}
