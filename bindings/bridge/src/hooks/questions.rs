//! Questions that are pulled: for languages that no thread of the runtime may enter.
//!
//! The core asks and waits; whoever answers takes the question from a queue, on a thread of its own, and answers by number.

use super::greeting::{BridgeGreeting, Over};
use super::{Answer, CredentialsQuestion, HookError, Hooks, NameQuestion};
use crate::config::SecretRecord;
use crate::error::BridgeError;
use crate::fork::Here;
use crate::guard::caught;
use crate::operation::Operation;
use crate::runtime;
use keepline::ProxyCredentials;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};

/// A question, or the news that one is not asked any more.
#[derive(Debug)]
pub struct Question {
    /// What an answer names.
    pub number: u64,
    /// What is asked.
    pub kind: QuestionKind,
}

/// What is asked.
#[derive(Debug)]
pub enum QuestionKind {
    /// Greet on this connection; [`BridgeQuestions::greeted`] answers.
    Greeting(BridgeGreeting),
    /// Credentials; [`BridgeQuestions::credentials`] answers.
    Credentials(CredentialsQuestion),
    /// What is told to the proxy; [`BridgeQuestions::proxy_credentials`] answers.
    ProxyCredentials(CredentialsQuestion),
    /// The addresses of a name; [`BridgeQuestions::addresses`] answers.
    Addresses(NameQuestion),
    /// The question of this number, which was pulled before, is not asked any more: its deadline is over, the connection
    /// is lost, or the client is closed.
    Withdrawn,
}

/// Which questions are asked beside those that the configuration declares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answered {
    /// The addresses of names.
    pub addresses: bool,
    /// The credentials for a proxy.
    pub proxy_credentials: bool,
}

/// The questions of one client, where they are pulled.
#[derive(Debug)]
pub struct BridgeQuestions {
    desk: Here<Arc<Desk>>,
}

/// The questions of one client, where they are asked. Dropping it ends the pulls.
pub(crate) struct Asking {
    desk: Arc<Desk>,
    answered: Answered,
}

#[derive(Debug, Default)]
struct Desk {
    state: Mutex<State>,
    arrived: Notify,
}

/// There are few questions at any time: a greeting, credentials for the peer and for a proxy, and a name for each of two
/// attempts.
#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Question>,
    waiting: HashMap<u64, Waiting>,
    last: u64,
    is_over: bool,
}

#[derive(Debug)]
enum Waiting {
    Greeting(oneshot::Sender<Result<(), HookError>>, Option<Over>),
    Credentials(oneshot::Sender<Result<SecretRecord, HookError>>),
    ProxyCredentials(oneshot::Sender<Result<ProxyCredentials, HookError>>),
    Addresses(oneshot::Sender<Result<Vec<String>, HookError>>),
}

impl BridgeQuestions {
    /// Makes a queue, and the hooks that fill it, for one client.
    pub fn new(answered: Answered) -> (BridgeQuestions, Arc<dyn Hooks>) {
        let desk = Arc::new(Desk::default());
        let asking = Asking { desk: desk.clone(), answered };
        (BridgeQuestions { desk: Here::new(desk) }, Arc::new(asking))
    }

    /// Waits for the next questions; an empty list when the client is gone.
    ///
    /// # Errors
    /// `closed` after the runtime was shut down; `forked`.
    ///
    /// # Cancel safety
    /// Cancel safe: the questions stay for the next call.
    pub fn next(&self) -> Operation<Vec<Question>> {
        let made = self.desk.get().and_then(|desk| Ok((desk.clone(), runtime::handle()?)));
        match made {
            Ok((desk, runtime)) => Operation::new(runtime, async move { Ok(desk.next().await) }),
            Err(error) => Operation::failed(error),
        }
    }

    /// Answers a greeting: it has succeeded. From now on its connection is refused to the hook.
    ///
    /// Like every answer it says whether the question was still asked.
    ///
    /// # Errors
    /// `forked`.
    pub fn greeted(&self, number: u64) -> Result<bool, BridgeError> {
        self.answer(number, |waiting| match waiting {
            Waiting::Greeting(teller, _) => Ok(teller.send(Ok(())).is_ok()),
            other @ (Waiting::Credentials(_) | Waiting::ProxyCredentials(_) | Waiting::Addresses(_)) => {
                other.misunderstood()
            }
        })
    }

    /// Answers with credentials.
    ///
    /// # Errors
    /// `forked`.
    pub fn credentials(&self, number: u64, secret: SecretRecord) -> Result<bool, BridgeError> {
        self.answer(number, |waiting| match waiting {
            Waiting::Credentials(teller) => Ok(teller.send(Ok(secret)).is_ok()),
            other @ (Waiting::Greeting(..) | Waiting::ProxyCredentials(_) | Waiting::Addresses(_)) => {
                other.misunderstood()
            }
        })
    }

    /// Answers with what the proxy is told. What its protocol cannot tell fails the attempt.
    ///
    /// # Errors
    /// `forked`.
    pub fn proxy_credentials(&self, number: u64, user: String, password: String) -> Result<bool, BridgeError> {
        let login = ProxyCredentials::new(user, password);
        self.answer(number, |waiting| match waiting {
            Waiting::ProxyCredentials(teller) => Ok(teller.send(Ok(login)).is_ok()),
            other @ (Waiting::Greeting(..) | Waiting::Credentials(_) | Waiting::Addresses(_)) => other.misunderstood(),
        })
    }

