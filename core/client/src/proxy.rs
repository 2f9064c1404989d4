//! Proxies as they are given: in words, parsed already, or by the environment.

mod login;

pub use login::ProxyCredentialsResult;
pub(crate) use login::{ProxyLogin, ProxyProvider};

use crate::builder::Builder;
use crate::endpoint::Endpoint;
use keepline_proto::ConfigError;
use keepline_proto::config::ValidConfig;
use keepline_proto::proxy::Proxy;

/// What can be given where a proxy is asked for.
pub trait IntoProxy {
    /// Turns it into a proxy.
    ///
    /// # Errors
    /// [`ConfigError`] on the field `proxy`.
    fn into_proxy(self) -> Result<Proxy, ConfigError>;
}

impl IntoProxy for Proxy {
    fn into_proxy(self) -> Result<Proxy, ConfigError> {
        Ok(self)
    }
}

impl IntoProxy for &str {
    fn into_proxy(self) -> Result<Proxy, ConfigError> {
        Proxy::parse(self)
    }
}

impl IntoProxy for String {
    fn into_proxy(self) -> Result<Proxy, ConfigError> {
        Proxy::parse(&self)
    }
}

impl IntoProxy for &String {
    fn into_proxy(self) -> Result<Proxy, ConfigError> {
        Proxy::parse(self)
    }
}

impl Builder {
    /// Sends every connection through a proxy: `socks5://user:password@host:port` or `http://host:port`
    /// ([`Proxy::parse`](crate::Proxy::parse)). A bad one is told when the client is made.
    ///
    /// Socket options and liveness are those of the connection to the proxy, and so are the outcomes: a message is
    /// [`Acked`](crate::Outcome::Acked) by the proxy's kernel ([`Receipt::acked_by`](crate::Receipt::acked_by)).
    pub fn proxy(mut self, proxy: impl IntoProxy) -> Builder {
        match proxy.into_proxy() {
            Ok(proxy) => self.config.proxy = Some(proxy),
            Err(error) => self.refused = self.refused.or(Some(error)),
        }
        self
    }

    /// Takes the proxy that the environment names now ([`system_proxy`]), or none if it names none.
    pub fn system_proxy(mut self) -> Builder {
        match system_proxy() {
            Ok(proxy) => self.config.proxy = proxy,
            Err(error) => self.refused = self.refused.or(Some(error)),
        }
        self
    }
}

/// Reads the proxy that the environment names: `all_proxy`, else `https_proxy`, with the exceptions of `no_proxy`; each
/// in small letters before capitals. `None` if there is none. Nothing but this call and
/// [`Builder::system_proxy`](crate::Builder::system_proxy) looks at these variables.
///
/// # Errors
/// [`ConfigError`] on the field `proxy`.
pub fn system_proxy() -> Result<Option<Proxy>, ConfigError> {
    Proxy::from_variables(|name| std::env::var(name).ok())
}

/// The proxy that an endpoint is reached through, if it is.
pub(crate) fn proxy_of<'a>(endpoint: &Endpoint, config: &'a ValidConfig) -> Option<&'a Proxy> {
    let is_remote = endpoint.path().is_none();
    config.proxy.as_ref().filter(|proxy| is_remote && proxy.is_for(endpoint.host(), endpoint.port()))
}

/// Where TCP leads to: the proxy of the endpoint, or the endpoint itself.
pub(crate) fn first_hop(endpoint: &Endpoint, config: &ValidConfig) -> Endpoint {
    proxy_of(endpoint, config).map_or_else(|| endpoint.clone(), Endpoint::of_proxy)
}
