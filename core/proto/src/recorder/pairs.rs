//! Which turns belong together: a heartbeat and its answer, a pause and its end.

use super::transition::{Entry, Transition};

/// Turns that come in pairs while a connection is well. Whole pairs in a row are one entry with a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    Heartbeat,
    Write,
    Inbox,
}

/// What a turn is to its pair.
pub(super) enum Place {
    Opens(Pair),
    Closes(Pair),
    /// It is in no pair: it is worth an entry of its own each time.
    Alone,
}

pub(super) fn belongs(entry: &Entry, pair: Pair) -> bool {
    match place(entry.what) {
        Place::Opens(of) | Place::Closes(of) => of == pair,
        Place::Alone => false,
    }
}

pub(super) fn place(what: Transition) -> Place {
    match what {
        Transition::HeartbeatSent => Place::Opens(Pair::Heartbeat),
        Transition::HeartbeatAnswered => Place::Closes(Pair::Heartbeat),
        Transition::WriteBlocked => Place::Opens(Pair::Write),
        Transition::WriteResumed => Place::Closes(Pair::Write),
        Transition::InboxFull => Place::Opens(Pair::Inbox),
        Transition::InboxDrained => Place::Closes(Pair::Inbox),
        Transition::Connecting
        | Transition::SmallSegments { .. }
        | Transition::AddressesFailed { .. }
        | Transition::Dialed
        | Transition::Greeting
        | Transition::Connected
        | Transition::Suspect(_)
        | Transition::Recovered
        | Transition::Stalled
        | Transition::Retransmitting { .. }
        | Transition::Probing { .. }
        | Transition::WindowShut
        | Transition::KernelAnswers
        | Transition::KernelAsked
        | Transition::UserTimeoutLifted
        | Transition::UserTimeoutSet
        | Transition::NetworkLost
        | Transition::NetworkBack
        | Transition::NetworkChanged
        | Transition::Held { .. }
        | Transition::Slept { .. }
        | Transition::Asked(_)
        | Transition::Draining
        | Transition::Ended(_) => Place::Alone,
    }
}
