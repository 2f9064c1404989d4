//! Random interleavings against a model that knows the truth: no reply ever reaches another request.

use bytes::Bytes;
use keepline_proto::Time;
use keepline_proto::config::Matcher;
use keepline_proto::correlator::{Abandoned, Correlation, Correlator, IdField, ReserveError, Route, Ticket};
use keepline_proto::framing::Endian;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(2);
const MODBUS_ID: Correlation = Correlation::Id(IdField { offset: 0, width: 2, endian: Endian::Big });

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_reply_never_reaches_another_request(
        correlation in prop::sample::select(vec![
            Correlation::Fifo,
            MODBUS_ID,
            Correlation::Id(IdField { offset: 1, width: 1, endian: Endian::Big }),
        ]),
        max_in_flight in 1_usize..6,
        actions in vec(action(), 0..300),
    ) {
        let mut world = World::new(correlation, max_in_flight);
        for action in actions {
            world.act(action);
            world.check();
        }
    }
}

#[derive(Debug, Clone)]
enum Action {
    Reserve,
    HandOver(prop::sample::Index),
    Plain,
    Heartbeat,
    /// The server answers one of what it received: the oldest in order, any of them with ids.
    Answer(prop::sample::Index),
    Push,
    Abandon(prop::sample::Index),
    AbandonBegun(prop::sample::Index),
    Disconnect,
}

fn action() -> impl Strategy<Value = Action> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        6 => Just(Action::Reserve),
        6 => index().prop_map(Action::HandOver),
        1 => Just(Action::Plain),
        1 => Just(Action::Heartbeat),
        6 => index().prop_map(Action::Answer),
        1 => Just(Action::Push),
        2 => index().prop_map(Action::Abandon),
        1 => index().prop_map(Action::AbandonBegun),
        1 => Just(Action::Disconnect),
    ]
}

/// What the server received, and what its answer must lead to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sent {
    Request(u64),
    Plain,
    Heartbeat,
}

/// A model of client and server that knows the truth, because every frame carries it.
struct World {
    correlator: Correlator,
    correlation: Correlation,
    max_in_flight: usize,
    last: u64,
    now: Time,
    /// Frames in the outbox by ticket; the flag tells that somebody waits.
    outbox: BTreeMap<u64, (Vec<u8>, bool)>,
    server: VecDeque<(Sent, Vec<u8>)>,
    given_up: BTreeSet<u64>,
}

impl World {
    fn new(correlation: Correlation, max_in_flight: usize) -> World {
        World {
            correlator: Correlator::new(correlation, Some(Matcher::Prefix(Bytes::from_static(b">"))), max_in_flight),
            correlation,
            max_in_flight,
            last: 0,
            now: Time::ZERO,
            outbox: BTreeMap::new(),
            server: VecDeque::new(),
            given_up: BTreeSet::new(),
        }
    }

    fn act(&mut self, action: Action) {
        self.now = self.now + Duration::from_millis(1);
        match action {
            Action::Reserve => self.reserve(),
            Action::HandOver(index) => {
                if let Some(number) = pick(&index, self.outbox.keys()) {
                    let (frame, _) = self.outbox.remove(&number).unwrap();
                    self.correlator.handed_over(ticket(number));
                    self.server.push_back((Sent::Request(number), frame));
                }
            }
            Action::Plain => {
                self.correlator.handed_over_plain();
                // An id that Keepline never gives.
                self.server.push_back((Sent::Plain, vec![0; 16]));
            }
            Action::Heartbeat => {
                let mut frame = vec![0; 16];
                if self.correlator.heartbeat(&mut frame).is_ok() {
                    self.correlator.heartbeat_handed_over();
                    self.server.push_back((Sent::Heartbeat, frame));
                }
            }
            Action::Answer(index) => self.answer(&index),
            Action::Push => assert_eq!(self.correlator.route(b">push"), Route::Inbox),
            Action::Abandon(index) => {
                let waiting: Vec<u64> = self.waiting();
                let Some(number) = pick(&index, waiting.iter()) else { return };
                let was_sent = !self.outbox.contains_key(&number);
                let abandoned = self.correlator.abandon(ticket(number), self.now, TIMEOUT);
                assert_eq!(abandoned, if was_sent { Abandoned::Tombstone } else { Abandoned::NeverSent });
                self.outbox.remove(&number);
                self.given_up.insert(number);
            }
            Action::AbandonBegun(index) => {
                let waiting: Vec<u64> = self.waiting();
                let Some(number) = pick(&index, waiting.iter()) else { return };
                let abandoned = self.correlator.abandon_begun(ticket(number), self.now, TIMEOUT);
                assert_eq!(abandoned, Abandoned::Tombstone);
                if let Some((_, is_waiting)) = self.outbox.get_mut(&number) {
                    *is_waiting = false;
                }
                self.given_up.insert(number);
            }
            Action::Disconnect => {
                let live: Vec<u64> = self.correlator.clear().into_iter().map(Ticket::get).collect();
                let mut expected = self.waiting();
                expected.sort_unstable();
                assert_eq!(live, expected);
                self.outbox.clear();
                self.server.clear();
            }
        }
    }

