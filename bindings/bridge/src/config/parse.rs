//! From the flat record to the core's declaration. The core judges the values; here only names and shapes are checked.

use super::declare::size;
use super::login::{declared_credentials, declared_greeting};
use super::{ClientConfig, ProxyUrl};
use crate::error::BridgeError;
use keepline::{
    Addresses, Choice, Config, EndpointOrder, Heartbeat, Jitter, Keepalive, Overflow, Profile, Unsolicited, WhileDown,
};
use std::fmt::Display;
use std::net::IpAddr;
use std::time::Duration;

impl ClientConfig {
    /// Turns the record into the core's declaration.
    ///
    /// # Errors
    /// `invalid_config` for a name that does not exist, and for values that contradict each other's presence.
    pub fn into_config(self) -> Result<Config, BridgeError> {
        Ok(Config {
            profile: named("profile", self.profile.as_deref(), Profile::ALL)?.unwrap_or_default(),
            detect_within: duration(self.detect_within_ms),
            heartbeat: self.declared_heartbeat()?,
            keepalive: self.declared_keepalive()?,
            user_timeout: choice("user_timeout", self.user_timeout_off, self.user_timeout_ms)?,
            rto_max: choice("rto_max", self.rto_max_off, self.rto_max_ms)?,
            read_idle: duration(self.read_idle_ms),
            connect_per_address: duration(self.connect_per_address_ms),
            connect_total: duration(self.connect_total_ms),
            addresses: named("addresses", self.addresses.as_deref(), Addresses::ALL)?,
            address_stagger: duration(self.address_stagger_ms),
            race_through_tls: self.race_through_tls,
            retry_tls_verdicts: self.retry_tls_verdicts,
            refuse_private_addresses: self.refuse_private_addresses,
            connect_within: duration(self.connect_within_ms),
            first_spread: duration(self.backoff_first_spread_ms),
            backoff_initial: duration(self.backoff_initial_ms),
            backoff_multiplier: self.backoff_multiplier,
            backoff_max: duration(self.backoff_max_ms),
            backoff_jitter: named("backoff.jitter", self.backoff_jitter.as_deref(), Jitter::ALL)?,
            stable_after: duration(self.stable_after_ms),
            max_attempts: self.max_attempts,
            while_down: named("while_down", self.while_down.as_deref(), WhileDown::ALL)?,
            outbox_messages: self.outbox_messages.map(|count| size("outbox.messages", count)).transpose()?,
            outbox_bytes: self.outbox_bytes.map(|count| size("outbox.bytes", count)).transpose()?,
            outbox_age: choice("outbox.age", self.outbox_age_off, self.outbox_age_ms)?,
            overflow: named("overflow", self.overflow.as_deref(), Overflow::ALL)?,
            inbox_bytes: self.inbox_bytes.map(|count| size("inbox.bytes", count)).transpose()?,
            unsolicited: named("unsolicited", self.unsolicited.as_deref(), Unsolicited::ALL)?.unwrap_or_default(),
            framing: self.framing.map(|framing| framing.parse()).transpose()?.unwrap_or_default(),
            frame_within: choice("frame_within", self.frame_within_off, self.frame_within_ms)?,
            correlation: self.correlation.map(|correlation| correlation.parse()).transpose()?,
            push: self.push.map(Into::into),
            max_in_flight: self.max_in_flight.map(|count| size("max_in_flight", count)).transpose()?,
            greeting: declared_greeting(self.greeting, self.greeting_hook)?,
            credentials: declared_credentials(self.credentials, self.credentials_hook)?,
            credentials_within: duration(self.credentials_within_ms),
            auth_attempts: match (self.auth_attempts_off, self.auth_attempts) {
                (false, None) => Choice::Auto,
                (true, None) => Choice::Off,
                (false, Some(attempts)) => Choice::On(attempts),
                (true, Some(attempts)) => return Err(both("auth_attempts", attempts)),
            },
            go_away: self.go_away.map(Into::into),
            auto_replies: self.auto_replies.into_iter().map(Into::into).collect(),
            stall_limit: duration(self.stall_limit_ms),
            concurrent_ok: self.concurrent_ok,
            governed: self.governed,
            sibling_probes: self.sibling_probes,
            network_monitor: self.network_monitor,
            proxy: self.proxy.as_ref().map(ProxyUrl::parse).transpose()?.flatten(),
            // A provider is code of another language, not of this record.
            proxy_credentials: false,
            single_connection: self.single_connection,
            endpoint_order: named("endpoint_order", self.endpoint_order.as_deref(), EndpointOrder::ALL)?
                .unwrap_or_default(),
            return_to_preferred: duration(self.return_to_preferred_ms),
            bind_address: self.bind_address.as_deref().map(local_address).transpose()?,
            bind_interface: self.bind_interface,
        })
    }

