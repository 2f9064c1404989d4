//! What the flight recorder knows: a closed list of turns, and the entries that tell when and how often.

use crate::Time;
use crate::cause::{Cause, names};
use crate::event::Suspicion;
use std::time::Duration;

/// One turn in the life of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transition {
    /// The attempt starts.
    Connecting,
    /// It dials with smaller segments, because large ones vanished before.
    SmallSegments {
        /// The largest, in bytes.
        mss: u16,
    },
    /// Addresses of the name failed, before another answered or the attempt did.
    AddressesFailed {
        /// How many.
        count: u32,
    },
    /// TCP is established.
    Dialed,
    /// The greeting starts.
    Greeting,
    /// The connection is usable.
    Connected,
    /// A heartbeat was asked for.
    HeartbeatSent,
    /// The peer was heard after a heartbeat: any byte counts.
    HeartbeatAnswered,
    /// The connection may be dead.
    Suspect(Suspicion),
    /// A suspect or stalled connection proved alive.
    Recovered,
    /// The peer lives and does not read.
    Stalled,
    /// The kernel retransmits without an answer.
    Retransmitting {
        /// How often it has.
        times: u32,
    },
    /// The kernel's keepalive or window probes go unanswered.
    Probing {
        /// How many have.
        times: u32,
    },
    /// The peer offers no window, and its kernel answers.
    WindowShut,
    /// The peer's kernel answers again, and takes bytes.
    KernelAnswers,
    /// The kernel was made to ask the peer's kernel at once.
    KernelAsked,
    /// The kernel's user timeout was lifted, so that it does not kill a peer that is only slow.
    UserTimeoutLifted,
    /// The kernel's user timeout is in force again.
    UserTimeoutSet,
    /// The kernel takes no more bytes while some are waiting.
    WriteBlocked,
    /// The kernel took bytes again.
    WriteResumed,
    /// Keepline stopped reading: the inbox is full.
    InboxFull,
    /// Keepline reads again.
    InboxDrained,
    /// The system says that there is no network.
    NetworkLost,
    /// The system says that the network is back.
    NetworkBack,
    /// The system says that the network changed.
    NetworkChanged,
    /// The budget of retries held the attempt beyond its wait.
    Held {
        /// For so many milliseconds.
        millis: u32,
    },
    /// The machine slept.
    Slept {
        /// For so many seconds.
        seconds: u32,
    },
    /// The user wished something.
    Asked(Wish),
    /// The connection is being closed in order.
    Draining,
    /// The end.
    Ended(Cause),
}

/// What the user wished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wish {
    /// Stay away until told otherwise.
    Pause,
    /// Dial again.
    Resume,
    /// Leave the connection and dial at once.
    Reconnect,
    /// Close in order.
    Close,
    /// Close at once.
    Abort,
    /// Leave, because the server asked for it, and come back later.
    GoAway,
    /// Close, because `connect()` has waited long enough.
    GiveUp,
    /// Stay away until somebody looks again.
    Background,
    /// Somebody looks again.
    Foreground,
}

names!(Wish {
    Pause => "pause", Resume => "resume", Reconnect => "reconnect", Close => "close", Abort => "abort",
    GoAway => "go_away", GiveUp => "give_up",
    Background => "background", Foreground => "foreground",
});

/// A turn with its time. A run of ordinary turns, such as heartbeats that were answered, is one entry with a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry {
    /// When it happened; of a run, when the first one began.
    pub at: Time,
    /// What happened.
    pub what: Transition,
    /// How often in a row.
    pub count: u32,
    /// Milliseconds from `at` to the end of the last one. 49 days fit; a run that lasts longer goes on in a new entry.
    pub(super) span_ms: u32,
}

impl Entry {
    /// An entry of one turn.
    pub const fn new(at: Time, what: Transition) -> Entry {
        Entry { at, what, count: 1, span_ms: 0 }
    }

    /// When the last one of the run ended; as `at` for a single turn.
    pub fn until(&self) -> Time {
        self.at + self.span()
    }

    /// How long it took from the beginning of the first to the end of the last.
    pub const fn span(&self) -> Duration {
        Duration::from_millis(self.span_ms as u64)
    }

    /// Lets the entry reach to `now`; `false` if that is too far.
    pub(super) fn reach(&mut self, now: Time) -> bool {
        let span = u32::try_from(now.since(self.at).as_millis());
        if let Ok(span) = span {
            self.span_ms = span;
        }
        span.is_ok()
    }

