//! The valid configuration: every value decided, nothing left to check.

use crate::cause::{Cause, ProxyFailure, names};
use crate::config::{AutoReply, Credentials, Greeting, Matcher, Profile, RetryAfter, short};
use crate::correlator::Correlation;
use crate::endpoints::EndpointOrder;
use crate::framing::Framing;
use crate::proxy::Proxy;
use crate::race::{Addresses, Rules};
use bytes::{Bytes, BytesMut};
use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::time::Duration;

/// Kernel probes: the first after `idle` without traffic, then one each `interval`, dead after `retries`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence before the first probe. Whole seconds; rounded up.
    pub idle: Duration,
    /// Pause between probes. Whole seconds; rounded up.
    pub interval: Duration,
    /// Probes without an answer until the connection is dead.
    pub retries: u32,
}

impl Keepalive {
    /// The silence after which a connection is dead by the number of probes.
    pub fn total(&self) -> Duration {
        self.idle.saturating_add(self.interval.saturating_mul(self.retries))
    }
}

impl fmt::Display for Keepalive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} + {} × {}", short(self.idle), short(self.interval), self.retries)
    }
}

/// What happens to messages while there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WhileDown {
    /// They wait in the outbox.
    Queue,
    /// They are refused, and those still waiting when the connection ends are dropped as `NotSent`.
    Reject,
}

names!(WhileDown { Queue => "queue", Reject => "reject" });

/// What `send` does when the outbox is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Overflow {
    /// Waits while connected (the peer is slow), fails otherwise (the peer is absent).
    #[default]
    Auto,
    /// Always waits.
    Wait,
    /// Always fails.
    Reject,
}

names!(Overflow { Auto => "auto", Wait => "wait", Reject => "reject" });

/// What happens to messages that no request asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Unsolicited {
    /// They go to the inbox.
    #[default]
    Deliver,
    /// They are counted and dropped: for clients that only use `request`.
    Discard,
}

names!(Unsolicited { Deliver => "deliver", Discard => "discard" });

/// How a delay is drawn from its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Jitter {
    /// Uniform over the whole window.
    #[default]
    Full,
    /// Half the window, plus uniform over the other half.
    Equal,
    /// The window, give or take a half.
    Centred,
    /// Uniform between `initial` and three times the last delay.
    Decorrelated,
    /// The window itself. Fleets that use it stay in step.
    None,
}

names!(Jitter {
    Full => "full", Equal => "equal", Centred => "centred", Decorrelated => "decorrelated", None => "none",
});

/// The curve of waits between attempts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// The window of the first retry.
    pub first_spread: Duration,
    /// The window of the second retry, before the multiplier.
    pub initial: Duration,
    /// The growth of the window.
    pub multiplier: f64,
    /// The longest wait after the first, the usual floor of 0.1 s included; of some classes of wait a multiple.
    pub max: Duration,
    /// How a delay is drawn from its window.
    pub jitter: Jitter,
}

/// A declared heartbeat with its times.
#[derive(Clone, PartialEq, Eq)]
pub struct HeartbeatSettings {
    /// The message that is sent.
    pub payload: Bytes,
    /// The reply.
    pub reply: Matcher,
    /// The silence after which one is sent.
    pub interval: Duration,
    /// The deadline for a sign of life after one was due.
    pub reply_within: Duration,
}

impl HeartbeatSettings {
    /// Whether silence after a heartbeat proves anything.
    pub fn expects_reply(&self) -> bool {
        !matches!(self.reply, Matcher::None)
    }
}

impl fmt::Debug for HeartbeatSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeartbeatSettings")
            .field("payload", &format_args!("{} bytes", self.payload.len()))
            .field("reply", &self.reply)
            .field("interval", &self.interval)
            .field("reply_within", &self.reply_within)
            .finish()
    }
}

/// How much the outbox holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxLimits {
    /// The most messages.
    pub messages: usize,
    /// The most bytes, framing included.
    pub bytes: usize,
    /// How old a message may grow.
    pub age: Option<Duration>,
}

/// Something the user should know about this configuration: told at build time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The field it is about.
    pub field: &'static str,
    /// What follows from it, in words.
    pub text: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.text)
    }
}

/// 10.5 s: two questions of 5 s each (resolv.conf's default timeout and attempts), and a moment.
const NAME_WITHIN_MAX: Duration = Duration::from_millis(10_500);

