//! A proxy as it is declared: `socks5://user:password@host:port` or `http://…`, parsed once.

use super::target::is_name;
use super::{Bypass, percent};
use crate::error::ConfigError;
use std::fmt;
use std::net::Ipv6Addr;
use std::sync::Arc;

/// 255: what a length of one byte in SOCKS can tell.
const SOCKS_MAX: usize = 255;

/// 4 KiB: a token as a password; proxies refuse longer header lines.
const HTTP_MAX: usize = 4096;

/// A proxy that connections go through. Cheap to clone; its credentials are never shown.
///
/// ```
/// use keepline_proto::proxy::Proxy;
///
/// let proxy = Proxy::parse("http://robot:s3cret@proxy.example:3128")?;
/// assert_eq!(proxy.to_string(), "http://proxy.example:3128");
/// assert!(!format!("{proxy:?}").contains("s3cret"));
/// # Ok::<(), keepline_proto::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy(Arc<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    protocol: ProxyProtocol,
    host: Box<str>,
    port: u16,
    credentials: Option<Credentials>,
    names: ProxyNames,
    bypass: Bypass,
}

/// What is spoken to a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProxyProtocol {
    /// SOCKS 5.
    Socks5,
    /// HTTP CONNECT.
    Http,
}

/// Who resolves the name of the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ProxyNames {
    /// The proxy: it may know names that are unknown here, and nobody here learns them.
    #[default]
    Proxy,
    /// This host; the proxy is told an address.
    Local,
}

/// A name and a password. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: Box<str>,
    password: Box<str>,
}

impl Credentials {
    /// A name and a password, as a provider gives them. What a proxy's protocol cannot tell is found when it is asked for:
    /// SOCKS takes 1 to 255 bytes of each, HTTP up to 4,096 and no colon in the name.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Credentials {
        Credentials { user: user.into().into(), password: password.into().into() }
    }

    /// Whether the protocol can tell them.
    pub(super) fn check(&self, protocol: ProxyProtocol) -> Result<(), String> {
        let most = match protocol {
            ProxyProtocol::Socks5 => SOCKS_MAX,
            ProxyProtocol::Http => HTTP_MAX,
        };
        if self.user.is_empty() || self.user.len() > most || self.password.len() > most {
            return Err(format!(
                "must have a name of 1 to {most} bytes before the @, and a password of at most {most}"
            ));
        }
        match protocol {
            ProxyProtocol::Http if self.user.contains(':') => {
                Err("must have a name without a colon: HTTP cannot tell it".into())
            }
            ProxyProtocol::Http | ProxyProtocol::Socks5 => Ok(()),
        }
    }

    /// The name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password.
    pub fn password(&self) -> &str {
        &self.password
    }
}

