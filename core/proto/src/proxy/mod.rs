//! Proxies that a connection goes through: how one is declared, and what is said to it before the connection is ours.
//!
//! [`Handshake`] is pure: it says which bytes to send and judges those that come. It consumes nothing after the proxy's
//! last byte, for what follows is the endpoint's.

mod bypass;
mod connect;
mod declare;
mod percent;
mod socks5;
mod target;
mod variables;

pub use bypass::Bypass;
pub use connect::HEADER_MAX;
pub use declare::{Credentials, Proxy, ProxyNames, ProxyProtocol};
pub use target::Target;

use crate::cause::{Cause, Ending, ProxyFailure};
use connect::Connect;
use socks5::Socks5;
use std::time::Duration;

/// One exchange with a proxy: what to say, and what was answered.
///
/// ```
/// use keepline_proto::proxy::{Handshake, Proxy, Target};
///
/// let proxy = Proxy::parse("socks5://proxy.example:1080")?;
/// let (mut handshake, hello) = Handshake::start(&proxy, &Target::of("plc-7.example", 502)).unwrap();
/// assert_eq!(hello, [5, 1, 0]);
/// let request = handshake.receive(&[5, 0]).unwrap();
/// assert_eq!(&request.send[..5], [5, 1, 0, 3, 13]);
/// let last = handshake.receive(b"\x05\x00\x00\x01\0\0\0\0\0\0220 hello").unwrap();
/// assert!(last.is_done);
/// assert_eq!(last.consumed, 10);
/// # Ok::<(), keepline_proto::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Handshake(Spoken);

#[derive(Debug)]
enum Spoken {
    Socks5(Socks5),
    Connect(Connect),
}

/// What the bytes of a proxy came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that were the proxy's; the rest belongs to the endpoint. All of them unless it is done.
    pub consumed: usize,
    /// What is to be sent now; nothing while more bytes are needed.
    pub send: Vec<u8>,
    /// The way to the endpoint is open.
    pub is_done: bool,
}

/// Why a proxy does not let a connection through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of refusal it is.
    pub failure: ProxyFailure,
    /// The proxy's own number for it: a SOCKS reply (1 to 8) or an HTTP status.
    pub code: Option<u16>,
    /// How long it asked us to stay away.
    pub retry_after: Option<Duration>,
    /// What is wrong, for the log.
    pub rule: &'static str,
}

impl Handshake {
    /// Begins: the exchange, and the bytes to send first.
    ///
    /// # Errors
    /// [`ProxyFailure::Unsupported`] if the protocol cannot name the target.
    pub fn start(proxy: &Proxy, target: &Target<'_>) -> Result<(Handshake, Vec<u8>), Refusal> {
        Handshake::start_as(proxy, proxy.credentials(), target)
    }

    /// Begins with other credentials than the proxy was declared with.
    ///
    /// # Errors
    /// As [`Handshake::start`]; [`ProxyFailure::Credentials`] if the protocol cannot tell these.
    pub fn start_as(
        proxy: &Proxy,
        credentials: Option<&Credentials>,
        target: &Target<'_>,
    ) -> Result<(Handshake, Vec<u8>), Refusal> {
        target.check()?;
        if credentials.is_some_and(|credentials| credentials.check(proxy.protocol()).is_err()) {
            let (failure, rule) =
                (ProxyFailure::Credentials, "the protocol of the proxy cannot tell these credentials");
            return Err(Refusal { failure, code: None, retry_after: None, rule });
        }
        Ok(match proxy.protocol() {
            ProxyProtocol::Socks5 => {
                let (socks, hello) = Socks5::start(credentials, target);
                (Handshake(Spoken::Socks5(socks)), hello)
            }
            ProxyProtocol::Http => {
                (Handshake(Spoken::Connect(Connect::default())), connect::request(credentials, target))
            }
        })
    }

    /// Takes bytes of the proxy, cut anywhere.
    ///
    /// # Errors
    /// The proxy refused, or does not speak the protocol. The exchange is over.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Progress, Refusal> {
        match &mut self.0 {
            Spoken::Socks5(socks) => socks.receive(bytes),
            Spoken::Connect(connect) => connect.receive(bytes),
        }
    }

    /// Bytes that are kept of an answer that has not come whole; bounded whatever the proxy sends.
    pub fn held(&self) -> usize {
        match &self.0 {
            Spoken::Socks5(socks) => socks.held(),
            Spoken::Connect(connect) => connect.held(),
        }
    }
}

impl Refusal {
    /// The proxy broke the protocol.
    const fn protocol(rule: &'static str) -> Refusal {
        Refusal { failure: ProxyFailure::Protocol, code: None, retry_after: None, rule }
    }

    /// As the end of an attempt.
    pub const fn ending(&self) -> Ending {
        Ending { code: self.code, retry_after: self.retry_after, ..Ending::new(Cause::Proxy(self.failure), None) }
    }
}
