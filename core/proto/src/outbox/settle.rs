//! How messages leave without being handed over: the end of a connection, policy, age, a change of mind.

use super::chunk::{Chunk, Special};
use super::{Cork, Flight, Outbox, Outcome, Settled};
use crate::Time;
use crate::correlator::Ticket;

impl Outbox {
    /// Ends a connection: shuts the gate, makes a frame cut by the end `Unknown`, drops requests as `NotSent`, and puts
    /// the rest back in order.
    pub fn restore(&mut self, flight: &mut Flight, settled: &mut Vec<Settled>) {
        self.shut();
        self.writing = false;
        self.cork = Cork::Out;
        self.spares = Vec::new();
        for chunk in flight.drain().into_iter().rev() {
            if !chunk.is_done() {
                self.chunks.push_front(chunk);
            }
        }
        // Only the first chunk can be cut: bytes leave in order.
        if let Some(cut) = self.chunks.front_mut().and_then(Chunk::drop_cut_frame) {
            self.messages -= 1;
            self.bytes -= cut.bytes.min(self.bytes);
            self.counts.unknown += 1;
            if let Some(ticket) = cut.special.and_then(|special| special.ticket) {
                let request = cut.special.is_some_and(|special| special.request);
                settled.push(Settled { ticket, outcome: Outcome::Unknown, request });
            }
            if self.chunks.front().is_some_and(Chunk::is_done) {
                self.chunks.pop_front();
            }
        }
        self.retain(settled, |special| if special.request { Some(Outcome::NotSent) } else { None });
    }

    /// Drops everything that waits as `NotSent`.
    pub fn drop_all(&mut self, settled: &mut Vec<Settled>) {
        for chunk in std::mem::take(&mut self.chunks) {
            for special in chunk.specials_left() {
                if let Some(ticket) = special.ticket {
                    settled.push(Settled { ticket, outcome: Outcome::NotSent, request: special.request });
                }
            }
        }
        self.counts.not_sent += self.messages as u64;
        self.messages = 0;
        self.bytes = 0;
        self.next_expiry = None;
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
        let mut next: Option<Time> = None;
        self.retain(settled, |special| match special.expires {
            Some(expiry) if expiry <= now => Some(Outcome::Expired),
            Some(expiry) => {
                next = Some(next.map_or(expiry, |next| next.min(expiry)));
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
        for chunk in &mut self.chunks {
            chunk.retain(&mut verdict, |length, special, outcome| {
                messages += 1;
                bytes += length;
                match outcome {
                    Outcome::Expired => counts.expired += 1,
                    Outcome::NotSent => counts.not_sent += 1,
                    Outcome::Acked => counts.acked += 1,
                    Outcome::Unknown => counts.unknown += 1,
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