    /// Answers with addresses, the preferred ones first: `1.2.3.4:port`, `[::1]:port`.
    ///
    /// # Errors
    /// `forked`.
    pub fn addresses(&self, number: u64, addresses: Vec<String>) -> Result<bool, BridgeError> {
        self.answer(number, |waiting| match waiting {
            Waiting::Addresses(teller) => Ok(teller.send(Ok(addresses)).is_ok()),
            other @ (Waiting::Greeting(..) | Waiting::Credentials(_) | Waiting::ProxyCredentials(_)) => {
                other.misunderstood()
            }
        })
    }

    /// Answers that there is no answer.
    ///
    /// # Errors
    /// `forked`.
    pub fn failed(&self, number: u64, error: HookError) -> Result<bool, BridgeError> {
        self.answer(number, |waiting| Ok(waiting.fail(error)))
    }

    fn answer(
        &self,
        number: u64,
        answer: impl FnOnce(Waiting) -> Result<bool, BridgeError>,
    ) -> Result<bool, BridgeError> {
        let desk = self.desk.get()?;
        caught(|| {
            let waiting = desk.state().waiting.remove(&number);
            match waiting {
                Some(waiting) => {
                    waiting.take_back();
                    answer(waiting)
                }
                None => Ok(false),
            }
        })
    }
}

impl Hooks for Asking {
    fn greet(&self, greeting: BridgeGreeting) -> Answer<()> {
        let (teller, told) = oneshot::channel();
        let waiting = Waiting::Greeting(teller, greeting.over());
        self.ask(waiting, QuestionKind::Greeting(greeting), told)
    }

    fn credentials(&self, asked: CredentialsQuestion) -> Answer<SecretRecord> {
        let (teller, told) = oneshot::channel();
        self.ask(Waiting::Credentials(teller), QuestionKind::Credentials(asked), told)
    }

    fn addresses(&self, asked: NameQuestion) -> Answer<Vec<String>> {
        let (teller, told) = oneshot::channel();
        self.ask(Waiting::Addresses(teller), QuestionKind::Addresses(asked), told)
    }

    fn proxy_credentials(&self, asked: CredentialsQuestion) -> Answer<ProxyCredentials> {
        let (teller, told) = oneshot::channel();
        self.ask(Waiting::ProxyCredentials(teller), QuestionKind::ProxyCredentials(asked), told)
    }

    fn has_addresses(&self) -> bool {
        self.answered.addresses
    }

    fn has_proxy_credentials(&self) -> bool {
        self.answered.proxy_credentials
    }
}

impl Asking {
    fn ask<T: Send + 'static>(
        &self,
        waiting: Waiting,
        kind: QuestionKind,
        told: oneshot::Receiver<Result<T, HookError>>,
    ) -> Answer<T> {
        let desk = self.desk.clone();
        let number = {
            let mut state = desk.state();
            state.last += 1;
            let number = state.last;
            state.waiting.insert(number, waiting);
            state.queue.push_back(Question { number, kind });
            number
        };
        desk.arrived.notify_one();
        let asked = Asked { desk, number };
        Box::pin(async move {
            let _asked = asked;
            told.await.unwrap_or_else(|_gone| Err(HookError::nobody()))
        })
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.desk.state().is_over = true;
        self.desk.arrived.notify_one();
    }
}

impl Desk {
    async fn next(&self) -> Vec<Question> {
        loop {
            let arrived = self.arrived.notified();
            {
                let mut state = self.state();
                if !state.queue.is_empty() || state.is_over {
                    return state.queue.drain(..).collect();
                }
            }
            arrived.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question that the core waits for.
struct Asked {
    desk: Arc<Desk>,
    number: u64,
}

impl Drop for Asked {
    fn drop(&mut self) {
        let dropped = {
            let mut state = self.desk.state();
            let Some(waiting) = state.waiting.remove(&self.number) else { return };
            // One that nobody has pulled is not asked; of any other its withdrawal is told.
            let place = state.queue.iter().position(|question| question.number == self.number);
            let unasked = place.and_then(|place| state.queue.remove(place));
            if unasked.is_none() && !state.is_over {
                state.queue.push_back(Question { number: self.number, kind: QuestionKind::Withdrawn });
            }
            (waiting, unasked)
        };
        dropped.0.take_back();
        self.desk.arrived.notify_one();
    }
}

impl Waiting {
    /// Takes the connection back from the hook before anybody learns of the answer.
    fn take_back(&self) {
        if let Waiting::Greeting(_, Some(over)) = self {
            over.end();
        }
    }

    fn fail(self, error: HookError) -> bool {
        match self {
            Waiting::Greeting(teller, _) => teller.send(Err(error)).is_ok(),
            Waiting::Credentials(teller) => teller.send(Err(error)).is_ok(),
            Waiting::ProxyCredentials(teller) => teller.send(Err(error)).is_ok(),
            Waiting::Addresses(teller) => teller.send(Err(error)).is_ok(),
        }
    }

    fn misunderstood(self) -> Result<bool, BridgeError> {
        self.fail(HookError::new("failed", "answered with something else"));
        Err(BridgeError::internal("an answer to another kind of question"))
    }
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking").field("answered", &self.answered).finish_non_exhaustive()
    }
}
