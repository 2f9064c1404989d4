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
mod load;
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
use load::Load;
use message::{Counts, Pass};

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
    pass: Pass,
    cork: Cork,
    writing: bool,
    /// Takes in a row that found one message alone.
    lone: u8,
    /// Messages may grow too old.
    is_aging: bool,
    /// Bytes handed over on this connection, urgent frames included.
    written: u64,
    /// 32 bits: as many messages as any memory holds.
    most_messages: u32,
    most_bytes: usize,
    counts: Counts,
    /// Boxed: an idle client pays for a pointer.
    load: Option<Box<Load>>,
}

/// Takes of one message in a row after which messages come singly. One may be chance: a driver that shares its core with
/// a caller is often let in after the first message of a burst.
const ALONE: u8 = 4;

impl Outbox {
    /// Makes an empty outbox with its gate shut.
    pub fn new(limits: OutboxLimits) -> Outbox {
        Outbox {
            epoch: Epoch(0),
            pass: Pass::Shut,
            cork: Cork::Out,
            writing: false,
            lone: ALONE,
            is_aging: limits.age.is_some(),
            written: 0,
            most_messages: u32::try_from(limits.messages).unwrap_or(u32::MAX),
            most_bytes: limits.bytes,
            counts: Counts::default(),
            load: None,
        }
    }

    /// Where the gate stands.
    #[inline]
    pub fn gate(&self) -> Gate {
        if self.pass.is_open() { Gate::Open(self.epoch) } else { Gate::Shut }
    }

    /// Lets messages pass on the connection `epoch`, on which `prelude` bytes were handed over before.
    pub fn open(&mut self, epoch: Epoch, accounting: Accounting, prelude: u64) {
        self.epoch = epoch;
        self.pass = match accounting {
            Accounting::Kernel => Pass::OpenKept,
            Accounting::HandedOver => Pass::Open,
        };
        self.cork = Cork::Out;
        self.lone = ALONE;
        self.written = prelude;
    }

    /// Lets nothing pass. Messages in flight get their outcome from [`Outbox::restore`].
    pub fn shut(&mut self) {
        self.pass = self.pass.shut();
    }

    /// Bytes handed over on this connection so far, urgent frames included.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Whether messages wait for an outcome that the kernel's figures will bring.
    pub fn is_unsettled(&self) -> bool {
        self.pass.is_kept() && self.counts.in_flight(self.len() as u64) > 0
    }

    /// Whether so much waits for its outcome that the kernel should be asked now.
    pub fn wants_look(&self) -> bool {
        self.load.as_ref().is_some_and(|load| load.ledger.wants_look())
    }

    /// Messages accepted and not handed over.
    #[inline]
    pub fn len(&self) -> usize {
        self.load.as_ref().map_or(0, |load| load.messages)
    }

