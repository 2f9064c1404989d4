//! How an attempt became a connection, which goes the same way nearly always: its moments, without a whole entry each.

use super::transition::{Entry, Transition};
use crate::Time;
use std::time::Duration;

/// A moment that did not come.
const NEVER: u32 = u32::MAX;

/// The moments in their order.
#[derive(Debug, Clone, Copy)]
enum Moment {
    Dialed,
    Greeting,
    HeartbeatSent,
    HeartbeatAnswered,
    Connected,
}

const MOMENTS: usize = Moment::Connected as usize + 1;

/// Microseconds from the start of the attempt to each moment. An attempt that lasts longer than the 71 minutes that fit is
/// told in entries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening([u32; MOMENTS]);

impl Opening {
    pub(super) const fn new() -> Opening {
        Opening([NEVER; MOMENTS])
    }

    /// Whether the connection is up: nothing more belongs to it.
    pub(super) const fn is_over(&self) -> bool {
        self.has(Moment::Connected)
    }

    /// Takes the next moment; `false` if this is none.
    pub(super) fn take(&mut self, began: Time, now: Time, what: Transition) -> bool {
        let Some(moment) = moment(what) else { return false };
        let index = moment as usize;
        let is_next = self.0[index..].iter().all(|after| *after == NEVER);
        let is_possible = match moment {
            Moment::HeartbeatAnswered => self.has(Moment::HeartbeatSent),
            Moment::Connected => self.has(Moment::HeartbeatAnswered) || !self.has(Moment::HeartbeatSent),
            Moment::Dialed | Moment::Greeting | Moment::HeartbeatSent => true,
        };
        match u32::try_from(now.since(began).as_micros()) {
            Ok(after) if is_next && is_possible && after != NEVER => {
                self.0[index] = after;
                true
            }
            Ok(_) | Err(_) => false,
        }
    }

    /// The attempt so far, as entries.
    pub(super) fn entries(&self, began: Time) -> impl Iterator<Item = Entry> + use<> {
        let at = |moment: Moment| {
            self.has(moment).then(|| began + Duration::from_micros(u64::from(self.0[moment as usize])))
        };
        let heartbeat = at(Moment::HeartbeatSent).map(|sent| {
            let mut entry = Entry::new(sent, Transition::HeartbeatSent);
            if let Some(answered) = at(Moment::HeartbeatAnswered) {
                entry.what = Transition::HeartbeatAnswered;
                entry.reach(answered);
            }
            entry
        });
        [
            Some(Entry::new(began, Transition::Connecting)),
            at(Moment::Dialed).map(|at| Entry::new(at, Transition::Dialed)),
            at(Moment::Greeting).map(|at| Entry::new(at, Transition::Greeting)),
            heartbeat,
            at(Moment::Connected).map(|at| Entry::new(at, Transition::Connected)),
        ]
        .into_iter()
        .flatten()
    }

    const fn has(&self, moment: Moment) -> bool {
        self.0[moment as usize] != NEVER
    }
}

fn moment(what: Transition) -> Option<Moment> {
    match what {
        Transition::Dialed => Some(Moment::Dialed),
        Transition::Greeting => Some(Moment::Greeting),
        Transition::HeartbeatSent => Some(Moment::HeartbeatSent),
        Transition::HeartbeatAnswered => Some(Moment::HeartbeatAnswered),
        Transition::Connected => Some(Moment::Connected),
        Transition::Connecting
        | Transition::SmallSegments { .. }
        | Transition::AddressesFailed { .. }
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
        | Transition::WriteBlocked
        | Transition::WriteResumed
        | Transition::InboxFull
        | Transition::InboxDrained
        | Transition::NetworkLost
        | Transition::NetworkBack
        | Transition::NetworkChanged
        | Transition::Held { .. }
        | Transition::Slept { .. }
        | Transition::Asked(_)
        | Transition::Draining
        | Transition::Ended(_) => None,
    }
}
