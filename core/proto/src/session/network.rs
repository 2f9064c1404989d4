//! The system's word on the network, debounced, and the machine's sleep: both make a connection prove itself.

use super::life::Next;
use super::phase::Phase;
use super::{NetworkChange, NetworkPath, Session};
use crate::Time;
use crate::cause::{Cause, Ending};
use crate::event::{EventKind, State, Suspicion};
use crate::output::CloseHow;
use crate::recorder::Transition;
use std::time::Duration;

/// How long the network has to hold still before a change counts: a handover makes several within a second.
const SETTLE_AFTER: Duration = Duration::from_secs(1);

/// A connection that was heard within the last second has its path: the other one died of something else.
const HEARD_JUST_NOW: Duration = Duration::from_secs(1);

/// What is known of the network. Boxed: most clients never hear of it.
#[derive(Debug, Default)]
pub(super) struct Network(Option<Box<Known>>);

/// Two witnesses, each with numbers of its own for networks: what one said is taken back by nobody else.
#[derive(Debug, Default)]
struct Known {
    /// What the user was told by the system, and told us.
    told: Word,
    /// What the driver saw.
    seen: Word,
    pending: Option<Pending>,
}

/// The last word of one witness.
#[derive(Debug, Default)]
struct Word {
    path: Option<u64>,
    down: bool,
}

#[derive(Debug)]
struct Pending {
    told: Option<NetworkChange>,
    seen: Option<NetworkChange>,
    settle_at: Time,
}

/// What a settled change comes to.
enum Settled {
    Lost,
    Back,
    Changed,
}

impl Network {
    pub(super) const fn new() -> Network {
        Network(None)
    }

