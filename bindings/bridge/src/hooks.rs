//! Hooks in another language: who greets, who gives credentials to the peer and to a proxy, who finds addresses.
//!
//! There are two ways to be asked. [`Hooks`] is a trait that a language with foreign traits implements. A language whose
//! interpreter no thread of the runtime may enter pulls [`Question`]s from a [`BridgeQuestions`] and answers them by number.
//! Either way the core keeps the deadlines: at its end a question is dropped, and an answer to it changes nothing.

mod error;
mod greeting;
mod questions;
mod sockets;

pub use error::{HOOK_ERRORS, HookError};
pub use greeting::BridgeGreeting;
pub use questions::{Answered, BridgeQuestions, Question, QuestionKind};

use crate::config::SecretRecord;
use greeting::Over;
use keepline::{Builder, CredentialRequest, GreetingIo, ProxyCredentials, ResolveError, Resolver, Resolving};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use tokio::runtime::Handle;

/// The answer of a hook. It is dropped when nobody waits for it any more.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, HookError>> + Send>>;

/// The hooks of one client. Only those that the configuration declares are asked (`greeting_hook`, `credentials_hook`),
/// the resolver if there is one, and who logs in to a proxy if there is somebody.
///
/// They are called on a thread of the runtime, which they must not block. A panic ends the attempt.
pub trait Hooks: Send + Sync + 'static {
    /// Greets on a new connection, which it has to itself until it answers.
    fn greet(&self, greeting: BridgeGreeting) -> Answer<()> {
        drop(greeting);
        not_there("greeting")
    }

    /// Gives the credentials of one attempt.
    fn credentials(&self, asked: CredentialsQuestion) -> Answer<SecretRecord> {
        drop(asked);
        not_there("credentials")
    }

    /// Gives the name and the password that one attempt tells the proxy. `refusals` are the proxy's.
    fn proxy_credentials(&self, asked: CredentialsQuestion) -> Answer<ProxyCredentials> {
        drop(asked);
        not_there("a proxy's credentials")
    }

    /// Finds the addresses of a name, the preferred ones first: `1.2.3.4:port`, `[::1]:port`.
    fn addresses(&self, asked: NameQuestion) -> Answer<Vec<String>> {
        drop(asked);
        not_there("addresses")
    }

    /// Prepares a socket before it connects, such as by a mark or by binding it to a network: at most 5 s.
    fn socket(&self, asked: SocketQuestion) -> Answer<()> {
        drop(asked);
        not_there("sockets")
    }

    /// Whether [`Hooks::socket`] is asked.
    fn has_socket(&self) -> bool {
        false
    }

    /// Whether [`Hooks::proxy_credentials`] is asked.
    fn has_proxy_credentials(&self) -> bool {
        false
    }

    /// Whether [`Hooks::addresses`] is asked instead of the system.
    fn has_addresses(&self) -> bool {
        false
    }
}

/// What a provider of credentials is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct CredentialsQuestion {
    /// The attempt that needs them.
    pub epoch: u64,
    /// Where it goes.
    pub endpoint: String,
    /// How often the peer refused them since a greeting passed last; the proxy, since an attempt succeeded last.
    pub refusals: u32,
}

impl From<CredentialRequest> for CredentialsQuestion {
    fn from(request: CredentialRequest) -> CredentialsQuestion {
        let CredentialRequest { epoch, endpoint, refusals, .. } = request;
        CredentialsQuestion { epoch: epoch.0, endpoint: endpoint.to_string(), refusals }
    }
}

/// What a resolver is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct NameQuestion {
    /// The name.
    pub host: String,
    /// The port to connect to.
    pub port: u16,
}

/// What is asked of a socket that is about to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct SocketQuestion {
    /// Its descriptor, on Windows its handle: that of this socket until the hook answers or its time is over.
    pub descriptor: i64,
    /// Where it will connect to; `None` for a Unix socket.
    pub address: Option<String>,
    /// The endpoint that the address belongs to.
    pub endpoint: String,
}

/// Has a client ask these hooks.
pub(crate) fn install(mut builder: Builder, asked: Asked, hooks: Arc<dyn Hooks>, runtime: &Handle) -> Builder {
    if hooks.has_addresses() {
        builder = builder.resolver(Names(hooks.clone()));
    }
    if hooks.has_socket() {
        builder = sockets::install(builder, hooks.clone(), runtime.clone());
    }
    if asked.credentials {
        let hooks = hooks.clone();
        builder = builder.credentials(move |request: CredentialRequest| {
            let answer = hooks.credentials(request.into());
            async move { Ok(answer.await?.0.into()) }
        });
    }
    if hooks.has_proxy_credentials() {
        let hooks = hooks.clone();
        builder = builder.proxy_credentials(move |request: CredentialRequest| {
            let answer = hooks.proxy_credentials(request.into());
            async move { Ok(answer.await?) }
        });
    }
    if asked.greeting {
        let runtime = runtime.clone();
        builder = builder.greeting_hook(move |io: GreetingIo| {
            let over = Over::default();
            let answer = hooks.greet(BridgeGreeting::new(io, over.clone(), runtime.clone()));
            // However it ends, what was lent for it is taken back.
            let until_then = over.at_end();
            async move {
                let _until_then = until_then;
                answer.await.map_err(Into::into)
            }
        });
    }
    builder
}

/// Which hooks a configuration declares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) greeting: bool,
    pub(crate) credentials: bool,
}

struct Names(Arc<dyn Hooks>);

impl Resolver for Names {
    fn resolve(&self, host: &str, port: u16) -> Resolving {
        let answer = self.0.addresses(NameQuestion { host: host.to_owned(), port });
        Box::pin(async move {
            let addresses = answer.await.map_err(ResolveError::from)?;
            let parse = |text: &String| {
                let shown = text.chars().take(64).collect::<String>();
                text.parse::<SocketAddr>().map_err(|_not_one| {
                    ResolveError::temporary(format!("the resolver answered {shown:?}, which is no address with a port"))
                })
            };
            addresses.iter().map(parse).collect()
        })
    }
}

fn not_there<T: Send + 'static>(name: &str) -> Answer<T> {
    let error = HookError::new("failed", format!("there is no hook for {name}"));
    Box::pin(std::future::ready(Err(error)))
}
