//! Whether the peer's kernel has the outstanding heartbeat: one that is still under way proves nothing about the peer.
//!
//! On a narrow line a heartbeat waits behind everything the kernel was given before it, longer than any deadline for its
//! reply. While the path carries bytes and the heartbeat is not through, the verdict waits; once it is through, the peer
//! gets its full time.

use crate::Time;
use crate::kernel::KernelFigures;
use std::time::Duration;

/// 20 s, in milliseconds: no queue on the way is longer than ten, and a dead peer is not waited for on a wrong figure.
const LONGEST_RECOVERY: u32 = 20_000;

/// What the kernel's figures say about the outstanding heartbeat.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivery {
    /// The kernel took bytes since it was asked for; it goes out ahead of everything that waits.
    is_written: bool,
    /// The next figures are taken before the heartbeat is written.
    asked_just_now: bool,
    /// A place in the send stream that is not before the heartbeat's end.
    end: Option<u64>,
    /// The kernel had it at the last look, and the peer's kernel did not.
    is_under_way: bool,
    /// When the peer's kernel last answered anything; [`Time::ZERO`] if not known.
    answered_at: Time,
    /// Two round trips as the kernel measured them last: after a loss nothing is acknowledged for that long, on a path that
    /// is only slow. Whole milliseconds.
    recovery: u32,
    /// The heartbeat was seen under way when half of its deadline had passed.
    is_late: bool,
}

impl Delivery {
    /// Nothing is known of it.
    pub(super) const fn new() -> Delivery {
        Delivery {
            is_written: false,
            asked_just_now: false,
            end: None,
            is_under_way: false,
            answered_at: Time::ZERO,
            recovery: 0,
            is_late: false,
        }
    }

    /// A heartbeat that is asked for together with figures.
    pub(super) fn asked_with_figures() -> Delivery {
        Delivery { asked_just_now: true, ..Delivery::new() }
    }

    /// The kernel took bytes that had waited.
    pub(super) fn note_write(&mut self) {
        self.is_written = true;
    }

    /// It waits for the end of a frame, whatever the kernel takes until then.
    pub(super) fn note_held(&mut self) {
        self.is_written = false;
    }

    /// Takes figures. `is_blocked` says that the writer waits for room, `is_due` that half of the reply's deadline has
    /// passed. Returns whether the heartbeat was late and the peer's kernel has it now.
    pub(super) fn weigh(&mut self, now: Time, figures: &KernelFigures, is_blocked: bool, is_due: bool) -> bool {
        let is_written = self.is_written || !is_blocked;
        if let Some(rtt) = figures.rtt {
            self.recovery = u32::try_from((2 * rtt).as_millis()).unwrap_or(u32::MAX).min(LONGEST_RECOVERY);
        }
        self.answered_at = figures.last_ack_received.map_or(self.answered_at, |age| now - age);
        let (Some(acked), Some(queue)) = (figures.bytes_acked, figures.send_queue) else { return false };
        if std::mem::take(&mut self.asked_just_now) {
            return false;
        }
        let Some(end) = self.end else {
            // One that the kernel has not even got is late by any measure.
            self.is_late |= is_due && !is_written;
            // Bytes that were written behind it count too: they are few, and only a slow path makes them matter. So what is
            // under way now is not late yet.
            self.end = is_written.then(|| acked.saturating_add(u64::from(queue)));
            self.is_under_way = is_written && queue > 0;
            return false;
        };
        self.is_under_way = acked < end;
        if self.is_under_way {
            self.is_late |= is_due;
            return false;
        }
        std::mem::take(&mut self.is_late)
    }

    /// Whether the heartbeat was seen under way later than it should have been.
    pub(super) fn is_late(&self) -> bool {
        self.is_late
    }

    /// How long the path may be silent after a loss.
    pub(super) fn recovery(&self) -> Duration {
        Duration::from_millis(u64::from(self.recovery))
    }

    /// Whether the peer's kernel has answered within `lately`.
    pub(super) fn is_answered(&self, now: Time, lately: Duration) -> bool {
        now.since(self.answered_at) < lately
    }

    /// Whether the kernel has the heartbeat and the peer's kernel does not.
    pub(super) fn is_under_way(&self) -> bool {
        self.is_under_way
    }
}
