//! Where to connect to: `host:port`, `[v6]:port`, `tls://host:port`.

use keepline_proto::ConfigError;
use keepline_proto::proxy::Proxy;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// A longer name is no name: DNS ends at 253 characters.
const MAX_HOST: usize = 253;

/// A host and a port. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    host: Arc<str>,
    port: u16,
    is_tls: bool,
}

impl Endpoint {
    /// Parses `host:port`, `1.2.3.4:port` or `[::1]:port`, each also after `tls://`.
    ///
    /// # Errors
    /// [`ConfigError`] on the field `endpoint`.
    pub fn parse(text: &str) -> Result<Endpoint, ConfigError> {
        let wrong = |rule: &str| Err(ConfigError::new("endpoint", format_args!("{:?}", shown(text)), rule));
        let (is_tls, rest) = match text.split_once("://") {
            None => (false, text),
            Some(("tls", rest)) if cfg!(feature = "tls") => (true, rest),
            Some(("tls" | "unix", _)) => return wrong("must be host:port; this build has no such transport"),
            Some(_) => return wrong("must be host:port or tls://host:port, without another scheme"),
        };
        if text.contains('@') {
            return wrong("must not carry credentials");
        }
        if text.bytes().any(|byte| byte.is_ascii_control() || byte == b' ') {
            return wrong("must not contain spaces or control characters");
        }
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => match rest.split_once("]:") {
                Some((host, port)) if host.parse::<Ipv6Addr>().is_ok() => (host, port),
                Some(_) | None => return wrong("must be [v6 address]:port"),
            },
            None => match rest.rsplit_once(':') {
                Some((host, _)) if host.contains(':') => return wrong("must put a v6 address into brackets"),
                Some(parts) => parts,
                None => return wrong("must name a port, as in host:port"),
            },
        };
        if host.is_empty() || host.len() > MAX_HOST {
            return wrong("must name a host of 1 to 253 characters");
        }
        match port.parse::<u16>() {
            Ok(port) if port > 0 && !port.to_string().is_empty() => Ok(Endpoint { host: host.into(), port, is_tls }),
            Ok(_) | Err(_) => wrong("must name a port of 1 to 65535"),
        }
    }

    /// Where a proxy is. Its parts were checked when it was parsed.
    pub(crate) fn of_proxy(proxy: &Proxy) -> Endpoint {
        Endpoint { host: proxy.host().into(), port: proxy.port(), is_tls: false }
    }

    /// The name or address as given.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether connections are encrypted.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The same, encrypted.
    #[cfg(feature = "tls")]
    pub(crate) fn over_tls(self) -> Endpoint {
        Endpoint { is_tls: true, ..self }
    }

    /// The address, if no name has to be resolved.
    pub(crate) fn literal(&self) -> Option<SocketAddr> {
        self.host.parse().ok().map(|ip: IpAddr| SocketAddr::new(ip, self.port))
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Endpoint {
        Endpoint { host: address.ip().to_string().into(), port: address.port(), is_tls: false }
    }
}

/// What can be given where an endpoint is asked for.
pub trait IntoEndpoint {
    /// Turns it into an endpoint.
    ///
    /// # Errors
    /// [`ConfigError`] on the field `endpoint`.
    fn into_endpoint(self) -> Result<Endpoint, ConfigError>;
}

impl IntoEndpoint for Endpoint {
    fn into_endpoint(self) -> Result<Endpoint, ConfigError> {
        Ok(self)
    }
}

impl IntoEndpoint for SocketAddr {
    fn into_endpoint(self) -> Result<Endpoint, ConfigError> {
        if self.port() == 0 {
            return Err(ConfigError::new("endpoint", self, "must name a port of 1 to 65535"));
        }
        Ok(self.into())
    }
}

impl IntoEndpoint for &str {
    fn into_endpoint(self) -> Result<Endpoint, ConfigError> {
        Endpoint::parse(self)
    }
}

impl IntoEndpoint for String {
    fn into_endpoint(self) -> Result<Endpoint, ConfigError> {
        Endpoint::parse(&self)
    }
}

impl IntoEndpoint for &String {
    fn into_endpoint(self) -> Result<Endpoint, ConfigError> {
        Endpoint::parse(self)
    }
}

impl IntoEndpoint for (&str, u16) {
    fn into_endpoint(self) -> Result<Endpoint, ConfigError> {
        let (host, port) = self;
        if host.contains(':') {
            Endpoint::parse(&format!("[{host}]:{port}"))
        } else {
            Endpoint::parse(&format!("{host}:{port}"))
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_tls {
            f.write_str("tls://")?;
        }
        match self.host.parse().ok() {
            Some(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            Some(IpAddr::V4(_)) | None => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Bad input is shown without what may be a password, and cut.
fn shown(text: &str) -> String {
    let visible = text.rsplit_once('@').map_or(text, |(_, host)| host);
    visible.chars().take(256).collect()
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn good_endpoints_are_parsed() {
        for (text, host, port, shown) in [
            ("localhost:80", "localhost", 80, "localhost:80"),
            ("127.0.0.1:6379", "127.0.0.1", 6379, "127.0.0.1:6379"),
            ("[::1]:502", "::1", 502, "[::1]:502"),
            ("plc-7.example:65535", "plc-7.example", 65535, "plc-7.example:65535"),
            #[cfg(feature = "tls")]
            ("tls://plc-7.example:8883", "plc-7.example", 8883, "tls://plc-7.example:8883"),
            #[cfg(feature = "tls")]
            ("tls://[::1]:443", "::1", 443, "tls://[::1]:443"),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!((endpoint.host(), endpoint.port()), (host, port));
            assert_eq!(endpoint.to_string(), shown);
        }
    }

    #[test]
    fn bad_endpoints_name_the_field_and_the_rule_and_hide_passwords() {
        for (text, rule) in [
            ("", "must name a port"),
            ("host", "must name a port"),
            ("host:", "1 to 65535"),
            (":80", "1 to 253"),
            ("host:0", "1 to 65535"),
            ("host:65536", "1 to 65535"),
            ("host:-1", "1 to 65535"),
            ("::1:80", "brackets"),
            ("[::1]", "[v6 address]:port"),
            ("[nonsense]:80", "[v6 address]:port"),
            ("unix://host:443", "no such transport"),
            #[cfg(not(feature = "tls"))]
            ("tls://host:443", "no such transport"),
            #[cfg(feature = "tls")]
            ("tls://host", "must name a port"),
            #[cfg(feature = "tls")]
            ("tls://user:secret@host:80", "credentials"),
            ("http://host:80", "without another scheme"),
            ("user:secret@host:80", "credentials"),
            ("host\r\nX:80", "control characters"),
            ("ho st:80", "spaces"),
        ] {
            let error = Endpoint::parse(text).unwrap_err();
            assert_eq!(error.field, "endpoint");
            assert!(error.rule.contains(rule), "{text:?}: {error}");
            assert!(!error.to_string().contains("secret"));
        }
        let long = format!("{}:80", "a".repeat(254));
        assert!(Endpoint::parse(&long).unwrap_err().rule.contains("1 to 253"));
    }
}
