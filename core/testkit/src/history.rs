//! The oracle: whether what a client told, and what its machine asked for, can be true.
//!
//! [`check`] takes the events of one client, from any language, and follows them through the published state machine.
//! [`Audit`] watches the outputs of a [`Session`](keepline_proto::Session) while it runs.

mod audit;

pub use audit::Audit;

use keepline_proto::{Epoch, Event, EventKind, Time};
use std::fmt;
use std::time::Duration;

/// A rule that a history broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The number of the event, or 0 if it is not about an event.
    pub seq: u64,
    /// The rule and what was seen instead.
    pub rule: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {}: {}", self.seq, self.rule)
    }
}

impl std::error::Error for Violation {}

/// Follows the events of one client from the first on.
///
/// # Errors
/// [`Violation`] names the first event that cannot follow those before it.
pub fn check(events: &[Event]) -> Result<(), Violation> {
    let mut history = History::new();
    events.iter().try_for_each(|event| history.follow(event))
}

/// The published state machine, followed one event at a time.
#[derive(Debug)]
pub struct History {
    place: Place,
    epoch: Epoch,
    /// The attempt that runs beside a suspect connection.
    challenger: Option<Epoch>,
    /// The number of the last attempt.
    last: Epoch,
    seq: u64,
    at: Time,
    paused: bool,
    inbox_full_told: bool,
}

/// Where the events so far lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Idle,
    Connecting,
    Connected,
    Suspect,
    Stalled,
    /// Without a network, with the socket kept.
    OfflineUp,
    Waiting,
    Offline,
    /// A connection ended and no attempt follows by itself: the reason comes next.
    Ended,
    /// Events were missed.
    Unknown,
    Closed,
}

impl Default for History {
    fn default() -> History {
        History::new()
    }
}

impl History {
    /// A history in which nothing has happened.
    pub const fn new() -> History {
        History {
            place: Place::Idle,
            epoch: Epoch(0),
            challenger: None,
            last: Epoch(0),
            seq: 0,
            at: Time::ZERO,
            paused: false,
            inbox_full_told: false,
        }
    }

