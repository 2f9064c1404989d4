//! The URL of a proxy, which may hold a password: `Debug` does not show it.

use crate::error::BridgeError;
use keepline::{Proxy, system_proxy};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The proxy that the environment names.
const SYSTEM: &str = "system";

/// The URL of a proxy with its credentials, or `system`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProxyUrl(pub String);

impl ProxyUrl {
    pub(super) fn parse(&self) -> Result<Option<Proxy>, BridgeError> {
        match self.0.as_str() {
            SYSTEM => Ok(system_proxy()?),
            url => Ok(Some(Proxy::parse(url)?)),
        }
    }

    pub(super) fn of(proxy: &Proxy) -> ProxyUrl {
        ProxyUrl(proxy.to_secret_url())
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyUrl")
    }
}
