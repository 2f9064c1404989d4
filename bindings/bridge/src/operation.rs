//! A call that may have to wait: a future that brings its runtime, catches panics and knows its process.

use crate::error::BridgeError;
use crate::fork::Here;
use crate::guard::caught;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::Handle;

type Inner<T> = Pin<Box<dyn Future<Output = Result<T, BridgeError>> + Send>>;

/// One call across the border. It may be polled by any executor, on any thread; dropping it gives the call up.
#[must_use = "an operation does nothing until it is polled"]
pub struct Operation<T> {
    inner: Here<Inner<T>>,
    runtime: Option<Handle>,
    /// It begins anew each time that it has ended.
    repeats: bool,
}

impl<T: 'static> Operation<T> {
    /// Makes an operation that runs inside of `runtime`.
    pub(crate) fn new(
        runtime: Handle,
        future: impl Future<Output = Result<T, BridgeError>> + Send + 'static,
    ) -> Operation<T> {
        Operation { inner: Here::new(Box::pin(future)), runtime: Some(runtime), repeats: false }
    }

    /// Makes an operation that begins anew each time that it has ended: for what is waited for again and again.
    pub(crate) fn repeating<F>(runtime: Handle, mut make: impl FnMut() -> F + Send + 'static) -> Operation<T>
    where
        F: Future<Output = Result<T, BridgeError>> + Send + 'static,
    {
        let mut running: Option<Pin<Box<F>>> = None;
        let again = poll_fn(move |context| {
            let polled = running.get_or_insert_with(|| Box::pin(make())).as_mut().poll(context);
            if polled.is_ready() {
                running = None;
            }
            polled
        });
        Operation { inner: Here::new(Box::pin(again)), runtime: Some(runtime), repeats: true }
    }

    /// Whether it begins anew when it has ended.
    pub(crate) fn repeats(&self) -> bool {
        self.repeats
    }

    /// An operation that has failed before it began.
    pub(crate) fn failed(error: BridgeError) -> Operation<T>
    where
        T: Send,
    {
        Operation { inner: Here::new(Box::pin(std::future::ready(Err(error)))), runtime: None, repeats: false }
    }

    /// Turns the value into another one.
    pub fn map<U: 'static>(self, change: impl FnOnce(T) -> U + Send + 'static) -> Operation<U> {
        let runtime = self.runtime.clone();
        Operation { inner: Here::new(Box::pin(async move { self.await.map(change) })), runtime, repeats: false }
    }
}

impl<T> Future for Operation<T> {
    type Output = Result<T, BridgeError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        // Timers inside need their runtime; the caller's thread is not one of its own.
        let _inside = this.runtime.as_ref().map(Handle::enter);
        let polled = this.inner.get_mut().and_then(|inner| caught(|| Ok(inner.as_mut().poll(context))));
        polled.unwrap_or_else(|error| Poll::Ready(Err(error)))
    }
}

impl<T> fmt::Debug for Operation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").finish_non_exhaustive()
    }
}