impl Proxy {
    /// Parses `socks5://host:port` (`socks5h://` is the same) or `http://host:port`.
    ///
    /// Before the host, `user:password@` gives credentials, with `%XX` for what means something in a URL. After the
    /// port, `?resolve=local` has names resolved by this host instead of the proxy, and `?except=LIST` names the endpoints
    /// that are connected to directly, as [`Proxy::except`] does; `&` joins the two.
    ///
    /// # Errors
    /// [`ConfigError`] on the field `proxy`, without the credentials.
    pub fn parse(text: &str) -> Result<Proxy, ConfigError> {
        let wrong = |rule: String| ConfigError::new("proxy", shown(text), rule);
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| wrong("must be socks5://host:port or http://host:port".into()))?;
        let protocol = match scheme.to_ascii_lowercase().as_str() {
            "socks5" | "socks5h" => ProxyProtocol::Socks5,
            "http" => ProxyProtocol::Http,
            "https" => return Err(wrong("must be socks5:// or http://: there is no TLS to a proxy".into())),
            _ => return Err(wrong("must be socks5:// or http://".into())),
        };
        // The last @: one in a password that was not escaped is not taken for the host, and stays hidden.
        let (login, place) = rest.rsplit_once('@').map_or((None, rest), |(login, place)| (Some(login), place));
        let (place, query) = place.split_once('?').map_or((place, None), |(place, query)| (place, Some(query)));
        let (host, port) =
            host_and_port(place.strip_suffix('/').unwrap_or(place)).map_err(|rule| wrong(rule.into()))?;
        let (names, bypass) = query.map_or(Some(Default::default()), options).ok_or_else(|| {
            wrong("must have no options but resolve=local, resolve=proxy and except=LIST after the ?".into())
        })?;
        let credentials = login.map(|login| credentials(login, protocol)).transpose().map_err(wrong)?;
        Ok(Proxy(Arc::new(Inner { protocol, host: host.into(), port, credentials, names, bypass })))
    }

    /// Names the endpoints that are connected to directly, as `NO_PROXY` does: `localhost, .example.com, 10.0.0.0/8`.
    pub fn except(mut self, list: &str) -> Proxy {
        Arc::make_mut(&mut self.0).bypass = Bypass::parse(list);
        self
    }

    /// Whether an endpoint is reached through the proxy, and not directly.
    pub fn is_for(&self, host: &str, port: u16) -> bool {
        !self.0.bypass.has(host, port)
    }

    /// What is spoken to it.
    pub fn protocol(&self) -> ProxyProtocol {
        self.0.protocol
    }

    /// Its own name or address.
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// What is told to it, if anything is.
    pub fn credentials(&self) -> Option<&Credentials> {
        self.0.credentials.as_ref()
    }

    /// Who resolves the name of the endpoint.
    pub fn names(&self) -> ProxyNames {
        self.0.names
    }

    /// The declaration as it can be parsed again, with its credentials: for nobody's eyes.
    pub fn to_secret_url(&self) -> String {
        let login = self.0.credentials.as_ref().map(|credentials| {
            format!("{}:{}@", percent::encode(&credentials.user), percent::encode(&credentials.password))
        });
        let names = match self.0.names {
            ProxyNames::Proxy => None,
            ProxyNames::Local => Some("resolve=local".to_owned()),
        };
        let except = Some(self.0.bypass.as_str()).filter(|list| !list.is_empty());
        let except = except.map(|list| format!("except={}", percent::encode(list)));
        let options: Vec<String> = names.into_iter().chain(except).collect();
        let query = if options.is_empty() { String::new() } else { format!("?{}", options.join("&")) };
        format!("{}://{}{}{query}", self.0.protocol, login.unwrap_or_default(), self.place())
    }

    fn place(&self) -> String {
        let Inner { host, port, .. } = &*self.0;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl fmt::Display for ProxyProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ProxyProtocol::Socks5 => "socks5",
            ProxyProtocol::Http => "http",
        })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.protocol, self.place())
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = if self.0.credentials.is_some() { " with credentials" } else { "" };
        write!(f, "Proxy({self}{with})")
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

fn host_and_port(place: &str) -> Result<(&str, u16), &'static str> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => match rest.split_once("]:") {
            Some((host, port)) if host.parse::<Ipv6Addr>().is_ok() => (host, port),
            Some(_) | None => return Err("must put a v6 address into brackets before the port"),
        },
        None => match place.rsplit_once(':') {
            Some((host, port)) if is_name(host) => (host, port),
            Some((host, _)) if host.contains(':') => return Err("must put a v6 address into brackets"),
            Some(_) => return Err("must name a host, in letters of ASCII"),
            None => return Err("must name a port, as in proxy.example:1080"),
        },
    };
    // `parse` alone would take a plus sign.
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(port) if port > 0 && is_number => Ok((host, port)),
        Ok(_) | Err(_) => Err("must name a port of 1 to 65535"),
    }
}

/// What follows the question mark.
fn options(query: &str) -> Option<(ProxyNames, Bypass)> {
    let (mut names, mut bypass) = Default::default();
    for option in query.split('&') {
        match option.split_once('=')? {
            ("resolve", "proxy") => names = ProxyNames::Proxy,
            ("resolve", "local") => names = ProxyNames::Local,
            ("except", list) => bypass = Bypass::parse(&percent::decode(list)?),
            (_, _) => return None,
        }
    }
    Some((names, bypass))
}

fn credentials(login: &str, protocol: ProxyProtocol) -> Result<Credentials, String> {
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let (Some(user), Some(password)) = (percent::decode(user), percent::decode(password)) else {
        return Err("must write what is no plain text in the credentials as %XX, and % as %25".into());
    };
    let credentials = Credentials { user: user.into(), password: password.into() };
    credentials.check(protocol)?;
    Ok(credentials)
}

/// Bad input as far as it holds no secret: without credentials, and without what may have been meant as such.
fn shown(text: &str) -> String {
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    let is_word = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) && scheme.len() <= 16;
    let scheme = if is_word && !scheme.is_empty() { format!("{scheme}://") } else { String::new() };
    format!("{scheme}…")
}
