//! What a user of another language declares: flat, in milliseconds, `None` where nothing was said.

mod declare;
mod login;
mod parse;
mod proxy;
mod resolve;
mod tls;

pub use declare::{AutoReplyRecord, CorrelationRecord, ENDIANS, FramingRecord, MatcherRecord};
pub use login::{RetryAfterRecord, SecretRecord, StepRecord};
pub use proxy::ProxyUrl;
pub use resolve::{BoundRecord, BoundsRecord, NoticeRecord, ResolvedConfig, default_config, resolve};
pub use tls::TlsRecord;

pub(crate) use parse::named;
pub(crate) use resolve::millis;

use serde::{Deserialize, Serialize};

/// Every value that can be declared. `None` means: decide for me. A flag `…_off` switches off what is on by default.
///
/// [`resolve`] returns the same record with every value decided.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(default, deny_unknown_fields)]
pub struct ClientConfig {
    /// The set of defaults, by name.
    pub profile: Option<String>,
    /// One number that sets the rest: the longest time until a dead peer is noticed.
    pub detect_within_ms: Option<u64>,
    /// Application bytes that the peer answers; without them there is no heartbeat.
    pub heartbeat_payload: Option<Vec<u8>>,
    /// Which frame is the reply to a heartbeat.
    pub heartbeat_reply: Option<MatcherRecord>,
    /// The silence after which a heartbeat is sent.
    pub heartbeat_interval_ms: Option<u64>,
    /// The deadline for a sign of life after a heartbeat was due.
    pub heartbeat_reply_within_ms: Option<u64>,
    /// No kernel probes.
    pub keepalive_off: bool,
    /// Silence before the first kernel probe.
    pub keepalive_idle_ms: Option<u64>,
    /// Pause between kernel probes.
    pub keepalive_interval_ms: Option<u64>,
    /// Probes without an answer until the connection is dead.
    pub keepalive_retries: Option<u32>,
    /// No `TCP_USER_TIMEOUT`.
    pub user_timeout_off: bool,
    /// `TCP_USER_TIMEOUT`.
    pub user_timeout_ms: Option<u64>,
    /// No `TCP_RTO_MAX_MS`.
    pub rto_max_off: bool,
    /// `TCP_RTO_MAX_MS`.
    pub rto_max_ms: Option<u64>,
    /// The longest silence of a peer that talks by itself.
    pub read_idle_ms: Option<u64>,
    /// Deadline for the TCP handshake with one address.
    pub connect_per_address_ms: Option<u64>,
    /// Deadline for a whole attempt.
    pub connect_total_ms: Option<u64>,
    /// How the addresses of one name are dialled, by name.
    pub addresses: Option<String>,
    /// How long an address has for itself before the next one is dialled beside it.
    pub address_stagger_ms: Option<u64>,
    /// The race over addresses ends with the first TLS handshake that succeeds, not with the first TCP one.
    pub race_through_tls: bool,
    /// The client goes on trying, slowly, after a verdict on TLS that ends it otherwise.
    pub retry_tls_verdicts: bool,
    /// A name that leads to this machine or into a private network is refused.
    pub refuse_private_addresses: bool,
    /// How long `connect` waits for the first `Connected`.
    pub connect_within_ms: Option<u64>,
    /// The window of the first retry.
    pub backoff_first_spread_ms: Option<u64>,
    /// The window of the second retry, before the multiplier.
    pub backoff_initial_ms: Option<u64>,
    /// The growth of the window.
    pub backoff_multiplier: Option<f64>,
    /// The longest wait after the first, the usual floor of 0.1 s included; of some classes of wait a multiple.
    pub backoff_max_ms: Option<u64>,
    /// How a delay is drawn from its window, by name.
    pub backoff_jitter: Option<String>,
    /// How long a verified connection must stay up before the backoff is reset.
    pub stable_after_ms: Option<u64>,
    /// Give up after this many failed attempts in a row.
    pub max_attempts: Option<u32>,
    /// What happens to messages while there is no connection, by name.
    pub while_down: Option<String>,
    /// The most messages the outbox holds.
    pub outbox_messages: Option<u64>,
    /// The most bytes the outbox holds.
    pub outbox_bytes: Option<u64>,
    /// Messages never grow too old.
    pub outbox_age_off: bool,
    /// How old a message may grow in the outbox.
    pub outbox_age_ms: Option<u64>,
    /// What `send` does when the outbox is full, by name.
    pub overflow: Option<String>,
    /// The most bytes of received messages that wait for the user.
    pub inbox_bytes: Option<u64>,
    /// What happens to messages that no request asked for, by name.
    pub unsolicited: Option<String>,
    /// How bytes become messages.
    pub framing: Option<FramingRecord>,
    /// A started frame may take for ever.
    pub frame_within_off: bool,
    /// How long a started frame may take to end.
    pub frame_within_ms: Option<u64>,
    /// How replies find their requests.
    pub correlation: Option<CorrelationRecord>,
    /// Frames that are never replies.
    pub push: Option<MatcherRecord>,
    /// The most requests in flight, late replies included.
    pub max_in_flight: Option<u64>,
    /// What must succeed before a connection counts as `Connected`.
    pub greeting: Option<Vec<StepRecord>>,
    /// The greeting is a hook's, not declared.
    pub greeting_hook: bool,
    /// What the greeting says who the client is with.
    pub credentials: Option<SecretRecord>,
    /// The credentials are a hook's, asked for in each attempt.
    pub credentials_hook: bool,
    /// How long a provider of credentials may take.
    pub credentials_within_ms: Option<u64>,
    /// Never give up because of refused credentials.
    pub auth_attempts_off: bool,
    /// Give up after the peer refused the credentials so often in a row.
    pub auth_attempts: Option<u32>,
    /// A frame by which the server sends the client away for a time.
    pub go_away: Option<RetryAfterRecord>,
    /// Answers to the server's own pings.
    pub auto_replies: Vec<AutoReplyRecord>,
    /// How long a peer may keep its window shut.
    pub stall_limit_ms: Option<u64>,
    /// A second connection may be made beside a suspect one.
    pub concurrent_ok: bool,
    /// Retries count against the budget that the clients of a process share for one endpoint.
    pub governed: Option<bool>,
    /// A connection is asked for a sign of life when another one from the same local address died of a silent path.
    pub sibling_probes: Option<bool>,
    /// The client watches the way to its peer.
    pub network_monitor: Option<bool>,
    /// How connections are encrypted; `tls://` endpoints are without it.
    pub tls: Option<TlsRecord>,
    /// What every connection goes through; `system` is what the environment names.
    pub proxy: Option<ProxyUrl>,
    /// Whether the old connection is reset before the next is dialled.
    pub single_connection: Option<bool>,
    /// In which order several endpoints are tried, by name.
    pub endpoint_order: Option<String>,
    /// How often a better endpoint is tried beside a healthy connection to a second choice.
    pub return_to_preferred_ms: Option<u64>,
    /// The local address to connect from.
    pub bind_address: Option<String>,
    /// The network interface to connect through.
    pub bind_interface: Option<String>,
}
