//! Make before break: an attempt beside a suspect connection, where the user allows two at a time.
//!
//! It runs to the end of the greeting or the first heartbeat. Whoever proves alive first stays, and the other is aborted.
//! Nothing is replayed before that.

use super::Session;
use super::life::Next;
use super::phase::{Attempt, Phase};
use crate::EndpointId;
use crate::cause::{Cause, Ending};
use crate::endpoints::Life;
use crate::output::CloseHow;

impl Session {
    /// Starts an attempt beside the suspect connection: one for each suspicion.
    pub(super) fn challenge(&mut self) {
        if !self.config.concurrent_ok || self.known.network.is_down() || self.phase.challenger().is_some() {
            return;
        }
        if !matches!(self.phase, Phase::Up(_)) {
            return;
        }
        let endpoint = self.pick_beside();
        self.start_challenger(endpoint);
    }

    /// Starts an attempt beside the connection.
    pub(super) fn start_challenger(&mut self, endpoint: EndpointId) {
        let attempt = self.start_attempt(endpoint);
        if let Phase::Up(link) = &mut self.phase {
            link.challenger = Some(Box::new(attempt));
        }
    }

    /// The attempt beside the connection is over; the connection stays as it is.
    pub(super) fn end_challenger(&mut self, ending: Ending) {
        if let Some(challenger) = self.take_challenger() {
            self.judge_endpoint(challenger.endpoint, &ending, Life::Failed);
            self.tell_end((challenger.epoch, challenger.endpoint), CloseHow::Abort, ending, None, None);
        }
    }

    pub(super) fn expire_challenger(&mut self) {
        let now = self.now;
        if let Some(challenger) = self.phase.challenger().filter(|challenger| challenger.deadline <= now) {
            let ending = Session::attempt_timeout(challenger.step);
            self.end_challenger(ending);
        }
    }

    /// The attempt has proved alive first: the connection makes room for it. One in good health is left in order, so that
    /// what it has taken still arrives.
    pub(super) fn replace_incumbent(&mut self) {
        self.end(Session::replaced(), self.how_to_leave(), Next::Retry);
    }

    pub(super) fn take_challenger(&mut self) -> Option<Box<Attempt>> {
        match &mut self.phase {
            Phase::Up(link) => link.challenger.take(),
            Phase::Idle
            | Phase::Connecting(_)
            | Phase::Draining(_)
            | Phase::Waiting(_)
            | Phase::Offline(_)
            | Phase::Closed => None,
        }
    }

    /// The other one of the two stays.
    pub(super) const fn replaced() -> Ending {
        Ending::new(Cause::Replaced, None)
    }
}
