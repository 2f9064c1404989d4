//! Counters of a client, and the snapshot that is told of them.

use crate::io::sockopt::SocketOptions;
use keepline_proto::event::MessageCounts;
use keepline_proto::{Epoch, State};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// What a client has done so far.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Where it stands.
    pub state: State,
    /// The number of the last attempt.
    pub epoch: Epoch,
    /// Attempts started.
    pub attempts: u64,
    /// Connections that became `Connected`.
    pub connections: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// What became of the messages that were accepted.
    pub messages: MessageCounts,
    /// Bytes waiting in the outbox, framing included.
    pub outbox_bytes: usize,
    /// Messages received, those not delivered included.
    pub received: u64,
    /// Messages dropped because nobody asked for them (`unsolicited: discard`).
    pub discarded: u64,
    /// Messages waiting in the inbox.
    pub inbox: usize,
    /// Bytes handed to the kernel.
    pub bytes_out: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Heartbeats written.
    pub heartbeats: u64,
    /// The time between the last answered heartbeat and its answer.
    pub heartbeat_rtt: Option<Duration>,
    /// Requests in flight, late replies included.
    pub requests_in_flight: usize,
    /// What the kernel says is in force on the connection.
    pub options: SocketOptions,
    /// What the last encrypted connection agreed on; `None` without TLS.
    #[cfg(feature = "tls")]
    pub tls: Option<crate::tls::TlsFacts>,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    // 32 bits: one attempt, or heartbeat, each second for 136 years.
    pub(crate) attempts: AtomicU32,
    pub(crate) connections: AtomicU32,
    pub(crate) failures: AtomicU32,
    pub(crate) received: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) heartbeats: AtomicU32,
    /// Microseconds; 0 means none yet.
    pub(crate) heartbeat_rtt: AtomicU32,
    /// The epoch that is published.
    pub(crate) epoch: AtomicU32,
}

impl Counters {
    pub(crate) fn heartbeat_rtt(&self) -> Option<Duration> {
        match self.heartbeat_rtt.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(micros.into())),
        }
    }
}

/// Adds to a counter that only the driver writes: a load and a store are enough, and cheaper than an atomic add.
pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

/// Counts one more of what is rare; as [`add`], only the driver does.
pub(crate) fn count(counter: &AtomicU32) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}
