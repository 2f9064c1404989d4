//! What was handed to the kernel and has no outcome yet: kept until the kernel's figures tell.

use super::chunk::{Chunk, Special};
use super::standing::Standing;
use bytes::BytesMut;
use std::collections::VecDeque;

/// Bytes that are kept to be sent again until they are known to be transmitted. Twice the 128 KiB that the kernel holds
/// unsent (`TCP_NOTSENT_LOWAT`): what it may still prove unsent is here.
const RETAINED: usize = 256 * 1024;

/// From here on the figures are asked for before the next turn of the clock: one question for each 128 KiB costs a
/// hundredth of what writing them does, and the buffers come back while they are warm.
const LOOK_AT: usize = RETAINED / 2;

/// Lengths kept one by one, a quarter of a megabyte: of more messages in flight the oldest plain ones are told together.
const LENGTHS: usize = 64 * 1024;

/// The chunks of one connection that were handed over and have no outcome.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    chunks: VecDeque<Chunk>,
    held: usize,
    lengths: usize,
}

impl Ledger {
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Keeps a chunk that was handed over whole. Gives back a buffer that is no longer needed.
    pub(super) fn keep(&mut self, chunk: Chunk) -> Option<BytesMut> {
        self.held += chunk.held();
        self.lengths += chunk.lengths_held();
        self.chunks.push_back(chunk);
        let spare = if self.held > RETAINED { self.give_up_oldest() } else { None };
        if self.lengths > LENGTHS {
            self.coarsen_oldest();
        }
        spare
    }

    /// Keeps a small frame that its caller wrote itself, at the end of what was written before, if there is a chunk for it.
    pub(super) fn keep_written(
        &mut self,
        frame: &[u8],
        offset: u64,
        special: impl FnOnce(usize) -> Option<Special>,
    ) -> bool {
        let Some(last) = self.chunks.back_mut() else { return false };
        let is_kept = last.push_written(frame, offset, special);
        if is_kept {
            self.held += frame.len();
            self.lengths += 1;
        }
        is_kept
    }

    /// Whether so much waits for its outcome that the kernel should be asked now.
    pub(super) fn wants_look(&self) -> bool {
        self.held > LOOK_AT || self.lengths > LENGTHS / 2
    }

    /// Reports what is acknowledged, and gives up the bytes that were transmitted.
    pub(super) fn weigh(
        &mut self,
        standing: Standing,
        report: &mut impl FnMut(usize, Option<Special>),
        mut spare: impl FnMut(BytesMut),
    ) {
        let mut is_oldest = true;
        for chunk in &mut self.chunks {
            if is_oldest {
                chunk.settle(standing, &mut *report);
                is_oldest = chunk.is_settled();
            }
            if chunk.held() > 0 && (chunk.is_settled() || chunk.is_transmitted(standing)) {
                self.held -= chunk.held();
                chunk.hollow().map(&mut spare);
            }
        }
        while self.chunks.front().is_some_and(Chunk::is_settled) {
            if let Some(chunk) = self.chunks.pop_front() {
                self.lengths -= chunk.lengths_held();
            }
        }
        if self.chunks.is_empty() {
            // An idle connection owns no memory for what it has sent.
            *self = Ledger::default();
        }
    }

    /// Ends the connection: gives up everything that has no outcome, in the order of the stream.
    pub(super) fn end(&mut self) -> VecDeque<Chunk> {
        std::mem::take(self).chunks
    }

    fn give_up_oldest(&mut self) -> Option<BytesMut> {
        let oldest = self.chunks.iter_mut().find(|chunk| chunk.held() > 0)?;
        self.held -= oldest.held();
        oldest.hollow()
    }

    fn coarsen_oldest(&mut self) {
        for chunk in &mut self.chunks {
            let before = chunk.lengths_held();
            chunk.coarsen();
            self.lengths -= before - chunk.lengths_held();
            if self.lengths <= LENGTHS {
                return;
            }
        }
    }
}
