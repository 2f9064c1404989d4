//! What the clients of a runtime see of the network: one look for each peer, shared by all who talk to it.
//!
//! Where the kernel tells that something changed (Linux), each peer is looked at again, once for all its clients, and they are
//! woken only if the way to it is another one. Elsewhere the clients look themselves when they have a reason to.

mod look;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod news;

use crate::wheel::Wheel;
use keepline_proto::session::NetworkPath;
#[cfg(unix)]
pub(crate) use look::OwnAddress;
pub(crate) use look::{Look, Target, source_towards};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use tokio::runtime::{Handle, Id};
use tokio::sync::Notify;

static MONITORS: Mutex<Vec<(Id, Weak<Monitor>)>> = Mutex::new(Vec::new());

/// The looks of one runtime. It lives as long as a client holds a [`Sight`].
#[derive(Debug)]
struct Monitor {
    wheel: Weak<Wheel>,
    sights: Mutex<HashMap<Target, Weak<Sight>>>,
    /// The kernel tells of changes.
    is_told: AtomicBool,
    ended: Arc<Notify>,
}

/// What was seen of the way to a peer. It does not change: the next sight follows it.
#[derive(Debug)]
pub(crate) struct Sight {
    monitor: Arc<Monitor>,
    target: Target,
    path: NetworkPath,
    next: OnceLock<Arc<Sight>>,
}

impl Sight {
    /// What is seen of the target now, shared with whoever sees it already.
    pub(crate) fn of(target: Target, handle: &Handle, wheel: &Arc<Wheel>) -> Option<Arc<Sight>> {
        let monitor = Monitor::of(handle, wheel);
        let known = monitor.sights().get(&target).and_then(Weak::upgrade);
        match known {
            Some(sight) => Some(sight.again()),
            None => monitor.first(target),
        }
    }

    /// The path to the peer.
    pub(crate) fn path(&self) -> NetworkPath {
        self.path
    }

    /// Whether it is of this target.
    pub(crate) fn is_of(&self, target: &Target) -> bool {
        self.target == *target
    }

    /// What was seen after it, if anything.
    pub(crate) fn next(&self) -> Option<&Arc<Sight>> {
        self.next.get()
    }

    /// Whether changes come by themselves; if not, one has to look.
    pub(crate) fn is_told(&self) -> bool {
        self.monitor.is_told.load(Ordering::Relaxed)
    }

    /// Looks again. What is seen then follows this sight, for all who hold it.
    pub(crate) fn again(self: &Arc<Sight>) -> Arc<Sight> {
        let mut sights = self.monitor.sights();
        let newest = self.newest();
        let Some(seen) = newest.look(&Look::now()) else { return newest };
        sights.insert(seen.target.clone(), Arc::downgrade(&seen));
        drop(sights);
        self.monitor.wake();
        seen
    }

    fn newest(self: &Arc<Sight>) -> Arc<Sight> {
        let mut sight = self;
        while let Some(next) = sight.next() {
            sight = next;
        }
        sight.clone()
    }

    /// The sight that follows, if it is another one. Called for the newest one, under the lock of the sights.
    fn look(&self, look: &Look) -> Option<Arc<Sight>> {
        let path = look.at(&self.target).filter(|path| *path != self.path)?;
        let (monitor, target) = (self.monitor.clone(), self.target.clone());
        let seen = Arc::new(Sight { monitor, target, path, next: OnceLock::new() });
        self.next.set(seen.clone()).ok().map(|()| seen)
    }
}

impl Monitor {
    /// The monitor of the runtime behind `handle`, made if it does not exist yet.
    fn of(handle: &Handle, wheel: &Arc<Wheel>) -> Arc<Monitor> {
        let mut monitors = MONITORS.lock().unwrap_or_else(PoisonError::into_inner);
        monitors.retain(|(_, monitor)| monitor.strong_count() > 0);
        let known = monitors.iter().find(|(id, _)| *id == handle.id());
        if let Some(monitor) = known.and_then(|(_, monitor)| monitor.upgrade()) {
            return monitor;
        }
        let monitor = Arc::new(Monitor {
            wheel: Arc::downgrade(wheel),
            sights: Mutex::default(),
            is_told: AtomicBool::new(false),
            ended: Arc::new(Notify::new()),
        });
        monitors.push((handle.id(), Arc::downgrade(&monitor)));
        #[cfg(any(target_os = "linux", target_os = "android"))]
        handle.spawn(news::listen(Arc::downgrade(&monitor), monitor.ended.clone()));
        monitor
    }

