//! What is remembered of failures: for each endpoint on each network, how often in a row and how long it is avoided.

use super::EndpointId;
use crate::Time;
use std::time::Duration;

/// 30 s after the first failure: most servers restart in less, and a client that comes back in the middle has to leave
/// again.
const FIRST_PENALTY: Duration = Duration::from_secs(30);

/// 10 min after the sixth in a row and later ones: as long as Ably stays away from its primary host. An endpoint that is
/// back is not forgotten for an hour.
const LONGEST_PENALTY: Duration = Duration::from_secs(600);

/// An hour without a failure: what happened before says nothing about now.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);

/// Doublings of the penalty that still fit below the longest.
const DOUBLINGS: u8 = 5;

/// 256 records: 64 endpoints on four networks; a traveller's oldest are given up first.
const RECORDS: usize = 256;

#[derive(Debug, Clone, Copy)]
struct Record {
    network: Option<u64>,
    endpoint: EndpointId,
    /// Failures in a row.
    strikes: u8,
    last: Time,
}

impl Record {
    /// The penalty is a time, and over by itself: 30 s, 1 min, 2 min, … after the last failure.
    fn avoided_until(&self) -> Time {
        let doubled = FIRST_PENALTY.saturating_mul(1 << self.strikes.saturating_sub(1).min(DOUBLINGS));
        self.last + doubled.min(LONGEST_PENALTY)
    }
}

/// Failures of endpoints that were not made good since.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    records: Vec<Record>,
}

impl Memory {
    pub(super) fn is_avoided(&self, now: Time, network: Option<u64>, endpoint: EndpointId) -> bool {
        self.find(network, endpoint).is_some_and(|index| now < self.records[index].avoided_until())
    }

    pub(super) fn note(&mut self, now: Time, network: Option<u64>, endpoint: EndpointId) {
        if let Some(index) = self.find(network, endpoint) {
            let record = &mut self.records[index];
            let is_old = now.since(record.last) > FORGOTTEN_AFTER;
            record.strikes = if is_old { 1 } else { record.strikes.saturating_add(1) };
            record.last = now;
            return;
        }
        if self.records.len() == RECORDS {
            let oldest = self.records.iter().enumerate().min_by_key(|(_, record)| record.last).map(|(index, _)| index);
            oldest.map(|index| self.records.swap_remove(index));
        }
        self.records.push(Record { network, endpoint, strikes: 1, last: now });
    }

    /// It works after all.
    pub(super) fn forgive(&mut self, network: Option<u64>, endpoint: EndpointId) {
        if let Some(index) = self.find(network, endpoint) {
            self.records.swap_remove(index);
        }
    }

    pub(super) fn retain(&mut self, is_kept: impl Fn(EndpointId) -> bool) {
        self.records.retain(|record| is_kept(record.endpoint));
    }

    fn find(&self, network: Option<u64>, endpoint: EndpointId) -> Option<usize> {
        self.records.iter().position(|record| record.network == network && record.endpoint == endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn penalty_doubles_with_each_failure_up_to_ten_minutes_and_is_over_by_itself() {
        let mut memory = Memory::default();
        let endpoint = EndpointId(3);
        for (failures, seconds) in [(1, 30), (2, 60), (3, 120), (4, 240), (5, 480), (6, 600), (7, 600), (200, 600)] {
            memory = Memory::default();
            for _ in 0..failures {
                memory.note(at(1_000), Some(1), endpoint);
            }
            assert!(memory.is_avoided(at(1_000 + seconds - 1), Some(1), endpoint), "{failures}");
            assert!(!memory.is_avoided(at(1_000 + seconds), Some(1), endpoint), "{failures}");
        }
        assert!(!memory.is_avoided(at(1_000), Some(2), endpoint), "another network");
        assert!(!memory.is_avoided(at(1_000), None, endpoint), "another network");
    }

    #[test]
    fn failures_of_more_than_an_hour_ago_do_not_count() {
        let mut memory = Memory::default();
        for _ in 0..9 {
            memory.note(at(0), None, EndpointId(0));
        }
        memory.note(at(3_601), None, EndpointId(0));
        assert!(!memory.is_avoided(at(3_631), None, EndpointId(0)));
    }

    #[test]
    fn memory_of_a_traveller_is_bounded_and_gives_up_the_oldest() {
        let mut memory = Memory::default();
        for network in 0..1_000 {
            memory.note(at(network), Some(network), EndpointId(0));
            assert!(memory.records.len() <= RECORDS);
        }
        assert!(memory.find(Some(743), EndpointId(0)).is_none());
        assert!(memory.find(Some(744), EndpointId(0)).is_some());
        assert!(memory.find(Some(999), EndpointId(0)).is_some());
    }
}
