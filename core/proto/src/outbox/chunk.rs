//! A piece of the outbox: many small frames in one buffer, or one large frame by reference.

mod account;
mod place;

pub(super) use account::Fate;

use super::{BY_REFERENCE, CHUNK, Outcome};
use crate::Time;
use crate::correlator::Ticket;
use crate::framing::Header;
use bytes::{Bytes, BytesMut};
use place::Place;

/// A frame about which more is known than its length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Special {
    /// Its place in the chunk.
    pub(super) index: u32,
    pub(super) ticket: Option<Ticket>,
    pub(super) request: bool,
    pub(super) idempotent: bool,
    pub(super) expires: Option<Time>,
}

#[derive(Debug)]
pub(super) struct Chunk {
    storage: Storage,
    /// Bytes of all frames, whether they are still held or not.
    size: usize,
    /// Bytes handed over.
    written: usize,
    /// Frames handed over, and the bytes of exactly those.
    frames_done: usize,
    bytes_done: usize,
    /// Frames whose outcome is known, and the bytes of exactly those.
    frames_settled: usize,
    bytes_settled: usize,
    place: Place,
    /// The bytes are gone: only what has to be counted is left.
    hollow: bool,
}

#[derive(Debug)]
enum Storage {
    Many {
        bytes: BytesMut,
        lengths: Vec<u32>,
        specials: Vec<Special>,
    },
    One {
        header: Header,
        bytes: Bytes,
        special: Option<Special>,
    },
    /// So many plain frames of which even the lengths are gone.
    Coarse {
        frames: usize,
    },
}

impl Chunk {
    pub(super) fn many(bytes: BytesMut) -> Chunk {
        Chunk::new(Storage::Many { bytes, lengths: Vec::new(), specials: Vec::new() }, 0, Place::unknown())
    }

    /// One large frame.
    pub(super) fn one(header: Header, bytes: Bytes, special: Option<Special>) -> Chunk {
        let size = header.as_slice().len() + bytes.len();
        Chunk::new(Storage::One { header, bytes, special }, size, Place::unknown())
    }

    /// Says that a caller already wrote the first `written` bytes, at `start` of the stream.
    pub(super) fn begun(mut self, written: usize, start: u64) -> Chunk {
        self.written = written;
        self.place = Place::at(start);
        self.advance(0, |_, _| {});
        self
    }

    fn new(storage: Storage, size: usize, place: Place) -> Chunk {
        Chunk {
            storage,
            size,
            written: 0,
            frames_done: 0,
            bytes_done: 0,
            frames_settled: 0,
            bytes_settled: 0,
            place,
            hollow: false,
        }
    }

    /// Whether a further small frame belongs into this chunk.
    #[inline]
    pub(super) fn accepts(&self, size: usize) -> bool {
        self.written == 0 && self.has_room(size)
    }

