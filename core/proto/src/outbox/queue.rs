//! A queue behind one pointer: an idle client has several, and nothing in any of them.

use std::collections::VecDeque;

/// First in, first out. Its memory comes with the first item and stays until [`Queue::rest`], so that steady traffic
/// allocates nothing for it.
#[derive(Debug)]
#[expect(clippy::box_collection, reason = "8 bytes instead of 32 for each queue of an idle connection")]
pub(super) struct Queue<T>(Option<Box<VecDeque<T>>>);

impl<T> Queue<T> {
    pub(super) const fn new() -> Queue<T> {
        Queue(None)
    }

    /// Gives the memory back, if there is nothing in it.
    pub(super) fn rest(&mut self) {
        if self.is_empty() {
            self.0 = None;
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |items| items.len())
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub(super) fn front(&self) -> Option<&T> {
        self.0.as_ref()?.front()
    }

    #[inline]
    pub(super) fn front_mut(&mut self) -> Option<&mut T> {
        self.0.as_mut()?.front_mut()
    }

    #[inline]
    pub(super) fn push_back(&mut self, item: T) {
        self.made().push_back(item);
    }

    #[inline]
    pub(super) fn pop_front(&mut self) -> Option<T> {
        self.0.as_mut()?.pop_front()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flat_map(|items| items.iter())
    }

    /// Takes everything out, and gives the memory back.
    pub(super) fn take(&mut self) -> VecDeque<T> {
        self.0.take().map(|items| *items).unwrap_or_default()
    }

    fn made(&mut self) -> &mut VecDeque<T> {
        self.0.get_or_insert_default()
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_kept_until_the_queue_rests_and_only_while_something_is_in_it() {
        let mut queue = Queue::new();
        assert_eq!(size_of_val(&queue), size_of::<usize>());
        queue.push_back(1);
        queue.push_back(2);
        queue.rest();
        assert_eq!(queue.iter().copied().collect::<Vec<_>>(), [1, 2]);
        assert_eq!((queue.pop_front(), queue.pop_front(), queue.pop_front()), (Some(1), Some(2), None));
        assert!(queue.is_empty() && queue.0.is_some());
        queue.rest();
        assert!(queue.0.is_none());
    }
}