    /// Whether nobody ever spoke of it.
    pub(super) const fn is_unheard_of(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn is_down(&self) -> bool {
        self.0.as_ref().is_some_and(|known| known.told.down || known.seen.down)
    }

    /// The number of the network in use, if anybody told it; the system's word before our own sight, which sees addresses
    /// come and go on one network.
    pub(super) fn path(&self) -> Option<u64> {
        self.0.as_ref().and_then(|known| known.told.path.or(known.seen.path))
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

    /// The change to write down, which counts a second from now.
    fn note(&mut self, now: Time) -> &mut Pending {
        let known = self.0.get_or_insert_default();
        let pending = known.pending.get_or_insert(Pending { told: None, seen: None, settle_at: now });
        pending.settle_at = now + SETTLE_AFTER;
        pending
    }

    fn note_told(&mut self, now: Time, change: NetworkChange) {
        let told = &mut self.note(now).told;
        let path = change.path.or(told.and_then(|earlier| earlier.path));
        *told = Some(NetworkChange { path, ..change });
    }

    fn note_seen(&mut self, now: Time, before: NetworkPath, change: NetworkChange) {
        self.0.get_or_insert_default().seen.path.get_or_insert(before.id);
        self.note(now).seen = Some(change);
    }

    fn take_settled(&mut self, now: Time) -> Option<Pending> {
        self.0.as_mut()?.pending.take_if(|pending| pending.settle_at <= now)
    }

    /// Learns what settled: what it comes to, and whether the connection's route is said to be intact.
    fn learn(&mut self, pending: Pending) -> Option<(Settled, Option<bool>)> {
        let was_down = self.is_down();
        let known = self.0.get_or_insert_default();
        let told = pending.told.filter(|change| known.told.is_news(change.path));
        let seen = pending.seen.filter(|change| known.seen.is_news(change.path));
        let settled = match (was_down, self.is_down()) {
            (false, true) => Settled::Lost,
            (true, false) => Settled::Back,
            (false, false) if told.is_some() || seen.is_some() => Settled::Changed,
            // Without a path nobody says that a lost network is back.
            (true, true) | (false, false) => return None,
        };
        let verdicts = [told, seen].map(|change| change.and_then(|change| change.route_intact));
        // Whoever saw the address go is right: a probe over it could only fail.
        let intact = if verdicts.contains(&Some(false)) { Some(false) } else { verdicts[0].or(verdicts[1]) };
        Some((settled, intact))
    }

    /// Learns at once what was found; while nothing was ever wrong there is nothing to remember.
    fn find(&mut self, path: NetworkPath) {
        if self.0.is_none() && path.available {
            return;
        }
        let known = self.0.get_or_insert_default();
        known.seen = Word { path: Some(path.id), down: !path.available };
        if let Some(pending) = &mut known.pending {
            pending.seen = None;
        }
    }
}

impl Word {
    /// Takes the next word, and says whether it differs from the last.
    fn is_news(&mut self, path: Option<NetworkPath>) -> bool {
        let Some(path) = path else { return true };
        let was_down = std::mem::replace(&mut self.down, !path.available);
        let was_known = self.path.replace(path.id) == Some(path.id);
        !was_known || was_down != self.down
    }
}

impl Session {
    /// Takes the system's word that the network changed. It counts once nothing has changed for a second.
    pub fn handle_network_changed(&mut self, now: Time, change: NetworkChange) {
        if self.admit(now) {
            self.known.network.note_told(self.now, change);
        }
    }

    /// Takes what the driver itself saw: the way to the peer was `before`, and is another one now. It counts as a change
    /// that the system tells of, but has numbers of its own: it neither confirms nor takes back what the system said.
    pub fn handle_network_seen(&mut self, now: Time, before: NetworkPath, change: NetworkChange) {
        if self.admit(now) {
            self.known.network.note_seen(self.now, before, change);
        }
    }

    /// Takes what a look at the network found just before an attempt, or just after an end: it counts at once, for what
    /// comes next. An attempt that waits for its time waits for a network instead if there is none, and one that waits for
    /// a network is made if there is one.
    pub fn handle_network_found(&mut self, now: Time, path: NetworkPath) {
        if !self.admit(now) {
            return;
        }
        if path.available && self.link().is_some() {
            // A living connection has to be asked: that follows what was seen, once it has settled.
            return;
        }
        let was_down = self.known.network.is_down();
        self.known.network.find(path);
        match (&self.phase, was_down, self.known.network.is_down()) {
            (Phase::Waiting(_), false, true) => self.lose(),
            (Phase::Offline(_), true, false) => {
                self.known.segments.forget();
                self.recorder.note_all(self.now, Transition::NetworkBack);
                self.dial();
            }
            (_, _, _) => {}
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
            && link.liveness.since() < died_at
            && link.liveness.state() == State::Connected
            && now.since(last_received.max(link.liveness.since())) >= HEARD_JUST_NOW
        {
            let findings = link.liveness.probe(now, Suspicion::SiblingDied, settings);
            self.apply(findings);
        }
    }

    /// Acts on a change of the network that has settled.
    pub(super) fn settle_network(&mut self) {
        if self.known.network.settle_at() > self.now {
            return;
        }
        let Some(pending) = self.known.network.take_settled(self.now) else { return };
        let is_named = [pending.told, pending.seen].into_iter().flatten().any(|change| change.path.is_some());
        let Some((settled, route_intact)) = self.known.network.learn(pending) else { return };
        match settled {
            Settled::Lost => self.lose(),
            Settled::Back => {
                self.known.waits.forgive_network();
                self.known.segments.forget();
                self.recorder.note_all(self.now, Transition::NetworkBack);
                self.regain_network(route_intact);
            }
            Settled::Changed => {
                self.known.segments.forget();
                self.recorder.note_all(self.now, Transition::NetworkChanged);
                if is_named {
                    self.known.waits.forgive_network();
                }
                self.change_network(route_intact);
            }
        }
    }

    /// What the end of an established connection means while there is no network.
    pub(super) fn explain_by_network(&mut self, ending: Ending) -> Ending {
        let is_silence = matches!(ending.cause, Cause::PathSilent | Cause::PeerUnresponsive | Cause::Unreachable);
        if is_silence && self.known.network.is_down() && self.link().is_some() {
            Ending { cause: Cause::LocalNetworkDown, ..ending }
        } else {
            ending
        }
    }

    fn lose(&mut self) {
        self.known.segments.forget();
        self.recorder.note_all(self.now, Transition::NetworkLost);
        self.lose_network();
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
