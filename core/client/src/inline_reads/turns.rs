//! The driver where more than the runtime may give it its turns: one at a time, whoever it is.

use crate::driver::Driver;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::runtime::Handle;

/// A driver, and how its task is woken.
pub(crate) struct Turns {
    held: Mutex<Held>,
    runtime: Handle,
}

struct Held {
    /// `None` once it has ended.
    driver: Option<Driver>,
    waker: Waker,
}

/// The task of the runtime.
pub(crate) struct Turn(pub(crate) Arc<Turns>);

impl Turns {
    pub(crate) fn new(driver: Driver, runtime: Handle) -> Turns {
        Turns { held: Mutex::new(Held { driver: Some(driver), waker: Waker::noop().clone() }), runtime }
    }

    /// Gives the driver a turn on this thread. Waits for one that the runtime is giving it, which is short as all turns are:
    /// that one may have read before the last bytes came.
    pub(super) fn turn(&self, is_turn: &AtomicBool) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Held { driver, waker } = &mut *held;
        let Some(running) = driver else { return };
        let waker = waker.clone();
        let _inside = self.runtime.enter();
        is_turn.store(true, Ordering::Relaxed);
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(running).poll(&mut Context::from_waker(&waker))));
        is_turn.store(false, Ordering::Relaxed);
        match polled {
            Ok(Poll::Pending) => {}
            // As the runtime does with a task that panics: what it holds is told by its end.
            Ok(Poll::Ready(())) | Err(_) => {
                let ended = driver.take();
                let _told = catch_unwind(AssertUnwindSafe(|| drop(ended)));
                drop(held);
                waker.wake();
            }
        }
    }
}

impl Future for Turn {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut held = self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.waker.clone_from(context.waker());
        let Some(driver) = &mut held.driver else { return Poll::Ready(()) };
        let polled = Pin::new(driver).poll(context);
        if polled.is_ready() {
            held.driver = None;
        }
        polled
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turns").finish_non_exhaustive()
    }
}
