//! What crossed the proxy and what was done to it: numbered, counted, bounded.

use super::fault::{Command, Direction, Fault};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// 65,536 records, a few MiB: more than any test reads, and a soak of days stays bounded.
const MAX_RECORDS: usize = 65_536;

/// One thing that happened in the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When it happened, counted from the start of the proxy.
    pub at: Duration,
    /// The number of the connection, from 1; `None` for what concerns all of them.
    pub connection: Option<u64>,
    /// What happened.
    pub what: What,
}

/// What happened. Directions are always [`Direction::Up`] or [`Direction::Down`].
///
/// Offsets count from 0 for each connection and direction: those of `Received`, `Dropped`, `Corrupted` and
/// `Duplicated` in the sender's stream, those of `Forwarded` and `Injected` in the receiver's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// A fault was set.
    Faulted {
        /// The direction it was asked for.
        direction: Direction,
        /// The fault.
        fault: Fault,
    },
    /// The listener or whole connections were told to do something.
    Commanded(Command),
    /// A connection was accepted.
    Accepted {
        /// The client's address.
        peer: SocketAddr,
    },
    /// The server was reached for this connection.
    Connected {
        /// The server's address.
        upstream: SocketAddr,
    },
    /// The server was not reached; the client gets a reset.
    ConnectFailed {
        /// The server's address.
        upstream: SocketAddr,
        /// Why.
        error: std::io::ErrorKind,
    },
    /// Bytes were read from the sender.
    Received {
        /// Which way they flow.
        direction: Direction,
        /// The first byte in the sender's stream.
        offset: u64,
        /// How many.
        bytes: u64,
    },
    /// Bytes were handed to the receiver's kernel.
    Forwarded {
        /// Which way they flow.
        direction: Direction,
        /// The first byte in the receiver's stream.
        offset: u64,
        /// How many.
        bytes: u64,
    },
    /// Bytes vanished.
    Dropped {
        /// Which way they were meant to flow.
        direction: Direction,
        /// How far the sender's stream had been read when they vanished.
        offset: u64,
        /// How many.
        bytes: u64,
    },
    /// Bits of a byte were flipped.
    Corrupted {
        /// Which way it flows.
        direction: Direction,
        /// The byte in the sender's stream.
        offset: u64,
        /// The flipped bits.
        mask: u8,
    },
    /// Bytes were added.
    Injected {
        /// Which way they flow.
        direction: Direction,
        /// The first of them in the receiver's stream.
        offset: u64,
        /// How many.
        bytes: u64,
    },
    /// Bytes were doubled.
    Duplicated {
        /// Which way they flow.
        direction: Direction,
        /// The first byte in the sender's stream.
        offset: u64,
        /// How many.
        bytes: u64,
    },
    /// The end of the stream was passed on.
    Finished {
        /// Which way it flows.
        direction: Direction,
    },
    /// The sender ended or reset its connection, and a silent direction kept that to itself.
    Swallowed {
        /// Which way it was meant to flow.
        direction: Direction,
    },
    /// The connection was idle for too long and is forgotten.
    Forgotten,
    /// Both ends were reset.
    Reset,
    /// Both ends read the end of the stream.
    Closed,
    /// The proxy has let go of the connection.
    Ended,
    /// The port could not be listened on; it is tried again every 100 ms.
    ListenFailed {
        /// Why.
        error: std::io::ErrorKind,
    },
}

/// The records and their sums, with a bell that rings at each of them.
#[derive(Debug)]
pub(super) struct History {
    started: Instant,
    records: VecDeque<Record>,
    forgotten: u64,
    received: [u64; 2],
    forwarded: [u64; 2],
    accepted: u64,
    bell: watch::Sender<()>,
}

impl History {
    pub(super) fn new() -> History {
        History {
            started: Instant::now(),
            records: VecDeque::new(),
            forgotten: 0,
            received: [0; 2],
            forwarded: [0; 2],
            accepted: 0,
            bell: watch::Sender::new(()),
        }
    }

    pub(super) fn push(&mut self, connection: Option<u64>, what: What) {
        self.count(&what);
        if !self.merge(connection, &what) {
            if self.records.len() == MAX_RECORDS {
                self.records.pop_front();
                self.forgotten += 1;
            }
            self.records.push_back(Record { at: self.started.elapsed(), connection, what });
        }
        self.bell.send_replace(());
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.bell.subscribe()
    }

    pub(super) fn records(&self) -> Vec<Record> {
        self.records.iter().cloned().collect()
    }

    /// Looks for a record from number `from` on, and tells where to go on looking.
    pub(super) fn find(&self, from: u64, matches: &impl Fn(&Record) -> bool) -> Result<Record, u64> {
        let skip = usize::try_from(from.saturating_sub(self.forgotten)).unwrap_or(usize::MAX);
        let found = self.records.iter().skip(skip).find(|record| matches(record));
        // The last two records may still grow, so they are looked at again.
        let next = (self.forgotten + self.records.len() as u64).saturating_sub(2);
        found.cloned().ok_or(next)
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted
    }

    pub(super) fn received(&self, direction: Direction) -> u64 {
        direction.each().iter().map(|each| self.received[lane(*each)]).sum()
    }

    pub(super) fn forwarded(&self, direction: Direction) -> u64 {
        direction.each().iter().map(|each| self.forwarded[lane(*each)]).sum()
    }

    fn count(&mut self, what: &What) {
        match what {
            What::Accepted { .. } => self.accepted += 1,
            What::Received { direction, bytes, .. } => self.received[lane(*direction)] += bytes,
            What::Forwarded { direction, bytes, .. } => self.forwarded[lane(*direction)] += bytes,
            What::Faulted { .. }
            | What::Commanded(_)
            | What::Connected { .. }
            | What::ConnectFailed { .. }
            | What::Dropped { .. }
            | What::Corrupted { .. }
            | What::Injected { .. }
            | What::Duplicated { .. }
            | What::Finished { .. }
            | What::Swallowed { .. }
            | What::Forgotten
            | What::Reset
            | What::Closed
            | What::Ended
            | What::ListenFailed { .. } => {}
        }
    }

    /// Lets a bulk transfer grow its last pair of records instead of adding one for every read.
    fn merge(&mut self, connection: Option<u64>, what: &What) -> bool {
        let Some(new) = flow(what) else { return false };
        for record in self.records.iter_mut().rev().take(2) {
            // Anything else in between is an event of its own; growing across it would blur the order.
            let Some(last) = flow(&record.what) else { return false };
            if record.connection != connection || last.direction != new.direction {
                return false;
            }
            if std::mem::discriminant(&record.what) == std::mem::discriminant(what) {
                let follows = last.offset + last.bytes == new.offset;
                if follows {
                    grow(&mut record.what, new.bytes);
                }
                return follows;
            }
        }
        false
    }
}

struct Flow {
    direction: Direction,
    offset: u64,
    bytes: u64,
}

fn flow(what: &What) -> Option<Flow> {
    if let What::Received { direction, offset, bytes }
    | What::Forwarded { direction, offset, bytes }
    | What::Dropped { direction, offset, bytes } = *what
    {
        Some(Flow { direction, offset, bytes })
    } else {
        None
    }
}

fn grow(what: &mut What, by: u64) {
    if let What::Received { bytes, .. } | What::Forwarded { bytes, .. } | What::Dropped { bytes, .. } = what {
        *bytes += by;
    }
}

/// The place of a single direction in a pair of sums.
fn lane(direction: Direction) -> usize {
    match direction {
        Direction::Up | Direction::Both => 0,
        Direction::Down => 1,
    }
}
