//! What was handed to the kernel and has no outcome yet: kept until the kernel's figures tell.

use super::chunk::{Chunk, Special};
use super::queue::Queue;
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

/// The stream of one connection, and the chunks of it that have no outcome.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Bytes handed over on this connection, urgent frames included.
    pub(super) written: u64,
    /// Whether the kernel's figures will tell; otherwise nothing is kept.
    pub(super) is_kept: bool,
    kept: Queue<Chunk>,
    held: usize,
    lengths: usize,
}

impl Ledger {
    /// Keeps a chunk that was handed over whole. Gives back a buffer that is no longer needed.
    pub(super) fn keep(&mut self, mut chunk: Chunk) -> Option<BytesMut> {
        if !self.is_kept {
            return chunk.hollow();
        }
        if chunk.is_settled() {
            return chunk.hollow();
        }
        self.held += chunk.held();
        self.lengths += chunk.lengths_held();
        self.kept.push_back(chunk);
        let mut spare = None;
        if self.held > RETAINED {
            spare = self.give_up_oldest();
        }
        if self.lengths > LENGTHS {
            self.coarsen_oldest();
        }
        spare
    }

    /// Keeps a small frame that its caller wrote itself, at the end of what was written before.
    pub(super) fn keep_written(&mut self, frame: &[u8], special: impl FnOnce(usize) -> Option<Special>) -> bool {
        let offset = self.written;
        let Some(last) = self.kept.back_mut() else { return false };
        let kept = last.push_written(frame, offset, special);
        if kept {
            self.held += frame.len();
            self.lengths += 1;
            self.written += frame.len() as u64;
        }
        kept
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
        for chunk in self.kept.iter_mut() {
            if is_oldest {
                chunk.settle(standing, &mut *report);
                is_oldest = chunk.is_settled();
            }
            if chunk.held() > 0 && (chunk.is_settled() || chunk.is_transmitted(standing)) {
                self.held -= chunk.held();
                chunk.hollow().map(&mut spare);
            }
        }
        while self.kept.front().is_some_and(Chunk::is_settled) {
            if let Some(chunk) = self.kept.pop_front() {
                self.lengths -= chunk.lengths_held();
            }
        }
        // An idle connection owns no memory for what it has sent.
        self.kept.rest();
    }

    /// Ends the connection: gives up everything that has no outcome, in the order of the stream.
    pub(super) fn end(&mut self) -> VecDeque<Chunk> {
        std::mem::take(self).kept.take()
    }

    fn give_up_oldest(&mut self) -> Option<BytesMut> {
        let oldest = self.kept.iter_mut().find(|chunk| chunk.held() > 0)?;
        self.held -= oldest.held();
        oldest.hollow()
    }

    fn coarsen_oldest(&mut self) {
        for chunk in self.kept.iter_mut() {
            let before = chunk.lengths_held();
            chunk.coarsen();
            self.lengths -= before - chunk.lengths_held();
            if self.lengths <= LENGTHS {
                return;
            }
        }
    }
}
