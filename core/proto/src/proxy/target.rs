//! Where a proxy is asked to connect to: an address, or a name that it resolves.

use super::Refusal;
use crate::cause::ProxyFailure;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// 253: the longest name that DNS has.
pub(super) const LONGEST_NAME: usize = 253;

/// Where a proxy is asked to connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// An address.
    Address(SocketAddr),
    /// A name that the proxy resolves, and a port.
    Name(&'a str, u16),
}

impl<'a> Target<'a> {
    /// The target that a host and a port are: an address if the host is one, else a name.
    pub fn of(host: &'a str, port: u16) -> Target<'a> {
        match host.parse::<IpAddr>() {
            Ok(address) => Target::Address(SocketAddr::new(address, port)),
            Err(_name) => Target::Name(host, port),
        }
    }

    /// Whoever can choose a name must not be able to write a header, or a second request, with it.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        match self {
            Target::Name(name, _) if !is_name(name) => Err(Refusal {
                failure: ProxyFailure::Unsupported,
                code: None,
                retry_after: None,
                rule: "the name of the endpoint cannot be told to a proxy",
            }),
            Target::Address(_) | Target::Name(..) => Ok(()),
        }
    }
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Address(SocketAddr::V4(address)) => write!(f, "{address}"),
            // Without the scope, which means nothing on another host.
            Target::Address(SocketAddr::V6(address)) => write!(f, "[{}]:{}", address.ip(), address.port()),
            Target::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

/// Whether this can be the name of a host on the wire: what DNS and URLs leave of ASCII.
pub(super) fn is_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(is_allowed)
}
