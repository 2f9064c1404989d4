//! What travels with a message, what becomes of it, and whether it may pass.

use crate::cause::names;
use crate::correlator::Ticket;
use crate::{Epoch, Time};

/// Whether messages may pass, and on which connection. Moved only by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gate {
    /// No connection is ready: messages wait, or are refused by policy.
    #[default]
    Shut,
    /// Messages may pass on this connection.
    Open(Epoch),
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
    /// Dropped by policy, and no byte of it was handed to the kernel.
    NotSent,
    /// Handed to the kernel, whole or in part; nobody knows what became of it.
    Unknown,
    /// Ran out of time in the outbox; no byte of it was handed to the kernel.
    Expired,
}

names!(Outcome { Acked => "acked", NotSent => "not_sent", Unknown => "unknown", Expired => "expired" });

/// What travels with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Meta {
    /// Who waits for its outcome or its reply.
    pub ticket: Option<Ticket>,
    /// Whether a reply is awaited under that ticket. Requests end with their connection.
    pub request: bool,
    /// When it is too old to be sent.
    pub expires: Option<Time>,
}

impl Meta {
    pub(super) fn is_plain(&self) -> bool {
        self.ticket.is_none() && !self.request && self.expires.is_none()
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
