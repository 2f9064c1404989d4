//! Which address is dialled when: RFC 8305's staggered race, or one after the other.
//!
//! Pure, as everything here: a [`Race`] hears what became of each address and answers what to do now, by index.

mod handshake;
mod memory;
mod order;
mod private;
mod retransmission;

pub(crate) use handshake::tls_least_after;
pub use handshake::{TLS_LEAST, TLS_ROUND_TRIPS, tls_within};
pub use memory::Memory;
pub use order::{MAX_ADDRESSES, interleaved};
pub use private::is_private;
pub use retransmission::{retransmission_before, step_back};

use crate::Time;
use crate::cause::names;
use std::time::Duration;

/// How the addresses of one name are dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Addresses {
    /// RFC 8305: the next one starts while the one before still waits; whichever answers first stays.
    HappyEyeballs,
    /// The next one starts when the one before has failed: never two sockets at a time.
    OneAtATime,
}

names!(Addresses { HappyEyeballs => "happy_eyeballs", OneAtATime => "one_at_a_time" });

/// What a race obeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Whether addresses may be dialled beside each other.
    pub addresses: Addresses,
    /// How long an address has for itself before the next one starts beside it.
    pub stagger: Duration,
    /// How long one address is waited for.
    pub per_address: Duration,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Dial the address of this index.
    Start(usize),
    /// Drop the dial of this index: it lost, or its time is over. Nothing more is heard of it.
    Abort(usize),
    /// Nothing until news arrives or this time is reached.
    Wait(Time),
    /// The race is over; nothing is in flight.
    Done(Verdict),
}

/// How a race ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The address of this index answered first.
    Connected(usize),
    /// Every address has failed.
    Failed,
    /// The deadline passed before.
    OutOfTime,
}

/// One attempt over a list of addresses.
#[derive(Debug, Clone)]
pub struct Race {
    rules: Rules,
    count: usize,
    /// The first index that was not dialled yet.
    next: usize,
    /// When it may start beside those in flight.
    next_start: Time,
    flights: Vec<Flight>,
    deadline: Time,
    verdict: Option<Verdict>,
}

#[derive(Debug, Clone, Copy)]
struct Flight {
    index: usize,
    until: Time,
}

impl Race {
    /// Starts a race over `count` addresses in the order of preference, which ends at `deadline`.
    pub fn new(count: usize, rules: Rules, now: Time, deadline: Time) -> Race {
        Race { rules, count, next: 0, next_start: now, flights: Vec::new(), deadline, verdict: None }
    }

    /// Hears that the dial of `index` failed: the next address starts at once.
    pub fn handle_failed(&mut self, now: Time, index: usize) {
        self.land(now, index);
    }

    /// Hears that the dial of `index` succeeded: it has won, unless another has.
    pub fn handle_connected(&mut self, now: Time, index: usize) {
        if self.verdict.is_none() && self.land(now, index) {
            self.verdict = Some(Verdict::Connected(index));
        }
    }

    /// Says what to do now; to be asked again until it answers [`Step::Wait`] or [`Step::Done`].
    pub fn poll(&mut self, now: Time) -> Step {
        if self.verdict.is_none() && now >= self.deadline {
            self.verdict = Some(Verdict::OutOfTime);
        }
        if let Some(verdict) = self.verdict {
            return self.flights.pop().map_or(Step::Done(verdict), |loser| Step::Abort(loser.index));
        }
        if let Some(late) = self.flights.iter().find(|flight| flight.until <= now).map(|flight| flight.index) {
            self.land(now, late);
            return Step::Abort(late);
        }
        if self.next < self.count && self.may_start(now) {
            return self.start(now);
        }
        if self.flights.is_empty() {
            self.verdict = Some(Verdict::Failed);
            return Step::Done(Verdict::Failed);
        }
        let ends = self.flights.iter().map(|flight| flight.until);
        let start =
            (self.next < self.count && self.rules.addresses == Addresses::HappyEyeballs).then_some(self.next_start);
        Step::Wait(ends.chain(start).fold(self.deadline, Time::min))
    }

    /// How many addresses were dialled.
    pub fn tried(&self) -> usize {
        self.next
    }

    fn may_start(&self, now: Time) -> bool {
        match self.rules.addresses {
            Addresses::HappyEyeballs => now >= self.next_start,
            Addresses::OneAtATime => self.flights.is_empty(),
        }
    }

    fn start(&mut self, now: Time) -> Step {
        let index = self.next;
        self.next += 1;
        self.next_start = now + self.rules.stagger;
        self.flights.push(Flight { index, until: now + self.time_for_one(now) });
        Step::Start(index)
    }

    /// The time for the address that starts now.
    fn time_for_one(&self, now: Time) -> Duration {
        let left = self.deadline.since(now);
        if self.rules.per_address < left {
            return self.rules.per_address;
        }
        // What is left was chosen by nobody. Where addresses beside it have nothing to gain, all of it; else a SYN sent in
        // its last moments would be answered too late, and costs the next address its only chance.
        match self.rules.addresses {
            Addresses::OneAtATime if self.next < self.count => step_back(left),
            Addresses::OneAtATime | Addresses::HappyEyeballs => left,
        }
    }

    /// Takes a dial out of the race; late news of one that was aborted is none.
    fn land(&mut self, now: Time, index: usize) -> bool {
        let Some(place) = self.flights.iter().position(|flight| flight.index == index) else { return false };
        self.flights.remove(place);
        self.next_start = now;
        true
    }
}
