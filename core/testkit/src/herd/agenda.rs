//! What is to happen, in order of time: slots of ten milliseconds, each sorted when its time comes.
//!
//! A heap of all events would miss the cache on every level once a million clients send a million SYNs a second. Here most of
//! what is put down goes to the end of some slot, and most of what is taken comes from one that is sorted and small.

use keepline_proto::Time;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Ten thousand events of a million a second, as many as a core's cache holds.
const WIDTH: Duration = Duration::from_millis(10);

/// 41 s: longer than any wait of Keepline's and any deadline. What is later waits in a heap.
const SLOTS: u64 = 4_096;

/// Something with a time. Its order is by time first.
pub(super) trait Timed: Ord + Copy {
    fn at(&self) -> Time;
}

/// Events that are still to come.
#[derive(Debug)]
pub(super) struct Agenda<E> {
    /// The slot that is being taken: the earliest last.
    open: Vec<E>,
    /// What was put down for the open slot, or for an earlier one, since it was opened.
    late: BinaryHeap<Reverse<E>>,
    /// The number of the open slot.
    slot: u64,
    ring: Vec<Vec<E>>,
    in_ring: usize,
    far: BinaryHeap<Reverse<E>>,
}

impl<E: Timed> Agenda<E> {
    /// An empty one that begins at `start`.
    pub(super) fn new(start: Time) -> Agenda<E> {
        Agenda {
            open: Vec::new(),
            late: BinaryHeap::new(),
            slot: slot(start),
            ring: (0..SLOTS).map(|_| Vec::new()).collect(),
            in_ring: 0,
            far: BinaryHeap::new(),
        }
    }

    /// Puts an event down.
    pub(super) fn push(&mut self, event: E) {
        let slot = slot(event.at());
        if slot <= self.slot {
            self.late.push(Reverse(event));
        } else if slot < self.slot + SLOTS {
            self.ring[(slot % SLOTS) as usize].push(event);
            self.in_ring += 1;
        } else {
            self.far.push(Reverse(event));
        }
    }

    /// The next event.
    pub(super) fn peek(&mut self) -> Option<E> {
        self.open_next();
        match (self.open.last(), self.late.peek()) {
            (Some(open), Some(Reverse(late))) => Some(*open.min(late)),
            (open, late) => open.or(late.map(|Reverse(late)| late)).copied(),
        }
    }

    /// Takes the next event.
    pub(super) fn pop(&mut self) -> Option<E> {
        let next = self.peek()?;
        if self.open.last() == Some(&next) {
            self.open.pop();
        } else {
            self.late.pop();
        }
        Some(next)
    }

    /// Opens the next slot that holds something, if the open one is used up.
    fn open_next(&mut self) {
        while self.open.is_empty() && self.late.is_empty() {
            if self.in_ring == 0 {
                let Some(Reverse(far)) = self.far.peek() else { return };
                self.slot = slot(far.at());
            } else {
                self.slot += 1;
            }
            while let Some(Reverse(far)) = self.far.peek()
                && slot(far.at()) < self.slot + SLOTS
                && let Some(Reverse(far)) = self.far.pop()
            {
                self.ring[(slot(far.at()) % SLOTS) as usize].push(far);
                self.in_ring += 1;
            }
            // Taken out whole, so that a slot that was full once does not keep its memory for the rest of the run.
            self.open = std::mem::take(&mut self.ring[(self.slot % SLOTS) as usize]);
            self.in_ring -= self.open.len();
            self.open.sort_unstable_by(|left, right| right.cmp(left));
        }
    }
}

fn slot(at: Time) -> u64 {
    at.as_nanos() / WIDTH.as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastrand::Rng;

    impl Timed for (Time, u32) {
        fn at(&self) -> Time {
            self.0
        }
    }

    #[test]
    fn events_come_in_order_wherever_they_are_put_down() {
        let start = Time::from_nanos(3_600_000_000_000);
        let mut rng = Rng::with_seed(1);
        let (mut agenda, mut heap) = (Agenda::new(start), BinaryHeap::new());
        let mut now = start;
        for number in 0..20_000_u32 {
            // Within the open slot, within the ring, and beyond it.
            let reach = [1_000_000, 3_000_000_000, 200_000_000_000][rng.usize(0..3)];
            let event = (now + Duration::from_nanos(rng.u64(0..reach)), number % 97);
            agenda.push(event);
            heap.push(Reverse(event));
            if rng.u8(..) < 120 {
                let expected = heap.pop().map(|Reverse(event)| event);
                assert_eq!(agenda.peek(), expected);
                assert_eq!(agenda.pop(), expected);
                now = expected.map_or(now, |event| event.0);
            }
        }
        while let Some(Reverse(event)) = heap.pop() {
            assert_eq!(agenda.pop(), Some(event));
        }
        assert_eq!(agenda.pop(), None);
    }
}
