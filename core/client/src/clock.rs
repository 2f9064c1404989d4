//! The clock: one that counts suspend, compared with one that does not.

use crate::io::os;
use keepline_proto::Time;
use std::time::Duration;

/// A gap this large between the two clocks is a sleep of the machine, not noise between two readings.
const SLEEP_THRESHOLD: Duration = Duration::from_secs(2);

/// Reads the time, and notices that the machine has slept.
#[derive(Debug)]
pub(crate) struct Clock {
    /// Milliseconds spent asleep since boot, as last seen. They come round after 49 days, which is no matter: what counts is
    /// how many there are more.
    asleep: u32,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        Clock { asleep: asleep_millis() }
    }

    /// How long the machine slept since the last question, if it did.
    pub(crate) fn slept(&mut self) -> Option<Duration> {
        let asleep = asleep_millis();
        let gap = asleep.wrapping_sub(self.asleep);
        // Noise may take a little back.
        if gap > u32::MAX / 2 || Duration::from_millis(gap.into()) < SLEEP_THRESHOLD {
            return None;
        }
        let gap = Duration::from_millis(gap.into());
        self.asleep = asleep;
        Some(gap)
    }
}

/// The time now.
pub(crate) fn now() -> Time {
    Time::from_nanos(os::suspend_aware_nanos())
}

fn asleep_millis() -> u32 {
    // Read in this order, the difference is never larger than it was.
    let boot = os::suspend_aware_nanos();
    let asleep = Duration::from_nanos(boot.saturating_sub(os::awake_nanos()));
    // The low bits are meant.
    asleep.as_millis() as u32
}
