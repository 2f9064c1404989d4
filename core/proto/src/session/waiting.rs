//! The wait between two attempts: how long it is, what is remembered of it, and who may prolong it.

use super::Session;
use super::phase::{Phase, VERIFIED_BY_AGE};
use crate::cause::{Cause, Ending, GreetingFailure, ProxyFailure};
use crate::recorder::Transition;
use crate::wait::WaitClass;
use crate::{Epoch, Time};
use std::time::Duration;

impl Session {
    /// Takes the news that the budget of retries lets the attempt that is due leave at `until`, and not before.
    ///
    /// Told before the deadline is. `retry_in` of the last `Disconnected` is then no longer true: the report of the
    /// attempt says how long it was held.
    pub fn handle_held(&mut self, now: Time, until: Time) {
        if !self.admit(now) {
            return;
        }
        let now = self.now;
        if let Phase::Waiting(due) | Phase::Offline(due) = &mut self.phase
            && *due < until
        {
            let held = until.since((*due).max(now));
            *due = until;
            self.known.waits.hold(held);
        }
    }

    /// Draws the wait after this end. `stood` says whether it was a connection that proved itself.
    pub(super) fn retry_delay(&mut self, ending: &Ending, stood: bool) -> Duration {
        self.known.waits.note_failure(WaitClass::of(ending, stood));
        self.known.waits.draw(&self.config.backoff, ending, stood, &mut self.rng)
    }

    /// Whether the peer, or the proxy, has refused the credentials as often as it is asked.
    pub(super) fn is_refused_for_good(&mut self, ending: &Ending) -> bool {
        let refusals = if ending.cause == Cause::Greeting(GreetingFailure::Auth) {
            &mut self.known.refusals
        } else if ending.cause == Cause::Proxy(ProxyFailure::Auth) {
            &mut self.known.proxy_refusals
        } else {
            return false;
        };
        *refusals = refusals.saturating_add(1);
        let refusals = u32::from(*refusals);
        self.config.auth_attempts.is_some_and(|most| refusals >= most)
    }

    /// Whether a connection that is up since then has proved itself: verified, and for long enough.
    pub(super) fn has_stood(&self, since: Time, verified: bool) -> bool {
        let up_for = self.now.since(since);
        (verified || up_for >= VERIFIED_BY_AGE) && up_for >= self.config.stable_after
    }

    /// Forgets the failures before a connection that has proved itself: a healthy client keeps no memory of them.
    pub(super) fn settle_waits(&mut self) {
        if !self.known.waits.is_empty()
            && let Phase::Up(link) = &self.phase
            && self.has_stood(link.liveness.since(), link.verified)
        {
            self.known.waits.reset();
            self.known.rest();
        }
    }

    /// Tells in the report of the attempt that starts now how long it was held.
    pub(super) fn note_held(&mut self, epoch: Epoch) {
        let held = self.known.waits.take_held();
        if !held.is_zero() {
            let millis = u32::try_from(held.as_millis()).unwrap_or(u32::MAX);
            self.recorder.note(self.now, epoch, Transition::Held { millis });
        }
    }
}
