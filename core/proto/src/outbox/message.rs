//! What travels with a message, what becomes of it, and whether it may pass.

use crate::cause::names;
use crate::correlator::Ticket;
use crate::event::MessageCounts;
use crate::framing::Header;
use crate::{Epoch, Time};
use bytes::Bytes;

/// Whether messages may pass, and on which connection. Moved only by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gate {
    /// No connection is ready: messages wait, or are refused by policy.
    #[default]
    Shut,
    /// Messages may pass on this connection.
    Open(Epoch),
}

/// Whether messages may pass on the connection, and whether the kernel's figures tell what becomes of those that do; the
/// second outlives the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    Shut,
    ShutKept,
    Open,
    OpenKept,
}

impl Pass {
    pub(super) const fn is_open(self) -> bool {
        matches!(self, Pass::Open | Pass::OpenKept)
    }

    pub(super) const fn is_kept(self) -> bool {
        matches!(self, Pass::ShutKept | Pass::OpenKept)
    }

    pub(super) const fn shut(self) -> Pass {
        if self.is_kept() { Pass::ShutKept } else { Pass::Shut }
    }
}

/// Whether callers append instead of writing inline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cork {
    /// The next message may be written by its caller.
    #[default]
    Out,
    /// A message was written inline; none followed it yet.
    In,
    /// Messages were appended: a burst, which is over after an empty turn of the driver.
    Burst,
}

/// What became of a message. Final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Acknowledged by the kernel of the peer, or of the proxy before it. Not: processed.
    Acked,
    /// Dropped by policy, and no byte of it was transmitted: the peer never saw it.
    NotSent,
    /// Perhaps transmitted, whole or in part; nobody knows what became of it.
    Unknown,
    /// Ran out of time in the outbox; no byte of it was transmitted.
    Expired,
}

names!(Outcome { Acked => "acked", NotSent => "not_sent", Unknown => "unknown", Expired => "expired" });

/// Whose kernel acknowledged a message. Behind a proxy it is the proxy's, which says nothing about the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AckedBy {
    /// The peer's.
    #[default]
    Peer,
    /// The proxy's.
    Proxy,
}

names!(AckedBy { Peer => "peer", Proxy => "proxy" });

/// What travels with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Meta {
    /// Who waits for its outcome or its reply.
    pub ticket: Option<Ticket>,
    /// Whether a reply is awaited under that ticket. Requests end with their connection.
    pub request: bool,
    /// Whether the user allows it to arrive twice: then it is sent again where nobody knows what became of it.
    pub idempotent: bool,
    /// When it is too old to be sent.
    pub expires: Option<Time>,
}

/// A frame that its caller wrote inline.
#[derive(Debug, Clone)]
pub enum Inline<'a> {
    /// A small one, copied where it has to be kept.
    Small(&'a [u8]),
    /// A large one, kept by reference.
    Large(Header, Bytes),
}

impl Inline<'_> {
    /// Bytes on the wire.
    pub fn size(&self) -> usize {
        match self {
            Inline::Small(frame) => frame.len(),
            Inline::Large(header, bytes) => header.as_slice().len() + bytes.len(),
        }
    }
}

/// How the outcomes of a connection's messages are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accounting {
    /// The kernel's figures will tell ([`Outbox::weigh`](super::Outbox::weigh)).
    Kernel,
    /// There are no figures: a message that is handed over is `Unknown`.
    HandedOver,
}

/// What became of everything accepted so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) accepted: u64,
    pub(super) acked: u64,
    /// Boxed: a client that never lost a connection with messages on it has none.
    rare: Option<Box<RareCounts>>,
}

/// Outcomes that few clients see.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RareCounts {
    pub(super) not_sent: u64,
    pub(super) unknown: u64,
    pub(super) expired: u64,
}

impl Counts {
    pub(super) fn rare(&mut self) -> &mut RareCounts {
        self.rare.get_or_insert_default()
    }

    /// Handed over and without an outcome: what is in none of the other places.
    pub(super) fn in_flight(&self, queued: u64) -> u64 {
        let RareCounts { not_sent, unknown, expired } = self.rare.as_deref().copied().unwrap_or_default();
        self.accepted.saturating_sub(self.acked + not_sent + unknown + expired + queued)
    }

    pub(super) fn with_queued(&self, queued: u64) -> MessageCounts {
        let RareCounts { not_sent, unknown, expired } = self.rare.as_deref().copied().unwrap_or_default();
        let (accepted, acked, in_flight) = (self.accepted, self.acked, self.in_flight(queued));
        MessageCounts { accepted, acked, not_sent, unknown, expired, queued, in_flight }
    }

    /// A connection ended: what is neither known nor waiting is unknown.
    pub(super) fn end(&mut self, queued: u64) {
        let counts = self.with_queued(queued);
        let known = counts.acked + counts.not_sent + counts.expired + queued;
        let unknown = counts.accepted.saturating_sub(known);
        if unknown != counts.unknown {
            self.rare().unknown = unknown;
        }
    }
}

impl Meta {
    pub(super) fn is_plain(&self) -> bool {
        self.ticket.is_none() && !self.request && !self.idempotent && self.expires.is_none()
    }
}

/// Why a message was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no room now.
    Full,
    /// It would not fit into an empty outbox.
    TooLarge,
}

/// An outcome for whoever holds the ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// Who waits.
    pub ticket: Ticket,
    /// What became of the message.
    pub outcome: Outcome,
    /// Whether it was a request.
    pub request: bool,
}
