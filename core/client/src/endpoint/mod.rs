//! Where to connect to: `host:port`, `[v6]:port`, `tls://host:port`, `unix:/path`.

mod host;
mod into;
mod parse;
mod targets;

pub use into::{IntoEndpoint, IntoEndpoints};
pub(crate) use targets::Targets;

use host::Host;
use keepline_proto::ConfigError;
use keepline_proto::endpoints::WEIGHT_MAX;
use keepline_proto::proxy::Proxy;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// How an endpoint is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// Plain TCP: `host:port`.
    Tcp,
    /// TLS over TCP: `tls://host:port`.
    Tls,
    /// A Unix socket: `unix:/path`.
    Unix,
}

/// One endpoint, with its weight among several. Cheap to clone. Two are equal if they are one place, whatever their weights.
#[derive(Clone)]
pub struct Endpoint {
    /// The host, or the path of a Unix socket.
    host: Host,
    port: u16,
    /// How often it is drawn beside others; no more than fits, see [`WEIGHT_MAX`].
    weight: u16,
    scheme: Scheme,
}

impl Endpoint {
    /// Parses `host:port`, `1.2.3.4:port`, `[::1]:port`, the same with `tls://` before it, `unix:/path` or
    /// `unix:///path`.
    ///
    /// # Errors
    /// [`ConfigError`] on the field `endpoint`.
    pub fn parse(text: &str) -> Result<Endpoint, ConfigError> {
        parse::parse(text)
    }

    /// Gives it a weight: among several endpoints one of weight 3 is drawn three times as often as one of weight 1,
    /// which every endpoint has unless given.
    ///
    /// # Errors
    /// [`ConfigError`] on the field `endpoints.weight`: from 1 to 10,000.
    pub fn weighted(endpoint: impl IntoEndpoint, weight: u32) -> Result<Endpoint, ConfigError> {
        let wrong = || ConfigError::new("endpoints.weight", weight, format!("must be 1 to {WEIGHT_MAX}"));
        let fits = u16::try_from(weight).ok().filter(|_| (1..=WEIGHT_MAX).contains(&weight)).ok_or_else(wrong)?;
        Ok(Endpoint { weight: fits, ..endpoint.into_endpoint()? })
    }

    /// How it is spoken to.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The name or address as given; empty for a Unix socket.
    pub fn host(&self) -> &str {
        match self.scheme {
            Scheme::Tcp | Scheme::Tls => &self.host,
            Scheme::Unix => "",
        }
    }

    /// The port; 0 for a Unix socket.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path, if it is a Unix socket.
    pub fn path(&self) -> Option<&Path> {
        match self.scheme {
            Scheme::Tcp | Scheme::Tls => None,
            Scheme::Unix => Some(Path::new(&*self.host)),
        }
    }

    /// How often it is drawn beside others.
    pub fn weight(&self) -> u32 {
        self.weight.into()
    }

    /// Whether connections are encrypted.
    pub fn is_tls(&self) -> bool {
        self.scheme == Scheme::Tls
    }

    /// The same, encrypted; a Unix socket stays what it is.
    #[cfg(feature = "tls")]
    pub(crate) fn over_tls(self) -> Endpoint {
        match self.scheme {
            Scheme::Tcp | Scheme::Tls => Endpoint { scheme: Scheme::Tls, ..self },
            Scheme::Unix => self,
        }
    }

    /// Where a proxy is. Its parts were checked when it was parsed.
    pub(crate) fn of_proxy(proxy: &Proxy) -> Endpoint {
        Endpoint { host: proxy.host().into(), port: proxy.port(), weight: 1, scheme: Scheme::Tcp }
    }

    /// The address, if no name has to be resolved.
    pub(crate) fn literal(&self) -> Option<SocketAddr> {
        self.host.parse().ok().map(|ip: IpAddr| SocketAddr::new(ip, self.port))
    }

    fn place(&self) -> (Scheme, &str, u16) {
        (self.scheme, &self.host, self.port)
    }
}

impl PartialEq for Endpoint {
    fn eq(&self, other: &Endpoint) -> bool {
        self.place() == other.place()
    }
}

impl Eq for Endpoint {}

impl Hash for Endpoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.place().hash(state);
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Endpoint {
        Endpoint { host: address.ip().to_string().into(), port: address.port(), weight: 1, scheme: Scheme::Tcp }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = match self.scheme {
            Scheme::Tcp => "",
            Scheme::Tls => "tls://",
            Scheme::Unix => return write!(f, "unix:{}", self.host),
        };
        match self.host.parse().ok() {
            Some(IpAddr::V6(address)) => write!(f, "{before}[{address}]:{}", self.port),
            Some(IpAddr::V4(_)) | None => write!(f, "{before}{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
