//! Received messages that wait for the user: lossless, bounded in bytes, one cursor for all readers.

use crate::bell::Bell;
use crate::message::Message;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a message costs beside its bytes: its place in the queue and its share of the buffer behind it.
const OVERHEAD: usize = 64;

/// The inbox of one client. It survives connections, and outlives the client until it is empty.
#[derive(Debug, Default)]
pub(crate) struct Inbox(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    /// Boxed: a client that is told nothing has none.
    held: Option<Box<Held>>,
    arrived: Bell,
    ended: bool,
}

#[derive(Debug, Default)]
struct Held {
    messages: VecDeque<Message>,
    bytes: usize,
    /// The driver has stopped reading until there is room: until no more bytes are left than this.
    starved: Option<usize>,
}

impl Inbox {
    /// Takes messages from `batch` until `limit` bytes are reached; what is left did not fit. An empty inbox takes at least
    /// one, however large.
    pub(crate) fn push(&self, batch: &mut VecDeque<Message>, limit: usize) {
        let total: usize = batch.iter().map(cost).sum();
        let mut guard = self.queue();
        let queue = &mut *guard;
        let Held { messages, bytes, starved } = &mut **queue.held.get_or_insert_default();
        let was_empty = messages.is_empty();
        if *bytes + total <= limit {
            *bytes += total;
            if was_empty {
                // Whole batches change hands.
                std::mem::swap(messages, batch);
            } else {
                messages.append(batch);
            }
        } else {
            while *bytes < limit {
                let Some(message) = batch.pop_front() else { break };
                *bytes += cost(&message);
                messages.push_back(message);
            }
            // Half empty before reading goes on: no ping-pong around the limit.
            *starved = (!batch.is_empty()).then_some(limit / 2);
        }
        let is_news = was_empty && !messages.is_empty();
        let arrived = queue.arrived.rope();
        drop(guard);
        if is_news {
            arrived.ring_one();
        }
    }

    /// No more messages will come.
    pub(crate) fn end(&self) {
        let mut queue = self.queue();
        queue.ended = true;
        let arrived = queue.arrived.rope();
        drop(queue);
        arrived.ring();
    }

    pub(crate) fn len(&self) -> usize {
        self.queue().held.as_ref().map_or(0, |held| held.messages.len())
    }

    /// An idle client keeps no room for messages, nor for those who wait for one, unless somebody does.
    pub(crate) fn rest(&self) {
        let mut queue = self.queue();
        queue.held.take_if(|held| held.messages.is_empty());
        queue.arrived.rest();
    }

    /// Waits for messages and hands over up to `max` with `take`; `false` after the end. The second value says that
    /// the driver waits for the room that was made.
    pub(crate) async fn pull(&self, max: usize, mut take: impl FnMut(Message)) -> (bool, bool) {
        if let Some(done) = self.look(max, &mut take) {
            return done;
        }
        let bell = self.queue().arrived.listen();
        loop {
            let arrived = bell.notified();
            if let Some(done) = self.look(max, &mut take) {
                return done;
            }
            arrived.await;
        }
    }

    /// Hands over what is there, without waiting.
    pub(crate) fn pull_now(&self, max: usize, mut take: impl FnMut(Message)) -> bool {
        self.queue().drain(max, &mut take)
    }

    fn look(&self, max: usize, take: &mut impl FnMut(Message)) -> Option<(bool, bool)> {
        let mut queue = self.queue();
        if queue.held.as_ref().is_some_and(|held| !held.messages.is_empty()) {
            return Some((true, queue.drain(max, take)));
        }
        queue.ended.then_some((false, false))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn drain(&mut self, max: usize, take: &mut impl FnMut(Message)) -> bool {
        let Some(held) = &mut self.held else { return false };
        let count = max.min(held.messages.len());
        for message in held.messages.drain(..count) {
            held.bytes -= cost(&message);
            take(message);
        }
        let wake = held.starved.take_if(|room| held.bytes <= *room).is_some();
        if !held.messages.is_empty() {
            self.arrived.pass_on();
        } else if held.messages.capacity() > 1024 {
            // A burst is over: an idle client keeps no memory for it.
            self.held = None;
        }
        wake
    }
}

fn cost(message: &Message) -> usize {
    message.payload.len() + OVERHEAD
}