    /// Whether nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes accepted and not handed over, framing included.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.load.as_ref().map_or(0, |load| load.bytes)
    }

    /// Whether a writer has something to take.
    #[inline]
    pub fn has_waiting(&self) -> bool {
        self.load.as_ref().is_some_and(|load| !load.chunks.is_empty())
    }

    /// What became of everything accepted so far.
    pub fn counts(&self) -> MessageCounts {
        self.counts.with_queued(self.len() as u64)
    }

    /// Says whether a frame of `size` bytes has room.
    ///
    /// # Errors
    /// [`Refusal::Full`] now, [`Refusal::TooLarge`] ever.
    #[inline]
    pub fn admit(&self, size: usize) -> Result<(), Refusal> {
        if size > self.most_bytes || size > u32::MAX as usize {
            return Err(Refusal::TooLarge);
        }
        if self.len() >= self.most_messages as usize || self.bytes() + size > self.most_bytes {
            return Err(Refusal::Full);
        }
        Ok(())
    }

    /// Says whether `count` frames of `size` bytes together have room.
    ///
    /// # Errors
    /// [`Refusal::Full`] now, [`Refusal::TooLarge`] ever.
    pub fn admit_many(&self, count: usize, size: usize) -> Result<(), Refusal> {
        if count > self.most_messages as usize || size > self.most_bytes || size > u32::MAX as usize {
            return Err(Refusal::TooLarge);
        }
        if self.len() + count > self.most_messages as usize || self.bytes() + size > self.most_bytes {
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
        self.cork = Cork::Burst;
        let load = self.load.get_or_insert_default();
        if !load.chunks.back().is_some_and(|chunk| chunk.accepts(size_hint)) {
            let buffer = load.buffer(size_hint);
            load.chunks.push_back(Chunk::many(buffer));
        }
        let Some(chunk) = load.chunks.back_mut() else { return Ok(()) };
        let pushed = chunk.push(encode, |index| special(index, meta));
        match pushed {
            Ok(length) => {
                self.count(length, meta);
                Ok(())
            }
            Err(error) => {
                if chunk.is_done() {
                    load.chunks.pop_back();
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
        let load = &mut **self.load.as_mut()?;
        let is_behind_others = (self.cork != Cork::Out) | self.writing | (load.messages > 0);
        let has_room = load.messages < self.most_messages as usize && load.bytes + size <= self.most_bytes;
        if !is_behind_others || !has_room || !self.pass.is_open() || self.is_aging {
            return None;
        }
        let chunk = load.chunks.back_mut()?;
        if !chunk.accepts(size) {
            return None;
        }
        Some(chunk.push(encode, |_index| None).map(|length| {
            load.messages += 1;
            load.bytes += length;
            self.counts.accepted += 1;
        }))
    }

    /// Accepts a large message by reference: on the wire, `header` goes before it.
    pub fn push_bytes(&mut self, meta: Meta, header: Header, message: Bytes) {
        let size = header.as_slice().len() + message.len();
        self.load().chunks.push_back(Chunk::one(header, message, special(0, meta)));
        self.cork = Cork::Burst;
        self.count(size, meta);
    }

    /// Takes what one write should carry. Expired and cancelled messages are dropped on the way.
    pub fn take(&mut self, now: Time, flight: &mut Flight, settled: &mut Vec<Settled>) {
        if self.load.as_ref().is_some_and(|load| load.next_expiry <= now) {
            self.expire(now, settled);
        }
        let mut bytes = flight.bytes();
        if bytes == 0 && self.has_waiting() {
            // Where callers may write, whatever is found here came after a message that one of them wrote.
            self.lone = if self.len() > 1 || self.lone == ALONE { 0 } else { self.lone + 1 };
        }
        while let Some(load) = &mut self.load
            && let Some(chunk) = load.chunks.front()
        {
            if bytes > 0 && bytes + chunk.bytes() > FLIGHT {
                break;
            }
            let is_small = chunk.is_many();
            bytes += chunk.bytes();
            if let Some(chunk) = load.chunks.pop_front() {
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
        let offset = outbox.written;
        outbox.written += written as u64;
        flight.advance(offset, written, |step| match step {
            Step::Finished(chunk) => {
                if let Some(buffer) = outbox.keep(chunk) {
                    let spares = &mut outbox.load().spares;
                    if spares.len() < SPARES {
                        spares.push_back(buffer);
                    }
                }
            }
            Step::HandedOver(handed, bytes) => {
                let messages = match handed {
                    HandedOver::Part | HandedOver::Urgent(_) => 0,
                    HandedOver::Messages(count) => count,
                    HandedOver::Ticket { .. } => 1,
                };
                if let Some(load) = &mut outbox.load {
                    load.bytes = load.bytes.saturating_sub(bytes);
                    load.messages = load.messages.saturating_sub(messages);
                }
                match handed {
                    HandedOver::Part | HandedOver::Urgent(_) | HandedOver::Messages(_) => report(handed, None),
                    HandedOver::Ticket { ticket, request } => {
                        let settled = outbox.hand_over(ticket, request);
                        report(handed, settled);
                    }
                }
            }
        });
        if !outbox.pass.is_kept() {
            flight.forget_done();
        }
        self.writing = !flight.is_empty();
    }

    /// When the next message grows too old. May name a time at which none does.
    pub fn next_expiry(&self) -> Option<Time> {
        let load = self.load.as_ref().filter(|load| !load.chunks.is_empty() && load.next_expiry != Time::FAR_FUTURE)?;
        Some(load.next_expiry)
    }

    /// Keeps a chunk that was handed over whole, if the kernel will tell of it. Gives back a buffer that is no longer needed.
    fn keep(&mut self, mut chunk: Chunk) -> Option<BytesMut> {
        if !self.pass.is_kept() || chunk.is_settled() {
            return chunk.hollow();
        }
        self.load().ledger.keep(chunk)
    }

    #[inline]
    fn load(&mut self) -> &mut Load {
        self.load.get_or_insert_default()
    }

    /// Gives back the room that came with traffic, if none of it is left.
    fn rest(&mut self) {
        self.load.take_if(|load| load.is_over());
    }

    #[inline]
    fn count(&mut self, length: usize, meta: Meta) {
        self.counts.accepted += 1;
        let load = self.load();
        load.messages += 1;
        load.bytes += length;
        if let Some(expires) = meta.expires {
            load.next_expiry = load.next_expiry.min(expires);
        }
    }

    /// Without the kernel's figures a tracked message that was handed over is `Unknown` at once.
    fn hand_over(&mut self, ticket: Option<Ticket>, request: bool) -> Option<Settled> {
        match ticket {
            Some(ticket) if !request && !self.pass.is_kept() => {
                self.counts.rare().unknown += 1;
                Some(Settled { ticket, outcome: Outcome::Unknown, request })
            }
            Some(_) | None => None,
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
