//! What is measured, where, how long and how often.

use std::time::Duration;

/// Cases that are compared with each other, in the same rounds.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// Cases, with the words of the table's first column.
    pub(crate) cases: &'static [(&'static str, &'static str)],
    pub(crate) sizes: &'static [usize],
    pub(crate) placement: Placement,
    pub(crate) full: Effort,
    pub(crate) quick: Effort,
}

/// How much of the machine's time a group may take.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) duration: Duration,
    pub(crate) clients: usize,
}

/// Which CPU runs what. A ratio without it means nothing: one write a message costs three times as much when the
/// reader sits on another core.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Servers on CPU 0, client on CPU 1.
    Split,
    /// Both on CPU 0: what the software costs, without waking an idle core.
    SameCore,
    /// Wherever the scheduler likes.
    Free,
}

impl Placement {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Placement::Split => "server on CPU 0, client on CPU 1",
            Placement::SameCore => "server and client on CPU 0",
            Placement::Free => "not pinned",
        }
    }

    pub(crate) fn server_cpu(self) -> Option<usize> {
        match self {
            Placement::Split | Placement::SameCore => Some(0),
            Placement::Free => None,
        }
    }

    pub(crate) fn client_cpu(self) -> Option<usize> {
        match self {
            Placement::Split => Some(1),
            Placement::SameCore => Some(0),
            Placement::Free => None,
        }
    }
}

const fn effort(rounds: usize, millis: u64, clients: usize) -> Effort {
    Effort { rounds, duration: Duration::from_millis(millis), clients }
}

/// Everything, in the order in which it is run and printed. All of it stays below 12 minutes on two cores, the quick
/// run below 2.
pub(crate) const GROUPS: &[Group] = &[
    Group {
        name: "throughput",
        title: "Throughput, client to sink, one producer",
        cases: &[
            ("limit-16k", "limit: ready blocks of 16 KiB"),
            ("limit-1m", "limit: ready blocks of 1 MiB"),
            ("tokio", "tokio, a write per message"),
            ("framed", "Framed::send"),
            ("framed-feed", "Framed::feed x64 + flush"),
            ("stubborn", "stubborn-io + Framed::send"),
            ("actor", "actor on tokio mpsc, recv_many"),
            ("nats", "async-nats publish"),
            ("redis", "redis-rs pipelines of 100 SET"),
            ("keepline", "Keepline try_send, else send"),
        ],
        sizes: &[16, 256, 4096, 65_536],
        placement: Placement::Split,
        full: effort(5, 500, 0),
        quick: effort(3, 100, 0),
    },
    Group {
        name: "producers",
        title: "Throughput with several producers on two worker threads",
        cases: &[
            ("actor-1", "actor on tokio mpsc, 1 producer"),
            ("actor-8", "actor on tokio mpsc, 8 producers"),
            ("keepline-1", "Keepline, 1 producer"),
            ("keepline-8", "Keepline, 8 producers"),
        ],
        sizes: &[16],
        placement: Placement::Free,
        full: effort(7, 500, 0),
        quick: effort(3, 200, 0),
    },
    Group {
        name: "receive",
        title: "Throughput, source to client",
        cases: &[
            ("limit", "limit: blocking read, not parsed"),
            ("framed", "FramedRead, 64 KiB"),
            ("actor", "FramedRead, tokio mpsc, recv"),
            ("keepline-many", "Keepline recv_many"),
            ("keepline-one", "Keepline recv"),
        ],
        sizes: &[16, 256, 4096],
        placement: Placement::Split,
        full: effort(7, 500, 0),
        quick: effort(3, 150, 0),
    },
    Group {
        name: "roundtrip",
        title: "Round trip, one in flight",
        cases: &[
            ("blocking", "raw, blocking"),
            ("tokio", "raw, tokio"),
            ("framed", "Framed"),
            ("nats", "async-nats request"),
            ("redis", "redis-rs PING"),
            ("keepline", "Keepline send, recv"),
            ("keepline-request", "Keepline request (FIFO)"),
            ("actor-thread", "actor, from a foreign thread"),
            ("keepline-thread", "Keepline, from a foreign thread"),
        ],
        sizes: &[16],
        placement: Placement::SameCore,
        full: effort(9, 500, 0),
        quick: effort(3, 250, 0),
    },
    Group {
        name: "memory",
        title: "Memory of an idle client",
        cases: &[
            ("tokio-shared", "tokio task, one buffer for all"),
            ("tokio", "tokio task, 8 KiB buffer"),
            ("framed", "tokio task, Framed"),
            ("redis", "redis-rs ConnectionManager"),
            ("nats", "async-nats"),
            ("keepline", "Keepline with a heartbeat"),
        ],
        sizes: &[0],
        placement: Placement::Split,
        full: effort(1, 0, 10_000),
        quick: effort(1, 0, 2_000),
    },
    Group {
        name: "heartbeat",
        title: "CPU of heartbeats, one of 9 bytes per client and 5 s",
        cases: &[
            ("limit", "limit: epoll, one wheel, 50 ms tick"),
            ("tokio", "tokio interval per connection"),
            ("keepline", "Keepline Heartbeat every 5 s"),
        ],
        sizes: &[0],
        placement: Placement::Split,
        full: effort(3, 20_000, 10_000),
        quick: effort(1, 5_000, 10_000),
    },
    Group {
        name: "setup",
        title: "Setting up clients one after another",
        cases: &[
            ("tokio", "tokio, a task each"),
            ("keepline", "Keepline connect, no heartbeat"),
            ("tokio-verified", "tokio, a heartbeat answered"),
            ("keepline-verified", "Keepline connect with a heartbeat"),
        ],
        sizes: &[0],
        placement: Placement::Split,
        full: effort(3, 0, 10_000),
        quick: effort(1, 0, 4_000),
    },
];
