//! From a name to its addresses: the system's way, or one of your own.

use crate::io::names::pool;
use crate::io::of_errno;
use keepline_proto::cause::DnsFailure;
use keepline_proto::{Cause, Ending};
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

/// The future of a lookup.
pub type Resolving = Pin<Box<dyn Future<Output = Result<Vec<SocketAddr>, ResolveError>> + Send>>;

/// Turns a name into addresses.
///
/// Asked at the start of every attempt whose endpoint is a name. It runs in a task of its own, is dropped when its share of
/// the attempt is over, and a panic in it is a failed lookup. It must not block its thread, which is one of the runtime's; if
/// it does, it is not asked again before it has returned. Of what it answers at most 32 addresses are used.
///
/// Closures are resolvers too:
///
/// ```no_run
/// use keepline::{Client, ResolveError};
/// use std::net::SocketAddr;
///
/// # async fn example() -> Result<(), keepline::Error> {
/// let client = Client::builder("plc-7.plant:502")
///     .resolver(|host: String, port: u16| async move {
///         match host.as_str() {
///             "plc-7.plant" => Ok(vec![SocketAddr::from(([10, 0, 7, 1], port))]),
///             _ => Err(ResolveError::not_found("not in the list of machines")),
///         }
///     })
///     .connect()
///     .await?;
/// # Ok(())
/// # }
/// ```
pub trait Resolver: Send + Sync + 'static {
    /// Finds the addresses of `host`, the preferred ones first, each with the port to connect to, usually `port`.
    ///
    /// # Errors
    /// [`ResolveError`], of the kind that the attempt then ends with, unless the last good addresses are still known.
    fn resolve(&self, host: &str, port: u16) -> Resolving;
}

impl<F, R> Resolver for F
where
    F: Fn(String, u16) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Vec<SocketAddr>, ResolveError>> + Send + 'static,
{
    fn resolve(&self, host: &str, port: u16) -> Resolving {
        Box::pin(self(host.to_owned(), port))
    }
}

/// The system's own resolver (`getaddrinfo`), which knows hosts files, VPNs, private DNS and mDNS. What every client uses
/// that was given no other; here to be asked by one of your own. Needs a tokio runtime.
///
/// It can hang for minutes and cannot be cancelled, so it runs on a few threads that belong to no runtime, and are gone
/// soon after the last lookup.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, host: &str, port: u16) -> Resolving {
        let host = host.into();
        Box::pin(async move {
            let mut addresses = pool::look_up(host).await?.to_vec();
            addresses.iter_mut().for_each(|address| address.set_port(port));
            Ok(addresses)
        })
    }
}

/// Why a name could not be resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolveError {
    failure: DnsFailure,
    errno: Option<i32>,
    reason: String,
}

impl ResolveError {
    /// The name does not exist. The reason is for the log only, here and below.
    pub fn not_found(reason: impl Into<String>) -> ResolveError {
        ResolveError::new(DnsFailure::NotFound, reason)
    }

    /// The name exists and has no usable address.
    pub fn no_address(reason: impl Into<String>) -> ResolveError {
        ResolveError::new(DnsFailure::NoAddress, reason)
    }

    /// The resolver cannot answer now.
    pub fn temporary(reason: impl Into<String>) -> ResolveError {
        ResolveError::new(DnsFailure::Temporary, reason)
    }

    /// No answer came in time.
    pub fn timed_out(reason: impl Into<String>) -> ResolveError {
        ResolveError::new(DnsFailure::Timeout, reason)
    }

    /// The kind of failure.
    pub fn failure(&self) -> DnsFailure {
        self.failure
    }

    /// The system's own word for it, where it gave one.
    pub(crate) fn with_errno(mut self, errno: Option<i32>) -> ResolveError {
        self.errno = errno;
        self
    }

    /// What it means for the attempt: a machine that ran out of something is no failure of the name.
    pub(crate) fn ending(&self) -> Ending {
        let local = self.errno.and_then(of_errno).filter(|cause| *cause == Cause::LocalResource);
        Ending { errno: self.errno, ..Ending::new(local.unwrap_or(Cause::Dns(self.failure)), None) }
    }

    fn new(failure: DnsFailure, reason: impl Into<String>) -> ResolveError {
        ResolveError { failure, errno: None, reason: reason.into() }
    }
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason: String = self.reason.escape_debug().take(256).collect();
        write!(f, "{}: {reason}", self.failure)
    }
}

impl std::error::Error for ResolveError {}
