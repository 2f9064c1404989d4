//! Replies in the order of what was sent: a queue of places.

use super::{Abandoned, MOST_HEARTBEATS, ReserveError, Route, Ticket};
use std::collections::{BTreeMap, VecDeque};

/// The places of one connection.
///
/// Messages that are no requests share a place while they follow each other, so that the queue is bounded by the
/// requests and heartbeats between them, even if the peer never answers.
#[derive(Debug, Default)]
pub(super) struct Fifo {
    seats: BTreeMap<Ticket, Seat>,
    queue: VecDeque<Place>,
    /// The number of the place at the front of the queue.
    front: u64,
    heartbeats: usize,
}

/// Where a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seat {
    Reserved,
    /// Given up while its frame was half handed over: a tombstone as soon as it is on the wire.
    Doomed,
    /// Nothing will answer it.
    Unanswered,
    /// At the place of this number.
    Placed(u64),
}

/// Whose reply comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Request(Ticket),
    Tombstone,
    Heartbeat,
    /// As many messages in a row that were no requests.
    Plain(u64),
}

impl Fifo {
    pub(super) fn reserve(&mut self, ticket: Ticket) {
        let before = self.seats.insert(ticket, Seat::Reserved);
        debug_assert!(before.is_none(), "a ticket was given twice");
    }

    pub(super) fn expect_nothing(&mut self, ticket: Ticket) {
        self.seats.insert(ticket, Seat::Unanswered);
    }

    /// Tells whether somebody waits for the reply.
    pub(super) fn handed_over(&mut self, ticket: Ticket) -> bool {
        let place = self.front + self.queue.len() as u64;
        match self.seats.get_mut(&ticket) {
            Some(seat @ Seat::Reserved) => {
                *seat = Seat::Placed(place);
                self.queue.push_back(Place::Request(ticket));
                true
            }
            Some(Seat::Doomed) => {
                self.seats.remove(&ticket);
                self.queue.push_back(Place::Tombstone);
                false
            }
            Some(Seat::Unanswered) => {
                self.seats.remove(&ticket);
                false
            }
            Some(Seat::Placed(_)) => false,
            // It went out although it was given up: its reply must not be taken for that of the next one.
            None => {
                self.handed_over_plain();
                false
            }
        }
    }

    pub(super) fn handed_over_plain(&mut self) {
        match self.queue.back_mut() {
            Some(Place::Plain(count)) => *count = count.saturating_add(1),
            Some(Place::Request(_) | Place::Tombstone | Place::Heartbeat) | None => {
                self.queue.push_back(Place::Plain(1));
            }
        }
    }

    pub(super) fn heartbeat(&self) -> Result<(), ReserveError> {
        if self.heartbeats >= MOST_HEARTBEATS { Err(ReserveError::Full) } else { Ok(()) }
    }

    pub(super) fn heartbeat_handed_over(&mut self) {
        self.heartbeats += 1;
        self.queue.push_back(Place::Heartbeat);
    }

    pub(super) fn route(&mut self) -> Route {
        let route = match self.queue.front_mut() {
            None => return Route::Inbox,
            Some(Place::Plain(count)) if *count > 1 => {
                *count -= 1;
                return Route::Inbox;
            }
            Some(Place::Plain(_)) => Route::Inbox,
            Some(Place::Heartbeat) => {
                self.heartbeats -= 1;
                Route::Heartbeat
            }
            Some(Place::Tombstone) => Route::Swallowed,
            Some(Place::Request(ticket)) => {
                self.seats.remove(ticket);
                Route::Reply { ticket: *ticket, restore: None }
            }
        };
        self.queue.pop_front();
        self.front += 1;
        route
    }

    pub(super) fn abandon(&mut self, ticket: Ticket) -> Abandoned {
        match self.seats.get(&ticket) {
            None | Some(Seat::Doomed | Seat::Unanswered) => Abandoned::Unknown,
            Some(Seat::Reserved) => {
                self.seats.remove(&ticket);
                Abandoned::NeverSent
            }
            Some(Seat::Placed(number)) => {
                let index = usize::try_from(number - self.front).ok();
                if let Some(place) = index.and_then(|index| self.queue.get_mut(index)) {
                    *place = Place::Tombstone;
                }
                self.seats.remove(&ticket);
                Abandoned::Tombstone
            }
        }
    }

    /// Tells whether the request was only reserved; nothing is changed if not.
    pub(super) fn abandon_begun(&mut self, ticket: Ticket) -> bool {
        match self.seats.get_mut(&ticket) {
            Some(seat @ Seat::Reserved) => {
                *seat = Seat::Doomed;
                true
            }
            Some(Seat::Doomed | Seat::Unanswered | Seat::Placed(_)) | None => false,
        }
    }

    pub(super) fn is_handed_over(&self, ticket: Ticket) -> bool {
        match self.seats.get(&ticket) {
            Some(Seat::Placed(_)) => true,
            Some(Seat::Reserved | Seat::Doomed | Seat::Unanswered) | None => false,
        }
    }

    pub(super) fn clear(&mut self) -> Vec<Ticket> {
        let seats = std::mem::take(self).seats;
        let is_awaited = |seat: &Seat| match seat {
            Seat::Reserved | Seat::Placed(_) => true,
            Seat::Doomed | Seat::Unanswered => false,
        };
        seats.into_iter().filter(|(_, seat)| is_awaited(seat)).map(|(ticket, _)| ticket).collect()
    }
}
