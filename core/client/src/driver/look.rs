//! When the kernel is asked what became of the messages it was given.

use super::{Connection, Driver};
use keepline_proto::Time;
use std::time::Duration;

/// How soon after a message was handed over, and how often while outcomes come: as fine as the wheel turns.
const SOON_MS: u16 = 50;

/// How rarely while nothing comes: a dead path is asked once a second, which also shows its retransmissions in time.
const RARELY_MS: u16 = 1_000;

/// What the figures said of the messages in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weighed {
    /// All have their outcome.
    Settled,
    /// Some were acknowledged, others are still under way.
    Progress,
    /// None was acknowledged.
    Nothing,
}

/// The next look of one connection.
#[derive(Debug, Clone, Copy)]
struct Look {
    /// [`Time::FAR_FUTURE`] for none.
    at: Time,
    pause_ms: u16,
}

impl Look {
    const NONE: Look = Look { at: Time::FAR_FUTURE, pause_ms: 0 };

    fn after(now: Time, pause_ms: u16) -> Look {
        Look { at: now + Duration::from_millis(u64::from(pause_ms)), pause_ms }
    }

    fn at(&self) -> Option<Time> {
        (self.at != Time::FAR_FUTURE).then_some(self.at)
    }

    /// Messages are under way: the first look comes soon.
    fn set_if_none(&mut self, now: Time) {
        if self.at == Time::FAR_FUTURE {
            *self = Look::after(now, SOON_MS);
        }
    }

    /// Decides when to look again.
    fn note(&mut self, now: Time, weighed: Weighed) {
        *self = match weighed {
            Weighed::Settled => Look::NONE,
            Weighed::Progress => Look::after(now, SOON_MS),
            Weighed::Nothing => Look::after(now, (self.pause_ms * 2).min(RARELY_MS)),
        };
    }
}

impl Connection {
    /// When the next look is due.
    fn look_at(&self) -> Option<Time> {
        self.next_look().at()
    }

    /// Messages are under way: the first look comes soon.
    pub(super) fn look_soon(&mut self, now: Time) {
        self.plan(|look| look.set_if_none(now));
    }

    /// Its fields lie apart in the connection, where they fill gaps.
    fn next_look(&self) -> Look {
        Look { at: self.look_at, pause_ms: self.look_pause_ms }
    }

    fn plan(&mut self, change: impl FnOnce(&mut Look)) {
        let mut look = self.next_look();
        change(&mut look);
        (self.look_at, self.look_pause_ms) = (look.at, look.pause_ms);
    }
}

impl Driver {
    /// When the next look is due.
    pub(super) fn look_at(&self) -> Option<Time> {
        self.slot(self.session.epoch())?.connection()?.look_at()
    }

    /// Asks the kernel what became of the messages it has: for their receipts, and for the machine, which hears of
    /// retransmissions and shut windows in this way. Costs two system calls.
    pub(super) fn look(&mut self, now: Time) {
        let epoch = self.session.epoch();
        let shared = self.shared.clone();
        let Some(connection) = self.connection(epoch) else { return };
        let figures = connection.kernel_figures_at(&shared);
        let weighed = connection.weigh(&figures, &shared);
        connection.plan(|look| look.note(now, weighed));
        let asked = self.tell_figures(epoch, figures.1);
        self.act_on(asked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(millis: u64) -> Option<Time> {
        Some(Time::ZERO + Duration::from_millis(millis))
    }

    #[test]
    fn looks_grow_rare_while_nothing_comes_and_are_frequent_again_when_something_does() {
        let mut look = Look::NONE;
        look.set_if_none(Time::ZERO);
        assert_eq!(look.at(), after(50));
        for pause in [100, 200, 400, 800, 1_000, 1_000] {
            look.note(Time::ZERO, Weighed::Nothing);
            assert_eq!(look.at(), after(pause));
        }
        look.set_if_none(Time::ZERO);
        assert_eq!(look.at(), after(1_000));
        look.note(Time::ZERO, Weighed::Progress);
        assert_eq!(look.at(), after(50));
        look.note(Time::ZERO, Weighed::Settled);
        assert_eq!(look.at(), None);
    }
}
