//! Retries of a client within the budget that it shares with others.

use super::Driver;
use crate::clock;
use keepline_proto::{EndpointId, Epoch, Time};

impl Driver {
    /// Whether the attempt that is due has to wait for its place. It asks once: the place that it got is kept for it.
    pub(super) fn is_held(&mut self, now: Time) -> bool {
        if self.permitted || self.session.retry_at().is_none_or(|at| at > now) {
            return false;
        }
        let Some(governor) = self.shared.governor() else { return false };
        self.permitted = true;
        let Some(target) = self.shared.target(self.session.next_endpoint(now)) else { return false };
        let until = governor.reserve(&target, now);
        if until <= now {
            return false;
        }
        tracing::debug!(held = ?until.since(now), "held by the budget of retries");
        self.session.handle_held(now, until);
        self.act();
        true
    }

    /// Counts an attempt that leaves now. The first one is free, and one that got its place has paid.
    pub(super) fn count_retry(&mut self, epoch: Epoch, endpoint: EndpointId) {
        if std::mem::take(&mut self.permitted) || epoch == Epoch(1) {
            return;
        }
        if let Some(governor) = self.shared.governor()
            && let Some(target) = self.shared.target(endpoint)
        {
            governor.charge(&target, clock::now());
        }
    }
}