    fn first(self: Arc<Monitor>, target: Target) -> Option<Arc<Sight>> {
        let path = Look::now().at(&target)?;
        let mut sights = self.sights();
        if let Some(sight) = sights.get(&target).and_then(Weak::upgrade) {
            // Somebody else was the first.
            return Some(sight);
        }
        let sight = Arc::new(Sight { monitor: self.clone(), target: target.clone(), path, next: OnceLock::new() });
        if sights.len() == sights.capacity() {
            // Peers that nobody talks to any more go before the table grows for others.
            sights.retain(|_, sight| sight.strong_count() > 0);
        }
        sights.insert(target, Arc::downgrade(&sight));
        drop(sights);
        Some(sight)
    }

    /// Looks at every peer again, and wakes the clients if anything is different.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn look_again(&self) {
        self.look_at_all(&Look::now());
    }

    #[cfg(any(target_os = "linux", target_os = "android", test))]
    fn look_at_all(&self, look: &Look) {
        let mut sights = self.sights();
        let mut is_changed = false;
        // Dropped after the lock is let go: the last of a runtime ends its monitor.
        let mut seen_before = Vec::with_capacity(sights.len());
        sights.retain(|_, entry| {
            let Some(sight) = entry.upgrade() else { return false };
            if let Some(seen) = sight.look(look) {
                *entry = Arc::downgrade(&seen);
                is_changed = true;
            }
            seen_before.push(sight);
            true
        });
        drop(sights);
        drop(seen_before);
        if is_changed {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(wheel) = self.wheel.upgrade() {
            wheel.wake_all();
        }
    }

    fn sights(&self) -> MutexGuard<'_, HashMap<Target, Weak<Sight>>> {
        self.sights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.ended.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::look::OwnAddress;
    use super::*;
    use std::net::Ipv4Addr;

    #[tokio::test]
    async fn clients_of_a_target_share_what_is_seen_and_follow_it() {
        let monitor = monitor();
        let mine = monitor.clone().first(anywhere()).unwrap();
        let other = monitor.clone().first(anywhere()).unwrap();
        assert!(Arc::ptr_eq(&mine, &other));
        monitor.look_at_all(&without_a_network());
        monitor.look_at_all(&without_a_network());
        let lost = mine.next().unwrap();
        assert!(!lost.path().available && lost.next().is_none(), "the same look twice is one sight");
        monitor.look_at_all(&on_a_network());
        let back = lost.next().unwrap();
        assert!(back.path().available);
        let late = monitor.clone().first(anywhere()).unwrap();
        assert!(Arc::ptr_eq(&late, back), "who comes later begins with the newest");
    }

    #[tokio::test]
    async fn sights_end_with_their_clients_and_the_monitor_with_the_last() {
        let monitor = monitor();
        let ended = Arc::downgrade(&monitor);
        let sight = monitor.clone().first(anywhere()).unwrap();
        monitor.look_at_all(&without_a_network());
        monitor.look_at_all(&on_a_network());
        drop(sight);
        monitor.look_at_all(&without_a_network());
        assert!(monitor.sights().is_empty());
        let last = monitor.first(anywhere()).unwrap();
        assert!(ended.upgrade().is_some());
        drop(last);
        assert!(ended.upgrade().is_none());
    }

    #[tokio::test]
    async fn look_of_one_client_is_seen_by_the_others() {
        let monitor = monitor();
        let mine = monitor.clone().first(anywhere()).unwrap();
        monitor.look_at_all(&without_a_network());
        let other = mine.next().unwrap().clone();
        // The real network of this machine, whatever it is.
        let seen = other.again();
        assert_eq!(seen.path().available, Look::now().at(&anywhere()).unwrap().available);
        assert_eq!(other.next().is_some(), seen.path().available);
        assert!(Arc::ptr_eq(&mine.again(), &seen), "from the oldest one comes to the newest too");
    }

    fn anywhere() -> Target {
        Target::unknown(&keepline_proto::config::Config::default().parse().unwrap())
    }

    fn monitor() -> Arc<Monitor> {
        let wheel = Wheel::of(&Handle::current());
        Arc::new(Monitor {
            wheel: Arc::downgrade(&wheel),
            sights: Mutex::default(),
            is_told: AtomicBool::new(false),
            ended: Arc::new(Notify::new()),
        })
    }

    fn on_a_network() -> Look {
        Look::of(vec![OwnAddress { ip: Ipv4Addr::new(192, 0, 2, 7).into(), is_alive: true }])
    }

    fn without_a_network() -> Look {
        Look::of(vec![OwnAddress { ip: Ipv4Addr::LOCALHOST.into(), is_alive: true }])
    }
}
