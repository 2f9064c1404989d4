//! What becomes of a chunk's frames: acknowledged while the connection lives, judged when it is dead.

use super::{Chunk, Special, Storage};
use crate::outbox::Standing;
use bytes::{Bytes, BytesMut};

/// What the end of a connection means for a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::outbox) enum Fate {
    /// The kernel of the peer has all of it.
    Acked,
    /// Nobody knows.
    Unknown,
    /// No byte of it was transmitted, and it is no longer here to be sent again.
    Lost,
    /// It goes out again: no byte of it was transmitted, or its user allows it twice.
    Replay,
}

impl Chunk {
    /// Bytes held in memory.
    pub(in crate::outbox) fn held(&self) -> usize {
        if self.hollow { 0 } else { self.size }
    }

    /// Frames whose lengths are held in memory one by one.
    pub(in crate::outbox) fn lengths_held(&self) -> usize {
        match &self.storage {
            Storage::Many { lengths, .. } => lengths.len(),
            Storage::One { .. } | Storage::Coarse { .. } => 1,
        }
    }

    /// Whether every frame has its outcome.
    pub(in crate::outbox) fn is_settled(&self) -> bool {
        self.frames_settled == self.frames()
    }

    /// Whether the bytes are needed no more: all of them were transmitted, and none would be sent twice.
    pub(in crate::outbox) fn is_transmitted(&self, standing: Standing) -> bool {
        self.is_done()
            && self.place.end_of(self.size) <= standing.transmitted
            && !self.specials().iter().any(|special| special.idempotent)
    }

    /// Reports the frames that are handed over and acknowledged: runs of plain frames as a number.
    pub(in crate::outbox) fn settle(&mut self, standing: Standing, report: impl FnMut(usize, Option<Special>)) {
        if self.frames_settled == self.frames_done {
            return;
        }
        let is_acked = |end| end <= self.bytes_done && self.place.end_of(end) <= standing.acked;
        let (frames, bytes) = self.walk(self.frames_settled, self.bytes_settled, is_acked, report);
        (self.frames_settled, self.bytes_settled) = (frames, bytes);
    }

    /// Takes the frames that are handed over as settled.
    pub(in crate::outbox) fn forget_done(&mut self) {
        (self.frames_settled, self.bytes_settled) = (self.frames_done, self.bytes_done);
    }

    /// Gives up the bytes and keeps what has to be counted. A buffer of small frames can be filled again.
    pub(in crate::outbox) fn hollow(&mut self) -> Option<BytesMut> {
        self.hollow = true;
        match &mut self.storage {
            Storage::Coarse { .. } => None,
            Storage::One { bytes, .. } => {
                *bytes = Bytes::new();
                None
            }
            Storage::Many { bytes, .. } => {
                let mut buffer = std::mem::take(bytes);
                buffer.clear();
                Some(buffer)
            }
        }
    }

    /// Gives up the lengths of plain frames: from now on they have one outcome together.
    pub(in crate::outbox) fn coarsen(&mut self) {
        if !self.hollow || self.frames_settled > 0 || !self.specials().is_empty() {
            return;
        }
        self.storage = Storage::Coarse { frames: self.frames() };
    }

    /// Judges the frames after the death of the connection, each with what is known of it, and keeps those that go out
    /// again. Frames that nobody has begun are kept without a word.
    pub(in crate::outbox) fn bury(&mut self, standing: Standing, mut report: impl FnMut(usize, Option<Special>, Fate)) {
        self.settle(standing, |frames, special| report(frames, special, Fate::Acked));
        let begun = self.frames_done + usize::from(self.rest_of_frame() > 0);
        if let Storage::Coarse { frames } = self.storage {
            report(frames - self.frames_settled, None, Fate::Unknown);
            return self.empty();
        }
        let (mut bytes, mut next_special) = (self.bytes_settled, 0);
        let mut replayed = Vec::new();
        for frame in self.frames_settled..begun {
            while self.specials().get(next_special).is_some_and(|special| (special.index as usize) < frame) {
                next_special += 1;
            }
            let special = self.specials().get(next_special).filter(|special| special.index as usize == frame).copied();
            let is_unsent = self.place.start_of(bytes) >= standing.transmitted;
            let fate = match (is_unsent, self.hollow) {
                (true, true) => Fate::Lost,
                (true, false) => Fate::Replay,
                (false, false) if special.is_some_and(|special| special.idempotent) => Fate::Replay,
                (false, _) => Fate::Unknown,
            };
            report(1, special, fate);
            if fate == Fate::Replay {
                replayed.push(frame);
            }
            bytes += self.frame_length(frame);
        }
        if self.hollow {
            return self.empty();
        }
        if begun == 0 {
            return self.rewind();
        }
        let mut next = replayed.into_iter().peekable();
        self.rebuild(|frame| frame >= begun || next.next_if_eq(&frame).is_some());
    }

    fn empty(&mut self) {
        self.storage = Storage::Coarse { frames: 0 };
        self.size = 0;
        self.rewind();
    }
}
