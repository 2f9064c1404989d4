//! One timer for all clients of a runtime: deadlines share slots of 50 ms, and the timer sleeps until the earliest.
//!
//! Ten thousand clients with heartbeats cost one wake-up per occupied slot instead of one timer each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::Duration;
use tokio::runtime::{Handle, Id};
use tokio::sync::Notify;
use tokio::time::Instant;

/// The width of a slot: deadlines round up to it. 50 ms cost a fifth more CPU than 250 ms and stay far below what a
/// reply deadline of seconds notices.
pub(crate) const SLOT: Duration = Duration::from_millis(50);

static WHEELS: Mutex<Vec<(Id, Weak<Wheel>)>> = Mutex::new(Vec::new());

/// The wheel of one runtime. Its task ends when the last client lets go of it.
#[derive(Debug)]
pub(crate) struct Wheel {
    start: Instant,
    slots: Mutex<BTreeMap<u64, Vec<Waker>>>,
    changed: Arc<Notify>,
}

impl Wheel {
    /// The wheel of the runtime behind `handle`, made if it does not exist yet.
    pub(crate) fn of(handle: &Handle) -> Arc<Wheel> {
        let mut wheels = WHEELS.lock().unwrap_or_else(PoisonError::into_inner);
        wheels.retain(|(_, wheel)| wheel.strong_count() > 0);
        if let Some(wheel) = wheels.iter().find(|(id, _)| *id == handle.id()).and_then(|(_, wheel)| wheel.upgrade()) {
            return wheel;
        }
        let changed = Arc::new(Notify::new());
        let start = {
            // Instant::now follows the runtime's clock only inside it.
            let _inside = handle.enter();
            Instant::now()
        };
        let wheel = Arc::new(Wheel { start, slots: Mutex::default(), changed: changed.clone() });
        wheels.push((handle.id(), Arc::downgrade(&wheel)));
        handle.spawn(turn(Arc::downgrade(&wheel), changed));
        wheel
    }

    /// Wakes `waker` after `delay`, rounded up to a slot. Returns the slot.
    pub(crate) fn arm(&self, delay: Duration, waker: &Waker) -> u64 {
        let slot = self.slot_after(delay);
        let mut slots = self.slots();
        let is_earliest = slots.first_key_value().is_none_or(|(earliest, _)| slot < *earliest);
        slots.entry(slot).or_default().push(waker.clone());
        drop(slots);
        if is_earliest {
            self.changed.notify_one();
        }
        slot
    }

    /// The slot that `delay` from now falls into.
    pub(crate) fn slot_after(&self, delay: Duration) -> u64 {
        let due = self.start.elapsed().saturating_add(delay);
        u64::try_from(due.as_nanos().div_ceil(SLOT.as_nanos())).unwrap_or(u64::MAX)
    }

    /// Whether a slot has passed.
    pub(crate) fn has_passed(&self, slot: u64) -> bool {
        self.at(slot) <= Instant::now()
    }

    fn at(&self, slot: u64) -> Instant {
        let offset = SLOT.checked_mul(u32::try_from(slot).unwrap_or(u32::MAX)).unwrap_or(Duration::MAX);
        self.start.checked_add(offset).unwrap_or_else(|| self.start + Duration::from_secs(86_400 * 365 * 30))
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<Waker>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes every waker that is due, and says when the next one is.
    fn due(&self) -> (Vec<Waker>, Option<Instant>) {
        let mut due = Vec::new();
        let mut slots = self.slots();
        while let Some(entry) = slots.first_entry() {
            if !self.has_passed(*entry.key()) {
                return (due, Some(self.at(*entry.key())));
            }
            due.append(&mut entry.remove());
        }
        (due, None)
    }
}

impl Drop for Wheel {
    fn drop(&mut self) {
        self.changed.notify_one();
    }
}

async fn turn(wheel: Weak<Wheel>, changed: Arc<Notify>) {
    loop {
        let Some((due, next)) = wheel.upgrade().map(|wheel| wheel.due()) else { return };
        for waker in due {
            waker.wake();
        }
        match next {
            None => changed.notified().await,
            Some(next) => {
                // An earlier deadline or the end of the wheel cuts the sleep short.
                let _elapsed = tokio::time::timeout_at(next, changed.notified()).await;
            }
        }
    }
}
