//! The system's word on the network, debounced, and the machine's sleep: both make a connection prove itself.

use super::life::Next;
use super::phase::Phase;
use super::{NetworkChange, NetworkPath, Session};
use crate::Time;
use crate::cause::Cause;
use crate::event::{EventKind, State, Suspicion};
use crate::output::CloseHow;
use crate::recorder::Transition;
use std::time::Duration;

/// How long the network has to hold still before a change counts: a handover makes several within a second.
const SETTLE_AFTER: Duration = Duration::from_secs(1);

/// A connection that was heard within the last second has its path: the other one died of something else.
const HEARD_JUST_NOW: Duration = Duration::from_secs(1);

/// What is known of the network. Boxed: most clients are never told of it.
#[derive(Debug, Default)]
pub(super) struct Network(Option<Box<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// The last path that was told.
    path: Option<u64>,
    down: bool,
    pending: Option<Pending>,
}

#[derive(Debug)]
struct Pending {
    change: NetworkChange,
    settle_at: Time,
}

/// What a settled change comes to.
enum Settled {
    Lost,
    Back,
    Changed,
}

impl Network {
    pub(super) fn is_down(&self) -> bool {
        self.0.as_ref().is_some_and(|known| known.down)
    }

    pub(super) fn settle_at(&self) -> Time {
        self.pending().map_or(Time::FAR_FUTURE, |pending| pending.settle_at)
    }

    pub(super) fn forget(&mut self) {
        if let Some(known) = &mut self.0 {
            known.pending = None;
        }
    }

    fn pending(&self) -> Option<&Pending> {
        self.0.as_ref()?.pending.as_ref()
    }

    fn note(&mut self, now: Time, change: NetworkChange) {
        let known_path = self.pending().and_then(|pending| pending.change.path);
        let path = change.path.or(known_path);
        let change = NetworkChange { path, ..change };
        self.0.get_or_insert_default().pending = Some(Pending { change, settle_at: now + SETTLE_AFTER });
    }

    fn take_settled(&mut self, now: Time) -> Option<NetworkChange> {
        let pending = &mut self.0.as_mut()?.pending;
        pending.take_if(|pending| pending.settle_at <= now).map(|pending| pending.change)
    }

    fn learn(&mut self, path: Option<NetworkPath>) -> Option<Settled> {
        let was_down = self.is_down();
        match path {
            // Something changed; but without a path nobody says that a lost network is back.
            None => (!was_down).then_some(Settled::Changed),
            Some(path) => {
                let network = self.0.get_or_insert_default();
                let known = network.path.replace(path.id) == Some(path.id);
                network.down = !path.available;
                match (was_down, network.down) {
                    (false, true) => Some(Settled::Lost),
                    (true, false) => Some(Settled::Back),
                    (true, true) => None,
                    (false, false) => (!known).then_some(Settled::Changed),
                }
            }
        }
    }
}

impl Session {
    /// Takes the system's word that the network changed. It counts once nothing has changed for a second.
    pub fn handle_network_changed(&mut self, now: Time, change: NetworkChange) {
        if self.admit(now) {
            self.network.note(self.now, change);
        }
    }

    /// Takes the news that the machine slept: a living connection is asked once, with a short deadline.
    pub fn handle_resumed(&mut self, now: Time, slept: Duration) {
        if !self.admit(now) || slept.is_zero() {
            return;
        }
        let seconds = u32::try_from(slept.as_secs()).unwrap_or(u32::MAX);
        self.recorder.note_all(self.now, Transition::Slept { seconds });
        if let Some((link, settings, now)) = self.link()
            && link.liveness.state() != State::Offline
        {
            let findings = link.liveness.probe(now, Suspicion::Woke, settings);
            self.apply(findings);
        }
    }

    /// Takes the news that another connection from the same local address died of a silent path at `died_at`: a living
    /// connection is asked once, with a short deadline. One that began later, or was heard just now, is left alone.
    pub fn handle_sibling_died(&mut self, now: Time, died_at: Time, last_received: Time) {
        if !self.admit(now) || !self.config.sibling_probes {
            return;
        }
        if let Some((link, settings, now)) = self.link()
            && link.since < died_at
            && link.liveness.state() == State::Connected
            && now.since(last_received.max(link.since)) >= HEARD_JUST_NOW
        {
            let findings = link.liveness.probe(now, Suspicion::SiblingDied, settings);
            self.apply(findings);
        }
    }

    /// Acts on a change of the network that has settled.
    pub(super) fn settle_network(&mut self) {
        let Some(change) = self.network.take_settled(self.now) else { return };
        let settled = self.network.learn(change.path);
        if settled.is_some() {
            self.segments.forget();
        }
        match settled {
            None => {}
            Some(Settled::Lost) => {
                self.recorder.note_all(self.now, Transition::NetworkLost);
                self.lose_network();
            }
            Some(Settled::Back) => {
                self.waits.forgive_network();
                self.recorder.note_all(self.now, Transition::NetworkBack);
                self.regain_network(change.route_intact);
            }
            Some(Settled::Changed) => {
                self.recorder.note_all(self.now, Transition::NetworkChanged);
                if change.path.is_some() {
                    self.waits.forgive_network();
                }
                self.change_network(change.route_intact);
            }
        }
    }

    fn lose_network(&mut self) {
        match self.phase {
            Phase::Connecting(_) => {
                self.end(Session::by_network(Cause::LocalNetworkDown), CloseHow::Abort, Next::Offline);
            }
            Phase::Waiting(_) => {
                let delay = self.offline_delay();
                self.wait_offline(delay);
            }
            Phase::Up(_) => {
                self.end_challenger(Session::by_network(Cause::LocalNetworkDown));
                if let Some((link, settings, now)) = self.link() {
                    let findings = link.liveness.go_offline(now, settings);
                    self.apply(findings);
                    self.emit(EventKind::Offline);
                }
            }
            Phase::Idle | Phase::Draining(_) | Phase::Offline(_) | Phase::Closed => {}
        }
    }

    fn regain_network(&mut self, route_intact: Option<bool>) {
        match self.phase {
            Phase::Offline(_) | Phase::Waiting(_) => self.dial(),
            Phase::Up(_) => self.check_link(route_intact),
            // A cautious attempt is under way: it finds the network by itself.
            Phase::Connecting(_) | Phase::Idle | Phase::Draining(_) | Phase::Closed => {}
        }
    }

    fn change_network(&mut self, route_intact: Option<bool>) {
        match self.phase {
            // One canary on the new network; if it fails, the curve goes on where it was.
            Phase::Waiting(_) | Phase::Offline(_) => self.dial(),
            Phase::Connecting(_) => {
                if route_intact != Some(true) {
                    self.end(Session::by_network(Cause::NetworkChanged), CloseHow::Abort, Next::Now);
                }
            }
            Phase::Up(_) => self.check_link(route_intact),
            Phase::Idle | Phase::Draining(_) | Phase::Closed => {}
        }
    }

    /// Leaves a connection whose local address is gone, and makes any other prove itself.
    fn check_link(&mut self, route_intact: Option<bool>) {
        if route_intact == Some(false) {
            self.end(Session::by_network(Cause::NetworkChanged), CloseHow::Abort, Next::Now);
        } else if let Some((link, settings, now)) = self.link() {
            let findings = if link.liveness.state() == State::Offline {
                link.liveness.come_back(now, settings)
            } else {
                link.liveness.probe(now, Suspicion::NetworkChanged, settings)
            };
            self.apply(findings);
        }
    }
}
