//! The counters of a client as a flat record.

use crate::config::millis;
use crate::event::MessageCountsRecord;
use keepline::Stats;
use serde::Serialize;

/// What a client has done so far, and what the kernel says is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct StatsRecord {
    /// Where it stands: a name of the contract's `states`.
    pub state: String,
    /// The number of the last attempt.
    pub epoch: u64,
    /// Attempts started.
    pub attempts: u64,
    /// Connections that became `Connected`.
    pub connections: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// What became of the messages that were accepted.
    pub messages: MessageCountsRecord,
    /// Bytes waiting in the outbox, framing included.
    pub outbox_bytes: u64,
    /// Messages received.
    pub received: u64,
    /// Messages dropped because nobody asked for them.
    pub discarded: u64,
    /// Messages waiting in the inbox.
    pub inbox: u64,
    /// Bytes handed to the kernel.
    pub bytes_out: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Heartbeats written.
    pub heartbeats: u64,
    /// The time between the last answered heartbeat and its answer, in microseconds: on a local network it is less
    /// than a millisecond.
    pub heartbeat_rtt_us: Option<u64>,
    /// Requests in flight, late replies included.
    pub requests_in_flight: u64,
    /// Kernel probes in force: silence before the first.
    pub keepalive_idle_ms: Option<u64>,
    /// Kernel probes in force: pause between them.
    pub keepalive_interval_ms: Option<u64>,
    /// Kernel probes in force: how many.
    pub keepalive_retries: Option<u32>,
    /// `TCP_USER_TIMEOUT` in force.
    pub user_timeout_ms: Option<u64>,
    /// `TCP_RTO_MAX_MS` in force.
    pub rto_max_ms: Option<u64>,
    /// `TCP_NODELAY` in force.
    pub nodelay: bool,
    /// The version of TLS that the last encrypted connection agreed on.
    pub tls_version: Option<String>,
    /// Its cipher suite.
    pub tls_cipher: Option<String>,
    /// Its application protocol.
    pub tls_alpn: Option<String>,
    /// Whether it resumed the session of an earlier one.
    pub tls_resumed: Option<bool>,
}

impl From<Stats> for StatsRecord {
    fn from(stats: Stats) -> StatsRecord {
        let keepalive = stats.options.keepalive;
        StatsRecord {
            state: stats.state.to_string(),
            epoch: stats.epoch.0,
            attempts: stats.attempts,
            connections: stats.connections,
            failures: stats.failures,
            messages: stats.messages.into(),
            outbox_bytes: stats.outbox_bytes as u64,
            received: stats.received,
            discarded: stats.discarded,
            inbox: stats.inbox as u64,
            bytes_out: stats.bytes_out,
            bytes_in: stats.bytes_in,
            heartbeats: stats.heartbeats,
            heartbeat_rtt_us: stats.heartbeat_rtt.map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX)),
            requests_in_flight: stats.requests_in_flight as u64,
            keepalive_idle_ms: keepalive.map(|keepalive| millis(keepalive.idle)),
            keepalive_interval_ms: keepalive.map(|keepalive| millis(keepalive.interval)),
            keepalive_retries: keepalive.map(|keepalive| keepalive.retries),
            user_timeout_ms: stats.options.user_timeout.map(millis),
            rto_max_ms: stats.options.rto_max.map(millis),
            nodelay: stats.options.nodelay,
            tls_version: stats.tls.as_ref().map(|tls| tls.version.to_owned()),
            tls_cipher: stats.tls.as_ref().map(|tls| tls.cipher.to_owned()),
            tls_alpn: stats.tls.as_ref().and_then(|tls| tls.alpn.clone()),
            tls_resumed: stats.tls.as_ref().map(|tls| tls.resumed),
        }
    }
}
