//! Which request a reply belongs to: first in first out, or an id at an offset.
//!
//! A request reserves its place when it is accepted, takes it when its last byte is handed over, and gives it back
//! when its reply comes. If nobody waits any more, the place stays behind as a tombstone that swallows the late reply.

mod fifo;
mod ids;

use crate::config::Matcher;
use crate::error::ConfigError;
use crate::framing::Endian;
use crate::time::Time;
use fifo::Fifo;
use ids::Ids;
use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

/// 16: heartbeats go out only while nothing is read, so more of them unanswered beside other traffic means that the
/// peer does not answer them at all.
const MOST_HEARTBEATS: usize = 16;

/// How replies find their requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Correlation {
    /// Replies come in the order of the requests. Every message sent takes a place; the reply to one that was not a
    /// request goes to the inbox.
    Fifo,
    /// Replies carry the id of their request.
    Id(IdField),
}

impl Correlation {
    /// Checks the declaration.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    pub fn validate(&self) -> Result<(), ConfigError> {
        match self {
            Correlation::Fifo => Ok(()),
            Correlation::Id(field) => field.validate(),
        }
    }
}

/// Where the id stands in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdField {
    /// Bytes before it, counted in the message as the user sees it.
    pub offset: usize,
    /// Its width in bytes: 1, 2, 4 or 8.
    pub width: usize,
    /// Its byte order.
    pub endian: Endian,
}

impl IdField {
    fn validate(&self) -> Result<(), ConfigError> {
        if !matches!(self.width, 1 | 2 | 4 | 8) {
            return Err(ConfigError::new("correlation.width", self.width, "must be 1, 2, 4 or 8 bytes"));
        }
        if self.offset > crate::framing::LARGEST_MAX {
            let rule = format!("must be at most {}", crate::framing::LARGEST_MAX);
            return Err(ConfigError::new("correlation.offset", self.offset, rule));
        }
        Ok(())
    }

    /// The length of the shortest message that has the field.
    fn end(&self) -> usize {
        self.offset.saturating_add(self.width)
    }

    fn read(&self, message: &[u8]) -> Option<u64> {
        message.get(self.offset..self.end()).map(|bytes| self.endian.read(bytes))
    }

    fn write(&self, id: u64, message: &mut [u8]) {
        if let Some(bytes) = message.get_mut(self.offset..self.end())
            && let Some(id) = self.endian.bytes(id, self.width).get(..self.width)
        {
            bytes.copy_from_slice(id);
        }
    }
}

/// The name of a request among all requests of a client; never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub NonZeroU64);

impl Ticket {
    /// The ticket with this number; none for 0.
    pub const fn new(number: u64) -> Option<Ticket> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Ticket(number)),
            None => None,
        }
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Why a request cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReserveError {
    /// As many requests are in flight, or late, as may be.
    #[error("as many requests are in flight as are allowed")]
    Full,
    /// The message ends before the field of its id does.
    #[error("the message is too short for its id: it needs at least {needed} bytes")]
    TooShort {
        /// The least number of bytes.
        needed: usize,
    },
}

/// Who gets a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// The request with this ticket.
    Reply {
        /// The request.
        ticket: Ticket,
        /// The id that the caller had written into the request, to be put back into the reply.
        restore: Option<RestoredId>,
    },
    /// It answers a heartbeat.
    Heartbeat,
    /// It answers a request that nobody waits for any more.
    Swallowed,
    /// The user, as a message that no request asked for.
    Inbox,
}

/// The id of the caller, to be written back into the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoredId {
    field: IdField,
    id: u64,
}

impl RestoredId {
    /// Writes the caller's id over the one on the wire.
    pub fn write(&self, message: &mut [u8]) {
        self.field.write(self.id, message);
    }
}

/// What became of a request that its caller gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abandoned {
    /// It was not handed over: its frame must not be sent any more.
    NeverSent,
    /// It is on its way: a tombstone waits for its reply.
    Tombstone,
    /// It is not here: already answered, or given up before.
    Unknown,
}

