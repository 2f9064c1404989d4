//! Where a proxy's credentials come from, if not from its declaration: a provider that is asked once for each attempt.

use crate::ask::{Asked, ask};
use crate::builder::Builder;
use crate::greeting::CredentialRequest;
use keepline_proto::proxy::Credentials;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// The answer of a provider of credentials for a proxy. The text of an error goes to the log at DEBUG, so it must not hold a
/// secret.
pub type ProxyCredentialsResult = Result<Credentials, Box<dyn std::error::Error + Send + Sync>>;

type ProxyCredentialsFuture = Pin<Box<dyn Future<Output = ProxyCredentialsResult> + Send>>;

/// A provider of the user.
#[derive(Clone)]
pub(crate) struct ProxyProvider(Arc<dyn Fn(CredentialRequest) -> ProxyCredentialsFuture + Send + Sync>);

/// A provider, and what it is asked for in one attempt.
#[derive(Clone)]
pub(crate) struct ProxyLogin {
    pub(crate) provider: ProxyProvider,
    pub(crate) request: CredentialRequest,
    pub(crate) within: Duration,
}

impl ProxyLogin {
    /// Asks; withdrawn when what it gives is dropped.
    pub(crate) fn ask(&self) -> Asked<Credentials> {
        let ProxyLogin { provider, request, within } = self.clone();
        ask(request.epoch, within, move || (provider.0)(request))
    }
}

impl Builder {
    /// Sets a provider of the proxy's credentials: asked once for each attempt, while the proxy is dialled, with the deadline
    /// `credentials_within`. If it fails or is late, the attempt has failed with `proxy.credentials`.
    ///
    /// A refusal is then no longer the end: the provider is told how often it was refused, and may have others. After
    /// `auth_attempts` refusals in a row, two unless given, the client gives up.
    ///
    /// ```no_run
    /// use keepline::{Client, ProxyCredentials};
    ///
    /// # async fn fresh_token() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// let builder = Client::builder("plc-7.example:502")
    ///     .proxy("http://proxy.example:3128")
    ///     .proxy_credentials(|_request| async { Ok(ProxyCredentials::new("robot", fresh_token().await?)) });
    /// ```
    pub fn proxy_credentials<F, R>(mut self, provider: F) -> Builder
    where
        F: Fn(CredentialRequest) -> R + Send + Sync + 'static,
        R: Future<Output = ProxyCredentialsResult> + Send + 'static,
    {
        self.config.proxy_credentials = true;
        self.proxy_provider = Some(ProxyProvider(Arc::new(move |request| Box::pin(provider(request)))));
        self
    }
}

impl fmt::Debug for ProxyProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyProvider")
    }
}
