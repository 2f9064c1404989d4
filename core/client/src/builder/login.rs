//! How the client says who it is: a hook that greets, and where its credentials come from.

use super::Builder;
use crate::greeting::{CredentialRequest, CredentialsResult, GreetingError, GreetingIo, Hook, Provider};
use keepline_proto::Secret;
use keepline_proto::config::{Choice, Credentials, Greeting};
use std::future::Future;
use std::sync::Arc;

impl Builder {
    /// Sets a greeting hook: it has the connection to itself until it returns, and is dropped at the deadline.
    pub fn greeting_hook<F, R>(mut self, hook: F) -> Builder
    where
        F: Fn(GreetingIo) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), GreetingError>> + Send + 'static,
    {
        self.config.greeting = Some(Greeting::Hook);
        self.hook = Some(Hook(Arc::new(move |io| Box::pin(hook(io)))));
        self
    }

    /// Sets the credentials that the greeting sends. [`Client::set_credentials`](crate::Client::set_credentials) replaces them later.
    pub fn static_credentials(mut self, secret: impl Into<Secret>) -> Builder {
        self.config.credentials = Some(Credentials::Static(secret.into()));
        self.provider = None;
        self
    }

    /// Sets a provider of credentials: asked once for each attempt, while the connection is made, with the deadline
    /// `credentials_within`. If it fails or is late, the attempt has failed with `greeting.credentials`.
    ///
    /// ```no_run
    /// use keepline::{Client, Framing, Matcher, Script};
    ///
    /// # async fn fresh_token() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// let login = Script::default()
    ///     .refused(Matcher::Prefix("-WRONGPASS".into()))
    ///     .send_credentials("AUTH worker ", "\r\n")
    ///     .expect(Matcher::Exact("+OK\r\n".into()));
    /// let builder = Client::builder("localhost:6379")
    ///     .framing(Framing::resp())
    ///     .greeting(login)
    ///     .credentials(|_request| async { Ok(fresh_token().await?.into()) });
    /// ```
    pub fn credentials<F, R>(mut self, provider: F) -> Builder
    where
        F: Fn(CredentialRequest) -> R + Send + Sync + 'static,
        R: Future<Output = CredentialsResult> + Send + 'static,
    {
        self.config.credentials = Some(Credentials::Provider);
        self.provider = Some(Provider(Arc::new(move |request| Box::pin(provider(request)))));
        self
    }

    /// Never gives up because of refused credentials: they may become right by themselves.
    pub fn no_auth_limit(mut self) -> Builder {
        self.config.auth_attempts = Choice::Off;
        self
    }
}
