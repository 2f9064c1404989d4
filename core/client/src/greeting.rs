//! The exchange that must succeed before a connection counts as `Connected`: a declared script, or a hook of the user.
//!
//! It runs in a task of its own, has the connection to itself, and is dropped at its deadline.

use bytes::Bytes;
use keepline_proto::cause::GreetingFailure;
use keepline_proto::config::{Script, Step};
use keepline_proto::{Cause, Ending, Epoch};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

tokio::task_local! {
    /// Set inside a greeting hook: a request on the client would wait for the hook itself.
    static INSIDE: ();
}

/// Whether the caller runs inside a greeting hook.
pub(crate) fn is_inside() -> bool {
    INSIDE.try_with(|()| ()).is_ok()
}

/// Why a greeting failed, as the hook sees it.
#[derive(Debug, Clone)]
pub struct GreetingError {
    failure: GreetingFailure,
    retry_after: Option<Duration>,
    reason: String,
}

impl GreetingError {
    /// The greeting failed; the reason is for the log only.
    pub fn rejected(reason: impl Into<String>) -> GreetingError {
        GreetingError { failure: GreetingFailure::Rejected, retry_after: None, reason: reason.into() }
    }

    /// The peer refused the credentials.
    pub fn auth(reason: impl Into<String>) -> GreetingError {
        GreetingError { failure: GreetingFailure::Auth, ..GreetingError::rejected(reason) }
    }

    /// The peer asked to come back later.
    pub fn retry_after(mut self, wait: Duration) -> GreetingError {
        self.retry_after = Some(wait);
        self
    }

    fn unexpected() -> GreetingError {
        GreetingError { failure: GreetingFailure::Unexpected, ..GreetingError::rejected("unexpected frame") }
    }

    fn ending(&self) -> Ending {
        Ending { retry_after: self.retry_after, ..Ending::new(Cause::Greeting(self.failure), None) }
    }
}

impl fmt::Display for GreetingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason: String = self.reason.escape_debug().take(256).collect();
        write!(f, "{}: {reason}", self.failure)
    }
}

impl std::error::Error for GreetingError {}

/// The future of a greeting hook.
pub type GreetingFuture = Pin<Box<dyn Future<Output = Result<(), GreetingError>> + Send>>;

/// A greeting hook of the user.
#[derive(Clone)]
pub(crate) struct Hook(pub(crate) Arc<dyn Fn(GreetingIo) -> GreetingFuture + Send + Sync>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// The connection, for the time of the greeting: messages out and in, in the client's framing.
#[derive(Debug, Clone)]
pub struct GreetingIo {
    epoch: Epoch,
    lane: Arc<Lane>,
}

#[derive(Debug, Default)]
struct Lane {
    queues: Mutex<Queues>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Queues {
    outbound: Vec<Bytes>,
    inbound: VecDeque<Bytes>,
    driver: Option<Waker>,
}

impl Lane {
    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GreetingIo {
    /// The connection that is being greeted.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Sends a message. It is written at once; nothing of the outbox passes before the greeting has succeeded.
    pub fn send(&self, message: impl Into<Bytes>) {
        let driver = {
            let mut queues = self.lane.queues();
            queues.outbound.push(message.into());
            queues.driver.take()
        };
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// Waits for the next message. At the deadline of the greeting the whole hook is dropped.
    ///
    /// # Cancel safety
    /// Cancel safe: the message stays for the next call.
    pub async fn recv(&self) -> Bytes {
        loop {
            let arrived = self.lane.arrived.notified();
            if let Some(frame) = self.lane.queues().inbound.pop_front() {
                return frame;
            }
            arrived.await;
        }
    }
}

/// A greeting under way. Dropping it ends its task.
#[derive(Debug)]
pub(crate) struct Greeting {
    lane: Arc<Lane>,
    task: JoinHandle<Result<(), GreetingError>>,
}

impl Greeting {
    pub(crate) fn script(epoch: Epoch, script: Script) -> Greeting {
        Greeting::spawn(epoch, move |io| Box::pin(play(io, script)))
    }

    pub(crate) fn hook(epoch: Epoch, hook: &Hook) -> Greeting {
        let hook = hook.clone();
        Greeting::spawn(epoch, move |io| (hook.0)(io))
    }

    fn spawn(epoch: Epoch, run: impl FnOnce(GreetingIo) -> GreetingFuture + Send + 'static) -> Greeting {
        let lane = Arc::new(Lane::default());
        let io = GreetingIo { epoch, lane: lane.clone() };
        // The hook is called inside its task, so that its panic is the task's.
        let task = tokio::spawn(INSIDE.scope((), async move { run(io).await }));
        Greeting { lane, task }
    }

    /// Hands a received frame to the greeting.
    pub(crate) fn deliver(&self, frame: Bytes) {
        self.lane.queues().inbound.push_back(frame);
        self.lane.arrived.notify_one();
    }

    /// Takes what the greeting wants to send.
    pub(crate) fn take_outbound(&self, waker: &Waker) -> Vec<Bytes> {
        let mut queues = self.lane.queues();
        queues.driver = Some(waker.clone());
        std::mem::take(&mut queues.outbound)
    }

    /// Bytes received and not read by the greeting.
    pub(crate) fn backlog(&self) -> usize {
        self.lane.queues().inbound.iter().map(Bytes::len).sum()
    }

    /// Asks for the end: frames that were not read, in order, or why the attempt failed.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<VecDeque<Bytes>, Ending>> {
        let Poll::Ready(ended) = Pin::new(&mut self.task).poll(context) else { return Poll::Pending };
        Poll::Ready(match ended {
            Ok(Ok(())) => Ok(std::mem::take(&mut self.lane.queues().inbound)),
            Ok(Err(error)) => {
                tracing::info!(%error, "greeting failed");
                Err(error.ending())
            }
            Err(_panicked) => Err(Ending::new(Cause::Greeting(GreetingFailure::Panicked), None)),
        })
    }
}

impl Drop for Greeting {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn play(io: GreetingIo, script: Script) -> Result<(), GreetingError> {
    for step in script.0 {
        match step {
            Step::Send(message) => io.send(message),
            Step::Expect(matcher) => {
                if !matcher.matches(&io.recv().await) {
                    return Err(GreetingError::unexpected());
                }
            }
        }
    }
    Ok(())
}
