//! Hooks that another language implements: who greets, gives credentials to the peer and to a proxy, finds
//! addresses, and prepares sockets.
//!
//! They are asked from the dispatcher's thread, which only begins them: what they do runs where their language runs its
//! asynchronous functions. When the core does not wait for an answer any more, the question is dropped there, which cancels
//! the hook where the language can.

use super::dispatch;
use super::greeting::ForeignGreeting;
use crate::config::SecretRecord;
use crate::hooks::{Answer, BridgeGreeting, CredentialsQuestion, HookError, Hooks, NameQuestion, SocketQuestion};
use keepline::ProxyCredentials;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

/// The hooks of one client, in another language.
///
/// Only those that the configuration (`greeting_hook`, `credentials_hook`) and [`HooksThere`] name are asked. They may
/// block, throw, and call the client; a `request` inside of a greeting is refused.
#[uniffi::export(foreign)]
#[async_trait::async_trait]
pub trait ForeignHooks: Send + Sync {
    /// Greets on a new connection, which it has to itself until it returns.
    async fn greet(&self, greeting: Arc<ForeignGreeting>) -> Result<(), HookFailure>;

    /// Gives the credentials of one attempt.
    async fn credentials(&self, asked: CredentialsQuestion) -> Result<SecretRecord, HookFailure>;

    /// Gives the name and the password that one attempt tells the proxy. `refusals` are the proxy's.
    async fn proxy_credentials(&self, asked: CredentialsQuestion) -> Result<ProxyCredentialsRecord, HookFailure>;

    /// Finds the addresses of a name, the preferred ones first: `1.2.3.4:port`, `[::1]:port`.
    async fn addresses(&self, asked: NameQuestion) -> Result<Vec<String>, HookFailure>;

    /// Prepares a socket before it connects.
    async fn socket(&self, asked: SocketQuestion) -> Result<(), HookFailure>;
}

/// Which hooks are there that no configuration tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct HooksThere {
    /// `addresses` is asked instead of the system.
    pub addresses: bool,
    /// `socket` is asked.
    pub socket: bool,
    /// `proxy_credentials` is asked.
    pub proxy_credentials: bool,
}

/// A name and a password for a proxy.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct ProxyCredentialsRecord {
    /// The name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for ProxyCredentialsRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyCredentialsRecord(…)")
    }
}

/// Why a hook gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum HookFailure {
    /// The hook says why. `kind` is a name of `HOOK_ERRORS`: `failed`, `auth_refused`, `no_credentials`, `not_found`,
    /// `no_address`, `temporary`, `timed_out`. The reason is for the log and must not hold a secret.
    #[error("{kind}: {reason}")]
    Told {
        /// What it was.
        kind: String,
        /// The reason in words.
        reason: String,
        /// How long the peer asked to stay away, in a greeting.
        retry_after_ms: Option<u64>,
    },
    /// The hook threw what no facade had turned into a failure.
    #[error("{reason}")]
    Thrown {
        /// What it was, in words of its language.
        reason: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for HookFailure {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> HookFailure {
        HookFailure::Thrown { reason: error.reason }
    }
}

impl From<HookFailure> for HookError {
    fn from(failure: HookFailure) -> HookError {
        match failure {
            HookFailure::Told { kind, reason, retry_after_ms } => {
                HookError::new(&kind, reason).with_retry_after(retry_after_ms)
            }
            HookFailure::Thrown { reason } => HookError::new("failed", reason),
        }
    }
}

/// The other language's hooks, as the core asks them.
pub(super) struct Asked {
    hooks: Arc<dyn ForeignHooks>,
    there: HooksThere,
}

impl Asked {
    pub(super) fn new(hooks: Arc<dyn ForeignHooks>, there: HooksThere) -> Arc<Asked> {
        Arc::new(Asked { hooks, there })
    }
}

impl Hooks for Asked {
    fn greet(&self, greeting: BridgeGreeting) -> Answer<()> {
        let hooks = self.hooks.clone();
        answer(async move { hooks.greet(ForeignGreeting::new(greeting)).await })
    }

    fn credentials(&self, asked: CredentialsQuestion) -> Answer<SecretRecord> {
        let hooks = self.hooks.clone();
        answer(async move { hooks.credentials(asked).await })
    }

    fn proxy_credentials(&self, asked: CredentialsQuestion) -> Answer<ProxyCredentials> {
        let hooks = self.hooks.clone();
        answer(async move {
            let ProxyCredentialsRecord { user, password } = hooks.proxy_credentials(asked).await?;
            Ok(ProxyCredentials::new(user, password))
        })
    }

    fn has_proxy_credentials(&self) -> bool {
        self.there.proxy_credentials
    }

    fn addresses(&self, asked: NameQuestion) -> Answer<Vec<String>> {
        let hooks = self.hooks.clone();
        answer(async move { hooks.addresses(asked).await })
    }

    fn has_addresses(&self) -> bool {
        self.there.addresses
    }

    fn socket(&self, asked: SocketQuestion) -> Answer<()> {
        let hooks = self.hooks.clone();
        answer(async move { hooks.socket(asked).await })
    }

    fn has_socket(&self) -> bool {
        self.there.socket
    }
}

/// Asks on the dispatcher's thread, at once: a resolver is not polled before the name is needed.
fn answer<T: Send + 'static>(asked: impl Future<Output = Result<T, HookFailure>> + Send + 'static) -> Answer<T> {
    let told = dispatch::ask(asked);
    Box::pin(async move {
        // Without an answer: the border panicked.
        let answer = told.await.unwrap_or_else(|| Err(HookFailure::Thrown { reason: "the hook panicked".to_owned() }));
        answer.map_err(HookError::from)
    })
}