    #[inline]
    fn has_room(&self, size: usize) -> bool {
        match &self.storage {
            Storage::Many { .. } => size < BY_REFERENCE && self.size + size <= CHUNK && !self.hollow,
            Storage::One { .. } | Storage::Coarse { .. } => false,
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
                self.size += length;
                Ok(length)
            }
            Storage::One { .. } | Storage::Coarse { .. } => Ok(0),
        }
    }

    /// Appends a frame that a caller has written at `offset` already, if it follows the last one of this chunk.
    pub(super) fn push_written(
        &mut self,
        frame: &[u8],
        offset: u64,
        special: impl FnOnce(usize) -> Option<Special>,
    ) -> bool {
        if !self.is_done() || !self.has_room(frame.len()) || self.place.end_of(self.size) != offset {
            return false;
        }
        let encode = |bytes: &mut BytesMut| {
            bytes.extend_from_slice(frame);
            Ok::<(), std::convert::Infallible>(())
        };
        let Ok(length) = self.push(encode, special);
        self.written += length;
        self.bytes_done = self.written;
        self.frames_done += 1;
        true
    }

    pub(super) fn is_many(&self) -> bool {
        match self.storage {
            Storage::Many { .. } => true,
            Storage::One { .. } | Storage::Coarse { .. } => false,
        }
    }

    /// The next `limit` bytes that are still to be written, in up to two pieces.
    pub(super) fn rest(&self, limit: usize) -> [&[u8]; 2] {
        let (header, bytes) = match &self.storage {
            Storage::Many { bytes, .. } => (&[][..], &bytes[..]),
            Storage::One { header, bytes, .. } => (header.as_slice(), &bytes[..]),
            Storage::Coarse { .. } => (&[][..], &[][..]),
        };
        let first = &header[self.written.min(header.len())..];
        let second = &bytes[self.written.saturating_sub(header.len()).min(bytes.len())..];
        let first = &first[..limit.min(first.len())];
        [first, &second[..second.len().min(limit - first.len())]]
    }

    /// How much is still to be written.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.size - self.written
    }

    pub(super) fn is_begun(&self) -> bool {
        self.written > 0
    }

    #[inline]
    pub(super) fn is_done(&self) -> bool {
        self.written == self.size
    }

    pub(super) fn frames(&self) -> usize {
        match &self.storage {
            Storage::Many { lengths, .. } => lengths.len(),
            Storage::One { .. } => usize::from(self.size > 0),
            Storage::Coarse { frames } => *frames,
        }
    }

    fn frame_length(&self, index: usize) -> usize {
        match &self.storage {
            Storage::Many { lengths, .. } => lengths.get(index).map_or(0, |length| *length as usize),
            Storage::One { .. } | Storage::Coarse { .. } => self.size,
        }
    }

    pub(super) fn specials(&self) -> &[Special] {
        match &self.storage {
            Storage::Many { specials, .. } => specials,
            Storage::One { special, .. } => special.as_slice(),
            Storage::Coarse { .. } => &[],
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

    /// Notes that the next byte goes to `offset` of the stream.
    #[inline]
    pub(super) fn note(&mut self, offset: u64) {
        self.place.note(self.written, offset);
    }

    /// Marks `count` bytes as handed over; reports each frame that is now whole: runs of plain frames as a number.
    pub(super) fn advance(&mut self, count: usize, report: impl FnMut(usize, Option<Special>)) {
        self.written += count;
        let (frames, bytes) = self.walk(self.frames_done, self.bytes_done, |end| end <= self.written, report);
        (self.frames_done, self.bytes_done) = (frames, bytes);
    }

    /// Walks over the frames from number `frame`, which begins at `bytes`, as long as `includes` their ends; reports runs
    /// of plain frames as a number and every other by itself. Says where it stopped.
    fn walk(
        &self,
        mut frame: usize,
        mut bytes: usize,
        includes: impl Fn(usize) -> bool,
        mut report: impl FnMut(usize, Option<Special>),
    ) -> (usize, usize) {
        let frames = self.frames();
        if self.specials().is_empty() && includes(self.size) {
            if frames > frame {
                report(frames - frame, None);
            }
            return (frames, self.size);
        }
        let mut next_special = self.specials().partition_point(|special| (special.index as usize) < frame);
        let mut plain = 0;
        while frame < frames {
            let end = bytes + self.frame_length(frame);
            if !includes(end) {
                break;
            }
            match self.specials().get(next_special) {
                Some(special) if special.index as usize == frame => {
                    if plain > 0 {
                        report(std::mem::take(&mut plain), None);
                    }
                    report(1, Some(*special));
                    next_special += 1;
                }
                Some(_) | None => plain += 1,
            }
            bytes = end;
            frame += 1;
        }
        if plain > 0 {
            report(plain, None);
        }
        (frame, bytes)
    }

    /// Removes the frames that nobody has begun and for which `verdict` has an outcome. Only for chunks that wait.
    pub(super) fn retain(
        &mut self,
        verdict: &mut impl FnMut(&Special) -> Option<Outcome>,
        mut dropped: impl FnMut(usize, Special, Outcome),
    ) {
        let first = self.frames_done + usize::from(self.rest_of_frame() > 0);
        let is_waiting = |special: &&Special| special.index as usize >= first;
        let doomed: Vec<(Special, Outcome)> = self
            .specials()
            .iter()
            .filter(is_waiting)
            .filter_map(|special| verdict(special).map(|outcome| (*special, outcome)))
            .collect();
        if doomed.is_empty() {
            return;
        }
        for (special, outcome) in &doomed {
            dropped(self.frame_length(special.index as usize), *special, *outcome);
        }
        // Rare (a cancel, an expiry): the chunk is built anew without the doomed frames.
        let mut next = doomed.iter().peekable();
        self.rebuild(|index| next.next_if(|(special, _)| special.index as usize == index).is_none());
    }

    /// Builds the chunk anew of the frames that `keeps` likes; nothing of them is handed over.
    fn rebuild(&mut self, mut keeps: impl FnMut(usize) -> bool) {
        match &mut self.storage {
            Storage::Coarse { .. } => {}
            Storage::One { header, bytes, special } => {
                if !keeps(0) {
                    *header = Header::NONE;
                    bytes.clear();
                    *special = None;
                    self.size = 0;
                }
            }
            Storage::Many { bytes, lengths, specials } => {
                let mut kept = BytesMut::with_capacity(bytes.len());
                let (mut kept_lengths, mut kept_specials) = (Vec::new(), Vec::new());
                let mut remaining = specials.iter().peekable();
                let mut start = 0;
                for (index, length) in lengths.iter().enumerate() {
                    let end = start + *length as usize;
                    let special = remaining.next_if(|special| special.index as usize == index);
                    if keeps(index) {
                        kept_specials
                            .extend(special.map(|special| Special { index: kept_lengths.len() as u32, ..*special }));
                        kept.extend_from_slice(&bytes[start..end]);
                        kept_lengths.push(*length);
                    }
                    start = end;
                }
                self.size = kept.len();
                (*bytes, *lengths, *specials) = (kept, kept_lengths, kept_specials);
            }
        }
        self.rewind();
    }

    fn rewind(&mut self) {
        (self.written, self.frames_done, self.bytes_done) = (0, 0, 0);
        (self.frames_settled, self.bytes_settled) = (0, 0);
        self.place = Place::unknown();
    }
}
