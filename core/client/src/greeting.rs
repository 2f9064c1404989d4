//! The exchange that must succeed before a connection counts as `Connected`: a declared script or a hook of the user, then
//! what the client is subscribed to.
//!
//! It runs in a task of its own, has the connection to itself, and is dropped at its deadline.

mod login;
mod script;

pub use login::{CredentialRequest, CredentialsFuture, CredentialsResult};
pub(crate) use login::{Hook, Login, Provider, not_declared};

use crate::ask::Answer;
use crate::endpoint::Endpoint;
use bytes::Bytes;
use keepline_proto::cause::GreetingFailure;
use keepline_proto::config::Script;
use keepline_proto::subscriptions::Subscription;
use keepline_proto::{Cause, Ending, Epoch, Secret};
use script::Signs;
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// 1 s for a greeting to read what has arrived before the peer left: its last word is the reason, and a hook that waits
/// for something else meanwhile is not worth more.
const LAST_WORD_WITHIN: Duration = Duration::from_secs(1);

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

    /// There is nothing to log in with: what [`GreetingIo::credentials`] returns then.
    pub fn no_credentials() -> GreetingError {
        GreetingError { failure: GreetingFailure::Credentials, ..GreetingError::rejected("no credentials") }
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

/// The connection, for the time of the greeting: messages out and in, in the client's framing.
#[derive(Debug, Clone)]
pub struct GreetingIo {
    epoch: Epoch,
    lane: Arc<Lane>,
    endpoint: Option<Endpoint>,
    asked: Option<Answer<Secret>>,
}

#[derive(Debug, Default)]
struct Lane {
    queues: Mutex<Queues>,
    arrived: Notify,
    left: Notify,
}

#[derive(Debug, Default)]
struct Queues {
    outbound: Vec<Bytes>,
    inbound: VecDeque<Bytes>,
    driver: Option<Waker>,
    /// The peer is gone, for this reason.
    left: Option<Ending>,
}

impl Lane {
    /// Waits until the peer is gone and its last word is read.
    async fn abandoned(&self) -> Ending {
        loop {
            let left = self.left.notified();
            let (ending, is_read) = {
                let queues = self.queues();
                (queues.left, queues.inbound.is_empty())
            };
            match ending {
                None => left.await,
                Some(ending) => {
                    if !is_read {
                        tokio::time::sleep(LAST_WORD_WITHIN).await;
                    }
                    return ending;
                }
            }
        }
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GreetingIo {
    /// The connection that is being greeted.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Where it goes. A hook always learns it.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_ref()
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

    /// The credentials of this attempt, asked for when it began. Waits for them; as often as it is called it gives the same.
    ///
    /// # Errors
    /// None are declared, or their provider failed or was late. Returned by the hook, it ends the attempt as
    /// `greeting.credentials`.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn credentials(&self) -> Result<Secret, GreetingError> {
        let asked = self.asked.clone().ok_or_else(GreetingError::no_credentials)?;
        asked.get().await.map_err(|_none| GreetingError::no_credentials())
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

    /// Puts frames back before those that have not been read.
    fn put_back(&self, frames: Vec<Bytes>) {
        let mut queues = self.lane.queues();
        frames.into_iter().rev().for_each(|frame| queues.inbound.push_front(frame));
    }
}

/// What a greeting consists of.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) exchange: Exchange,
    /// What the connection begins with, if the peer's confirmation is waited for.
    pub(crate) subscriptions: Vec<Subscription>,
    /// Bytes of other messages that may arrive before it has come.
    pub(crate) room: usize,
}

/// Who speaks first.
#[derive(Debug)]
pub(crate) enum Exchange {
    Script(Script),
    Hook(Hook),
    Nothing,
}

/// Why a greeting came to nothing.
#[derive(Debug)]
enum Failure {
    Told(GreetingError),
    /// The peer left first.
    Left(Ending),
}

/// A greeting under way. Dropping it ends its task.
#[derive(Debug)]
pub(crate) struct Greeting {
    lane: Arc<Lane>,
    task: JoinHandle<Result<(), Failure>>,
    left: Option<Ending>,
}

impl Greeting {
    pub(crate) fn start(epoch: Epoch, login: Option<&Login>, plan: Plan) -> Greeting {
        let lane = Arc::new(Lane::default());
        let (endpoint, asked) = match login.and_then(|login| login.attempt(epoch)) {
            Some((endpoint, asked)) => (Some(endpoint), asked),
            None => (None, None),
        };
        let io = GreetingIo { epoch, lane: lane.clone(), endpoint, asked };
        let watched = lane.clone();
        // The hook is called inside its task, so that its panic is the task's.
        let task = tokio::spawn(INSIDE.scope((), async move {
            let mut greeting = pin!(greet(io, plan));
            let mut abandoned = pin!(watched.abandoned());
            // The greeting first: what has arrived is read before the peer's leaving counts.
            poll_fn(|context| match greeting.as_mut().poll(context) {
                Poll::Ready(ended) => Poll::Ready(ended.map_err(Failure::Told)),
                Poll::Pending => abandoned.as_mut().poll(context).map(|ending| Err(Failure::Left(ending))),
            })
            .await
        }));
        Greeting { lane, task, left: None }
    }

    /// Tells that the peer is gone: what it said before may be why.
    pub(crate) fn peer_left(&mut self, ending: Ending) {
        if self.left.is_none() {
            self.left = Some(ending);
            self.lane.queues().left = Some(ending);
            self.lane.left.notify_one();
        }
    }

    pub(crate) fn has_peer_left(&self) -> bool {
        self.left.is_some()
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
            Ok(Ok(())) => match self.left {
                None => Ok(std::mem::take(&mut self.lane.queues().inbound)),
                Some(ending) => Err(ending),
            },
            Ok(Err(Failure::Told(error))) => {
                tracing::info!(%error, "greeting failed");
                Err(error.ending())
            }
            Ok(Err(Failure::Left(ending))) => Err(ending),
            Err(_panicked) => Err(Ending::new(Cause::Greeting(GreetingFailure::Panicked), None)),
        })
    }
}

impl Drop for Greeting {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn greet(io: GreetingIo, plan: Plan) -> Result<(), GreetingError> {
    let signs = match plan.exchange {
        Exchange::Script(script) => script::play(&io, script).await?,
        Exchange::Hook(hook) => {
            (hook.0)(io.clone()).await?;
            Signs::default()
        }
        Exchange::Nothing => Signs::default(),
    };
    script::resubscribe(&io, plan.subscriptions, &signs, plan.room).await
}
