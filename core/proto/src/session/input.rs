//! What the user and the system tell the machine beside io.

use std::time::Duration;

/// What the user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// End the connection and dial no more until [`Command::Resume`].
    Pause,
    /// Dial again after [`Command::Pause`], and after [`Command::Background`].
    Resume,
    /// The program is out of its user's sight: end the connection and dial no more until [`Command::Foreground`] or
    /// [`Command::Resume`].
    Background,
    /// The program is seen again: dial at once, unless it was also paused. A connection that was never left proves that it
    /// lives, and a wait ends.
    Foreground,
    /// Leave the connection, or the wait, and dial at once. Nothing happens while an attempt is under way.
    Reconnect,
    /// Leave the connection, the attempt or the wait, as the server asked for, and come back no sooner than this.
    GoAway {
        /// The time that the server named; at most an hour of it is honoured.
        retry_after: Duration,
    },
    /// Close for good: drained when healthy, at once otherwise.
    Close {
        /// How long the drain may take: what is queued, a half-close, and the peer's answer to it. Zero aborts.
        drain: Duration,
    },
    /// Close for good and at once.
    Abort,
}

/// The system's word on the network, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NetworkChange {
    /// The path that is in use now; `None` if the system only says that something changed.
    pub path: Option<NetworkPath>,
    /// Whether the connection's local address still is the one the route to the peer would take; `None` if unknown.
    pub route_intact: Option<bool>,
}

/// One way to the network: a Wi-Fi, a cellular link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NetworkPath {
    /// The same number means the same network.
    pub id: u64,
    /// Whether anything can be reached over it.
    pub available: bool,
    /// What it is.
    pub kind: NetworkKind,
    /// Whether bytes cost money.
    pub metered: bool,
}

/// What a network path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum NetworkKind {
    /// Not known.
    #[default]
    Unknown,
    /// A wireless LAN.
    Wifi,
    /// A phone network.
    Cellular,
    /// A cable.
    Wired,
    /// A tunnel.
    Vpn,
    /// Something else.
    Other,
}
