//! Operations that a foreign loop waits for: polled on the loop's own thread, announced through its mailbox.
//!
//! A worker of the runtime only leaves the number of an operation that can go on. The loop polls it when its caller
//! really resumes, so that a caller who was cancelled meanwhile has taken nothing.

use crate::error::BridgeError;
use crate::mailbox::Mailbox;
use crate::operation::Operation;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// How far an operation is.
#[derive(Debug)]
pub enum Progress<T> {
    /// It has ended. Its number is no longer known, unless it repeats.
    Done(Result<T, BridgeError>),
    /// It waits under this number, which [`Operations::ready`] will tell.
    Waiting(u64),
}

/// The waiting operations of one foreign loop.
pub struct Operations<T> {
    slots: Mutex<HashMap<u64, Slot<T>>>,
    mailbox: Arc<Mailbox<u64>>,
    last: AtomicU64,
}

struct Slot<T> {
    operation: Operation<T>,
    note: Arc<Note>,
}

impl<T: 'static> Operations<T> {
    /// Makes an empty set whose loop is woken by `wake`.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Operations<T> {
        Operations { slots: Mutex::default(), mailbox: Arc::new(Mailbox::new(wake)), last: AtomicU64::new(0) }
    }

    /// Polls an operation for the first time, and keeps it if it has to wait.
    pub fn start(&self, operation: Operation<T>) -> Progress<T> {
        let slot = self.slot(operation);
        self.advance(slot.note.number, slot)
    }

    /// Keeps an operation without polling it: its number.
    pub fn keep(&self, operation: Operation<T>) -> u64 {
        let slot = self.slot(operation);
        let number = slot.note.number;
        self.slots().insert(number, slot);
        number
    }

    /// Polls an operation again.
    pub fn poll(&self, number: u64) -> Progress<T> {
        // Out of the map while it is polled: what it wakes may look here.
        let slot = self.slots().remove(&number);
        match slot {
            Some(slot) => self.advance(number, slot),
            None => Progress::Done(Err(BridgeError::internal(format!("no operation {number}")))),
        }
    }

    /// Gives an operation up. One that has ended is not known any more.
    pub fn cancel(&self, number: u64) {
        let given_up = self.slots().remove(&number);
        drop(given_up);
    }

    /// Takes the numbers of operations that can go on. Some may have been cancelled.
    pub fn ready(&self) -> Vec<u64> {
        self.mailbox.take().into()
    }

    /// How many operations wait.
    pub fn len(&self) -> usize {
        self.slots().len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn slot(&self, operation: Operation<T>) -> Slot<T> {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let note = Arc::new(Note { number, left: AtomicBool::new(false), mailbox: self.mailbox.clone() });
        Slot { operation, note }
    }

    fn advance(&self, number: u64, mut slot: Slot<T>) -> Progress<T> {
        slot.note.left.store(false, Ordering::Release);
        let waker = Waker::from(slot.note.clone());
        match Pin::new(&mut slot.operation).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => {
                if slot.operation.repeats() {
                    self.slots().insert(number, slot);
                }
                Progress::Done(result)
            }
            Poll::Pending => {
                self.slots().insert(number, slot);
                Progress::Waiting(number)
            }
        }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<u64, Slot<T>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Operations<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operations").finish_non_exhaustive()
    }
}

/// Leaves the number of its operation, once until the next poll.
struct Note {
    number: u64,
    left: AtomicBool,
    mailbox: Arc<Mailbox<u64>>,
}

impl Wake for Note {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.left.swap(true, Ordering::AcqRel) {
            self.mailbox.leave(self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime;
    use std::sync::atomic::AtomicUsize;
    use tokio::sync::oneshot;

    #[test]
    fn operation_goes_on_only_when_its_caller_polls_it() {
        let runtime = runtime::handle().unwrap();
        let wakes = Arc::new(AtomicUsize::new(0));
        let counted = wakes.clone();
        let operations = Operations::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let (sender, receiver) = oneshot::channel();
        let operation =
            Operation::new(runtime, async move { receiver.await.map_err(|_| BridgeError::internal("gone")) });
        let Progress::Waiting(number) = operations.start(operation) else { panic!("it has to wait") };
        assert_eq!(operations.ready(), []);
        sender.send(7).unwrap();
        assert_eq!((operations.ready(), wakes.load(Ordering::Relaxed)), (vec![number], 1));
        assert!(matches!(operations.poll(number), Progress::Done(Ok(7))));
        assert!(operations.is_empty());
    }

    #[test]
    fn cancelled_operation_is_dropped_and_its_late_note_harmless() {
        let runtime = runtime::handle().unwrap();
        let operations = Operations::new(|| {});
        let (sender, receiver) = oneshot::channel::<()>();
        let operation =
            Operation::new(runtime, async move { receiver.await.map_err(|_| BridgeError::internal("gone")) });
        let Progress::Waiting(number) = operations.start(operation) else { panic!("it has to wait") };
        operations.cancel(number);
        assert!(sender.is_closed());
        assert!(matches!(operations.poll(number), Progress::Done(Err(error)) if error.kind == "internal"));
    }

    #[test]
    fn operation_that_repeats_keeps_its_number_and_is_told_of_each_time() {
        let runtime = runtime::handle().unwrap();
        let operations = Operations::new(|| {});
        let bell = Arc::new(tokio::sync::Notify::new());
        let heard = bell.clone();
        let number = operations.keep(Operation::repeating(runtime, move || {
            let heard = heard.clone();
            async move {
                heard.notified().await;
                Ok(())
            }
        }));
        for _ in 0..3 {
            assert!(matches!(operations.poll(number), Progress::Waiting(same) if same == number));
            assert_eq!(operations.ready(), []);
            bell.notify_one();
            assert_eq!(operations.ready(), [number]);
            assert!(matches!(operations.poll(number), Progress::Done(Ok(()))));
        }
        operations.cancel(number);
        assert!(operations.is_empty());
        assert_eq!(Arc::strong_count(&bell), 1, "what it held is gone with it");
    }

    #[test]
    fn panic_inside_becomes_an_internal_error() {
        let runtime = runtime::handle().unwrap();
        let operations = Operations::<()>::new(|| {});
        let operation = Operation::new(runtime, async { panic!("a test panics here") });
        let Progress::Done(Err(error)) = operations.start(operation) else { panic!("it has to fail") };
        assert_eq!(error.kind, "internal");
        assert!(error.message.contains("a test panics here"));
    }
}
