//! The configuration with every value decided, told in the same record that declared it.

use super::login::greeting_steps;
use super::{ClientConfig, CorrelationRecord, FramingRecord, ProxyUrl, SecretRecord};
use crate::error::BridgeError;
use crate::guard::caught;
use keepline::proto::config::Greeting;
use keepline::{Bound, Credentials, Notice, ValidConfig};
use serde::Serialize;
use std::time::Duration;

/// What a declaration comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct ResolvedConfig {
    /// Every value, decided.
    pub config: ClientConfig,
    /// What the user should know.
    pub notices: Vec<NoticeRecord>,
    /// How long each fault can go unnoticed.
    pub bounds: BoundsRecord,
}

/// Something the user should know about a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct NoticeRecord {
    /// The field it is about.
    pub field: String,
    /// What follows from it, in words.
    pub text: String,
}

/// One fault's worst case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct BoundRecord {
    /// The longest time from the fault to the verdict; `None` if it is never noticed.
    pub within_ms: Option<u64>,
    /// The formula with its numbers, for people.
    pub formula: String,
}

/// The worst case of each kind of fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct BoundsRecord {
    /// The longest of those that concern an established connection; `None` if one of them is never noticed.
    pub longest_ms: Option<u64>,
    /// The path goes silent while nothing is in flight.
    pub path_silent_idle: BoundRecord,
    /// The path goes silent while data is in flight.
    pub path_silent_in_flight: BoundRecord,
    /// The peer's process is frozen, its kernel answers.
    pub peer_frozen: BoundRecord,
    /// The peer lives and does not read.
    pub peer_stalled: BoundRecord,
    /// An attempt meets an endpoint that never answers.
    pub connect: BoundRecord,
}

/// Decides every value of `config` and checks it, without making a client.
///
/// # Errors
/// `invalid_config` names the field, the value and the rule.
pub fn resolve(config: ClientConfig) -> Result<ResolvedConfig, BridgeError> {
    caught(|| {
        let (detect_within_ms, tls) = (config.detect_within_ms, config.tls.clone());
        let mut resolved = ResolvedConfig::of(&config.into_config()?.parse()?);
        resolved.config.detect_within_ms = detect_within_ms;
        resolved.config.tls = tls;
        Ok(resolved)
    })
}

/// The values of a profile when nothing else is declared.
///
/// # Errors
/// `invalid_config` if there is no such profile.
pub fn default_config(profile: &str) -> Result<ClientConfig, BridgeError> {
    let declared = ClientConfig { profile: Some(profile.to_owned()), ..ClientConfig::default() };
    Ok(resolve(declared)?.config)
}

impl ResolvedConfig {
    /// The record of a parsed configuration.
    pub fn of(valid: &ValidConfig) -> ResolvedConfig {
        let bounds = valid.detection_bounds();
        ResolvedConfig {
            config: ClientConfig::of(valid),
            notices: valid.notices.iter().map(NoticeRecord::of).collect(),
            bounds: BoundsRecord {
                longest_ms: valid.detection_bound().map(millis),
                path_silent_idle: BoundRecord::of(&bounds.path_silent_idle),
                path_silent_in_flight: BoundRecord::of(&bounds.path_silent_in_flight),
                peer_frozen: BoundRecord::of(&bounds.peer_frozen),
                peer_stalled: BoundRecord::of(&bounds.peer_stalled),
                connect: BoundRecord::of(&bounds.connect),
            },
        }
    }
}

impl NoticeRecord {
    fn of(notice: &Notice) -> NoticeRecord {
        NoticeRecord { field: notice.field.to_owned(), text: notice.text.clone() }
    }
}

impl BoundRecord {
    fn of(bound: &Bound) -> BoundRecord {
        BoundRecord { within_ms: bound.within.map(millis), formula: bound.formula.clone() }
    }
}

