//! Where a client connects to, and where from.

use super::Builder;
use crate::endpoint::{Endpoint, IntoEndpoint};
use crate::error::Error;
use crate::hooks::{DialSocket, SocketHook};
use keepline_proto::ConfigError;
use keepline_proto::config::Config;
use std::io;
use std::sync::Arc;

impl Builder {
    /// Adds an endpoint.
    pub fn endpoint(mut self, endpoint: impl IntoEndpoint) -> Builder {
        self.add(endpoint.into_endpoint());
        self
    }

    /// Adds an endpoint with a weight of 1 to 10,000: it is drawn so many times as often as one of weight 1, which all
    /// others have.
    pub fn weighted_endpoint(mut self, endpoint: impl IntoEndpoint, weight: u32) -> Builder {
        self.add(Endpoint::weighted(endpoint, weight));
        self
    }

    /// Sets the network interface to connect through, by name (Linux, Android, Apple).
    pub fn bind_interface(mut self, name: impl Into<String>) -> Builder {
        self.config.bind_interface = Some(name.into());
        self
    }

    /// Sets what is done to each socket before it connects, such as a mark of the kernel or Android's
    /// `VpnService.protect`. It runs on the runtime and must not block. Its error ends the attempt as `LocalResource`,
    /// with its number; so does its panic.
    ///
    /// ```no_run
    /// # fn example() -> keepline::Builder {
    /// keepline::Client::builder("host:443").socket_hook(|socket| {
    ///     println!("about to connect to {:?}", socket.address());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn socket_hook<F>(mut self, hook: F) -> Builder
    where
        F: Fn(&DialSocket<'_>) -> io::Result<()> + Send + Sync + 'static,
    {
        self.socket_hook = Some(SocketHook(Arc::new(hook)));
        self
    }

    fn add(&mut self, endpoint: Result<Endpoint, ConfigError>) {
        // The first error is the one that is told.
        match (&mut self.endpoints, endpoint) {
            (Ok(endpoints), Ok(endpoint)) => endpoints.push(endpoint),
            (Ok(_), Err(error)) => self.endpoints = Err(error),
            (Err(_), _) => {}
        }
    }

    /// The endpoints as they were given, or what is wrong with them.
    pub(crate) fn endpoint_text(&self) -> String {
        match &self.endpoints {
            Ok(endpoints) => endpoints.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            Err(error) => error.value.clone(),
        }
    }

    /// The first endpoint, checked.
    pub(crate) fn first_endpoint(&self) -> Result<Endpoint, Error> {
        let endpoints = self.endpoints.clone()?;
        let none = || ConfigError::new("endpoints", 0, "must be 1 or more");
        Ok(endpoints.into_iter().next().ok_or_else(none)?)
    }

    /// The same client, of its first endpoint only.
    pub(crate) fn first_alone(mut self) -> Builder {
        if let Ok(endpoints) = &mut self.endpoints {
            endpoints.truncate(1);
        }
        self
    }
}

/// An interface cannot be chosen on every system.
pub(super) fn refuse_interface(config: &Config) -> Result<(), ConfigError> {
    let is_possible = cfg!(any(target_os = "linux", target_os = "android", target_vendor = "apple"));
    match config.bind_interface.as_deref().filter(|_| !is_possible) {
        Some(name) => Err(ConfigError::new("bind_interface", name, "must not be set: this system cannot choose one")),
        None => Ok(()),
    }
}