    fn declared_heartbeat(&self) -> Result<Option<Heartbeat>, BridgeError> {
        let times = [self.heartbeat_interval_ms, self.heartbeat_reply_within_ms];
        let Some(payload) = &self.heartbeat_payload else {
            if self.heartbeat_reply.is_some() || times.iter().any(Option::is_some) {
                return Err(BridgeError::invalid("heartbeat.payload", "none", "must be given with a heartbeat"));
            }
            return Ok(None);
        };
        let mut heartbeat = Heartbeat::new(payload.clone());
        if let Some(reply) = &self.heartbeat_reply {
            heartbeat.reply = reply.clone().into();
        }
        heartbeat.interval = duration(self.heartbeat_interval_ms);
        heartbeat.reply_within = duration(self.heartbeat_reply_within_ms);
        Ok(Some(heartbeat))
    }

    fn declared_keepalive(&self) -> Result<Choice<Keepalive>, BridgeError> {
        let given = (self.keepalive_idle_ms, self.keepalive_interval_ms, self.keepalive_retries);
        match given {
            (None, None, None) => Ok(if self.keepalive_off { Choice::Off } else { Choice::Auto }),
            _ if self.keepalive_off => Err(both("keepalive", "off and given")),
            (Some(idle), Some(interval), Some(retries)) => Ok(Choice::On(Keepalive {
                idle: Duration::from_millis(idle),
                interval: Duration::from_millis(interval),
                retries,
            })),
            (_, _, _) => Err(BridgeError::invalid(
                "keepalive",
                "a part of it",
                "must have idle, interval and retries: they belong together",
            )),
        }
    }
}

fn local_address(text: &str) -> Result<IpAddr, BridgeError> {
    text.parse().map_err(|_not_one| {
        let shown: String = text.chars().take(64).collect();
        BridgeError::invalid("bind_address", shown.escape_debug(), "must be an IP address of this machine")
    })
}

fn duration(millis: Option<u64>) -> Option<Duration> {
    millis.map(Duration::from_millis)
}

fn choice(field: &'static str, off: bool, millis: Option<u64>) -> Result<Choice<Duration>, BridgeError> {
    match (off, millis) {
        (false, None) => Ok(Choice::Auto),
        (true, None) => Ok(Choice::Off),
        (false, Some(millis)) => Ok(Choice::On(Duration::from_millis(millis))),
        (true, Some(millis)) => Err(both(field, millis)),
    }
}

fn both(field: &'static str, value: impl Display) -> BridgeError {
    BridgeError::invalid(field, value, "must not be switched off and given at once")
}

/// Finds the value with this name among all of its kind.
pub(crate) fn named<T: Copy + Display>(
    field: &'static str,
    name: Option<&str>,
    all: &[T],
) -> Result<Option<T>, BridgeError> {
    let Some(name) = name else { return Ok(None) };
    let found = all.iter().copied().find(|value| value.to_string() == name);
    found.map(Some).ok_or_else(|| {
        let names: Vec<String> = all.iter().map(ToString::to_string).collect();
        let shown: String = name.chars().take(64).collect();
        BridgeError::invalid(field, shown.escape_debug(), format!("must be one of: {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SecretRecord;

    #[test]
    fn contradictions_and_unknown_names_name_their_field() {
        let table: [(&str, ClientConfig); 8] = [
            ("profile", ClientConfig { profile: Some("fast".into()), ..Default::default() }),
            ("keepalive", ClientConfig { keepalive_off: true, keepalive_retries: Some(3), ..Default::default() }),
            ("keepalive", ClientConfig { keepalive_retries: Some(3), ..Default::default() }),
            ("user_timeout", ClientConfig { user_timeout_off: true, user_timeout_ms: Some(1), ..Default::default() }),
            ("greeting", ClientConfig { greeting: Some(Vec::new()), greeting_hook: true, ..Default::default() }),
            (
                "credentials",
                ClientConfig {
                    credentials: Some(SecretRecord(b"x".to_vec())),
                    credentials_hook: true,
                    ..Default::default()
                },
            ),
            ("heartbeat.payload", ClientConfig { heartbeat_interval_ms: Some(1), ..Default::default() }),
            ("backoff.jitter", ClientConfig { backoff_jitter: Some("\u{7}".into()), ..Default::default() }),
        ];
        for (field, config) in table {
            let error = config.into_config().unwrap_err();
            assert_eq!((error.kind.as_str(), error.field.as_deref()), ("invalid_config", Some(field)), "{error}");
        }
    }
}
