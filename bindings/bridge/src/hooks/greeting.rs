//! The connection as a hook in another language holds it, for the time of its greeting.

use crate::config::SecretRecord;
use crate::error::BridgeError;
use crate::fork::Here;
use crate::guard::caught;
use crate::operation::Operation;
use bytes::Bytes;
use keepline::GreetingIo;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Messages out and in, in the client's framing. When the greeting is over, every call is refused as `closed`.
#[derive(Debug)]
pub struct BridgeGreeting {
    inner: Here<Inner>,
}

#[derive(Debug)]
struct Inner {
    io: GreetingIo,
    over: Over,
    runtime: Handle,
}

impl BridgeGreeting {
    pub(super) fn new(io: GreetingIo, over: Over, runtime: Handle) -> BridgeGreeting {
        BridgeGreeting { inner: Here::new(Inner { io, over, runtime }) }
    }

    /// The number of the attempt.
    ///
    /// # Errors
    /// `forked`.
    pub fn epoch(&self) -> Result<u64, BridgeError> {
        Ok(self.inner.get()?.io.epoch().0)
    }

    /// Where it goes.
    ///
    /// # Errors
    /// `forked`.
    pub fn endpoint(&self) -> Result<String, BridgeError> {
        Ok(self.inner.get()?.io.endpoint().map(ToString::to_string).unwrap_or_default())
    }

    /// Sends a message; it is written at once.
    ///
    /// # Errors
    /// `closed` when the greeting is over; `forked`.
    pub fn send(&self, message: Bytes) -> Result<(), BridgeError> {
        let inner = self.inner.get()?;
        caught(|| {
            inner.over.check()?;
            inner.io.send(message);
            Ok(())
        })
    }

    /// Waits for the next message, at most `timeout_ms`.
    ///
    /// # Errors
    /// `timeout`; `closed` when the greeting is over; `forked`.
    ///
    /// # Cancel safety
    /// Cancel safe: the message stays for the next call.
    pub fn recv(&self, timeout_ms: Option<u64>) -> Operation<Bytes> {
        self.operation(move |io| async move {
            let Some(limit) = timeout_ms else { return Ok(io.recv().await) };
            let received = tokio::time::timeout(Duration::from_millis(limit), io.recv()).await;
            received.map_err(|_elapsed| BridgeError::timed_out("message"))
        })
    }

    /// The credentials of this attempt. As often as it is called it gives the same.
    ///
    /// # Errors
    /// `unavailable` with the cause `greeting.credentials` if none are declared, or whoever gives them failed or was late;
    /// `closed` when the greeting is over; `forked`.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub fn credentials(&self) -> Operation<SecretRecord> {
        self.operation(|io| async move {
            match io.credentials().await {
                Ok(secret) => Ok(SecretRecord(secret.expose().to_vec())),
                Err(_none) => Err(BridgeError::no_credentials()),
            }
        })
    }

    /// What takes it back.
    pub(super) fn over(&self) -> Option<Over> {
        self.inner.get().ok().map(|inner| inner.over.clone())
    }

    fn operation<T, F>(&self, make: impl FnOnce(GreetingIo) -> F) -> Operation<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, BridgeError>> + Send + 'static,
    {
        let inner = match self.inner.get() {
            Ok(inner) => inner,
            Err(error) => return Operation::failed(error),
        };
        let (waiting, over) = (make(inner.io.clone()), inner.over.clone());
        Operation::new(inner.runtime.clone(), async move {
            let (mut waiting, mut over) = (pin!(waiting), pin!(over.wait()));
            // The end first: nothing is taken after it.
            poll_fn(|context| match over.as_mut().poll(context) {
                Poll::Ready(error) => Poll::Ready(Err(error)),
                Poll::Pending => waiting.as_mut().poll(context),
            })
            .await
        })
    }
}

/// Whether a greeting is over.
#[derive(Clone)]
pub(super) struct Over(Arc<watch::Sender<bool>>);

impl Default for Over {
    fn default() -> Over {
        Over(Arc::new(watch::Sender::new(false)))
    }
}

impl Over {
    /// Ends it, once.
    pub(super) fn end(&self) {
        self.0.send_replace(true);
    }

    /// Ends it when the guard is dropped.
    pub(super) fn at_end(self) -> AtEnd {
        AtEnd(self)
    }

    fn check(&self) -> Result<(), BridgeError> {
        if *self.0.borrow() { Err(BridgeError::greeting_over()) } else { Ok(()) }
    }

    async fn wait(self) -> BridgeError {
        let mut changes = self.0.subscribe();
        // The sender is held here, so it cannot be gone.
        let _ended = changes.wait_for(|is_over| *is_over).await;
        BridgeError::greeting_over()
    }
}

impl fmt::Debug for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Over").field(&*self.0.borrow()).finish()
    }
}

pub(super) struct AtEnd(Over);

impl Drop for AtEnd {
    fn drop(&mut self) {
        self.0.end();
    }
}
