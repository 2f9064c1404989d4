//! What a user declares, as given: every unset value falls back to `detect_within`, then to the profile.
//!
//! [`Config::parse`] turns it once into [`ValidConfig`], or into an error that names the field, the value and the
//! rule. After that nobody checks again.

mod bound;
mod declare;
mod endpoints;
mod greeting;
mod liveness;
mod notice;
mod parse;
mod profile;
mod protocol;
mod retry_after;
mod rules;
mod settings;
mod short;

pub use bound::{Bound, DetectionBounds};
pub use declare::{AutoReply, Heartbeat, Matcher};
pub use greeting::{Credentials, Greeting, Script, Step};
pub use profile::{Profile, ProfileValues};
pub use retry_after::RetryAfter;
pub use settings::{
    Backoff, HeartbeatSettings, Jitter, Keepalive, Notice, OutboxLimits, Overflow, Settings, Unsolicited, ValidConfig,
    WhileDown,
};
pub use short::short;

pub use crate::race::Addresses;

use crate::correlator::Correlation;
use crate::endpoints::EndpointOrder;
use crate::framing::Framing;
use crate::proxy::Proxy;
use std::net::IpAddr;
use std::time::Duration;

/// A value that may be left to the profile, switched off, or given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice<T> {
    /// Derived from `detect_within`, else from the profile.
    #[default]
    Auto,
    /// Switched off.
    Off,
    /// This value.
    On(T),
}

/// What a user declares. `None` and [`Choice::Auto`] mean: decide for me.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The set of defaults.
    pub profile: Profile,
    /// One number that sets the rest: the longest time until a dead peer is noticed. At least 4 s.
    pub detect_within: Option<Duration>,
    /// Application bytes that the peer answers.
    pub heartbeat: Option<Heartbeat>,
    /// Kernel probes on an idle connection.
    pub keepalive: Choice<Keepalive>,
    /// `TCP_USER_TIMEOUT`: how long transmitted data may stay unacknowledged.
    pub user_timeout: Choice<Duration>,
    /// `TCP_RTO_MAX_MS`: the longest pause between retransmissions; used only together with `user_timeout`.
    pub rto_max: Choice<Duration>,
    /// The longest silence of a peer that talks by itself. Off unless given.
    pub read_idle: Option<Duration>,
    /// Deadline for the TCP handshake with one address.
    pub connect_per_address: Option<Duration>,
    /// Deadline for a whole attempt: every address, proxy, TLS, greeting or first heartbeat.
    pub connect_total: Option<Duration>,
    /// How the addresses of one name are dialled.
    pub addresses: Option<Addresses>,
    /// How long an address has for itself before the next one is dialled beside it.
    pub address_stagger: Option<Duration>,
    /// Whether the race over addresses ends with the first TLS handshake that succeeds, not with the first TCP one.
    pub race_through_tls: bool,
    /// Whether the client goes on trying, slowly, after a verdict on TLS that ends it otherwise.
    pub retry_tls_verdicts: bool,
    /// Whether a name that leads to this machine or into a private network is refused.
    pub refuse_private_addresses: bool,
    /// How long `connect()` waits for the first `Connected`.
    pub connect_within: Option<Duration>,
    /// The window of the first retry.
    pub first_spread: Option<Duration>,
    /// The window of the second retry, before the multiplier.
    pub backoff_initial: Option<Duration>,
    /// The growth of the window.
    pub backoff_multiplier: Option<f64>,
    /// The longest wait after the first, the usual floor of 0.1 s included; of some classes of wait a multiple.
    pub backoff_max: Option<Duration>,
    /// How a delay is drawn from its window.
    pub backoff_jitter: Option<Jitter>,
    /// How long a verified connection must stay up before the backoff is reset.
    pub stable_after: Option<Duration>,
    /// Give up after this many failed attempts in a row. Never unless given.
    pub max_attempts: Option<u32>,
    /// What happens to messages while there is no connection.
    pub while_down: Option<WhileDown>,
    /// The most messages the outbox holds.
    pub outbox_messages: Option<usize>,
    /// The most bytes the outbox holds.
    pub outbox_bytes: Option<usize>,
    /// How old a message may grow in the outbox.
    pub outbox_age: Choice<Duration>,
    /// What `send` does when the outbox is full.
    pub overflow: Option<Overflow>,
    /// The most bytes of received messages that wait for the user.
    pub inbox_bytes: Option<usize>,
    /// What happens to messages that no request asked for.
    pub unsolicited: Unsolicited,
    /// How bytes become messages.
    pub framing: Framing,
    /// How long a started frame may take to end.
    pub frame_within: Choice<Duration>,
    /// How replies find their requests.
    pub correlation: Option<Correlation>,
    /// Frames that are never replies, though requests are in flight.
    pub push: Option<Matcher>,
    /// The most requests in flight, late replies included.
    pub max_in_flight: Option<usize>,
    /// What must succeed before a connection counts as `Connected`.
    pub greeting: Option<Greeting>,
    /// What the greeting says who the client is with.
    pub credentials: Option<Credentials>,
    /// How long a provider of credentials may take. It is asked while the connection is made.
    pub credentials_within: Option<Duration>,
    /// Give up after the peer refused the credentials so often in a row.
    pub auth_attempts: Choice<u32>,
    /// A frame by which the server sends the client away for a time.
    pub go_away: Option<RetryAfter>,
    /// Answers to the server's own pings.
    pub auto_replies: Vec<AutoReply>,
    /// How long a peer may keep its window shut.
    pub stall_limit: Option<Duration>,
    /// Whether a second connection may be made beside a suspect one.
    pub concurrent_ok: bool,
    /// Whether retries count against the budget that the clients of a process share for one endpoint. They do unless given.
    pub governed: Option<bool>,
    /// Whether a connection is asked for a sign of life when another one from the same local address died of a silent path.
    /// It is unless given.
    pub sibling_probes: Option<bool>,
    /// Whether the driver watches the way to the peer. On unless given.
    pub network_monitor: Option<bool>,
    /// What every connection goes through. Nothing unless given.
    pub proxy: Option<Proxy>,
    /// Whether the proxy's credentials come from a provider of the user, held by the driver and asked once for each attempt.
    pub proxy_credentials: bool,
    /// Whether the peer serves one connection at a time: the old one is reset before the next is dialled.
    pub single_connection: Option<bool>,
    /// In which order several endpoints are tried.
    pub endpoint_order: EndpointOrder,
    /// How often a better endpoint is tried beside a healthy connection to a second choice. Never unless given.
    pub return_to_preferred: Option<Duration>,
    /// The local address to connect from; the route's unless given.
    pub bind_address: Option<IpAddr>,
    /// The network interface to connect through; the route's unless given.
    pub bind_interface: Option<String>,
}
