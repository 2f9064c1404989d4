//! What a simulated client is told, and what it does then.

use keepline_proto::Time;

/// News for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fact {
    /// The connection that counted is gone.
    Lost,
    /// The attempt has failed: refused, or reset.
    Refused,
    /// TCP is established: the server's kernel has answered.
    Established,
    /// The server's part of the TLS handshake is here; told only where TLS is spoken.
    Secured,
    /// The server's first bytes are here.
    Answered,
    /// The time is reached that the client asked for.
    Due,
}

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Drops its socket. Comes before `dial`.
    pub hang_up: bool,
    /// Starts an attempt.
    pub dial: bool,
    /// When it wants to be told [`Fact::Due`], if nothing happens before. Takes the place of an earlier wish.
    pub wake_at: Option<Time>,
}

impl Step {
    /// Only waits.
    pub const fn wait(wake_at: Option<Time>) -> Step {
        Step { hang_up: false, dial: false, wake_at }
    }
}

/// A client that comes back: what decides is its own, sockets and time are the simulation's.
pub trait Caller {
    /// Takes news.
    fn handle(&mut self, now: Time, fact: Fact) -> Step;
}
