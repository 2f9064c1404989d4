//! The one thread that enters the other language: it tells its waiting calls that they can go on, and begins its hooks.
//!
//! A worker of the runtime never does. So a callback that blocks, or a coroutine that goes on right where it is woken,
//! holds up other callbacks and no connection; and a virtual machine gets to know one thread of ours, not one per call.

use super::jvm;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use tokio::sync::oneshot;

/// A waker that is woken on the dispatcher's thread, whoever wakes this one.
pub(super) fn deferred(waker: &Waker) -> Waker {
    Waker::from(Arc::new(Deferred(waker.clone())))
}

/// Runs a future of the other language on the dispatcher's thread. When nobody waits for its result any more, it is dropped
/// there; of one that panics there is none.
pub(super) fn ask<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = Option<T>> + Send + 'static {
    let (mut teller, told) = oneshot::channel();
    let job = Job(Mutex::new(Some(Box::pin(async move {
        let mut future = pin!(future);
        let result = poll_fn(|context| match teller.poll_closed(context) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => future.as_mut().poll(context).map(Some),
        })
        .await;
        if let Some(result) = result {
            // Whoever asked may have gone this moment.
            let _told = teller.send(result);
        }
    }))));
    post(Waker::from(Arc::new(job)));
    async move { told.await.ok() }
}

/// A future that is polled where it is woken: by the dispatcher, to which its own waker leads.
struct Job(Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>);

impl Wake for Job {
    fn wake(self: Arc<Self>) {
        // Taken out, so that it is dropped if it panics.
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut future) = taken else { return };
        let waker = deferred(&Waker::from(self.clone()));
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(future);
        }
    }
}

struct Deferred(Waker);

impl Wake for Deferred {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        post(self.0.clone());
    }
}

/// Bounded by the calls that wait: each leaves one waker until it is polled again.
static QUEUE: OnceLock<Option<Mutex<Sender<Waker>>>> = OnceLock::new();

fn post(waker: Waker) {
    let Some(queue) = QUEUE.get_or_init(start) else {
        // Without a thread of its own the call goes on where it was woken: late is worse.
        waker.wake();
        return;
    };
    let queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    // The receiver lives as long as the process.
    let _sent = queue.send(waker);
}

fn start() -> Option<Mutex<Sender<Waker>>> {
    let (sender, receiver) = channel();
    let thread = thread::Builder::new().name("keepline-calls".to_owned());
    thread.spawn(move || run(&receiver)).ok()?;
    Some(Mutex::new(sender))
}

fn run(receiver: &Receiver<Waker>) {
    crate::runtime::block_signals();
    let _environment = jvm::attach();
    while let Ok(waker) = receiver.recv() {
        // What the other language throws is caught there; a panic on the way must not end everybody else's callbacks.
        let _panicked = catch_unwind(AssertUnwindSafe(|| waker.wake()));
    }
}
