//! How messages leave without being handed over: the end of a connection, policy, age, a change of mind.

use super::chunk::{Chunk, Fate, Special};
use super::queue::Queue;
use super::{Cork, Flight, Outbox, Outcome, SPARES, Settled, Standing};
use crate::Time;
use crate::correlator::Ticket;

impl Outbox {
    /// Ends a connection: shuts the gate, gives every message that was handed over its outcome, and puts the rest back in
    /// order, before what waits: what was not begun, what was never transmitted, and what may arrive twice. Requests end
    /// with their connection.
    pub fn restore(&mut self, flight: &mut Flight, standing: Standing, settled: &mut Vec<Settled>) {
        self.shut();
        self.writing = false;
        self.cork = Cork::Out;
        self.spares = Queue::new();
        let standing = if self.ledger.is_kept { standing } else { Standing::unknown() };
        let mut ended = self.ledger.end();
        ended.extend(flight.drain());
        // One that its caller began is in nobody's flight while the writer has not had a turn since.
        if self.chunks.front().is_some_and(Chunk::is_begun) {
            ended.extend(self.chunks.pop_front());
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
            self.next_expiry = expiries.fold(self.next_expiry, Time::min);
            self.chunks.push_front(chunk);
        }
        self.messages = self.chunks.iter().map(Chunk::frames).sum();
        self.bytes = self.chunks.iter().map(Chunk::bytes).sum();
        self.counts.end(self.messages as u64);
        self.retain(settled, |special| if special.request { Some(Outcome::NotSent) } else { None });
    }

    /// Gives the messages of a living connection that are acknowledged their outcome, and forgets the bytes that need not
    /// be sent again. Says whether anything was acknowledged.
    pub fn weigh(&mut self, flight: &mut Flight, standing: Standing, settled: &mut Vec<Settled>) -> bool {
        let counts = &mut self.counts;
        let before = counts.acked;
        let mut report = |frames: usize, special: Option<Special>| {
            counts.acked += frames as u64;
            counts.in_flight = counts.in_flight.saturating_sub(frames as u64);
            settled.extend(special.and_then(|special| told(&special, Outcome::Acked)));
        };
        let spares = &mut self.spares;
        let limit = if self.cork == Cork::Out { 0 } else { SPARES };
        self.ledger.weigh(standing, &mut report, |buffer| {
            if spares.len() < limit && buffer.capacity() > 0 {
                spares.push_back(buffer);
            }
        });
        flight.settle(standing, report);
        counts.acked > before
    }

    /// Drops everything that waits as `NotSent`.
    pub fn drop_all(&mut self, settled: &mut Vec<Settled>) {
        for chunk in self.chunks.take() {
            for special in chunk.specials_left() {
                if let Some(ticket) = special.ticket {
                    settled.push(Settled { ticket, outcome: Outcome::NotSent, request: special.request });
                }
            }
        }
        if self.messages > 0 {
            self.counts.rare().not_sent += self.messages as u64;
        }
        self.messages = 0;
        self.bytes = 0;
        self.next_expiry = Time::FAR_FUTURE;
    }

    /// Drops a waiting message whose ticket was given back; `false` if it is being written or is not here.
    pub fn cancel(&mut self, ticket: Ticket) -> bool {
        let before = self.messages;
        let mut settled = Vec::new();
        self.retain(&mut settled, |special| (special.ticket == Some(ticket)).then_some(Outcome::NotSent));
        self.messages < before
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
        self.next_expiry = next;
    }

    /// Drops the messages for which `verdict` has an outcome. Only whole frames that nobody has begun to write.
    fn retain(&mut self, settled: &mut Vec<Settled>, mut verdict: impl FnMut(&Special) -> Option<Outcome>) {
        let (mut messages, mut bytes) = (0, 0);
        let counts = &mut self.counts;
        for chunk in self.chunks.iter_mut() {
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
            self.chunks.retain(|chunk| !chunk.is_done());
            self.messages -= messages;
            self.bytes -= bytes;
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
