//! The heartbeats after a usual opening: one run, and the one under way. A healthy connection never has more to tell.

use super::transition::{Entry, Transition};
use crate::Time;

/// Two entries in 24 bytes: what they say is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beats {
    /// When the first that was answered was sent.
    began: Time,
    /// Those that were answered.
    count: u32,
    /// From `began` to the last answer.
    span_ms: u32,
    /// When the one that waits for its answer was sent; [`Time::FAR_FUTURE`] for none.
    sent: Time,
}

impl Beats {
    pub(super) const fn new() -> Beats {
        Beats { began: Time::ZERO, count: 0, span_ms: 0, sent: Time::FAR_FUTURE }
    }

    /// Takes a heartbeat that is sent; `false` if the last one was not answered.
    pub(super) fn take_sent(&mut self, now: Time) -> bool {
        let is_next = self.sent == Time::FAR_FUTURE;
        if is_next {
            self.sent = now;
        }
        is_next
    }

    /// Takes the answer; `false` if none is awaited, or the run has become too long to be told in one entry.
    pub(super) fn take_answered(&mut self, now: Time) -> bool {
        if self.sent == Time::FAR_FUTURE {
            return false;
        }
        let mut run = self.run().unwrap_or(Entry::new(self.sent, Transition::HeartbeatAnswered));
        let fits = if self.count == 0 { run.reach(now) } else { run.count_on(now) };
        if fits {
            *self = Beats { began: run.at, count: run.count, span_ms: run.span_ms, sent: Time::FAR_FUTURE };
        }
        fits
    }

    /// All of it, as entries.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> + use<> {
        let under_way = (self.sent != Time::FAR_FUTURE).then_some(Entry::new(self.sent, Transition::HeartbeatSent));
        [self.run(), under_way].into_iter().flatten()
    }

    fn run(&self) -> Option<Entry> {
        let run =
            Entry { count: self.count, span_ms: self.span_ms, ..Entry::new(self.began, Transition::HeartbeatAnswered) };
        (self.count > 0).then_some(run)
    }
}