/// Every value, decided.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The set of defaults it came from.
    pub profile: Profile,
    /// Application heartbeat.
    pub heartbeat: Option<HeartbeatSettings>,
    /// Kernel probes, in whole seconds.
    pub keepalive: Option<Keepalive>,
    /// `TCP_USER_TIMEOUT`.
    pub user_timeout: Option<Duration>,
    /// `TCP_RTO_MAX_MS`.
    pub rto_max: Option<Duration>,
    /// The longest silence of a peer that talks by itself.
    pub read_idle: Option<Duration>,
    /// Deadline for the TCP handshake with one address. [`Session::connect_per_address`](crate::Session::connect_per_address)
    /// tells who has how much of it.
    pub connect_per_address: Duration,
    /// The same once an attempt has timed out, where there is nobody else to try. What was declared stays as declared.
    pub connect_patient: Duration,
    /// Deadline for a whole attempt.
    pub connect_total: Duration,
    /// How the addresses of one name are dialled.
    pub addresses: Addresses,
    /// How long an address has for itself before the next one is dialled beside it.
    pub address_stagger: Duration,
    /// Whether the race over addresses ends with the first TLS handshake that succeeds.
    pub race_through_tls: bool,
    /// Whether the client goes on trying after a verdict on TLS.
    pub retry_tls_verdicts: bool,
    /// Whether a name that leads to this machine or into a private network is refused.
    pub refuse_private_addresses: bool,
    /// How long `connect()` waits for the first `Connected`.
    pub connect_within: Duration,
    /// The curve of waits.
    pub backoff: Backoff,
    /// How long a verified connection must stay up before the backoff is reset.
    pub stable_after: Duration,
    /// Give up after this many failed attempts in a row.
    pub max_attempts: Option<u32>,
    /// What happens to messages while there is no connection.
    pub while_down: WhileDown,
    /// How much the outbox holds.
    pub outbox: OutboxLimits,
    /// What `send` does when the outbox is full.
    pub overflow: Overflow,
    /// The most bytes of received messages that wait for the user.
    pub inbox_bytes: usize,
    /// What happens to messages that no request asked for.
    pub unsolicited: Unsolicited,
    /// How bytes become messages.
    pub framing: Framing,
    /// How long a started frame may take to end.
    pub frame_within: Option<Duration>,
    /// How replies find their requests.
    pub correlation: Option<Correlation>,
    /// Frames that are never replies.
    pub push: Option<Matcher>,
    /// The most requests in flight, late replies included.
    pub max_in_flight: usize,
    /// What must succeed before a connection counts as `Connected`.
    pub greeting: Option<Greeting>,
    /// What the greeting says who the client is with.
    pub credentials: Option<Credentials>,
    /// How long a provider of credentials may take.
    pub credentials_within: Duration,
    /// Give up after the peer refused the credentials so often in a row.
    pub auth_attempts: Option<u32>,
    /// A frame by which the server sends the client away for a time.
    pub go_away: Option<RetryAfter>,
    /// Answers to the server's own pings.
    pub auto_replies: Vec<AutoReply>,
    /// How long a peer may keep its window shut.
    pub stall_limit: Duration,
    /// Whether a second connection may be made beside a suspect one.
    pub concurrent_ok: bool,
    /// Whether retries count against the budget that the clients of a process share for one endpoint.
    pub governed: bool,
    /// Whether a connection is asked for a sign of life when a sibling died of a silent path.
    pub sibling_probes: bool,
    /// Whether the driver watches the way to the peer.
    pub network_monitor: bool,
    /// What every connection goes through.
    pub proxy: Option<Proxy>,
    /// Whether the proxy's credentials come from a provider.
    pub proxy_credentials: bool,
    /// Whether the old connection is reset before the next is dialled.
    pub single_connection: bool,
    /// In which order several endpoints are tried.
    pub endpoint_order: EndpointOrder,
    /// How often a better endpoint is tried beside a healthy connection to a second choice.
    pub return_to_preferred: Option<Duration>,
    /// The local address to connect from.
    pub bind_address: Option<IpAddr>,
    /// The network interface to connect through.
    pub bind_interface: Option<Box<str>>,
    /// What the user should know.
    pub notices: Vec<Notice>,
}

impl Settings {
    /// What the race over the addresses of a name obeys.
    pub fn race(&self) -> Rules {
        Rules { addresses: self.addresses, stagger: self.address_stagger, per_address: self.connect_per_address }
    }

    /// Whether an attempt that ends like this ends the client: nothing that it does by itself makes the next one better.
    pub fn is_fatal(&self, cause: Cause) -> bool {
        // A provider may have others the next time; how often it is asked is bounded by `auth_attempts`.
        let is_forgiven = matches!(cause, Cause::Tls(_)) && self.retry_tls_verdicts
            || cause == Cause::Proxy(ProxyFailure::Auth) && self.proxy_credentials;
        cause.is_fatal() && !is_forgiven
    }

    /// How much of an attempt its name may take.
    ///
    /// Three fifths, so that an address that answers late, or the last good ones, keep two: of the shortest total of a
    /// profile, 10 s, that is 6 s, in which the second question of the usual resolver, after 5 s, can still be answered.
    /// At most 10.5 s, for after 10 s that resolver has given up.
    pub fn name_within(&self) -> Duration {
        (self.connect_total / 5 * 3).min(NAME_WITHIN_MAX)
    }
}

/// A configuration that was parsed: the only way to get one is [`Config::parse`](crate::config::Config::parse).
#[derive(Clone)]
pub struct ValidConfig {
    settings: Settings,
    heartbeat_frame: Bytes,
}

impl ValidConfig {
    pub(super) fn new(settings: Settings) -> ValidConfig {
        let mut frame = BytesMut::new();
        if let Some(heartbeat) = &settings.heartbeat {
            // The payload was checked against the framing before.
            let _fits = settings.framing.encode(&heartbeat.payload, &mut frame);
        }
        ValidConfig { settings, heartbeat_frame: frame.freeze() }
    }

    /// The heartbeat as it goes on the wire where no id is written into it; encoded once for all clients that share this
    /// configuration. Empty if none is declared.
    pub fn heartbeat_frame(&self) -> &Bytes {
        &self.heartbeat_frame
    }
}

impl fmt::Debug for ValidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The frame may hold a secret, as its payload may.
        f.debug_tuple("ValidConfig").field(&self.settings).finish()
    }
}

impl Deref for ValidConfig {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}
