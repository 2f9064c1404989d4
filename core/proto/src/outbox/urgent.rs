//! Frames that do not wait for the queue, in order.

use bytes::Bytes;
use std::collections::VecDeque;

/// A frame that does not wait for the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgent {
    /// A heartbeat.
    Heartbeat,
    /// An automatic answer.
    AutoReply,
    /// A frame of the greeting.
    Greeting,
}

/// First in, first out; nearly always there is none, and then there is no memory for any.
#[derive(Debug, Default)]
pub(super) struct UrgentQueue {
    first: Option<Box<(Bytes, Urgent)>>,
    #[expect(clippy::box_collection, reason = "8 bytes instead of 32 in each idle connection")]
    rest: Option<Box<VecDeque<(Bytes, Urgent)>>>,
}

impl UrgentQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn front(&self) -> Option<&(Bytes, Urgent)> {
        self.first.as_deref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(Bytes, Urgent)> {
        self.first.as_deref().into_iter().chain(self.rest.iter().flat_map(|rest| rest.iter()))
    }

    pub(super) fn push_back(&mut self, frame: (Bytes, Urgent)) {
        if self.first.is_none() {
            self.first = Some(Box::new(frame));
        } else {
            self.rest.get_or_insert_default().push_back(frame);
        }
    }

    pub(super) fn pop_front(&mut self) {
        self.first = self.rest.as_mut().and_then(|rest| rest.pop_front()).map(Box::new);
        if self.rest.as_ref().is_some_and(|rest| rest.is_empty()) {
            self.rest = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_leave_in_the_order_they_came_and_leave_no_memory_behind() {
        let mut queue = UrgentQueue::default();
        for count in 1..5u8 {
            (0..count).for_each(|number| queue.push_back((vec![number].into(), Urgent::Heartbeat)));
            assert_eq!(queue.iter().count(), usize::from(count));
            for number in 0..count {
                assert_eq!(queue.front().map(|(frame, _)| frame[0]), Some(number));
                queue.pop_front();
            }
            assert!(queue.is_empty() && queue.rest.is_none());
        }
    }
}