    fn reserve(&mut self) {
        self.last += 1;
        let mut frame = vec![0xee; 8];
        frame.extend_from_slice(&self.last.to_be_bytes());
        let has_room = self.occupied() < self.max_in_flight;
        let reserved = self.correlator.reserve(ticket(self.last), &mut frame);
        assert_eq!(reserved, if has_room { Ok(()) } else { Err(ReserveError::Full) });
        if has_room {
            self.outbox.insert(self.last, (frame, true));
        }
    }

    fn answer(&mut self, index: &prop::sample::Index) {
        let place = match self.correlation {
            Correlation::Fifo => 0,
            Correlation::Id(_) if self.server.is_empty() => 0,
            Correlation::Id(_) => index.index(self.server.len()),
        };
        let Some((sent, frame)) = self.server.remove(place) else {
            assert_eq!(self.correlator.route(&[0xff; 16]), Route::Inbox);
            return;
        };
        match (sent, self.correlator.route(&frame)) {
            (Sent::Request(number), Route::Reply { ticket: answered, restore }) => {
                assert_eq!(answered, ticket(number));
                assert!(!self.given_up.contains(&number));
                let mut frame = frame;
                if let Some(restore) = restore {
                    restore.write(&mut frame);
                }
                assert_eq!(frame, [&[0xee; 8][..], &number.to_be_bytes()].concat());
            }
            (Sent::Request(number), Route::Swallowed) => assert!(self.given_up.contains(&number)),
            (Sent::Plain, Route::Inbox) | (Sent::Heartbeat, Route::Heartbeat) => {}
            (sent, route) => panic!("{sent:?} became {route:?}"),
        }
    }

    fn check(&self) {
        assert_eq!(self.correlator.occupied(), self.occupied());
        assert!(self.correlator.occupied() <= self.max_in_flight);
        assert_eq!(self.correlator.is_empty(), self.occupied() == 0);
        let in_flight = self.sent().filter(|number| !self.given_up.contains(number)).count();
        assert_eq!(self.correlator.in_flight(), in_flight);
        let late = self.occupied() - self.waiting().len();
        assert_eq!(self.correlator.desync_deadline().is_some(), late == self.max_in_flight);
    }

    fn sent(&self) -> impl Iterator<Item = u64> {
        self.server.iter().filter_map(|(sent, _)| match sent {
            Sent::Request(number) => Some(*number),
            Sent::Plain | Sent::Heartbeat => None,
        })
    }

    fn occupied(&self) -> usize {
        self.outbox.len() + self.sent().count()
    }

    fn waiting(&self) -> Vec<u64> {
        let queued = self.outbox.iter().filter(|(_, (_, is_waiting))| *is_waiting).map(|(number, _)| *number);
        queued.chain(self.sent().filter(|number| !self.given_up.contains(number))).collect()
    }
}

fn pick<'a>(index: &prop::sample::Index, numbers: impl ExactSizeIterator<Item = &'a u64>) -> Option<u64> {
    let mut numbers = numbers;
    let length = numbers.len();
    if length == 0 { None } else { numbers.nth(index.index(length)).copied() }
}

fn ticket(number: u64) -> Ticket {
    Ticket::new(number).unwrap()
}
