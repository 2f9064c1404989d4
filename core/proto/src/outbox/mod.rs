//! Messages that were accepted and not yet handed to the kernel: in order, bounded, behind a gate.
//!
//! Small messages are encoded in place, one behind the other, into chunks that the writer takes whole; large ones go by
//! reference. A message leaves the outbox when its last byte is handed over; its outcome comes from the kernel's figures
//! ([`Outbox::weigh`]). At the end of a connection, what was not begun or never transmitted returns to the front
//! ([`Outbox::restore`]), and a frame that was transmitted in part is `Unknown`: it never continues on another connection.

mod chunk;
mod flight;
mod inline;
mod ledger;
mod message;
mod queue;
mod records;
mod settle;
mod standing;
mod urgent;

pub use flight::{Flight, HandedOver};
pub use message::{Accounting, AckedBy, Cork, Gate, Inline, Meta, Outcome, Refusal, Settled};
pub use records::Records;
pub use standing::Standing;
pub use urgent::Urgent;

use crate::config::OutboxLimits;
use crate::correlator::Ticket;
use crate::event::MessageCounts;
use crate::framing::Header;
use crate::{Epoch, Time};
use bytes::{Bytes, BytesMut};
use chunk::{Chunk, Special};
use flight::Step;
use ledger::Ledger;
use message::Counts;
use queue::Queue;

/// Below this size a message is copied into a chunk; from here on it goes by reference. A copy of 8 KiB costs about
/// what a further slice in `writev` does.
pub const BY_REFERENCE: usize = 8 * 1024;

/// Bytes of small messages that one write carries. 56 KiB: below the 64 KiB that loopback splits into a full segment
/// and a runt, above which throughput falls to less than half.
pub const CHUNK: usize = 56 * 1024;

/// The first buffer of a burst.
const FIRST: usize = 512;

/// Spare buffers kept while there is traffic: as much as the smallest default outbox holds.
const SPARES: usize = 16;

/// Bytes of large messages that one write carries.
pub(crate) const FLIGHT: usize = 1024 * 1024;

/// The queue of one client. It survives every connection.
#[derive(Debug)]
pub struct Outbox {
    /// The connection of an open gate, or of the last one.
    epoch: Epoch,
    is_open: bool,
    cork: Cork,
    writing: bool,
    /// Messages may grow too old.
    is_aging: bool,
    /// The most messages, the most bytes.
    limits: (usize, usize),
    chunks: Queue<Chunk>,
    /// Used buffers, kept while there is traffic: fresh ones cost page faults.
    spares: Queue<BytesMut>,
    /// In the chunks, and in the flight that a writer holds.
    messages: usize,
    bytes: usize,
    /// [`Time::FAR_FUTURE`] for none.
    next_expiry: Time,
    counts: Counts,
    ledger: Ledger,
}

impl Outbox {
    /// Makes an empty outbox with its gate shut.
    pub fn new(limits: OutboxLimits) -> Outbox {
        Outbox {
            epoch: Epoch(0),
            is_open: false,
            cork: Cork::Out,
            writing: false,
            is_aging: limits.age.is_some(),
            limits: (limits.messages, limits.bytes),
            chunks: Queue::new(),
            spares: Queue::new(),
            messages: 0,
            bytes: 0,
            next_expiry: Time::FAR_FUTURE,
            counts: Counts::default(),
            ledger: Ledger::default(),
        }
    }

    /// Where the gate stands.
    #[inline]
    pub fn gate(&self) -> Gate {
        if self.is_open { Gate::Open(self.epoch) } else { Gate::Shut }
    }

    /// Lets messages pass on the connection `epoch`, on which `prelude` bytes were handed over before.
    pub fn open(&mut self, epoch: Epoch, accounting: Accounting, prelude: u64) {
        (self.epoch, self.is_open) = (epoch, true);
        self.cork = Cork::Out;
        self.ledger.written = prelude;
        self.ledger.is_kept = accounting == Accounting::Kernel;
    }

    /// Lets nothing pass. Messages in flight get their outcome from [`Outbox::restore`].
    pub fn shut(&mut self) {
        self.is_open = false;
    }

