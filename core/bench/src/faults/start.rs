//! Lets networks be built a few at a time, and all faults happen together once every network is there.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// 3: building a network is a dozen short processes; more at once than this stand in each other's way on two cores.
const BUILT_AT_ONCE: usize = 3;

/// Counts who is building, and who is not ready yet.
pub(super) struct Start {
    counts: Mutex<Counts>,
    changed: Condvar,
}

struct Counts {
    building: usize,
    missing: usize,
}

/// A place among those that build. Ending it says that this run is ready, or never will be.
pub(super) struct Place<'a> {
    start: &'a Start,
}

impl Start {
    /// For so many runs, each of which takes one place.
    pub(super) fn of(runs: usize) -> Start {
        Start { counts: Mutex::new(Counts { building: 0, missing: runs }), changed: Condvar::new() }
    }

    /// Waits for a place to build.
    pub(super) fn build(&self) -> Place<'_> {
        let full = |counts: &mut Counts| counts.building >= BUILT_AT_ONCE;
        let mut counts = self.changed.wait_while(self.counts(), full).unwrap_or_else(PoisonError::into_inner);
        counts.building += 1;
        Place { start: self }
    }

    /// Waits until nobody builds any more.
    pub(super) fn wait(&self) {
        let waiting = |counts: &mut Counts| counts.missing > 0;
        drop(self.changed.wait_while(self.counts(), waiting).unwrap_or_else(PoisonError::into_inner));
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut counts = self.start.counts();
        counts.building -= 1;
        counts.missing -= 1;
        self.start.changed.notify_all();
    }
}