/// Matches the replies of one connection with their requests.
///
/// ```
/// use keepline_proto::correlator::{Correlation, Correlator, Route, Ticket};
///
/// let ticket = Ticket::new(1).unwrap();
/// let mut correlator = Correlator::new(Correlation::Fifo, None, 8);
/// correlator.reserve(ticket, &mut b"GET a".to_owned()).unwrap();
/// correlator.handed_over(ticket);
/// assert_eq!(correlator.route(b"1"), Route::Reply { ticket, restore: None });
/// assert_eq!(correlator.route(b"2"), Route::Inbox);
/// ```
#[derive(Debug)]
pub struct Correlator {
    places: Places,
    push: Option<Matcher>,
    max_in_flight: usize,
    reserved: usize,
    in_flight: usize,
    tombstones: usize,
    desync_deadline: Option<Time>,
}

#[derive(Debug)]
enum Places {
    Fifo(Fifo),
    Id(Ids),
}

impl Correlator {
    /// Makes an empty one; it allocates with the first request. Frames that match `push` are never replies.
    pub fn new(correlation: Correlation, push: Option<Matcher>, max_in_flight: usize) -> Correlator {
        let places = match correlation {
            Correlation::Fifo => Places::Fifo(Fifo::default()),
            Correlation::Id(field) => Places::Id(Ids::new(field)),
        };
        Correlator { places, push, max_in_flight, reserved: 0, in_flight: 0, tombstones: 0, desync_deadline: None }
    }

    /// Reserves a place for a request that is about to enter the outbox, and writes its id into `message`.
    ///
    /// # Errors
    /// No room, or the message is too short for an id. The message is then as it was.
    pub fn reserve(&mut self, ticket: Ticket, message: &mut [u8]) -> Result<(), ReserveError> {
        if self.occupied() >= self.max_in_flight {
            return Err(ReserveError::Full);
        }
        match &mut self.places {
            Places::Fifo(fifo) => fifo.reserve(ticket),
            Places::Id(ids) => ids.reserve(ticket, message)?,
        }
        self.reserved += 1;
        Ok(())
    }

    /// Tells that the last byte of a request was handed over: from now on it may be answered.
    pub fn handed_over(&mut self, ticket: Ticket) {
        let was_live = match &mut self.places {
            Places::Fifo(fifo) => fifo.handed_over(ticket),
            Places::Id(ids) => ids.handed_over(ticket),
        };
        if was_live {
            self.reserved -= 1;
            self.in_flight += 1;
        }
    }

    /// Tells that a message that is not a request was handed over. Where replies come in order, its reply takes a
    /// place too, and goes to the inbox.
    pub fn handed_over_plain(&mut self) {
        match &mut self.places {
            Places::Fifo(fifo) => fifo.handed_over_plain(),
            Places::Id(_) => {}
        }
    }

    /// Tells that the message with this ticket, which is about to enter the outbox, is answered by nothing that takes a
    /// place: a subscription, which is answered by pushed frames if at all.
    pub fn expect_nothing(&mut self, ticket: Ticket) {
        match &mut self.places {
            Places::Fifo(fifo) => fifo.expect_nothing(ticket),
            Places::Id(_) => {}
        }
    }

    /// Prepares a heartbeat: writes an id of its own into `message`. It does not count toward the requests in flight.
    ///
    /// # Errors
    /// No id is left, 16 heartbeats are unanswered, or the message is too short for an id. The heartbeat is better
    /// left out then: either something else was received since, or the deadline of an earlier one is running.
    pub fn heartbeat(&mut self, message: &mut [u8]) -> Result<(), ReserveError> {
        match &mut self.places {
            Places::Fifo(fifo) => fifo.heartbeat(),
            Places::Id(ids) => ids.heartbeat(message),
        }
    }

    /// Tells that the heartbeat prepared last was handed over.
    pub fn heartbeat_handed_over(&mut self) {
        match &mut self.places {
            Places::Fifo(fifo) => fifo.heartbeat_handed_over(),
            Places::Id(ids) => ids.heartbeat_handed_over(),
        }
    }

