//! The faults and the clients that are measured, with the settings of each.

use keepline_testkit::lab::Forgotten;
use std::time::Duration;

/// What goes wrong.
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) workload: Workload,
    pub(super) kind: FaultKind,
    /// Which of Keepline's bounds covers it.
    pub(super) bound: &'static str,
}

/// How it is made, and what ends it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// Every packet is dropped, both ways, until it heals.
    BlackHole,
    /// The NAT forgets its mappings; new connections work.
    NatForgets(Forgotten),
    /// The server's process stands still, its kernel does not, until it is thawed.
    Frozen,
    /// The server's address belongs to a machine without memory; the service starts there when it heals.
    Reboot,
    /// The client moves to another link and address; new connections work.
    Roam,
    /// The server stops reading for [`STALL`] and goes on. Nothing is broken.
    ZeroWindow,
}

/// What the application does meanwhile.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Workload {
    /// Nothing: it waits for what the server might say.
    Idle,
    /// One exchange after the other, from the fault on.
    Asking,
    /// Writes 8 MiB, more than both kernels hold.
    Flooding,
}

impl Workload {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Workload::Idle => "idle",
            Workload::Asking => "asking",
            Workload::Flooding => "flooding",
        }
    }
}

/// 55 s: above every deadline that could kill a healthy connection (35 s, 50 s), below the shortest stall limit (60 s).
pub(super) const STALL: Duration = Duration::from_secs(55);

/// What is measured, in the order of the tables.
pub(super) const FAULTS: &[Fault] = &[
    Fault { name: "black_hole_idle", workload: Workload::Idle, kind: FaultKind::BlackHole, bound: "path_silent_idle" },
    Fault {
        name: "black_hole_data",
        workload: Workload::Asking,
        kind: FaultKind::BlackHole,
        bound: "path_silent_in_flight",
    },
    Fault {
        name: "nat_silent",
        workload: Workload::Asking,
        kind: FaultKind::NatForgets(Forgotten::Drop),
        bound: "path_silent_in_flight",
    },
    Fault {
        name: "nat_reset",
        workload: Workload::Asking,
        kind: FaultKind::NatForgets(Forgotten::Rst),
        bound: "round_trip",
    },
    Fault { name: "frozen", workload: Workload::Asking, kind: FaultKind::Frozen, bound: "peer_frozen" },
    Fault { name: "reboot", workload: Workload::Idle, kind: FaultKind::Reboot, bound: "path_silent_idle" },
    Fault { name: "roam", workload: Workload::Asking, kind: FaultKind::Roam, bound: "path_silent_in_flight" },
    Fault { name: "zero_window", workload: Workload::Flooding, kind: FaultKind::ZeroWindow, bound: "peer_stalled" },
];

/// Who is measured.
pub(super) struct Subject {
    pub(super) name: &'static str,
    /// What it was set to, for people.
    pub(super) settings: &'static str,
    pub(super) server: ServerKind,
    pub(super) program: Program,
}

/// The real server it speaks to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerKind {
    Redis,
    Nats,
}

/// What the client's process runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    /// This program, as `fault-client NAME ADDRESS`.
    Own,
    /// A script of `core/bench/faults/`, by the interpreter that was given.
    Python(&'static str),
}

/// Who is measured, in the order of the tables.
pub(super) const SUBJECTS: &[Subject] = &[
    Subject {
        name: "keepline-balanced",
        settings: "profile balanced, heartbeat PING (25 s / 10 s)",
        server: ServerKind::Redis,
        program: Program::Own,
    },
    Subject {
        name: "keepline-datacenter",
        settings: "profile datacenter, heartbeat PING (5 s / 5 s)",
        server: ServerKind::Redis,
        program: Program::Own,
    },
    Subject {
        name: "keepline-4s",
        settings: "profile datacenter, detect_within 4 s, heartbeat PING",
        server: ServerKind::Redis,
        program: Program::Own,
    },
    Subject {
        name: "tokio",
        settings: "connect, write, read, no options, reconnect 100 ms after an error",
        server: ServerKind::Redis,
        program: Program::Own,
    },
    Subject {
        name: "tokio-keepalive",
        settings: "the same with keepalive 10 s / 2 s / 6",
        server: ServerKind::Redis,
        program: Program::Own,
    },
    Subject {
        name: "tokio-keepalive-user-timeout",
        settings: "the same with keepalive 10 s / 2 s / 6 and TCP_USER_TIMEOUT 22 s",
        server: ServerKind::Redis,
        program: Program::Own,
    },
    Subject {
        name: "async-nats",
        settings: "ping_interval 1 s (2 outstanding, fixed), connection_timeout 2 s, reconnect_delay_callback 100 ms",
        server: ServerKind::Nats,
        program: Program::Own,
    },
    Subject {
        name: "redis-rs",
        settings: "ConnectionManager, RESP3, response_timeout 2 s, connection_timeout 2 s, min_delay 100 ms, \
                   max_delay 1 s, 1,000,000 retries, keepalive 1 s / 1 s / 3, user_timeout 4 s",
        server: ServerKind::Redis,
        program: Program::Own,
    },
    Subject {
        name: "redis-py",
        settings: "socket_timeout 2 s, socket_connect_timeout 2 s, health_check_interval 1 s, keepalive 1 s / 1 s / 3 \
                   and TCP_USER_TIMEOUT 4 s by socket_keepalive_options, 3 retries 0.1 to 1 s apart, also after timeouts",
        server: ServerKind::Redis,
        program: Program::Python("redis_client.py"),
    },
    Subject {
        name: "nats-py",
        settings: "ping_interval 1 s, max_outstanding_pings 2, connect_timeout 2 s, reconnect_time_wait 0.1 s, \
                   max_reconnect_attempts -1",
        server: ServerKind::Nats,
        program: Program::Python("nats_client.py"),
    },
];
