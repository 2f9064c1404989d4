//! Rules on where connections come from and go to: how many at once, when back to a better endpoint, over which interface.

use crate::config::{Addresses, Config, ProfileValues, rules};
use crate::endpoints::EndpointOrder;
use crate::error::ConfigError;
use std::time::Duration;

/// 10 s: each look at a better endpoint costs it a connection, and its servers a greeting.
const RETURN_SHORTEST: Duration = Duration::from_secs(10);

/// A year, as everywhere.
const RETURN_LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// `IFNAMSIZ` of Linux, its final zero left out; Apple's is the same.
const INTERFACE_NAME_MAX: usize = 15;

/// One socket at a time, or two at once: not both. The profile's wish gives way to what is asked for, and so do the
/// addresses of a name to an explicit wish for one socket.
pub(super) fn decide_single_connection(
    config: &Config,
    values: &ProfileValues,
) -> Result<(bool, Addresses), ConfigError> {
    let addresses = config.addresses.unwrap_or(values.addresses);
    let races = config.addresses == Some(Addresses::HappyEyeballs);
    let refuse = |rule: &str| Err(ConfigError::new("single_connection", "on", rule));
    match config.single_connection {
        Some(true) if config.concurrent_ok => refuse("must not be combined with concurrent_ok"),
        Some(true) if races => refuse("must not be combined with addresses = happy_eyeballs"),
        Some(true) => Ok((true, Addresses::OneAtATime)),
        Some(false) => Ok((false, addresses)),
        None => Ok((values.single_connection && !config.concurrent_ok && !races, addresses)),
    }
}

/// A healthy connection is only ever left for one that is known to be better, so there have to be two for a moment.
pub(super) fn decide_return(config: &Config) -> Result<Option<Duration>, ConfigError> {
    let Some(interval) = config.return_to_preferred else { return Ok(None) };
    rules::between("return_to_preferred", interval, RETURN_SHORTEST, RETURN_LONGEST)?;
    let refuse = |rule: &str| Err(ConfigError::new("return_to_preferred", "set", rule));
    match config.endpoint_order {
        EndpointOrder::Shuffled => {
            return refuse("must come with endpoint_order = ordered: otherwise none is preferred");
        }
        EndpointOrder::Ordered => {}
    }
    if !config.concurrent_ok {
        return refuse("must come with concurrent_ok: a healthy connection is not broken to look for a better one");
    }
    Ok(Some(interval))
}

/// A handshake beside another one needs a second socket.
pub(super) fn decide_race_through_tls(config: &Config, addresses: Addresses) -> Result<bool, ConfigError> {
    match addresses {
        Addresses::OneAtATime if config.race_through_tls => {
            let rule = "must come with addresses = happy_eyeballs: one at a time is no race";
            Err(ConfigError::new("race_through_tls", "on", rule))
        }
        Addresses::OneAtATime | Addresses::HappyEyeballs => Ok(config.race_through_tls),
    }
}

/// Of two sources nobody knows which one was meant.
pub(super) fn decide_proxy_credentials(config: &Config) -> Result<bool, ConfigError> {
    let has_both = config.proxy_credentials && config.proxy.as_ref().is_some_and(|proxy| proxy.credentials().is_some());
    if has_both {
        let rule = "must not be set with a proxy that is given with a name and a password";
        return Err(ConfigError::new("proxy_credentials", "a provider", rule));
    }
    Ok(config.proxy_credentials)
}

pub(super) fn decide_interface(config: &Config) -> Result<Option<Box<str>>, ConfigError> {
    let Some(name) = config.bind_interface.as_deref() else { return Ok(None) };
    let is_name = !name.is_empty()
        && name.len() <= INTERFACE_NAME_MAX
        && !name.bytes().any(|byte| byte == b'/' || byte.is_ascii_whitespace() || byte.is_ascii_control());
    if !is_name {
        let shown: String = name.chars().take(64).collect();
        let rule = format!("must be the name of an interface, of 1 to {INTERFACE_NAME_MAX} characters");
        return Err(ConfigError::new("bind_interface", shown.escape_debug(), rule));
    }
    Ok(Some(name.into()))
}
