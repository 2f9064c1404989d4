//! Messages that their callers write themselves: whether they may, and how they are counted.

use super::chunk::Chunk;
use super::{ALONE, Cork, FIRST, Inline, Meta, Outbox, Settled, special};
use crate::framing::Header;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

impl Outbox {
    /// Whether a caller may write by itself: nothing waits, nobody writes, no earlier inline write is uncounted, and messages
    /// come singly. Where they stream, the first of a burst would be a write of its own, and the peer's answer to it a wake-up.
    #[inline]
    pub fn allows_inline(&self) -> bool {
        self.cork == Cork::Out && self.lone == ALONE && !self.writing && self.is_empty() && self.pass.is_open()
    }

    /// Makes callers append instead of writing until the driver has had a turn: one has written inline, or wants something
    /// else done first.
    pub fn cork(&mut self) {
        if self.cork == Cork::Out {
            self.cork = Cork::In;
        }
    }

    /// Allows inline writes again, and lets go of the spare buffers and the room for chunks.
    pub fn uncork(&mut self) {
        self.cork = Cork::Out;
        if let Some(load) = &mut self.load {
            load.spares = VecDeque::new();
            if load.chunks.is_empty() {
                load.chunks = VecDeque::new();
            }
        }
        self.rest();
    }

    /// Where the cork is.
    pub fn corked(&self) -> Cork {
        self.cork
    }

    /// Accepts a message of whose frame a caller already wrote the first `written` bytes inline.
    pub fn push_cut(&mut self, meta: Meta, header: Header, message: Bytes, written: usize) {
        let rest = header.as_slice().len() + message.len() - written;
        let chunk = Chunk::one(header, message, special(0, meta));
        let chunk = if written == 0 { chunk } else { chunk.begun(written, self.written) };
        self.written += written as u64;
        self.load().chunks.push_back(chunk);
        self.cork = Cork::Burst;
        self.count(rest, meta);
    }

    /// Counts the bytes of a whole urgent frame that the writer wrote past its flight, which was empty.
    pub fn wrote_urgent(&mut self, size: usize) {
        self.written += size as u64;
    }

    /// Counts a message that a caller wrote inline, whole, and says what became of it, if that is known already.
    pub fn wrote_inline(&mut self, meta: Meta, frame: Inline<'_>) -> Option<Settled> {
        self.counts.accepted += 1;
        let size = frame.size();
        if !self.pass.is_kept() {
            self.written += size as u64;
            return self.hand_over(meta.ticket, meta.request);
        }
        match frame {
            Inline::Small(frame) => {
                let offset = self.written;
                if self.load().ledger.keep_written(frame, offset, |index| special(index, meta)) {
                    self.written += size as u64;
                } else {
                    let mut chunk = Chunk::many(BytesMut::with_capacity(size.max(FIRST)));
                    let encode = |buffer: &mut BytesMut| {
                        buffer.extend_from_slice(frame);
                        Ok::<(), std::convert::Infallible>(())
                    };
                    let Ok(_length) = chunk.push(encode, |index| special(index, meta));
                    self.keep_inline(chunk, size);
                }
            }
            Inline::Large(header, bytes) => self.keep_inline(Chunk::one(header, bytes, special(0, meta)), size),
        }
        self.hand_over(meta.ticket, meta.request)
    }

    fn keep_inline(&mut self, chunk: Chunk, size: usize) {
        self.keep(chunk.begun(size, self.written));
        self.written += size as u64;
    }
}
