//! A piece of the outbox: many small frames in one buffer, or one large frame by reference.

use super::{BY_REFERENCE, CHUNK, Outcome};
use crate::Time;
use crate::correlator::Ticket;
use crate::framing::Header;
use bytes::{Bytes, BytesMut};

/// A frame about which more is known than its length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Special {
    /// Its place in the chunk.
    pub(super) index: u32,
    pub(super) ticket: Option<Ticket>,
    pub(super) request: bool,
    pub(super) expires: Option<Time>,
}

/// A frame that was cut by the end of its connection.
pub(super) struct CutFrame {
    /// Bytes of it that were not handed over.
    pub(super) bytes: usize,
    pub(super) special: Option<Special>,
}

#[derive(Debug)]
pub(super) struct Chunk {
    storage: Storage,
    /// Bytes handed over.
    written: usize,
    /// Frames handed over, and the bytes of exactly those.
    frames_done: usize,
    bytes_done: usize,
}

#[derive(Debug)]
enum Storage {
    Many { bytes: BytesMut, lengths: Vec<u32>, specials: Vec<Special> },
    One { header: Header, bytes: Bytes, special: Option<Special> },
}

impl Chunk {
    pub(super) fn many(bytes: BytesMut) -> Chunk {
        Chunk::new(Storage::Many { bytes, lengths: Vec::new(), specials: Vec::new() }, 0)
    }

    /// One large frame of which the first `written` bytes are gone already.
    pub(super) fn one(header: Header, bytes: Bytes, special: Option<Special>, written: usize) -> Chunk {
        Chunk::new(Storage::One { header, bytes, special }, written)
    }

    fn new(storage: Storage, written: usize) -> Chunk {
        Chunk { storage, written, frames_done: 0, bytes_done: 0 }
    }

    /// Whether a further small frame belongs into this chunk.
    #[inline]
    pub(super) fn accepts(&self, size: usize) -> bool {
        match &self.storage {
            Storage::Many { bytes, .. } => size < BY_REFERENCE && self.written == 0 && bytes.len() + size <= CHUNK,
            Storage::One { .. } => false,
        }
    }

    /// Appends what `encode` writes, as one frame. An error leaves the chunk as it was.
    #[inline]
    pub(super) fn push<E>(
        &mut self,
        encode: impl FnOnce(&mut BytesMut) -> Result<(), E>,
        special: impl FnOnce(usize) -> Option<Special>,
    ) -> Result<usize, E> {
        match &mut self.storage {
            Storage::Many { bytes, lengths, specials } => {
                let before = bytes.len();
                if let Err(error) = encode(bytes) {
                    bytes.truncate(before);
                    return Err(error);
                }
                let length = bytes.len() - before;
                if let Some(special) = special(lengths.len()) {
                    specials.push(special);
                }
                lengths.push(length as u32);
                Ok(length)
            }
            Storage::One { .. } => Ok(0),
        }
    }

    pub(super) fn is_many(&self) -> bool {
        match self.storage {
            Storage::Many { .. } => true,
            Storage::One { .. } => false,
        }
    }

    fn total(&self) -> usize {
        match &self.storage {
            Storage::Many { bytes, .. } => bytes.len(),
            Storage::One { header, bytes, .. } => header.as_slice().len() + bytes.len(),
        }
    }

    /// The next `limit` bytes that are still to be written, in up to two pieces.
    pub(super) fn rest(&self, limit: usize) -> [&[u8]; 2] {
        let (header, bytes) = match &self.storage {
            Storage::Many { bytes, .. } => (&[][..], &bytes[..]),
            Storage::One { header, bytes, .. } => (header.as_slice(), &bytes[..]),
        };
        let first = &header[self.written.min(header.len())..];
        let second = &bytes[self.written.saturating_sub(header.len())..];
        let first = &first[..limit.min(first.len())];
        [first, &second[..second.len().min(limit - first.len())]]
    }

