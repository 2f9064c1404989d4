//! What an outbox has while there is traffic, and an idle one has not.

use super::chunk::Chunk;
use super::ledger::Ledger;
use super::{CHUNK, FIRST};
use crate::Time;
use bytes::BytesMut;
use std::collections::VecDeque;

/// Comes with the first message, stays while traffic flows, and goes once the last message has its outcome.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) chunks: VecDeque<Chunk>,
    /// Used buffers, kept while there is traffic: fresh ones cost page faults.
    pub(super) spares: VecDeque<BytesMut>,
    /// In the chunks, and in the flight that a writer holds.
    pub(super) messages: usize,
    pub(super) bytes: usize,
    /// [`Time::FAR_FUTURE`] for none.
    pub(super) next_expiry: Time,
    /// What was handed over and has no outcome.
    pub(super) ledger: Ledger,
}

impl Load {
    /// A buffer for small messages: the first of a burst is small, since many bursts are; the next are whole.
    pub(super) fn buffer(&mut self, size: usize) -> BytesMut {
        self.spares.pop_back().unwrap_or_else(|| {
            let capacity = if self.chunks.is_empty() { size.max(FIRST) } else { CHUNK };
            BytesMut::with_capacity(capacity)
        })
    }

    /// Whether nothing waits, is written, or was written and has no outcome.
    pub(super) fn is_over(&self) -> bool {
        self.messages == 0 && self.chunks.is_empty() && self.ledger.is_empty()
    }
}

impl Default for Load {
    fn default() -> Load {
        Load {
            chunks: VecDeque::new(),
            spares: VecDeque::new(),
            messages: 0,
            bytes: 0,
            next_expiry: Time::FAR_FUTURE,
            ledger: Ledger::default(),
        }
    }
}
