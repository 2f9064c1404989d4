//! Numbered facts about a client's life, and the flat list of its states.

use crate::cause::{Ending, names};
use crate::recorder::Report;
use crate::{Epoch, Time};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Where a client stands. Flat, and the same in every language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Not dialling by wish: before start, paused, or in the background.
    Idle,
    /// An attempt is under way: name, TCP, greeting or first heartbeat.
    Connecting,
    /// The connection is usable.
    Connected,
    /// The connection may be dead; a verdict is near.
    Suspect,
    /// The peer lives and does not read.
    Stalled,
    /// Waiting for the next attempt.
    Waiting,
    /// The system says that there is no network; nothing is tried.
    Offline,
    /// Over. Make a new client.
    Closed,
}

names!(State {
    Idle => "idle", Connecting => "connecting", Connected => "connected", Suspect => "suspect",
    Stalled => "stalled", Waiting => "waiting", Offline => "offline", Closed => "closed",
});

impl State {
    /// Whether a connection is established in this state.
    pub const fn is_up(self) -> bool {
        matches!(self, State::Connected | State::Suspect | State::Stalled)
    }
}

/// What made a connection suspect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Suspicion {
    /// Half of the reply deadline passed without a byte.
    HeartbeatLate,
    /// The kernel retransmits without an answer.
    Retransmits,
    /// The machine woke from sleep.
    Woke,
    /// The network changed.
    NetworkChanged,
    /// The kernel retransmits, and the network says that there is no way. Only a hint: such messages can be forged.
    PathRefused,
    /// Another connection from the same local address died of a silent path.
    SiblingDied,
}

names!(Suspicion {
    HeartbeatLate => "heartbeat_late", Retransmits => "retransmits", Woke => "woke", NetworkChanged => "network_changed",
    PathRefused => "path_refused", SiblingDied => "sibling_died",
});

/// One numbered fact.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The number: each event of a client has the next one, from 1.
    pub seq: u64,
    /// When it happened.
    pub at: Time,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// An attempt starts.
    Connecting {
        /// The attempt's number.
        epoch: Epoch,
        /// Where it goes, as it was given; `None` if there is only one endpoint.
        endpoint: Option<Arc<str>>,
    },
    /// The connection is usable: greeting or first heartbeat passed, where declared.
    Connected {
        /// The connection's number.
        epoch: Epoch,
        /// The address on the other side; `None` on a Unix socket or in a simulation.
        peer: Option<SocketAddr>,
        /// Time since the last connection ended, or since start.
        after: Duration,
        /// Where it goes, as it was given; `None` if there is only one endpoint.
        endpoint: Option<Arc<str>>,
    },
    /// The connection may be dead.
    Suspect {
        /// The connection's number.
        epoch: Epoch,
        /// What made it suspect.
        evidence: Suspicion,
    },
    /// A suspect or stalled connection proved alive.
    Recovered {
        /// The connection's number.
        epoch: Epoch,
    },
    /// The peer lives and does not read.
    Stalled {
        /// The connection's number.
        epoch: Epoch,
    },
    /// A connection or an attempt ended.
    Disconnected(Box<Disconnected>),
    /// The inbox is full: Keepline has stopped reading until the user takes messages. Told once per connection.
    InboxFull {
        /// The connection's number.
        epoch: Epoch,
    },
    /// The system says that there is no network.
    Offline,
    /// The client was paused.
    Paused,
    /// The client was resumed.
    Resumed,
    /// The reader of events was too slow: this many were overwritten.
    Missed {
        /// How many.
        count: u64,
        /// The state now.
        state: State,
    },
    /// The client is closed. Always the last event.
    Closed(Ending),
}

/// How a connection or an attempt ended, and what happens next.
#[derive(Debug, Clone, PartialEq)]
pub struct Disconnected {
    /// The connection's number.
    pub epoch: Epoch,
    /// Where it went, as it was given; `None` if there is only one endpoint.
    pub endpoint: Option<Arc<str>>,
    /// Why, and what proves it.
    pub ending: Ending,
    /// How long it had been `Connected`; `None` for an attempt that never was.
    pub up_for: Option<Duration>,
    /// When the next attempt starts, from now; `None` if there will be none by itself. Where many clients of one process
    /// retry one endpoint, the budget of retries may hold it for longer: the report of that attempt tells.
    pub retry_in: Option<Duration>,
    /// The number of attempts that failed in a row, this one included; 0 if a connection ended.
    pub failures: u32,
    /// What became of the messages accepted so far.
    pub messages: MessageCounts,
    /// What led to it. `None` if more than four connections or attempts ended since: only the last reports are kept.
    pub report: Option<Arc<Report>>,
}

/// What became of the messages accepted so far: `accepted` equals the sum of the others, at every moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MessageCounts {
    /// Accepted by `send`, `try_send` or `send_tracked`.
    pub accepted: u64,
    /// Acknowledged by the peer's kernel.
    pub acked: u64,
    /// Dropped by policy, never transmitted.
    pub not_sent: u64,
    /// Handed to the kernel; nobody knows.
    pub unknown: u64,
    /// Ran out of time in the outbox.
    pub expired: u64,
    /// Waiting in the outbox.
    pub queued: u64,
    /// Handed to the kernel of the living connection.
    pub in_flight: u64,
}

impl EventKind {
    /// The name used in every language, in logs and in JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            EventKind::Connecting { .. } => "connecting",
            EventKind::Connected { .. } => "connected",
            EventKind::Suspect { .. } => "suspect",
            EventKind::Recovered { .. } => "recovered",
            EventKind::Stalled { .. } => "stalled",
            EventKind::Disconnected(_) => "disconnected",
            EventKind::InboxFull { .. } => "inbox_full",
            EventKind::Offline => "offline",
            EventKind::Paused => "paused",
            EventKind::Resumed => "resumed",
            EventKind::Missed { .. } => "missed",
            EventKind::Closed(_) => "closed",
        }
    }

    /// Every name of [`EventKind::name`].
    pub const NAMES: &'static [&'static str] = &[
        "connecting",
        "connected",
        "suspect",
        "recovered",
        "stalled",
        "disconnected",
        "inbox_full",
        "offline",
        "paused",
        "resumed",
        "missed",
        "closed",
    ];

    /// The connection it is about, if it is about one.
    pub const fn epoch(&self) -> Option<Epoch> {
        match self {
            EventKind::Connecting { epoch, .. }
            | EventKind::Connected { epoch, .. }
            | EventKind::Suspect { epoch, .. }
            | EventKind::Recovered { epoch }
            | EventKind::Stalled { epoch }
            | EventKind::InboxFull { epoch } => Some(*epoch),
            EventKind::Disconnected(disconnected) => Some(disconnected.epoch),
            EventKind::Offline
            | EventKind::Paused
            | EventKind::Resumed
            | EventKind::Missed { .. }
            | EventKind::Closed(_) => None,
        }
    }
}
