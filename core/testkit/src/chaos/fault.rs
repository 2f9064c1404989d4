//! The words of the proxy: directions, faults and commands, as plain data.

use std::net::SocketAddr;
use std::time::Duration;

/// Which way bytes flow through the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client to the upstream server.
    Up,
    /// From the upstream server to the client.
    Down,
    /// Both ways. Records never carry it: what happened, happened in one direction.
    Both,
}

impl Direction {
    /// The single directions it stands for.
    pub(super) fn each(self) -> &'static [Direction] {
        match self {
            Direction::Up => &[Direction::Up],
            Direction::Down => &[Direction::Down],
            Direction::Both => &[Direction::Up, Direction::Down],
        }
    }
}

/// How a connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// In order: the receiver reads the end of the stream.
    Fin,
    /// With a reset: the receiver gets `ECONNRESET`.
    Rst,
}

/// What a middlebox does with packets of a connection that it has forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdleMode {
    /// It drops them without a word.
    Silent,
    /// It answers the first one with a reset.
    Rst,
}

/// What is done to the bytes of one direction.
///
/// Offsets and byte counts are per connection: they count from the call for connections that live, and from the
/// first byte for connections that come later.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Ends every other fault of the direction; what was delayed goes out at once.
    Pass,
    /// Bytes arrive `delay` plus up to `jitter` later, in order.
    Latency {
        /// The delay of every byte.
        delay: Duration,
        /// The longest random addition, drawn from the seed.
        jitter: Duration,
    },
    /// The line carries so many bytes per second (0 is taken as 1).
    Rate {
        /// Bytes per second.
        bytes_per_second: u64,
    },
    /// Bytes arrive in pieces of `size` (0 is taken as 1), `gap` apart.
    Slice {
        /// The largest piece.
        size: usize,
        /// The time between two pieces.
        gap: Duration,
    },
    /// Exactly so many bytes pass, then the whole connection ends.
    Limit {
        /// How many bytes pass.
        bytes: u64,
        /// How the connection ends after them.
        end: End,
    },
    /// The proxy stops reading: the sender's buffers fill and its window closes.
    Stall,
    /// The proxy reads and forwards nothing: bytes and the end of the stream wait for [`Fault::Release`].
    Hold,
    /// Ends [`Fault::Hold`]; what was held arrives at once.
    Release,
    /// After so many bytes the direction goes silent: everything later vanishes, the end of the stream included.
    /// A connection that has gone silent stays silent; clearing the faults only helps later connections.
    DropAfter {
        /// How many bytes still pass.
        bytes: u64,
    },
    /// Flips the bits of `mask` in the byte at `offset`.
    Corrupt {
        /// Which byte.
        offset: u64,
        /// Which bits of it.
        mask: u8,
    },
    /// Puts bytes into the living connections, behind what is on its way.
    Inject {
        /// The bytes the receiver gets and the sender never sent.
        bytes: Vec<u8>,
    },
    /// Every chunk arrives twice, in chunks as the proxy happens to read them.
    Duplicate,
    /// The receivers of living connections read the end of the stream; the other direction goes on.
    HalfClose,
}

/// What is done to the listener or to whole connections.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Later connections go to this server.
    Upstream(SocketAddr),
    /// Nobody listens.
    Refuse,
    /// New connections are accepted and never answered.
    AcceptAndSilence,
    /// New connections are accepted and ended in order at once.
    AcceptThenFin,
    /// New connections are accepted and reset at once.
    AcceptThenRst,
    /// The accept queue is full: new connections hang in their SYN.
    HangSyn,
    /// New connections are forwarded again.
    AcceptAgain,
    /// Connections that are idle for so long are forgotten.
    IdleCut {
        /// How long a connection may carry no byte.
        after: Duration,
        /// What becomes of later bytes.
        mode: IdleMode,
    },
    /// Every living connection ends.
    End(End),
    /// All faults end.
    Clear,
}