    /// Bytes handed over on this connection so far, urgent frames included.
    pub fn written(&self) -> u64 {
        self.ledger.written
    }

    /// Whether messages wait for an outcome that the kernel's figures will bring.
    pub fn is_unsettled(&self) -> bool {
        self.ledger.is_kept && self.counts.in_flight > 0
    }

    /// Whether so much waits for its outcome that the kernel should be asked now.
    pub fn wants_look(&self) -> bool {
        self.ledger.wants_look()
    }

    /// Messages accepted and not handed over.
    pub fn len(&self) -> usize {
        self.messages
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Bytes accepted and not handed over, framing included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a writer has something to take.
    #[inline]
    pub fn has_waiting(&self) -> bool {
        !self.chunks.is_empty()
    }

    /// What became of everything accepted so far.
    pub fn counts(&self) -> MessageCounts {
        self.counts.with_queued(self.messages as u64)
    }

    /// Says whether a frame of `size` bytes has room.
    ///
    /// # Errors
    /// [`Refusal::Full`] now, [`Refusal::TooLarge`] ever.
    #[inline]
    pub fn admit(&self, size: usize) -> Result<(), Refusal> {
        if size > self.limits.1 || size > u32::MAX as usize {
            return Err(Refusal::TooLarge);
        }
        if self.messages >= self.limits.0 || self.bytes + size > self.limits.1 {
            return Err(Refusal::Full);
        }
        Ok(())
    }

    /// Says whether `count` frames of `size` bytes together have room.
    ///
    /// # Errors
    /// [`Refusal::Full`] now, [`Refusal::TooLarge`] ever.
    pub fn admit_many(&self, count: usize, size: usize) -> Result<(), Refusal> {
        if count > self.limits.0 || size > self.limits.1 || size > u32::MAX as usize {
            return Err(Refusal::TooLarge);
        }
        if self.messages + count > self.limits.0 || self.bytes + size > self.limits.1 {
            return Err(Refusal::Full);
        }
        Ok(())
    }

    /// Accepts a message that `encode` appends, framing included.
    ///
    /// # Errors
    /// What `encode` answers; then nothing was accepted.
    pub fn push<E>(
        &mut self,
        meta: Meta,
        size_hint: usize,
        encode: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.chunks.back().is_some_and(|chunk| chunk.accepts(size_hint)) {
            let buffer = self.buffer(size_hint);
            self.chunks.push_back(Chunk::many(buffer));
        }
        self.cork = Cork::Burst;
        let Some(chunk) = self.chunks.back_mut() else { return Ok(()) };
        let pushed = chunk.push(encode, |index| special(index, meta));
        match pushed {
            Ok(length) => {
                self.count(length, meta);
                Ok(())
            }
            Err(error) => {
                if chunk.is_done() {
                    self.chunks.pop_back();
                }
                Err(error)
            }
        }
    }

    /// Accepts a small plain message into the chunk that is being filled, where nothing has to be decided: the gate is
    /// open, nobody may write inline, and there is room. `None` leaves the decision to the long way.
    #[inline]
    pub fn append<E>(
        &mut self,
        size: usize,
        encode: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Option<Result<(), E>> {
        let is_behind_others = (self.cork != Cork::Out) | self.writing | (self.messages > 0);
        let has_room = self.messages < self.limits.0 && self.bytes + size <= self.limits.1;
        if !is_behind_others || !has_room || !self.is_open || self.is_aging {
            return None;
        }
        let chunk = self.chunks.back_mut()?;
        if !chunk.accepts(size) {
            return None;
        }
        Some(chunk.push(encode, |_index| None).map(|length| {
            self.messages += 1;
            self.bytes += length;
            self.counts.accepted += 1;
        }))
    }

    /// Accepts a large message by reference: on the wire, `header` goes before it.
    pub fn push_bytes(&mut self, meta: Meta, header: Header, message: Bytes) {
        let size = header.as_slice().len() + message.len();
        self.chunks.push_back(Chunk::one(header, message, special(0, meta)));
        self.cork = Cork::Burst;
        self.count(size, meta);
    }

    /// Takes what one write should carry. Expired and cancelled messages are dropped on the way.
    pub fn take(&mut self, now: Time, flight: &mut Flight, settled: &mut Vec<Settled>) {
        if self.next_expiry <= now {
            self.expire(now, settled);
        }
        let mut bytes = flight.bytes();
        while let Some(chunk) = self.chunks.front() {
            if bytes > 0 && bytes + chunk.bytes() > FLIGHT {
                break;
            }
            let is_small = chunk.is_many();
            bytes += chunk.bytes();
            if let Some(chunk) = self.chunks.pop_front() {
                flight.push(chunk);
            }
            // One chunk of small messages is one write: the rest stays where it can expire and be overtaken.
            if is_small && bytes >= CHUNK / 2 {
                break;
            }
        }
        self.writing = !flight.is_empty();
    }

    /// Tells what a write took: `written` bytes of `flight`. Each message that is now handed over whole is reported, in
    /// the order of the wire.
    pub fn advance(
        &mut self,
        flight: &mut Flight,
        written: usize,
        mut report: impl FnMut(HandedOver, Option<Settled>),
    ) {
        let outbox = &mut *self;
        let offset = outbox.ledger.written;
        outbox.ledger.written += written as u64;
        flight.advance(offset, written, |step| match step {
            Step::Finished(chunk) => {
                if let Some(buffer) = outbox.ledger.keep(chunk)
                    && outbox.spares.len() < SPARES
                {
                    outbox.spares.push_back(buffer);
                }
            }
            Step::HandedOver(handed, bytes) => {
                outbox.bytes -= bytes.min(outbox.bytes);
                match handed {
                    HandedOver::Part | HandedOver::Urgent(_) => report(handed, None),
                    HandedOver::Messages(count) => {
                        outbox.messages -= count.min(outbox.messages);
                        outbox.counts.in_flight += count as u64;
                        report(handed, None);
                    }
                    HandedOver::Ticket { ticket, request } => {
                        outbox.messages -= 1.min(outbox.messages);
                        let settled = outbox.hand_over(ticket, request);
                        report(handed, settled);
                    }
                }
            }
        });
        if !outbox.ledger.is_kept {
            flight.forget_done();
        }
        self.writing = !flight.is_empty();
    }

    /// When the next message grows too old. May name a time at which none does.
    pub fn next_expiry(&self) -> Option<Time> {
        (!self.chunks.is_empty() && self.next_expiry != Time::FAR_FUTURE).then_some(self.next_expiry)
    }

    /// A buffer for small messages: the first of a burst is small, since many bursts are; the next are whole.
    fn buffer(&mut self, size: usize) -> BytesMut {
        self.spares.pop_back().unwrap_or_else(|| {
            let capacity = if self.chunks.is_empty() { size.max(FIRST) } else { CHUNK };
            BytesMut::with_capacity(capacity)
        })
    }

    #[inline]
    fn count(&mut self, length: usize, meta: Meta) {
        self.messages += 1;
        self.bytes += length;
        self.counts.accepted += 1;
        if let Some(expires) = meta.expires {
            self.next_expiry = self.next_expiry.min(expires);
        }
    }

    /// Without the kernel's figures a tracked message that was handed over is `Unknown` at once.
    fn hand_over(&mut self, ticket: Option<Ticket>, request: bool) -> Option<Settled> {
        match ticket {
            Some(ticket) if !request && !self.ledger.is_kept => {
                self.counts.rare().unknown += 1;
                Some(Settled { ticket, outcome: Outcome::Unknown, request })
            }
            Some(_) | None => {
                self.counts.in_flight += 1;
                None
            }
        }
    }
}

fn special(index: usize, meta: Meta) -> Option<Special> {
    if meta.is_plain() {
        return None;
    }
    Some(Special {
        index: index as u32,
        ticket: meta.ticket,
        request: meta.request,
        idempotent: meta.idempotent,
        expires: meta.expires,
    })
}
