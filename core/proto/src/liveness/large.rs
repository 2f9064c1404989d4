//! Whether large segments get through: where they never do and small ones do, the path's packets have to be smaller.

use super::Liveness;
use crate::kernel::KernelFigures;

/// A segment that is larger tells of a path without a narrow link: no clamp would have changed it.
const LARGE: u64 = 1200;

/// What became of large segments on this connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct LargeData {
    /// Some were acknowledged.
    has_passed: bool,
    is_stuck: bool,
    segments: u32,
}

impl LargeData {
    /// None was sent.
    pub(super) const fn new() -> LargeData {
        LargeData { has_passed: false, is_stuck: false, segments: 0 }
    }

    /// `before` is what was acknowledged at the last look.
    pub(super) fn weigh(&mut self, before: Option<u64>, figures: &KernelFigures) {
        self.is_stuck = figures.is_large_data_stuck();
        let (Some(bytes), Some(segments)) = (figures.bytes_acked, figures.delivered_segments) else { return };
        // On the average since the last look: the size of each single segment is not told.
        let (more, count) = (bytes.saturating_sub(before.unwrap_or_default()), segments.saturating_sub(self.segments));
        self.has_passed |= count > 0 && more / u64::from(count) >= LARGE;
        self.segments = segments;
    }
}

impl Liveness {
    /// Takes the figures from after the death.
    pub(crate) fn note_large_data(&mut self, figures: &KernelFigures) {
        if figures.segment_size.is_some() {
            let evidence = self.evidence_mut();
            evidence.large.weigh(evidence.bytes_acked, figures);
        }
    }

    /// Whether large segments are stuck and none ever passed.
    pub(crate) fn is_large_data_stuck(&self) -> bool {
        self.timers.beside().is_some_and(|evidence| evidence.large.is_stuck && !evidence.large.has_passed)
    }
}
