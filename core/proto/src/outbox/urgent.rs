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
    /// A subscription that the connection begins with.
    Subscription {
        /// Whether a frame answers it, and takes a place among the replies.
        answered: bool,
    },
}

/// First in, first out; nearly always there is none, and then there is no memory for any.
#[derive(Debug, Default)]
pub(super) struct UrgentQueue(Option<Box<Waiting>>);

#[derive(Debug)]
struct Waiting {
    first: (Bytes, Urgent),
    rest: VecDeque<(Bytes, Urgent)>,
    /// Bytes of the first one that are handed over.
    written: usize,
    /// Bytes of all, those handed over too.
    bytes: usize,
    /// Those of automatic answers.
    answers: usize,
}

impl UrgentQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Bytes of the frames that are not handed over whole.
    pub(super) fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |waiting| waiting.bytes)
    }

    /// Bytes of automatic answers that are not handed over whole.
    pub(super) fn answer_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |waiting| waiting.answers)
    }

    /// Whether a part of the first frame is handed over.
    pub(super) fn is_begun(&self) -> bool {
        self.0.as_ref().is_some_and(|waiting| waiting.written > 0)
    }

    /// What is still to be written of each frame.
    pub(super) fn rests(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().flat_map(|waiting| {
            let rest = waiting.rest.iter().map(|(frame, _)| &frame[..]);
            std::iter::once(&waiting.first.0[waiting.written..]).chain(rest)
        })
    }

    pub(super) fn push_back(&mut self, frame: (Bytes, Urgent)) {
        let answers = if frame.1 == Urgent::AutoReply { frame.0.len() } else { 0 };
        match &mut self.0 {
            Some(waiting) => {
                waiting.bytes += frame.0.len();
                waiting.answers += answers;
                waiting.rest.push_back(frame);
            }
            None => {
                let bytes = frame.0.len();
                self.0 = Some(Box::new(Waiting { first: frame, rest: VecDeque::new(), written: 0, bytes, answers }));
            }
        }
    }

    /// Tells that up to `limit` bytes of the first frame are handed over: how many it took, and what it was if that was
    /// the last of it.
    pub(super) fn advance(&mut self, limit: usize) -> (usize, Option<Urgent>) {
        let Some(waiting) = &mut self.0 else { return (0, None) };
        let (length, kind) = (waiting.first.0.len(), waiting.first.1);
        let step = (length - waiting.written).min(limit);
        waiting.written += step;
        if waiting.written < length {
            return (step, None);
        }
        match waiting.rest.pop_front() {
            Some(next) => {
                waiting.first = next;
                waiting.written = 0;
                waiting.bytes -= length;
                if kind == Urgent::AutoReply {
                    waiting.answers -= length;
                }
            }
            None => self.0 = None,
        }
        (step, Some(kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_leave_in_the_order_they_came_and_leave_no_memory_behind() {
        let mut queue = UrgentQueue::default();
        for count in 1..5u8 {
            (0..count).for_each(|number| queue.push_back((vec![number, number].into(), Urgent::Heartbeat)));
            assert_eq!(queue.bytes(), 2 * usize::from(count));
            for number in 0..count {
                assert_eq!(queue.rests().count(), usize::from(count - number));
                assert_eq!(queue.advance(1), (1, None));
                assert!(queue.is_begun());
                assert_eq!(queue.rests().next(), Some(&[number][..]));
                assert_eq!(queue.advance(9), (1, Some(Urgent::Heartbeat)));
                assert!(!queue.is_begun());
            }
            assert!(queue.is_empty() && queue.bytes() == 0);
        }
    }
}
