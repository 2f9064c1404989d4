//! Who the client says it is: the hook of a greeting, and where its credentials come from.
//!
//! A provider is asked once for each attempt, while the connection is made, so that a slow one holds no open connection
//! for longer than it has to.

use super::{GreetingFuture, GreetingIo};
use crate::ask::{Answer, Asked, ask};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::proxy::{ProxyLogin, ProxyProvider};
use keepline_proto::cause::GreetingFailure;
use keepline_proto::config::{Credentials, ValidConfig};
use keepline_proto::{Cause, Ending, Epoch, ErrorKind, Secret};
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

/// What a provider of credentials is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CredentialRequest {
    /// The attempt that needs them.
    pub epoch: Epoch,
    /// Where it goes.
    pub endpoint: Endpoint,
    /// How often they were refused since an attempt succeeded last, by the peer or by the proxy, whichever is asked for: more
    /// than 0 means that a token from a cache will not do.
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

/// Boxed beside a client that greets with a hook or logs in with credentials; the others have none.
pub(crate) struct Login {
    hook: Option<Hook>,
    source: Option<Source>,
    /// Where the proxy's credentials come from, if not from its declaration.
    proxy: Option<ProxyProvider>,
    within: Duration,
    /// One for the attempt under way, and one for that beside a suspect connection.
    attempts: Mutex<Vec<Attempt>>,
}

enum Source {
    Static(Mutex<Secret>),
    Provider(Provider),
}

impl Login {
    pub(crate) fn of(
        config: &ValidConfig,
        hook: Option<Hook>,
        provider: Option<Provider>,
        proxy: Option<ProxyProvider>,
    ) -> Option<Box<Login>> {
        let source = match &config.credentials {
            Some(Credentials::Static(secret)) => Some(Source::Static(Mutex::new(secret.clone()))),
            Some(Credentials::Provider) => provider.map(Source::Provider),
            None => None,
        };
        let login = Login { hook, source, proxy, within: config.credentials_within, attempts: Mutex::default() };
        let is_needed = login.hook.is_some() || login.source.is_some() || login.proxy.is_some();
        is_needed.then(|| Box::new(login))
    }

    pub(crate) fn hook(&self) -> Option<&Hook> {
        self.hook.as_ref()
    }

    /// Whom the proxy's credentials are asked of in an attempt.
    pub(crate) fn of_proxy(&self, request: CredentialRequest) -> Option<ProxyLogin> {
        let provider = self.proxy.clone()?;
        Some(ProxyLogin { provider, request, within: self.within })
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
    pub(crate) async fn beside<T>(
        asked: Answer<Secret>,
        dial: impl Future<Output = Result<T, Ending>>,
    ) -> Result<T, Ending> {
        let mut dial = pin!(dial);
        let mut failed = pin!(failure(asked));
        poll_fn(|context| match dial.as_mut().poll(context) {
            Poll::Ready(dialed) => Poll::Ready(dialed),
            Poll::Pending => failed.as_mut().poll(context).map(Err),
        })
        .await
    }

    /// Notes an attempt, and asks once for its credentials if there is somebody to ask.
    pub(crate) fn begin(&self, request: CredentialRequest) -> Option<Answer<Secret>> {
        let (epoch, endpoint) = (request.epoch, request.endpoint.clone());
        let asked = self.source.as_ref().map(|source| match source {
            Source::Static(secret) => Asked::known(secret.lock().unwrap_or_else(PoisonError::into_inner).clone()),
            Source::Provider(provider) => {
                let provider = provider.clone();
                ask(epoch, self.within, move || (provider.0)(request))
            }
        });
        let answer = asked.as_ref().map(|asked| asked.answer.clone());
        self.attempts().push(Attempt { epoch, endpoint, asked });
        answer
    }

    /// Where this attempt goes, and what was asked for it.
    pub(super) fn attempt(&self, epoch: Epoch) -> Option<(Endpoint, Option<Answer<Secret>>)> {
        let attempts = self.attempts();
        let attempt = attempts.iter().find(|attempt| attempt.epoch == epoch)?;
        Some((attempt.endpoint.clone(), attempt.asked.as_ref().map(|asked| asked.answer.clone())))
    }

    /// The attempt is over, or has passed.
    pub(crate) fn forget(&self, epoch: Epoch) {
        self.attempts().retain(|attempt| attempt.epoch != epoch);
    }

    fn attempts(&self) -> MutexGuard<'_, Vec<Attempt>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn not_declared() -> Error {
    Error::new(ErrorKind::InvalidConfig, "credentials: must be declared to be replaced (got none)")
}

/// Waits for a failure; for ever if there is none.
async fn failure(asked: Answer<Secret>) -> Ending {
    match asked.get().await {
        Ok(_secret) => pending().await,
        Err(_no_answer) => Ending::new(Cause::Greeting(GreetingFailure::Credentials), None),
    }
}

struct Attempt {
    epoch: Epoch,
    endpoint: Endpoint,
    asked: Option<Asked<Secret>>,
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