    /// Counts one more that ended now; `false` if the entry cannot hold it.
    pub(super) fn count_on(&mut self, now: Time) -> bool {
        let Some(count) = self.count.checked_add(1) else { return false };
        if !self.reach(now) {
            return false;
        }
        self.count = count;
        true
    }
}

impl Transition {
    /// Every name of [`Transition::name`].
    pub const NAMES: &'static [&'static str] = &[
        "connecting",
        "small_segments",
        "addresses_failed",
        "dialed",
        "greeting",
        "connected",
        "heartbeat_sent",
        "heartbeat_answered",
        "suspect",
        "recovered",
        "stalled",
        "retransmitting",
        "probing",
        "window_shut",
        "kernel_answers",
        "kernel_asked",
        "user_timeout_lifted",
        "user_timeout_set",
        "write_blocked",
        "write_resumed",
        "inbox_full",
        "inbox_drained",
        "network_lost",
        "network_back",
        "network_changed",
        "held",
        "slept",
        "asked",
        "draining",
        "ended",
    ];

    /// The name used in every language and in JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Transition::Connecting => "connecting",
            Transition::SmallSegments { .. } => "small_segments",
            Transition::AddressesFailed { .. } => "addresses_failed",
            Transition::Dialed => "dialed",
            Transition::Greeting => "greeting",
            Transition::Connected => "connected",
            Transition::HeartbeatSent => "heartbeat_sent",
            Transition::HeartbeatAnswered => "heartbeat_answered",
            Transition::Suspect(_) => "suspect",
            Transition::Recovered => "recovered",
            Transition::Stalled => "stalled",
            Transition::Retransmitting { .. } => "retransmitting",
            Transition::Probing { .. } => "probing",
            Transition::WindowShut => "window_shut",
            Transition::KernelAnswers => "kernel_answers",
            Transition::KernelAsked => "kernel_asked",
            Transition::UserTimeoutLifted => "user_timeout_lifted",
            Transition::UserTimeoutSet => "user_timeout_set",
            Transition::WriteBlocked => "write_blocked",
            Transition::WriteResumed => "write_resumed",
            Transition::InboxFull => "inbox_full",
            Transition::InboxDrained => "inbox_drained",
            Transition::NetworkLost => "network_lost",
            Transition::NetworkBack => "network_back",
            Transition::NetworkChanged => "network_changed",
            Transition::Held { .. } => "held",
            Transition::Slept { .. } => "slept",
            Transition::Asked(_) => "asked",
            Transition::Draining => "draining",
            Transition::Ended(_) => "ended",
        }
    }

    /// The name of what it carries: the suspicion, the wish, the cause.
    pub const fn detail(&self) -> Option<&'static str> {
        match self {
            Transition::Suspect(evidence) => Some(evidence.as_str()),
            Transition::Asked(wish) => Some(wish.as_str()),
            Transition::Ended(cause) => Some(cause.as_str()),
            Transition::Connecting
            | Transition::SmallSegments { .. }
            | Transition::AddressesFailed { .. }
            | Transition::Dialed
            | Transition::Greeting
            | Transition::Connected
            | Transition::HeartbeatSent
            | Transition::HeartbeatAnswered
            | Transition::Recovered
            | Transition::Stalled
            | Transition::Retransmitting { .. }
            | Transition::Probing { .. }
            | Transition::WindowShut
            | Transition::KernelAnswers
            | Transition::KernelAsked
            | Transition::UserTimeoutLifted
            | Transition::UserTimeoutSet
            | Transition::WriteBlocked
            | Transition::WriteResumed
            | Transition::InboxFull
            | Transition::InboxDrained
            | Transition::NetworkLost
            | Transition::NetworkBack
            | Transition::NetworkChanged
            | Transition::Held { .. }
            | Transition::Slept { .. }
            | Transition::Draining => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_small() {
        // 256 of them are 6 KiB.
        assert!(size_of::<Entry>() <= 24, "{}", size_of::<Entry>());
    }

    #[test]
    fn a_run_longer_than_an_entry_can_tell_is_refused() {
        let mut entry = Entry::new(Time::ZERO, Transition::HeartbeatAnswered);
        let days = |days: u64| Time::ZERO + Duration::from_secs(days * 86_400);
        assert!(entry.count_on(days(49)));
        assert!(!entry.count_on(days(50)));
        assert_eq!((entry.count, entry.until()), (2, days(49)));
    }
}
