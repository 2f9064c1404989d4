//! Reading on the thread of an event loop: what a message costs there, without a wake-up of the runtime in between.
//!
//! A client lives on its runtime, and whoever waits elsewhere is woken by it: two switches of threads for each message. Where an
//! event loop waits in an epoll of Linux, the kernel can tell the loop itself of what arrives, and the loop then makes a turn of
//! the driver: it reads, and finds what it waited for. While it computes, the kernel tells the runtime as ever.
//!
//! Lent to the loop is only what concerns nobody else: not while a heartbeat is unanswered, a greeting goes on or the connection
//! is in doubt, not where the client answers by itself, not over TLS, and not while messages stream, where batches are better.

mod seat;
mod turns;

pub use seat::LoopSeat;
pub(crate) use turns::{Turn, Turns};

use crate::client::Client;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

/// Reads in a row that each brought one message: two in a row are chance where both sides share a core. As for writes.
const ALONE: u8 = 4;

/// What a client has whose messages a loop may read.
#[derive(Debug, Default)]
pub(crate) struct InlineReads {
    turns: OnceLock<Weak<Turns>>,
    seat: Mutex<Option<Arc<LoopSeat>>>,
    alone: AtomicU8,
    /// The loop makes a turn now.
    is_turn: AtomicBool,
}

impl InlineReads {
    pub(crate) fn set_turns(&self, turns: &Arc<Turns>) {
        let _only_once = self.turns.set(Arc::downgrade(turns));
    }

    /// Notes how many messages a read has brought.
    pub(crate) fn note(&self, messages: usize) {
        let alone = self.alone.load(Ordering::Relaxed);
        let now = if messages == 1 { alone.saturating_add(1).min(ALONE) } else { 0 };
        if now != alone {
            self.alone.store(now, Ordering::Relaxed);
        }
    }

    /// The loop that may read, while messages come one by one.
    pub(crate) fn seat(&self) -> Option<Arc<LoopSeat>> {
        if self.alone.load(Ordering::Relaxed) < ALONE {
            return None;
        }
        self.seat.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Nobody else reads any more: the system has no room for it.
    pub(crate) fn give_up(&self) {
        *self.seat.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn is_turn(&self) -> bool {
        self.is_turn.load(Ordering::Relaxed)
    }

    fn turn(&self) {
        if let Some(turns) = self.turns.get().and_then(Weak::upgrade) {
            turns.turn(&self.is_turn);
        }
    }
}

impl Client {
    /// Lets the event loop of this seat read by itself what arrives while it waits, until the client ends. Does nothing for a
    /// client that was made without [`Builder::inline_reads`](crate::Builder::inline_reads).
    pub fn read_inline(&self, seat: &Arc<LoopSeat>) {
        if let Some(reads) = self.shared().extras.inline_reads() {
            seat.seat(self.shared());
            *reads.seat.lock().unwrap_or_else(PoisonError::into_inner) = Some(seat.clone());
        }
    }
}
