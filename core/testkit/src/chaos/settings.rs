//! The faults in force for one direction.

use super::fault::{End, Fault};
use std::time::Duration;

/// The faults of one direction, with offsets counted in the sender's stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    pub(super) delay: Duration,
    pub(super) jitter: Duration,
    pub(super) rate: Option<u64>,
    pub(super) slice: Option<(usize, Duration)>,
    pub(super) limit: Option<(u64, End)>,
    pub(super) silent_from: Option<u64>,
    pub(super) corrupt: Vec<(u64, u8)>,
    pub(super) stall: bool,
    pub(super) hold: bool,
    pub(super) duplicate: bool,
}

impl Settings {
    /// Takes a fault on; its offsets start at `received`.
    pub(super) fn apply(&mut self, fault: &Fault, received: u64) {
        match fault {
            Fault::Pass => *self = Settings::default(),
            Fault::Latency { delay, jitter } => (self.delay, self.jitter) = (*delay, *jitter),
            Fault::Rate { bytes_per_second } => self.rate = Some((*bytes_per_second).max(1)),
            Fault::Slice { size, gap } => self.slice = Some(((*size).max(1), *gap)),
            Fault::Limit { bytes, end } => self.limit = Some((received.saturating_add(*bytes), *end)),
            Fault::Stall => self.stall = true,
            Fault::Hold => self.hold = true,
            Fault::Release => self.hold = false,
            Fault::DropAfter { bytes } => self.silent_from = Some(received.saturating_add(*bytes)),
            Fault::Corrupt { offset, mask } => self.corrupt.push((received.saturating_add(*offset), *mask)),
            Fault::Duplicate => self.duplicate = true,
            // These two are done to living connections and leave nothing behind for later ones.
            Fault::Inject { .. } | Fault::HalfClose => {}
        }
    }
}
