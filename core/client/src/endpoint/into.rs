//! What can be given where one endpoint, or several, are asked for.

use super::Endpoint;
use keepline_proto::ConfigError;
use std::net::SocketAddr;

/// What can be given where an endpoint is asked for.
pub trait IntoEndpoint {
    /// Turns it into an endpoint.
    ///
    /// # Errors
    /// [`ConfigError`] on the field `endpoint`.
    fn into_endpoint(self) -> Result<Endpoint, ConfigError>;
}

/// What can be given where one endpoint or a list of them is asked for: whatever is an [`IntoEndpoint`], an array, a
/// vector or a slice of such.
pub trait IntoEndpoints {
    /// Turns it into a list.
    ///
    /// # Errors
    /// [`ConfigError`] on the field `endpoint`.
    fn into_endpoints(self) -> Result<Vec<Endpoint>, ConfigError>;
}

impl<E: IntoEndpoint> IntoEndpoints for E {
    fn into_endpoints(self) -> Result<Vec<Endpoint>, ConfigError> {
        Ok(vec![self.into_endpoint()?])
    }
}

impl<E: IntoEndpoint, const N: usize> IntoEndpoints for [E; N] {
    fn into_endpoints(self) -> Result<Vec<Endpoint>, ConfigError> {
        self.into_iter().map(IntoEndpoint::into_endpoint).collect()
    }
}

impl<E: IntoEndpoint> IntoEndpoints for Vec<E> {
    fn into_endpoints(self) -> Result<Vec<Endpoint>, ConfigError> {
        self.into_iter().map(IntoEndpoint::into_endpoint).collect()
    }
}

impl<E: IntoEndpoint + Clone> IntoEndpoints for &[E] {
    fn into_endpoints(self) -> Result<Vec<Endpoint>, ConfigError> {
        self.iter().cloned().map(IntoEndpoint::into_endpoint).collect()
    }
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