    /// Whether the last event was `Closed`.
    pub fn is_closed(&self) -> bool {
        self.place == Place::Closed
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// [`Violation`] if it cannot follow those before it.
    pub fn follow(&mut self, event: &Event) -> Result<(), Violation> {
        let wrong = |rule: String| Violation { seq: event.seq, rule };
        if self.place == Place::Closed {
            return Err(wrong(format!("{} came after closed", event.kind.name())));
        }
        let missed = matches!(event.kind, EventKind::Missed { .. });
        if !missed && self.place != Place::Unknown && event.seq != self.seq + 1 {
            return Err(wrong(format!("its number must be {}", self.seq + 1)));
        }
        if event.at < self.at {
            return Err(wrong(format!("it happened at {} and the one before at {}", event.at, self.at)));
        }
        if let Some(epoch) = event.kind.epoch() {
            self.check_epoch(epoch, &event.kind).map_err(wrong)?;
        }
        let place = self.next_place(&event.kind).ok_or_else(|| {
            wrong(format!("{} cannot follow {:?} (paused: {})", event.kind.name(), self.place, self.paused))
        })?;
        self.check_facts(&event.kind).map_err(wrong)?;
        self.note(&event.kind);
        (self.place, self.seq, self.at) = (place, event.seq, event.at);
        Ok(())
    }

    fn check_epoch(&self, epoch: Epoch, kind: &EventKind) -> Result<(), String> {
        let expected = match kind {
            EventKind::Connecting { .. } => self.last.next(),
            EventKind::Disconnected(end) if Some(end.epoch) == self.challenger => end.epoch,
            _ => self.epoch,
        };
        if self.place == Place::Unknown || epoch == expected {
            return Ok(());
        }
        Err(format!("{} speaks of {epoch} instead of {expected}", kind.name()))
    }

    /// The published state machine.
    fn next_place(&self, kind: &EventKind) -> Option<Place> {
        use Place::*;
        let from = self.place;
        let is_up = matches!(from, Connected | Suspect | Stalled | OfflineUp | Unknown);
        let next = match kind {
            // Beside a suspect connection, or beside one to a second choice.
            EventKind::Connecting { .. } if matches!(from, Suspect | Connected) => (self.challenger.is_none(), from),
            EventKind::Connecting { .. } => {
                (matches!(from, Waiting | Offline | Unknown) || (from == Idle && !self.paused), Connecting)
            }
            EventKind::Connected { .. } => (matches!(from, Connecting | Unknown), Connected),
            EventKind::Suspect { .. } => (is_up && from != Suspect, Suspect),
            EventKind::Stalled { .. } => (matches!(from, Connected | Suspect | Unknown), Stalled),
            EventKind::Recovered { .. } => (is_up && from != Connected, Connected),
            // The attempt beside the connection failed, or the connection proved alive.
            EventKind::Disconnected(end) if Some(end.epoch) == self.challenger => (end.retry_in.is_none(), from),
            // The attempt beside it goes on alone.
            EventKind::Disconnected(end) if self.challenger.is_some() => {
                (is_up && end.retry_in == Some(Duration::ZERO), Connecting)
            }
            EventKind::Disconnected(end) => {
                (is_up || from == Connecting, if end.retry_in.is_some() { Waiting } else { Ended })
            }
            EventKind::InboxFull { .. } => (is_up && !self.inbox_full_told, from),
            EventKind::Offline => match from {
                Connected | Suspect | Stalled => (true, OfflineUp),
                Idle => (!self.paused, Offline),
                Waiting | Unknown => (true, Offline),
                Connecting | OfflineUp | Offline | Ended | Closed => (false, from),
            },
            EventKind::Paused => (!self.paused && matches!(from, Idle | Waiting | Offline | Ended | Unknown), Idle),
            EventKind::Resumed => ((from == Idle && self.paused) || from == Unknown, Idle),
            EventKind::Missed { .. } => (true, Unknown),
            EventKind::Closed(_) => (matches!(from, Idle | Waiting | Offline | Ended | Unknown), Closed),
            _ => (false, from),
        };
        next.0.then_some(next.1)
    }

    fn check_facts(&self, kind: &EventKind) -> Result<(), String> {
        let EventKind::Disconnected(end) = kind else { return Ok(()) };
        let was_up = self.place != Place::Connecting && Some(end.epoch) != self.challenger;
        if self.place != Place::Unknown && end.up_for.is_some() != was_up {
            return Err(format!("up_for is {:?} though the connection was up: {was_up}", end.up_for));
        }
        if was_up && self.place != Place::Unknown && end.failures != 0 {
            return Err(format!("a connection ended and {} attempts have failed since", end.failures));
        }
        let counts = &end.messages;
        let settled =
            counts.acked + counts.not_sent + counts.unknown + counts.expired + counts.queued + counts.in_flight;
        if counts.accepted != settled {
            return Err(format!("{} messages were accepted and {settled} are accounted for", counts.accepted));
        }
        Ok(())
    }

    fn note(&mut self, kind: &EventKind) {
        match kind {
            EventKind::Connecting { epoch, endpoint: _ } => {
                self.last = *epoch;
                if matches!(self.place, Place::Suspect | Place::Connected) {
                    self.challenger = Some(*epoch);
                } else {
                    self.epoch = *epoch;
                    self.inbox_full_told = false;
                }
            }
            EventKind::Disconnected(end) if self.challenger.is_some() => {
                let challenger = self.challenger.take();
                if challenger != Some(end.epoch) {
                    self.epoch = challenger.unwrap_or(self.epoch);
                    self.inbox_full_told = false;
                }
            }
            EventKind::InboxFull { .. } => self.inbox_full_told = true,
            EventKind::Paused => self.paused = true,
            EventKind::Resumed => self.paused = false,
            other => {
                if let Some(epoch) = other.epoch() {
                    self.epoch = epoch;
                    self.last = self.last.max(epoch);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keepline_proto::event::{Disconnected, MessageCounts};
    use keepline_proto::{Cause, Ending};

    fn events(kinds: Vec<EventKind>) -> Vec<Event> {
        kinds.into_iter().enumerate().map(|(at, kind)| Event { seq: at as u64 + 1, at: Time::ZERO, kind }).collect()
    }

    fn connecting(epoch: u64) -> EventKind {
        EventKind::Connecting { epoch: Epoch(epoch), endpoint: None }
    }

    fn connected(epoch: u64) -> EventKind {
        EventKind::Connected { epoch: Epoch(epoch), peer: None, after: Duration::ZERO, endpoint: None }
    }

    fn disconnected(epoch: u64, up_for: Option<Duration>, retry_in: Option<Duration>) -> EventKind {
        EventKind::Disconnected(Box::new(Disconnected {
            epoch: Epoch(epoch),
            endpoint: None,
            ending: Ending::new(Cause::Reset, None),
            up_for,
            retry_in,
            failures: 0,
            messages: MessageCounts::default(),
            report: None,
        }))
    }

    fn closed() -> EventKind {
        EventKind::Closed(Ending::new(Cause::Requested, None))
    }

    #[test]
    fn a_life_from_connecting_to_closed_is_a_path() {
        let life = vec![
            connecting(1),
            connected(1),
            disconnected(1, Some(Duration::ZERO), Some(Duration::ZERO)),
            connecting(2),
            disconnected(2, None, None),
            closed(),
        ];
        assert_eq!(check(&events(life)), Ok(()));
    }

    #[test]
    fn a_challenger_loses_wins_or_goes_on_alone() {
        let up = Some(Duration::ZERO);
        let suspect = |epoch| EventKind::Suspect {
            epoch: Epoch(epoch),
            evidence: keepline_proto::event::Suspicion::HeartbeatLate,
        };
        let recovered = EventKind::Recovered { epoch: Epoch(1) };
        let begun = vec![connecting(1), connected(1), suspect(1), connecting(2)];
        let with = |more: Vec<EventKind>| check(&events([begun.clone(), more].concat()));
        assert_eq!(with(vec![recovered.clone(), disconnected(2, None, None), suspect(1), connecting(3)]), Ok(()));
        assert_eq!(with(vec![disconnected(2, None, None), recovered]), Ok(()));
        assert_eq!(with(vec![disconnected(1, up, up), connected(2), suspect(2), connecting(3)]), Ok(()));
        assert_eq!(with(vec![disconnected(1, up, up), disconnected(2, None, up), connecting(3)]), Ok(()));
        assert!(with(vec![connected(2)]).is_err());
        assert!(with(vec![connecting(3)]).is_err());
        assert!(with(vec![disconnected(1, up, None)]).is_err());
    }

    #[test]
    fn impossible_histories_are_named() {
        let up = Some(Duration::ZERO);
        for (life, wrong) in [
            (vec![connected(1)], 1),
            (vec![connecting(2)], 1),
            (vec![connecting(1), connected(1), connected(1)], 3),
            (vec![connecting(1), connected(1), closed()], 3),
            (vec![connecting(1), disconnected(1, up, up)], 2),
            (vec![connecting(1), connected(1), disconnected(1, None, up)], 3),
            (vec![connecting(1), disconnected(1, None, up), connecting(3)], 3),
            (vec![closed(), closed()], 2),
            (vec![EventKind::Resumed], 1),
            (vec![EventKind::Paused, connecting(1)], 2),
        ] {
            let verdict = check(&events(life.clone()));
            assert_eq!(verdict.map_err(|violation| violation.seq), Err(wrong), "{life:?}");
        }
    }

    #[test]
    fn a_missed_number_is_a_violation_unless_it_is_told() {
        let mut life = events(vec![connecting(1), connected(1)]);
        life[1].seq = 3;
        assert!(check(&life).is_err());
        let mut told = events(vec![
            connecting(1),
            EventKind::Missed { count: 5, state: keepline_proto::State::Connected },
            disconnected(4, Some(Duration::ZERO), Some(Duration::ZERO)),
        ]);
        told[2].seq = 9;
        assert_eq!(check(&told), Ok(()));
    }
}
