//! What one client did and saw, with the time since the start of the demonstration.

use super::screen::Screen;
use super::{FaultName, Side};
use keepline::{Ending, Suspicion};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The diary of one client under one fault.
pub(crate) struct Journal {
    pub(crate) fault: FaultName,
    pub(crate) side: Side,
    start: Instant,
    entries: Mutex<Vec<Entry>>,
    screen: OnceLock<Arc<Screen>>,
}

/// One line of the diary.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) at: Duration,
    pub(crate) what: What,
}

/// What happened. Messages and connections are numbered from 1.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    /// A message came due. A client without a place for it drops it.
    Due { number: u64 },
    /// Its echo came.
    Back { number: u64, connection: u64 },
    /// The client has a connection, as far as it knows.
    Up { connection: u64 },
    /// The client doubts.
    Suspect { evidence: Suspicion },
    /// The doubt is over.
    Recovered,
    /// The client knows that its connection is over.
    Down { connection: u64, why: Why, retry_in: Option<Duration> },
    /// An attempt failed.
    Failed { why: Why, retry_in: Option<Duration> },
    /// The fault begins or ends, in words.
    Stage { text: &'static str },
}

/// Why a connection or an attempt ended, as each client can tell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Why {
    /// A verdict with cause and detector.
    Ending(Ending),
    /// What the system call said.
    System(String),
}

impl Journal {
    pub(crate) fn new(fault: FaultName, side: Side, start: Instant) -> Journal {
        Journal { fault, side, start, entries: Mutex::default(), screen: OnceLock::new() }
    }

    /// Shows from now on what is written.
    pub(crate) fn tell_to(&self, screen: Arc<Screen>) {
        // It is set once, when the play begins.
        let _ = self.screen.set(screen);
    }

    pub(crate) fn write(&self, what: What) {
        let entry = Entry { at: self.start.elapsed(), what };
        let is_repeat = {
            let mut entries = self.locked();
            let is_repeat = is_failed(&entry) && entries.iter().rev().find(is_told).is_some_and(is_failed);
            entries.push(entry.clone());
            is_repeat
        };
        // Four failures a second of the naive client would bury everything else.
        let is_noise = is_repeat && self.side == Side::Naive;
        if let Some(screen) = self.screen.get().filter(|_| !is_noise) {
            screen.happened(self, &entry);
        }
    }

    /// Notes that the fault begins.
    pub(crate) fn strike(&self) {
        self.write(What::Stage { text: self.fault.begins() });
    }

    /// Everything written so far.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.locked().clone()
    }

    /// A point in time as the journal counts it.
    pub(crate) fn since_start(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.start)
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_failed(entry: &Entry) -> bool {
    matches!(entry.what, What::Failed { .. })
}

fn is_told(entry: &&Entry) -> bool {
    !matches!(entry.what, What::Due { .. } | What::Back { .. } | What::Stage { .. })
}
