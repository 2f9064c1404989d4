//! Who the client says it is: the hook of a greeting, and where its credentials come from.
//!
//! A provider is asked once for each attempt, while the connection is made, so that a slow one holds no open connection
//! for longer than it has to.

use super::{GreetingFuture, GreetingIo};
use crate::error::Error;
use keepline_proto::cause::GreetingFailure;
use keepline_proto::config::{Credentials, ValidConfig};
use keepline_proto::{Cause, Ending, Epoch, ErrorKind, Secret};
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What a provider of credentials is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CredentialRequest {
    /// The attempt that needs them.
    pub epoch: Epoch,
    /// How often the peer refused them since a greeting passed last: more than 0 means that a token from a cache will not
    /// do.
    pub refusals: u32,
}

/// The answer of a provider. The text of an error goes to the log at DEBUG, so it must not hold a secret.
pub type CredentialsResult = Result<Secret, Box<dyn std::error::Error + Send + Sync>>;

/// The future of a provider.
pub type CredentialsFuture = Pin<Box<dyn Future<Output = CredentialsResult> + Send>>;

/// A greeting hook of the user.
#[derive(Clone)]
pub(crate) struct Hook(pub(crate) Arc<dyn Fn(GreetingIo) -> GreetingFuture + Send + Sync>);

/// A provider of the user.
#[derive(Clone)]
pub(crate) struct Provider(pub(crate) Arc<dyn Fn(CredentialRequest) -> CredentialsFuture + Send + Sync>);

/// Boxed beside a client that greets with a hook or with credentials; the others have none.
pub(crate) struct Login {
    hook: Option<Hook>,
    source: Option<Source>,
    within: Duration,
    /// One for the attempt under way, and one for that beside a suspect connection.
    asked: Mutex<Vec<Asking>>,
}

enum Source {
    Static(Mutex<Secret>),
    Provider(Provider),
}

impl Login {
    pub(crate) fn of(config: &ValidConfig, hook: Option<Hook>, provider: Option<Provider>) -> Option<Box<Login>> {
        let source = match &config.credentials {
            Some(Credentials::Static(secret)) => Some(Source::Static(Mutex::new(secret.clone()))),
            Some(Credentials::Provider) => provider.map(Source::Provider),
            None => None,
        };
        let login = Login { hook, source, within: config.credentials_within, asked: Mutex::default() };
        (login.hook.is_some() || login.source.is_some()).then(|| Box::new(login))
    }

    pub(crate) fn hook(&self) -> Option<&Hook> {
        self.hook.as_ref()
    }

    /// Replaces declared credentials for the attempts to come.
    pub(crate) fn set(&self, secret: Secret) -> Result<(), Error> {
        match &self.source {
            Some(Source::Static(current)) => {
                *current.lock().unwrap_or_else(PoisonError::into_inner) = secret;
                Ok(())
            }
            Some(Source::Provider(_)) => Err(Error::new(ErrorKind::Rejected, "the credentials come from a provider")),
            None => Err(not_declared()),
        }
    }

    /// Dials, and fails with the credentials if they fail first: nobody is connected to for nothing.
    pub(crate) async fn beside<T>(asked: Asked, dial: impl Future<Output = Result<T, Ending>>) -> Result<T, Ending> {
        let mut dial = pin!(dial);
        let mut failed = pin!(asked.failed());
        poll_fn(|context| match dial.as_mut().poll(context) {
            Poll::Ready(dialed) => Poll::Ready(dialed),
            Poll::Pending => failed.as_mut().poll(context).map(Err),
        })
        .await
    }

    /// Asks once for this attempt.
    pub(crate) fn ask(&self, request: CredentialRequest) -> Option<Asked> {
        let (teller, asked) = watch::channel(None);
        let task = match self.source.as_ref()? {
            Source::Static(secret) => {
                let secret = secret.lock().unwrap_or_else(PoisonError::into_inner).clone();
                teller.send_replace(Some(Ok(secret)));
                None
            }
            Source::Provider(provider) => Some(tokio::spawn(answer(provider.clone(), request, self.within, teller))),
        };
        let asked = Asked(asked);
        self.asked().push(Asking { epoch: request.epoch, asked: asked.clone(), task });
        Some(asked)
    }

    /// What was asked for this attempt.
    pub(crate) fn asked_for(&self, epoch: Epoch) -> Option<Asked> {
        self.asked().iter().find(|asking| asking.epoch == epoch).map(|asking| asking.asked.clone())
    }

    /// The attempt is over, or has passed.
    pub(crate) fn forget(&self, epoch: Epoch) {
        self.asked().retain(|asking| asking.epoch != epoch);
    }

    fn asked(&self) -> MutexGuard<'_, Vec<Asking>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn not_declared() -> Error {
    Error::new(ErrorKind::InvalidConfig, "credentials: must be declared to be replaced (got none)")
}

/// There is nothing to log in with.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoCredentials;

impl NoCredentials {
    const ENDING: Ending = Ending::new(Cause::Greeting(GreetingFailure::Credentials), None);
}

/// The credentials of one attempt, once they are there.
#[derive(Debug, Clone)]
pub(crate) struct Asked(watch::Receiver<Option<Result<Secret, NoCredentials>>>);

impl Asked {
    /// Waits for the answer.
    pub(super) async fn answer(mut self) -> Result<Secret, NoCredentials> {
        match self.0.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone().unwrap_or(Err(NoCredentials)),
            // The provider panicked.
            Err(_gone) => Err(NoCredentials),
        }
    }

    /// Waits for a failure; for ever if there is none.
    async fn failed(self) -> Ending {
        match self.answer().await {
            Ok(_secret) => pending().await,
            Err(NoCredentials) => NoCredentials::ENDING,
        }
    }
}

struct Asking {
    epoch: Epoch,
    asked: Asked,
    task: Option<JoinHandle<()>>,
}

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn answer(
    provider: Provider,
    request: CredentialRequest,
    within: Duration,
    teller: watch::Sender<Option<Result<Secret, NoCredentials>>>,
) {
    let epoch = request.epoch;
    // Called inside of the task, so that its panic is the task's.
    let answer = match tokio::time::timeout(within, async { (provider.0)(request).await }).await {
        Ok(Ok(secret)) => Ok(secret),
        Ok(Err(error)) => {
            let text: String = error.to_string().escape_debug().take(256).collect();
            tracing::info!(%epoch, "no credentials: the provider failed");
            tracing::debug!(%epoch, error = text, "the provider's error");
            Err(NoCredentials)
        }
        Err(_elapsed) => {
            tracing::info!(%epoch, ?within, "no credentials: the provider is late");
            Err(NoCredentials)
        }
    };
    teller.send_replace(Some(answer));
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login")
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Provider")
    }
}
