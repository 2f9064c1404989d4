//! Which of several endpoints an attempt goes to, and when a better one is tried beside a healthy connection.

use super::Session;
use super::life::Next;
use super::phase::Phase;
use crate::Time;
use crate::backoff::FLOOR;
use crate::cause::Ending;
use crate::endpoints::{Advice, Candidates, EndpointId, Life};
use crate::event::State;
use crate::output::CloseHow;
use std::time::Duration;

impl Session {
    /// Takes another list of endpoints.
    ///
    /// A connection to an endpoint that is still in it stays; any other is left, in order if it is healthy, and the next
    /// attempt starts at once. A wait is cut to the first of the curve if an endpoint is new.
    pub fn handle_endpoints(&mut self, now: Time, candidates: Candidates) {
        if !self.admit(now) {
            return;
        }
        let has_new = self.known.pool.set(candidates, self.config.endpoint_order);
        if self.phase.challenger().is_some_and(|challenger| !self.known.pool.contains(challenger.endpoint)) {
            self.end_challenger(Session::requested());
        }
        let is_kept = self.phase.endpoint().is_none_or(|endpoint| self.known.pool.contains(endpoint));
        match &mut self.phase {
            Phase::Connecting(_) if !is_kept => self.end(Session::requested(), CloseHow::Abort, Next::Now),
            Phase::Up(_) if !is_kept => self.end(Session::requested(), self.how_to_leave(), Next::Now),
            Phase::Up(link) => {
                let endpoint = link.endpoint;
                self.settle_at_endpoint(endpoint);
                self.known.rest();
            }
            Phase::Waiting(until) if has_new => {
                // A list is pushed to a whole fleet at once: it must not dial as one.
                let spread = nanos(self.config.backoff.first_spread);
                let soon = self.now + FLOOR + Duration::from_nanos(self.rng.u64(0..=spread));
                *until = (*until).min(soon);
            }
            Phase::Connecting(_)
            | Phase::Waiting(_)
            | Phase::Idle
            | Phase::Draining(_)
            | Phase::Offline(_)
            | Phase::Closed => {}
        }
    }

    /// Where the attempt goes that is due now: a budget that is kept for each endpoint is asked before it leaves.
    pub fn next_endpoint(&self, now: Time) -> EndpointId {
        self.known.pool.peek(self.now.max(now), self.known.network.path(), &mut self.rng.clone())
    }

    /// Where the next attempt goes.
    pub(super) fn pick(&mut self) -> EndpointId {
        let network = self.known.network.path();
        self.known.pool.pick(self.now, network, &mut self.rng)
    }

    /// Where an attempt beside the connection goes.
    pub(super) fn pick_beside(&mut self) -> EndpointId {
        let incumbent = self.phase.endpoint().unwrap_or_default();
        let network = self.known.network.path();
        self.known.pool.pick_beside(self.now, network, incumbent, &mut self.rng)
    }

    /// Remembers what an end says of its endpoint, and tells what follows.
    pub(super) fn judge_endpoint(&mut self, endpoint: EndpointId, ending: &Ending, life: Life) -> Advice {
        let network = self.known.network.path();
        self.known.pool.note_end(self.now, network, endpoint, ending, life)
    }

    /// A connection is up; if it goes to a second choice, a better one may be tried after a while.
    pub(super) fn settle_at_endpoint(&mut self, endpoint: EndpointId) {
        self.known.pool.note_connected(endpoint);
        let at = if self.known.pool.is_second_choice(endpoint) { self.next_return() } else { Time::FAR_FUTURE };
        self.known.pool.set_return(at);
    }

    /// Tries a better endpoint beside a healthy connection to a second choice. Whichever proves alive stays: the
    /// connection is only left for one that was greeted.
    pub(super) fn return_to_preferred(&mut self) {
        if self.known.pool.return_at() > self.now {
            return;
        }
        let at = self.next_return();
        self.known.pool.set_return(at);
        let is_free = self.phase.state() == State::Connected && self.phase.challenger().is_none();
        if is_free
            && !self.is_draining()
            && !self.known.network.is_down()
            && let Some(current) = self.phase.endpoint()
            && let Some(better) = self.known.pool.better_than(self.now, self.known.network.path(), current)
        {
            self.start_challenger(better);
        }
    }

    /// The wait before the next endpoint of a cycle: the floor, and as much again by luck. The failed attempt has spread
    /// the fleet already, or the first wait before it.
    pub(super) fn hop_delay(&mut self) -> Duration {
        FLOOR + Duration::from_nanos(self.rng.u64(0..=nanos(FLOOR)))
    }

    /// Up to half as much again by luck: a fleet that left an endpoint at one instant does not return at one.
    fn next_return(&mut self) -> Time {
        match self.config.return_to_preferred {
            Some(interval) => self.now + interval + Duration::from_nanos(self.rng.u64(0..=nanos(interval / 2))),
            None => Time::FAR_FUTURE,
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