    /// How much is still to be written.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.total() - self.written
    }

    pub(super) fn is_done(&self) -> bool {
        self.bytes() == 0
    }

    fn frames(&self) -> usize {
        match &self.storage {
            Storage::Many { lengths, .. } => lengths.len(),
            Storage::One { .. } => 1,
        }
    }

    fn frame_length(&self, index: usize) -> usize {
        match &self.storage {
            Storage::Many { lengths, .. } => lengths.get(index).map_or(0, |length| *length as usize),
            Storage::One { .. } => self.total(),
        }
    }

    fn specials(&self) -> &[Special] {
        match &self.storage {
            Storage::Many { specials, .. } => specials,
            Storage::One { special, .. } => special.as_slice(),
        }
    }

    /// What is known of the frames that were not handed over.
    pub(super) fn specials_left(&self) -> impl Iterator<Item = &Special> {
        self.specials().iter().filter(|special| special.index as usize >= self.frames_done)
    }

    /// Bytes of the frame in progress that are still to be written; 0 at a frame boundary.
    pub(super) fn rest_of_frame(&self) -> usize {
        if self.written == self.bytes_done {
            return 0;
        }
        self.bytes_done + self.frame_length(self.frames_done) - self.written
    }

    /// Marks `count` bytes as handed over; reports each frame that is now whole: runs of plain frames as a number.
    pub(super) fn advance(&mut self, count: usize, mut report: impl FnMut(usize, Option<Special>)) {
        self.written += count;
        if self.is_done() && self.specials().is_empty() {
            report(self.frames() - self.frames_done, None);
            self.frames_done = self.frames();
            self.bytes_done = self.written;
            return;
        }
        let mut next_special = self.specials().partition_point(|special| (special.index as usize) < self.frames_done);
        let mut plain = 0;
        while self.frames_done < self.frames() {
            let end = self.bytes_done + self.frame_length(self.frames_done);
            if end > self.written {
                break;
            }
            let special = self.specials().get(next_special).copied();
            match special {
                Some(special) if special.index as usize == self.frames_done => {
                    if plain > 0 {
                        report(plain, None);
                        plain = 0;
                    }
                    report(1, Some(special));
                    next_special += 1;
                }
                Some(_) | None => plain += 1,
            }
            self.bytes_done = end;
            self.frames_done += 1;
        }
        if plain > 0 {
            report(plain, None);
        }
    }

    /// Forgets the frame that was begun and not finished, if there is one; nothing of it will be written again.
    pub(super) fn drop_cut_frame(&mut self) -> Option<CutFrame> {
        let bytes = self.rest_of_frame();
        if bytes == 0 {
            return None;
        }
        let index = self.frames_done as u32;
        let special = self.specials().iter().find(|special| special.index == index).copied();
        self.written += bytes;
        self.bytes_done = self.written;
        self.frames_done += 1;
        Some(CutFrame { bytes, special })
    }

    /// Removes the frames that nobody has begun and for which `verdict` has an outcome.
    pub(super) fn retain(
        &mut self,
        verdict: &mut impl FnMut(&Special) -> Option<Outcome>,
        mut dropped: impl FnMut(usize, Special, Outcome),
    ) {
        let first = self.frames_done + usize::from(self.rest_of_frame() > 0);
        let dooms = |special: &Special, verdict: &mut dyn FnMut(&Special) -> Option<Outcome>| {
            if (special.index as usize) < first { None } else { verdict(special) }
        };
        let verdicts: Vec<(u32, Outcome)> = self
            .specials()
            .iter()
            .filter_map(|special| dooms(special, verdict).map(|outcome| (special.index, outcome)))
            .collect();
        if verdicts.is_empty() {
            return;
        }
        match &mut self.storage {
            Storage::One { header, bytes, special } => {
                if let (Some(special), Some((_, outcome))) = (special.take(), verdicts.first()) {
                    dropped(header.as_slice().len() + bytes.len(), special, *outcome);
                }
                *header = Header::NONE;
                bytes.clear();
                self.written = 0;
            }
            Storage::Many { bytes, lengths, specials } => {
                // Rare (a cancel, an expiry): the chunk is built anew without the doomed frames.
                let mut kept = BytesMut::with_capacity(bytes.len() - self.bytes_done);
                let (mut kept_lengths, mut kept_specials) = (Vec::new(), Vec::new());
                let mut start = self.bytes_done;
                let mut remaining = specials.iter().peekable();
                let mut doomed = verdicts.iter().peekable();
                for (index, length) in lengths.iter().enumerate().skip(self.frames_done) {
                    let end = start + *length as usize;
                    while remaining.peek().is_some_and(|special| (special.index as usize) < index) {
                        remaining.next();
                    }
                    let special = remaining.peek().filter(|special| special.index as usize == index).copied();
                    match doomed.next_if(|(doomed, _)| *doomed as usize == index) {
                        Some((_, outcome)) => {
                            if let Some(special) = special {
                                dropped(*length as usize, *special, *outcome);
                            }
                        }
                        None => {
                            if let Some(special) = special {
                                kept_specials.push(Special { index: kept_lengths.len() as u32, ..*special });
                            }
                            kept.extend_from_slice(&bytes[start..end]);
                            kept_lengths.push(*length);
                        }
                    }
                    start = end;
                }
                (*bytes, *lengths, *specials) = (kept, kept_lengths, kept_specials);
                self.written -= self.bytes_done;
                self.bytes_done = 0;
                self.frames_done = 0;
            }
        }
    }

    /// Gives up the buffer of a chunk that is done, to be filled again.
    pub(super) fn take_buffer(&mut self) -> Option<BytesMut> {
        if !self.is_done() {
            return None;
        }
        match &mut self.storage {
            Storage::One { .. } => None,
            Storage::Many { bytes, lengths, .. } => {
                let mut buffer = std::mem::take(bytes);
                buffer.clear();
                lengths.clear();
                self.written = 0;
                self.bytes_done = 0;
                self.frames_done = 0;
                Some(buffer)
            }
        }
    }
}
