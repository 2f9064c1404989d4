//! The deadlines of one connection: a small table, one slot for each purpose, asked for its earliest entry.

use crate::Time;

/// What a deadline is for. Of two that are due together the one named first goes first: evidence before verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// Read the kernel's figures.
    Sample,
    /// A heartbeat is due.
    Heartbeat,
    /// Half of the reply deadline is over.
    Suspect,
    /// The reply deadline is over.
    Verdict,
    /// A peer that talks by itself has been silent for too long.
    ReadIdle,
    /// A started frame has not ended.
    Frame,
    /// Nothing could be written for too long.
    Stall,
}

impl Timer {
    const ALL: [Timer; 7] =
        [Timer::Sample, Timer::Heartbeat, Timer::Suspect, Timer::Verdict, Timer::ReadIdle, Timer::Frame, Timer::Stall];
}

/// The timers that every heartbeat sets, from the first of them.
const FIRST_USUAL: usize = Timer::Heartbeat as usize;
const USUAL: usize = Timer::ReadIdle as usize - FIRST_USUAL;

/// The others: a connection in good order that talks in whole frames may never set one.
const RARE: usize = Timer::ALL.len() - USUAL;

/// One deadline for each [`Timer`]; [`Time::FAR_FUTURE`] is one that is not set. Room for the rare ones comes with the
/// first of them, and stays: frames may be many. It is shared with `Beside`, which is as rare.
#[derive(Debug)]
pub(crate) struct Timers<Beside> {
    usual: [Time; USUAL],
    rare: Option<Box<Rare<Beside>>>,
}

#[derive(Debug)]
struct Rare<Beside> {
    timers: [Time; RARE],
    beside: Option<Beside>,
}

impl<Beside> Timers<Beside> {
    pub(crate) const fn new() -> Timers<Beside> {
        Timers { usual: [Time::FAR_FUTURE; USUAL], rare: None }
    }

    /// What lies beside the rare timers.
    pub(crate) fn beside(&self) -> Option<&Beside> {
        self.rare.as_ref()?.beside.as_ref()
    }

    pub(crate) fn beside_mut(&mut self) -> Option<&mut Beside> {
        self.rare.as_mut()?.beside.as_mut()
    }

    pub(crate) fn beside_or(&mut self, make: impl FnOnce() -> Beside) -> &mut Beside {
        self.rare().beside.get_or_insert_with(make)
    }

    pub(crate) fn set(&mut self, timer: Timer, at: Time) {
        match Place::of(timer) {
            Place::Usual(index) => self.usual[index] = at,
            Place::Rare(index) => {
                if at != Time::FAR_FUTURE || self.rare.is_some() {
                    self.rare().timers[index] = at;
                }
            }
        }
    }

    /// Moves a deadline forward; one that is earlier already stays.
    pub(crate) fn set_no_later(&mut self, timer: Timer, at: Time) {
        self.set(timer, self.at(timer).min(at));
    }

    /// Moves a deadline that is set back; one that is later already, or not set, stays.
    pub(crate) fn postpone(&mut self, timer: Timer, at: Time) {
        self.set(timer, self.at(timer).max(at));
    }

    pub(crate) fn clear(&mut self, timer: Timer) {
        self.set(timer, Time::FAR_FUTURE);
    }

    pub(crate) fn clear_all(&mut self) {
        self.usual = [Time::FAR_FUTURE; USUAL];
        if let Some(rare) = &mut self.rare {
            rare.timers = [Time::FAR_FUTURE; RARE];
        }
    }

    pub(crate) fn at(&self, timer: Timer) -> Time {
        match Place::of(timer) {
            Place::Usual(index) => self.usual[index],
            Place::Rare(index) => self.rare.as_ref().map_or(Time::FAR_FUTURE, |rare| rare.timers[index]),
        }
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.at(timer) != Time::FAR_FUTURE
    }

    /// The earliest deadline; [`Time::FAR_FUTURE`] if none is set.
    pub(crate) fn next(&self) -> Time {
        self.earliest().1
    }

    /// Takes the earliest deadline that is due, and clears it.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<(Timer, Time)> {
        let (timer, at) = self.earliest();
        if at == Time::FAR_FUTURE || at > now {
            return None;
        }
        self.clear(timer);
        Some((timer, at))
    }

    fn rare(&mut self) -> &mut Rare<Beside> {
        self.rare.get_or_insert_with(|| Box::new(Rare { timers: [Time::FAR_FUTURE; RARE], beside: None }))
    }

    fn earliest(&self) -> (Timer, Time) {
        let mut first = (Timer::Sample, Time::FAR_FUTURE);
        for timer in Timer::ALL {
            if self.at(timer) < first.1 {
                first = (timer, self.at(timer));
            }
        }
        first
    }
}

/// Where a deadline is kept.
enum Place {
    Usual(usize),
    Rare(usize),
}

impl Place {
    fn of(timer: Timer) -> Place {
        match timer {
            Timer::Heartbeat | Timer::Suspect | Timer::Verdict => Place::Usual(timer as usize - FIRST_USUAL),
            Timer::Sample => Place::Rare(0),
            Timer::ReadIdle | Timer::Frame | Timer::Stall => Place::Rare(timer as usize - USUAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_timers_leave_in_order_and_only_once() {
        let mut timers = Timers::<()>::new();
        timers.set(Timer::Verdict, Time::from_nanos(20));
        timers.set(Timer::Stall, Time::from_nanos(10));
        timers.set(Timer::Frame, Time::from_nanos(30));
        assert_eq!(timers.next(), Time::from_nanos(10));
        assert_eq!(timers.pop_due(Time::from_nanos(20)), Some((Timer::Stall, Time::from_nanos(10))));
        assert_eq!(timers.pop_due(Time::from_nanos(20)), Some((Timer::Verdict, Time::from_nanos(20))));
        assert_eq!(timers.pop_due(Time::from_nanos(20)), None);
        assert_eq!(timers.next(), Time::from_nanos(30));
    }

    #[test]
    fn evidence_is_taken_before_a_verdict_of_the_same_moment() {
        let mut timers = Timers::<()>::new();
        timers.set(Timer::Verdict, Time::from_nanos(20));
        timers.set(Timer::Sample, Time::from_nanos(20));
        assert_eq!(timers.pop_due(Time::from_nanos(20)).map(|due| due.0), Some(Timer::Sample));
    }

    #[test]
    fn the_far_future_is_never_due() {
        assert_eq!(Timers::<()>::new().pop_due(Time::FAR_FUTURE), None);
    }

    #[test]
    fn each_timer_has_its_own_slot() {
        for (slot, timer) in Timer::ALL.into_iter().enumerate() {
            assert_eq!(timer as usize, slot);
        }
    }
}
