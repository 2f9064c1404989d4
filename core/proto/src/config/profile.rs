//! The four profiles: start values for four kinds of life, each number with its reason.

use crate::cause::names;
use crate::config::{Keepalive, WhileDown};
use crate::race::Addresses;
use std::time::Duration;

/// A set of defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Profile {
    /// Services on the internet, behind NATs and load balancers.
    #[default]
    Balanced,
    /// Phones: little radio, long sleeps, many networks.
    Mobile,
    /// Machines and their controllers: one socket, nothing stale is ever sent.
    Industrial,
    /// Servers that talk to servers nearby.
    Datacenter,
}

names!(Profile {
    Balanced => "balanced", Mobile => "mobile", Industrial => "industrial", Datacenter => "datacenter",
});

/// The numbers of one profile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProfileValues {
    /// The silence after which a heartbeat is sent.
    pub heartbeat_interval: Duration,
    /// The deadline for a sign of life after a heartbeat was due.
    pub reply_within: Duration,
    /// Kernel probes.
    pub keepalive: Keepalive,
    /// Whether kernel probes stay on beside a heartbeat.
    pub keepalive_beside_heartbeat: bool,
    /// `TCP_USER_TIMEOUT`, never below keepalive idle + interval × retries.
    pub user_timeout: Duration,
    /// `TCP_RTO_MAX_MS`.
    pub rto_max: Duration,
    /// Deadline for the TCP handshake with one address.
    pub connect_per_address: Duration,
    /// The same once an attempt has timed out, where there is nobody else to try.
    pub connect_patient: Duration,
    /// Deadline for a whole attempt.
    pub connect_total: Duration,
    /// How the addresses of one name are dialled.
    pub addresses: Addresses,
    /// The window of the first retry.
    pub first_spread: Duration,
    /// The window of the second retry, before the multiplier.
    pub backoff_initial: Duration,
    /// The growth of the window.
    pub backoff_multiplier: f64,
    /// The largest window.
    pub backoff_max: Duration,
    /// What happens to messages while there is no connection.
    pub while_down: WhileDown,
    /// The most bytes the outbox holds.
    pub outbox_bytes: usize,
    /// How old a message may grow in the outbox.
    pub outbox_age: Option<Duration>,
    /// How long a verified connection must stay up before the backoff is reset.
    pub stable_after: Duration,
    /// How long a peer may keep its window shut.
    pub stall_limit: Duration,
    /// The most requests in flight.
    pub max_in_flight: usize,
    /// Whether the old connection is reset before the next is dialled.
    pub single_connection: bool,
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

const MIB: usize = 1024 * 1024;

impl Profile {
    /// The numbers of this profile.
    ///
    /// Heartbeats stay below the 30–60 s idle cut of home routers and HTTP load balancers (mobile background excepted:
    /// there the radio's energy weighs more). User timeouts are idle + interval × retries: lower ones kill healthy
    /// peers. Connect deadlines never end just after a SYN retransmission (1, 2, 3, 4, 5, 7, 11, 19 s). The balanced waits are
    /// those that bring simulated herds back soonest (docs/decisions/herd.md): a first spread of one second, the distance of
    /// a kernel's first SYNs, so that no fleet sends them in step; 60 s for an attempt, since a queue that is left early is a
    /// connection that the server accepts for nobody.
    pub const fn values(self) -> ProfileValues {
        match self {
            Profile::Balanced => ProfileValues {
                heartbeat_interval: secs(25),
                reply_within: secs(10),
                keepalive: Keepalive { idle: secs(20), interval: secs(5), retries: 6 },
                keepalive_beside_heartbeat: true,
                user_timeout: secs(50),
                rto_max: secs(2),
                // Short first, and patient with a server that drops SYNs: nothing between them brings every herd back.
                connect_per_address: secs(8),
                connect_patient: millis(21_500),
                connect_total: secs(60),
                addresses: Addresses::HappyEyeballs,
                first_spread: secs(1),
                backoff_initial: millis(250),
                backoff_multiplier: 2.0,
                backoff_max: secs(8),
                while_down: WhileDown::Queue,
                outbox_bytes: MIB,
                outbox_age: None,
                stable_after: secs(10),
                stall_limit: secs(120),
                max_in_flight: 1024,
                single_connection: false,
            },
            Profile::Mobile => ProfileValues {
                heartbeat_interval: secs(30),
                reply_within: secs(10),
                keepalive: Keepalive { idle: secs(200), interval: secs(15), retries: 4 },
                keepalive_beside_heartbeat: false,
                user_timeout: secs(270),
                rto_max: secs(2),
                connect_per_address: secs(10),
                connect_patient: secs(10),
                connect_total: secs(60),
                addresses: Addresses::HappyEyeballs,
                first_spread: secs(1),
                backoff_initial: millis(500),
                backoff_multiplier: 2.0,
                backoff_max: secs(60),
                while_down: WhileDown::Queue,
                outbox_bytes: MIB,
                outbox_age: Some(secs(60)),
                stable_after: secs(10),
                stall_limit: secs(120),
                max_in_flight: 1024,
                single_connection: false,
            },
            Profile::Industrial => ProfileValues {
                heartbeat_interval: secs(10),
                reply_within: secs(3),
                keepalive: Keepalive { idle: secs(10), interval: secs(5), retries: 6 },
                keepalive_beside_heartbeat: true,
                user_timeout: secs(40),
                rto_max: secs(1),
                connect_per_address: millis(6_500),
                connect_patient: millis(6_500),
                connect_total: secs(10),
                addresses: Addresses::OneAtATime,
                first_spread: secs(1),
                backoff_initial: millis(500),
                backoff_multiplier: 2.0,
                backoff_max: secs(10),
                while_down: WhileDown::Reject,
                outbox_bytes: MIB,
                outbox_age: None,
                stable_after: secs(10),
                stall_limit: secs(60),
                max_in_flight: 1,
                single_connection: true,
            },
            Profile::Datacenter => ProfileValues {
                heartbeat_interval: secs(5),
                reply_within: secs(5),
                keepalive: Keepalive { idle: secs(10), interval: secs(2), retries: 6 },
                keepalive_beside_heartbeat: true,
                user_timeout: secs(22),
                rto_max: secs(1),
                connect_per_address: millis(6_500),
                connect_patient: millis(6_500),
                connect_total: secs(15),
                addresses: Addresses::HappyEyeballs,
                first_spread: millis(250),
                backoff_initial: millis(250),
                backoff_multiplier: 2.0,
                backoff_max: secs(5),
                while_down: WhileDown::Queue,
                outbox_bytes: 8 * MIB,
                outbox_age: None,
                stable_after: secs(10),
                stall_limit: secs(60),
                max_in_flight: 1024,
                single_connection: false,
            },
        }
    }
}
