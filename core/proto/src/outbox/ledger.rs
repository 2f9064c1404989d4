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

/// The stream of one connection, and the chunks of it that have no outcome.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Bytes handed over on this connection, urgent frames included.
    pub(super) written: u64,
    /// Whether the kernel's figures will tell; otherwise nothing is kept.
    pub(super) is_kept: bool,
    /// Boxed: an idle connection owns no memory for what it has sent.
    kept: Option<Box<Kept>>,
}

/// Chunks without an outcome: at least one.
#[derive(Debug, Default)]
struct Kept {
    chunks: VecDeque<Chunk>,
    held: usize,
    lengths: usize,
}

impl Ledger {
    /// Keeps a chunk that was handed over whole. Gives back a buffer that is no longer needed.
    pub(super) fn keep(&mut self, mut chunk: Chunk) -> Option<BytesMut> {
        if !self.is_kept || chunk.is_settled() {
            return chunk.hollow();
        }
        let kept = self.kept.get_or_insert_default();
        kept.held += chunk.held();
        kept.lengths += chunk.lengths_held();
        kept.chunks.push_back(chunk);
        let mut spare = None;
        if kept.held > RETAINED {
            spare = kept.give_up_oldest();
        }
        if kept.lengths > LENGTHS {
            kept.coarsen_oldest();
        }
        spare
    }

    /// Keeps a small frame that its caller wrote itself, at the end of what was written before.
    pub(super) fn keep_written(&mut self, frame: &[u8], special: impl FnOnce(usize) -> Option<Special>) -> bool {
        let offset = self.written;
        let Some(kept) = &mut self.kept else { return false };
        let Some(last) = kept.chunks.back_mut() else { return false };
        let is_kept = last.push_written(frame, offset, special);
        if is_kept {
            kept.held += frame.len();
            kept.lengths += 1;
            self.written += frame.len() as u64;
        }
        is_kept
    }

    /// Whether so much waits for its outcome that the kernel should be asked now.
    pub(super) fn wants_look(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.held > LOOK_AT || kept.lengths > LENGTHS / 2)
    }

    /// Reports what is acknowledged, and gives up the bytes that were transmitted.
    pub(super) fn weigh(
        &mut self,
        standing: Standing,
        report: &mut impl FnMut(usize, Option<Special>),
        mut spare: impl FnMut(BytesMut),
    ) {
        let Some(kept) = &mut self.kept else { return };
        let mut is_oldest = true;
        for chunk in &mut kept.chunks {
            if is_oldest {
                chunk.settle(standing, &mut *report);
                is_oldest = chunk.is_settled();
            }
            if chunk.held() > 0 && (chunk.is_settled() || chunk.is_transmitted(standing)) {
                kept.held -= chunk.held();
                chunk.hollow().map(&mut spare);
            }
        }
        while kept.chunks.front().is_some_and(Chunk::is_settled) {
            if let Some(chunk) = kept.chunks.pop_front() {
                kept.lengths -= chunk.lengths_held();
            }
        }
        if kept.chunks.is_empty() {
            self.kept = None;
        }
    }

    /// Ends the connection: gives up everything that has no outcome, in the order of the stream.
    pub(super) fn end(&mut self) -> VecDeque<Chunk> {
        std::mem::take(self).kept.map(|kept| kept.chunks).unwrap_or_default()
    }
}

impl Kept {
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