impl ClientConfig {
    fn of(valid: &ValidConfig) -> ClientConfig {
        let heartbeat = valid.heartbeat.as_ref();
        let keepalive = valid.keepalive;
        ClientConfig {
            profile: Some(valid.profile.to_string()),
            detect_within_ms: None,
            heartbeat_payload: heartbeat.map(|heartbeat| heartbeat.payload.to_vec()),
            heartbeat_reply: heartbeat.map(|heartbeat| (&heartbeat.reply).into()),
            heartbeat_interval_ms: heartbeat.map(|heartbeat| millis(heartbeat.interval)),
            heartbeat_reply_within_ms: heartbeat.map(|heartbeat| millis(heartbeat.reply_within)),
            keepalive_off: keepalive.is_none(),
            keepalive_idle_ms: keepalive.map(|keepalive| millis(keepalive.idle)),
            keepalive_interval_ms: keepalive.map(|keepalive| millis(keepalive.interval)),
            keepalive_retries: keepalive.map(|keepalive| keepalive.retries),
            user_timeout_off: valid.user_timeout.is_none(),
            user_timeout_ms: valid.user_timeout.map(millis),
            rto_max_off: valid.rto_max.is_none(),
            rto_max_ms: valid.rto_max.map(millis),
            read_idle_ms: valid.read_idle.map(millis),
            connect_per_address_ms: Some(millis(valid.connect_per_address)),
            connect_total_ms: Some(millis(valid.connect_total)),
            addresses: Some(valid.addresses.to_string()),
            address_stagger_ms: Some(millis(valid.address_stagger)),
            race_through_tls: valid.race_through_tls,
            retry_tls_verdicts: valid.retry_tls_verdicts,
            refuse_private_addresses: valid.refuse_private_addresses,
            connect_within_ms: Some(millis(valid.connect_within)),
            backoff_first_spread_ms: Some(millis(valid.backoff.first_spread)),
            backoff_initial_ms: Some(millis(valid.backoff.initial)),
            backoff_multiplier: Some(valid.backoff.multiplier),
            backoff_max_ms: Some(millis(valid.backoff.max)),
            backoff_jitter: Some(valid.backoff.jitter.to_string()),
            stable_after_ms: Some(millis(valid.stable_after)),
            max_attempts: valid.max_attempts,
            while_down: Some(valid.while_down.to_string()),
            outbox_messages: Some(valid.outbox.messages as u64),
            outbox_bytes: Some(valid.outbox.bytes as u64),
            outbox_age_off: valid.outbox.age.is_none(),
            outbox_age_ms: valid.outbox.age.map(millis),
            overflow: Some(valid.overflow.to_string()),
            inbox_bytes: Some(valid.inbox_bytes as u64),
            unsolicited: Some(valid.unsolicited.to_string()),
            framing: Some(FramingRecord::of(&valid.framing)),
            frame_within_off: valid.frame_within.is_none(),
            frame_within_ms: valid.frame_within.map(millis),
            correlation: valid.correlation.map(CorrelationRecord::of),
            push: valid.push.as_ref().map(Into::into),
            max_in_flight: Some(valid.max_in_flight as u64),
            greeting: valid.greeting.as_ref().and_then(greeting_steps),
            greeting_hook: matches!(valid.greeting, Some(Greeting::Hook)),
            credentials: valid.credentials.as_ref().and_then(SecretRecord::of),
            credentials_hook: matches!(valid.credentials, Some(Credentials::Provider)),
            credentials_within_ms: Some(millis(valid.credentials_within)),
            auth_attempts_off: valid.auth_attempts.is_none(),
            auth_attempts: valid.auth_attempts,
            go_away: valid.go_away.as_ref().map(Into::into),
            auto_replies: valid.auto_replies.iter().map(Into::into).collect(),
            stall_limit_ms: Some(millis(valid.stall_limit)),
            concurrent_ok: valid.concurrent_ok,
            governed: Some(valid.governed),
            sibling_probes: Some(valid.sibling_probes),
            network_monitor: Some(valid.network_monitor),
            tls: None,
            proxy: valid.proxy.as_ref().map(ProxyUrl::of),
            single_connection: Some(valid.single_connection),
            endpoint_order: Some(valid.endpoint_order.to_string()),
            return_to_preferred_ms: valid.return_to_preferred.map(millis),
            bind_address: valid.bind_address.map(|address| address.to_string()),
            bind_interface: valid.bind_interface.as_deref().map(str::to_owned),
        }
    }
}

/// Milliseconds, rounded up: no deadline is told shorter than it is.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolved_config_resolves_to_itself() {
        for profile in keepline::Profile::ALL {
            let once = default_config(profile.as_str()).unwrap();
            let twice = resolve(once.clone()).unwrap().config;
            assert_eq!(once, twice);
        }
    }

    #[test]
    fn rules_of_the_core_are_told_with_their_field() {
        let config =
            ClientConfig { backoff_initial_ms: Some(20_000), backoff_max_ms: Some(5_000), ..ClientConfig::default() };
        let error = resolve(config).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("backoff.max"));
        assert_eq!(error.message, "backoff.max: must be at least backoff.initial (got 5s < 20s)");
    }
}
