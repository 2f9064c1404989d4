//! The clock: one that counts suspend, compared with one that does not.

use crate::io::os;
use keepline_proto::Time;
use std::time::Duration;

/// A gap this large between the two clocks is a sleep of the machine, not noise between two readings.
const SLEEP_THRESHOLD: Duration = Duration::from_secs(2);

/// Reads the time, and notices that the machine has slept.
#[derive(Debug)]
pub(crate) struct Clock {
    /// Nanoseconds spent asleep since boot, as last seen.
    asleep: u64,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        Clock { asleep: asleep_nanos() }
    }

    /// How long the machine slept since the last question, if it did.
    pub(crate) fn slept(&mut self) -> Option<Duration> {
        let asleep = asleep_nanos();
        let gap = Duration::from_nanos(asleep.saturating_sub(self.asleep));
        if gap < SLEEP_THRESHOLD {
            return None;
        }
        self.asleep = asleep;
        Some(gap)
    }
}

/// The time now.
pub(crate) fn now() -> Time {
    Time::from_nanos(os::suspend_aware_nanos())
}

fn asleep_nanos() -> u64 {
    // Read in this order, the difference is never larger than it was.
    let boot = os::suspend_aware_nanos();
    boot.saturating_sub(os::awake_nanos())
}
