//! What the driver sees of the network, and when it looks.

use super::Driver;
use crate::clock;
use crate::network::{Look, Sight, Target, source_towards};
use keepline_proto::session::{NetworkChange, NetworkPath};
use keepline_proto::{Cause, Ending, Epoch, State, Time};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// How often a client without a network looks whether there is one, where no kernel tells: a look sends nothing, and a
/// phone that was offline is not asked for more than its users notice.
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl Driver {
    /// Looks at the way to the first hop, the endpoint or its proxy, before the first attempt.
    pub(super) fn first_look(&mut self, handle: &Handle) {
        let literal = self.shared.only_hop();
        let target = literal.and_then(|peer| Target::of(peer, true, &self.shared.config));
        // A name may stand for this host, which no network leads to: the first attempt finds out.
        if let Some(target) = target
            && self.shared.config.network_monitor
        {
            self.sight = Sight::of(target, handle, self.seat.wheel());
            self.tell_found();
        }
    }

    /// Keeps the way to the peer of a connection in sight.
    pub(super) fn watch(&mut self, peer: Option<SocketAddr>) {
        if !self.shared.config.network_monitor {
            return;
        }
        let is_only = self.shared.only_hop().is_some();
        let target = peer.and_then(|peer| Target::of(peer, is_only, &self.shared.config));
        match (target, &self.sight) {
            (Some(target), Some(sight)) if sight.is_of(&target) => {}
            (Some(target), Some(_) | None) => self.see(target),
            (None, _) => self.sight = None,
        }
    }

    /// Looks before an attempt that is due: without a network there is none. Says whether there was a reason to.
    pub(super) fn look_before_attempt(&mut self) -> bool {
        let is_due = self.session.retry_at().is_some() || self.session.state() == State::Idle;
        if is_due {
            self.look_now();
        }
        is_due
    }

    /// Looks after an attempt or a connection has ended in a way that the own network can explain.
    pub(super) fn look_after(&mut self, epoch: Epoch, ending: &Ending) {
        let may_be_ours = matches!(
            ending.cause,
            Cause::PathSilent
                | Cause::PeerUnresponsive
                | Cause::Unreachable
                | Cause::ConnectTimeout
                | Cause::Dns(_)
                | Cause::LocalNetworkDown
        );
        // The end of an attempt beside a living connection leaves that to judge for itself.
        if !may_be_ours || self.session.challenger() == Some(epoch) {
            return;
        }
        if self.sight.is_none() && matches!(ending.cause, Cause::Dns(_)) && self.shared.config.network_monitor {
            self.see(Target::unknown(&self.shared.config));
        }
        self.look_now();
    }

    /// Looks because the connection is suspect, where no kernel tells of changes.
    pub(super) fn look_on_suspicion(&mut self) {
        if let Some(sight) = self.sight.as_ref().filter(|sight| !sight.is_told()) {
            sight.again();
            self.shared.wake_driver();
        }
    }

    /// Tells the machine what was seen since the last turn.
    pub(super) fn network_turn(&mut self) {
        while let Some(next) = self.sight.as_ref().and_then(|sight| sight.next().cloned()) {
            let before = self.sight.replace(next.clone()).map_or(next.path(), |sight| sight.path());
            tracing::debug!(available = next.path().available, "the way to the peer is another one");
            let change = NetworkChange { path: Some(next.path()), route_intact: self.address_is_kept() };
            self.session.handle_network_seen(clock::now(), before, change);
            self.act();
        }
        if self.looks_by_itself()
            && let Some(sight) = &self.sight
        {
            // What it sees is told in the next turn.
            if !Arc::ptr_eq(sight, &sight.again()) {
                self.shared.wake_driver();
            }
        }
    }

    /// When to look whether there is a network again. Every client at the same moments: they share the look.
    pub(super) fn look_for_network_at(&self) -> Option<Time> {
        let every = LOOK_EVERY.as_nanos() as u64;
        let moments = clock::now().as_nanos() / every;
        self.looks_by_itself().then(|| Time::from_nanos((moments + 1) * every))
    }

    /// Whether the local address of the connection is still the one that the route uses.
    pub(super) fn route_intact(&self, path: Option<NetworkPath>) -> Option<bool> {
        if path.is_some_and(|path| !path.available) {
            return None;
        }
        let stream = self.tcp(self.session.epoch())?;
        let (local, peer) = (stream.local_addr().ok()?.as_socket()?, stream.peer_addr().ok()?.as_socket()?);
        let source = source_towards(&self.shared.config, peer);
        Some(source.is_ok_and(|source| source == local.ip().to_canonical()))
    }

    /// Whether this host still has the local address of the connection. If so, a probe can tell whether the connection
    /// outlived the change: nobody but the routing table says that it did not.
    fn address_is_kept(&self) -> Option<bool> {
        let local = self.tcp(self.session.epoch())?.local_addr().ok()?.as_socket()?;
        Some(Look::now().keeps(local.ip()))
    }

    fn see(&mut self, target: Target) {
        self.sight = Sight::of(target, &Handle::current(), self.seat.wheel());
        self.tell_found();
    }

    fn look_now(&mut self) {
        if let Some(sight) = &self.sight {
            self.sight = Some(sight.again());
            self.tell_found();
        }
    }

    fn tell_found(&mut self) {
        if let Some(sight) = &self.sight {
            self.session.handle_network_found(clock::now(), sight.path());
            self.act();
        }
    }

    fn looks_by_itself(&self) -> bool {
        self.session.state() == State::Offline && self.sight.as_ref().is_some_and(|sight| !sight.is_told())
    }
}
