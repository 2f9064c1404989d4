//! The parts of a protocol that a user declares: heartbeat, matchers, automatic answers.

use bytes::Bytes;
use std::fmt;
use std::time::Duration;

/// Which frame is the one that is waited for.
#[derive(Clone, PartialEq, Eq)]
pub enum Matcher {
    /// Any bytes at all. Consumes nothing.
    Any,
    /// A frame equal to these bytes.
    Exact(Bytes),
    /// A frame that starts with these bytes.
    Prefix(Bytes),
    /// No reply is expected. Consumes nothing.
    None,
}

impl Matcher {
    /// Whether `frame` is meant. [`Matcher::Any`] takes every frame, [`Matcher::None`] none.
    pub fn matches(&self, frame: &[u8]) -> bool {
        match self {
            Matcher::Any => true,
            Matcher::Exact(bytes) => frame == &bytes[..],
            Matcher::Prefix(bytes) => frame.starts_with(bytes),
            Matcher::None => false,
        }
    }
}

// The bytes may be a password: only their number is shown.
impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Matcher::Any => write!(f, "Any"),
            Matcher::Exact(bytes) => write!(f, "Exact({} bytes)", bytes.len()),
            Matcher::Prefix(bytes) => write!(f, "Prefix({} bytes)", bytes.len()),
            Matcher::None => write!(f, "None"),
        }
    }
}

/// Application bytes that the peer answers: the only proof that its process lives.
#[derive(Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// The message that is sent, in the client's framing.
    pub payload: Bytes,
    /// The reply. [`Matcher::Any`] unless given: any inbound byte is life.
    pub reply: Matcher,
    /// The silence after which one is sent; the profile's unless given.
    pub interval: Option<Duration>,
    /// The deadline for a sign of life after one was due; the profile's unless given.
    pub reply_within: Option<Duration>,
}

impl Heartbeat {
    /// A heartbeat of these bytes, answered by anything.
    pub fn new(payload: impl Into<Bytes>) -> Heartbeat {
        Heartbeat { payload: payload.into(), reply: Matcher::Any, interval: None, reply_within: None }
    }

    /// Sets the silence after which a heartbeat is sent.
    pub fn every(mut self, interval: Duration) -> Heartbeat {
        self.interval = Some(interval);
        self
    }

    /// Sets the deadline for a sign of life.
    pub fn reply_within(mut self, deadline: Duration) -> Heartbeat {
        self.reply_within = Some(deadline);
        self
    }

    /// Sets which frame is the reply; it is consumed.
    pub fn reply(mut self, matcher: Matcher) -> Heartbeat {
        self.reply = matcher;
        self
    }
}

impl fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heartbeat")
            .field("payload", &format_args!("{} bytes", self.payload.len()))
            .field("reply", &self.reply)
            .field("interval", &self.interval)
            .field("reply_within", &self.reply_within)
            .finish()
    }
}

/// A frame of the server that is answered without asking the user, such as its own ping.
#[derive(Clone, PartialEq, Eq)]
pub struct AutoReply {
    /// The frame that is answered; it is consumed. `Any` and `None` are refused.
    pub when: Matcher,
    /// The answer, in the client's framing.
    pub reply: Bytes,
}

impl fmt::Debug for AutoReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AutoReply")
            .field("when", &self.when)
            .field("reply", &format_args!("{} bytes", self.reply.len()))
            .finish()
    }
}
