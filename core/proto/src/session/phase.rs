//! Where a client stands, with the data that belongs to that place: leaving a phase cleans up by itself.

use crate::liveness::Liveness;
use crate::{EndpointId, Epoch, State, Time};
use std::net::SocketAddr;
use std::time::Duration;

/// Up for this long without a byte, a connection counts as verified: a server that refuses says so earlier.
pub(super) const VERIFIED_BY_AGE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) enum Phase {
    /// Not dialling by wish.
    Idle,
    /// An attempt is under way.
    Connecting(Attempt),
    /// A connection is established.
    Up(Link),
    /// A connection is being closed in order.
    Draining(Drain),
    /// The next attempt starts at this time.
    Waiting(Time),
    /// There is no network; a cautious attempt starts at this time all the same.
    Offline(Time),
    /// Over.
    Closed,
}

/// One attempt.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) epoch: Epoch,
    pub(super) endpoint: EndpointId,
    pub(super) step: Step,
    pub(super) deadline: Time,
    pub(super) peer: Option<SocketAddr>,
    pub(super) inbox_full: bool,
    pub(super) frame_open: bool,
}

/// How far an attempt has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Dialing,
    Greeting,
    FirstHeartbeat,
}

/// One established connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) epoch: Epoch,
    pub(super) endpoint: EndpointId,
    pub(super) verified: bool,
    pub(super) inbox_full_told: bool,
    pub(super) liveness: Liveness,
    /// The attempt that runs beside it while it is suspect, where that is allowed.
    pub(super) challenger: Option<Box<Attempt>>,
}

/// One connection on its way out.
#[derive(Debug)]
pub(super) struct Drain {
    pub(super) epoch: Epoch,
    pub(super) endpoint: EndpointId,
    pub(super) since: Time,
    pub(super) verified: bool,
    pub(super) deadline: Time,
}

impl Phase {
    pub(super) fn state(&self) -> State {
        match self {
            Phase::Idle => State::Idle,
            Phase::Connecting(_) => State::Connecting,
            Phase::Up(link) => link.liveness.state(),
            // Only a healthy connection is drained.
            Phase::Draining(_) => State::Connected,
            Phase::Waiting(_) => State::Waiting,
            Phase::Offline(_) => State::Offline,
            Phase::Closed => State::Closed,
        }
    }

    /// The epoch that io may still speak of.
    pub(super) fn live_epoch(&self) -> Option<Epoch> {
        match self {
            Phase::Connecting(attempt) => Some(attempt.epoch),
            Phase::Up(link) => Some(link.epoch),
            Phase::Draining(drain) => Some(drain.epoch),
            Phase::Idle | Phase::Waiting(_) | Phase::Offline(_) | Phase::Closed => None,
        }
    }

    /// Where the living attempt or connection goes.
    pub(super) fn endpoint(&self) -> Option<EndpointId> {
        match self {
            Phase::Connecting(attempt) => Some(attempt.endpoint),
            Phase::Up(link) => Some(link.endpoint),
            Phase::Draining(drain) => Some(drain.endpoint),
            Phase::Idle | Phase::Waiting(_) | Phase::Offline(_) | Phase::Closed => None,
        }
    }

    /// The attempt of this epoch, be it alone or beside a suspect connection.
    pub(super) fn attempt(&mut self, epoch: Epoch) -> Option<&mut Attempt> {
        let attempt = match self {
            Phase::Connecting(attempt) => attempt,
            Phase::Up(link) => link.challenger.as_deref_mut()?,
            Phase::Idle | Phase::Draining(_) | Phase::Waiting(_) | Phase::Offline(_) | Phase::Closed => return None,
        };
        (attempt.epoch == epoch).then_some(attempt)
    }

    /// The attempt beside the connection.
    pub(super) fn challenger(&self) -> Option<&Attempt> {
        match self {
            Phase::Up(link) => link.challenger.as_deref(),
            Phase::Idle
            | Phase::Connecting(_)
            | Phase::Draining(_)
            | Phase::Waiting(_)
            | Phase::Offline(_)
            | Phase::Closed => None,
        }
    }

    /// The next time something happens by itself; [`Time::FAR_FUTURE`] if nothing does.
    pub(super) fn deadline(&self) -> Time {
        match self {
            Phase::Idle | Phase::Closed => Time::FAR_FUTURE,
            Phase::Connecting(attempt) => attempt.deadline,
            Phase::Up(link) => {
                let challenger = link.challenger.as_ref().map_or(Time::FAR_FUTURE, |challenger| challenger.deadline);
                link.liveness.next_deadline().min(challenger)
            }
            Phase::Draining(drain) => drain.deadline,
            Phase::Waiting(until) | Phase::Offline(until) => *until,
        }
    }
}