    /// Decides who gets `frame`, which is the message as the user sees it, and closes the place that it answers.
    pub fn route(&mut self, frame: &[u8]) -> Route {
        if self.push.as_ref().is_some_and(|push| push.matches(frame)) {
            return Route::Inbox;
        }
        let route = match &mut self.places {
            Places::Fifo(fifo) => fifo.route(),
            Places::Id(ids) => ids.route(frame),
        };
        match route {
            Route::Reply { .. } => self.in_flight -= 1,
            Route::Swallowed => {
                self.tombstones -= 1;
                self.desync_deadline = None;
            }
            Route::Heartbeat | Route::Inbox => {}
        }
        route
    }

    /// Gives up a request that timed out or was cancelled. `timeout` is its own: the tombstone may wait as long again
    /// before the connection counts as out of step.
    ///
    /// A request of which some bytes, not all, were handed over cannot be dropped any more: use
    /// [`abandon_begun`](Correlator::abandon_begun) for it.
    pub fn abandon(&mut self, ticket: Ticket, now: Time, timeout: Duration) -> Abandoned {
        let abandoned = match &mut self.places {
            Places::Fifo(fifo) => fifo.abandon(ticket),
            Places::Id(ids) => ids.abandon(ticket),
        };
        match abandoned {
            Abandoned::NeverSent => self.reserved -= 1,
            Abandoned::Tombstone => {
                self.in_flight -= 1;
                self.bury(now, timeout);
            }
            Abandoned::Unknown => {}
        }
        abandoned
    }

    /// Gives up a request whose frame the outbox has begun to hand over: the rest of it will follow, and so will its
    /// reply. Like [`abandon`](Correlator::abandon) for one that was handed over whole.
    pub fn abandon_begun(&mut self, ticket: Ticket, now: Time, timeout: Duration) -> Abandoned {
        let is_reserved = match &mut self.places {
            Places::Fifo(fifo) => fifo.abandon_begun(ticket),
            Places::Id(ids) => ids.abandon_begun(ticket),
        };
        if !is_reserved {
            return self.abandon(ticket, now, timeout);
        }
        self.reserved -= 1;
        self.bury(now, timeout);
        Abandoned::Tombstone
    }

    /// When the connection counts as out of step: set while nothing but late replies fills `max_in_flight`.
    pub fn desync_deadline(&self) -> Option<Time> {
        self.desync_deadline
    }

    /// Whether that time has come.
    pub fn is_desynced(&self, now: Time) -> bool {
        self.desync_deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Whether the request is on the wire and unanswered: then the peer may have executed it.
    pub fn is_handed_over(&self, ticket: Ticket) -> bool {
        match &self.places {
            Places::Fifo(fifo) => fifo.is_handed_over(ticket),
            Places::Id(ids) => ids.is_handed_over(ticket),
        }
    }

    /// Forgets everything, because the connection has ended. Returns the requests that somebody still waits for, each
    /// once, in the order of their tickets.
    pub fn clear(&mut self) -> Vec<Ticket> {
        self.reserved = 0;
        self.in_flight = 0;
        self.tombstones = 0;
        self.desync_deadline = None;
        match &mut self.places {
            Places::Fifo(fifo) => fifo.clear(),
            Places::Id(ids) => ids.clear(),
        }
    }

    /// Requests on the wire that somebody waits for.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// What counts toward `max_in_flight`: requests reserved, requests in flight, and tombstones.
    pub fn occupied(&self) -> usize {
        self.reserved + self.in_flight + self.tombstones
    }

    /// Whether no request is reserved, in flight or late.
    pub fn is_empty(&self) -> bool {
        self.occupied() == 0
    }

    fn bury(&mut self, now: Time, timeout: Duration) {
        self.tombstones += 1;
        if self.tombstones >= self.max_in_flight {
            self.desync_deadline = Some(now + timeout);
        }
    }
}
