//! Received messages that wait for the user: lossless, bounded in bytes, one cursor for all readers.

use crate::message::Message;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What a message costs beside its bytes: its place in the queue and its share of the buffer behind it.
const OVERHEAD: usize = 64;

/// The inbox of one client. It survives connections, and outlives the client until it is empty.
#[derive(Debug)]
pub(crate) struct Inbox {
    queue: Mutex<Queue>,
    arrived: Notify,
    limit: usize,
}

#[derive(Debug, Default)]
struct Queue {
    /// Boxed: a client that is told nothing has none.
    #[expect(clippy::box_collection, reason = "8 bytes instead of 32 in each idle client")]
    messages: Option<Box<VecDeque<Message>>>,
    bytes: usize,
    /// The driver has stopped reading until there is room.
    starved: bool,
    ended: bool,
}

impl Inbox {
    pub(crate) fn new(limit: usize) -> Inbox {
        Inbox { queue: Mutex::default(), arrived: Notify::new(), limit }
    }

    /// Takes messages from `batch` until the limit is reached; what is left did not fit. An empty inbox takes at least
    /// one, however large.
    pub(crate) fn push(&self, batch: &mut VecDeque<Message>) {
        let total: usize = batch.iter().map(cost).sum();
        let mut guard = self.queue();
        let queue = &mut *guard;
        let messages = queue.messages.get_or_insert_default();
        let was_empty = messages.is_empty();
        if queue.bytes + total <= self.limit {
            queue.bytes += total;
            if was_empty {
                // Whole batches change hands.
                std::mem::swap(&mut **messages, batch);
            } else {
                messages.append(batch);
            }
        } else {
            while queue.bytes < self.limit {
                let Some(message) = batch.pop_front() else { break };
                queue.bytes += cost(&message);
                messages.push_back(message);
            }
            queue.starved = !batch.is_empty();
        }
        let has_messages = !messages.is_empty();
        drop(guard);
        if was_empty && has_messages {
            self.arrived.notify_one();
        }
    }

    /// No more messages will come.
    pub(crate) fn end(&self) {
        self.queue().ended = true;
        self.arrived.notify_waiters();
        self.arrived.notify_one();
    }

    pub(crate) fn len(&self) -> usize {
        self.queue().messages.as_ref().map_or(0, |messages| messages.len())
    }

    /// Waits for messages and hands over up to `max` with `take`; `false` after the end. The second value says that
    /// the driver waits for the room that was made.
    pub(crate) async fn pull(&self, max: usize, mut take: impl FnMut(Message)) -> (bool, bool) {
        loop {
            let arrived = self.arrived.notified();
            {
                let mut queue = self.queue();
                if queue.messages.as_ref().is_some_and(|messages| !messages.is_empty()) {
                    return (true, self.drain(&mut queue, max, &mut take));
                }
                if queue.ended {
                    // Further readers wait on the same end.
                    self.arrived.notify_one();
                    return (false, false);
                }
            }
            arrived.await;
        }
    }

    /// Hands over what is there, without waiting.
    pub(crate) fn pull_now(&self, max: usize, mut take: impl FnMut(Message)) -> bool {
        let mut queue = self.queue();
        self.drain(&mut queue, max, &mut take)
    }

    fn drain(&self, queue: &mut Queue, max: usize, take: &mut impl FnMut(Message)) -> bool {
        let Some(messages) = &mut queue.messages else { return false };
        let count = max.min(messages.len());
        for message in messages.drain(..count) {
            queue.bytes -= cost(&message);
            take(message);
        }
        if messages.is_empty() {
            if messages.capacity() > 1024 {
                // A burst is over: an idle client keeps no memory for it.
                queue.messages = None;
            }
        } else {
            self.arrived.notify_one();
        }
        // Half empty before reading goes on: no ping-pong around the limit.
        let wake = queue.starved && queue.bytes <= self.limit / 2;
        if wake {
            queue.starved = false;
        }
        wake
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cost(message: &Message) -> usize {
    message.payload.len() + OVERHEAD
}
