//! Notes for a loop in another language: left by any thread, taken by the loop's own.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// A queue of plain Rust values that wakes its reader once when it stops being empty, whatever is left after that.
///
/// Notes are few by construction (one per waiting operation), so the queue needs no limit of its own.
pub struct Mailbox<T> {
    notes: Mutex<VecDeque<T>>,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl<T> Mailbox<T> {
    /// Makes a mailbox whose reader is woken by `wake`. It is called by the thread that leaves a note, without a lock
    /// held, and must not block.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Mailbox<T> {
        Mailbox { notes: Mutex::new(VecDeque::new()), wake: Box::new(wake) }
    }

    /// Leaves a note.
    pub fn leave(&self, note: T) {
        let was_empty = {
            let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
            notes.push_back(note);
            notes.len() == 1
        };
        if was_empty {
            (self.wake)();
        }
    }

    /// Takes every note. The reader's wake-up signal has to be cleared before, so that a note left meanwhile wakes anew.
    pub fn take(&self) -> VecDeque<T> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T> fmt::Debug for Mailbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn reader_is_woken_once_per_batch() {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counted = wakes.clone();
        let mailbox = Mailbox::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        mailbox.leave(1);
        mailbox.leave(2);
        assert_eq!(wakes.load(Ordering::Relaxed), 1);
        assert_eq!(mailbox.take(), [1, 2]);
        mailbox.leave(3);
        assert_eq!(wakes.load(Ordering::Relaxed), 2);
        assert_eq!(mailbox.take(), [3]);
    }
}
