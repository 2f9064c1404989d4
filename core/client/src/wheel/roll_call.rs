//! Everybody on a wheel is woken, a few at a time, when the path of one of them fell silent.
//!
//! A wheel and not the process is the circle: clients of one runtime are in one network, while threads of one process can
//! be in several network namespaces, with the same addresses in each. It costs a client nothing: its waker is there already.

use super::{Table, Wheel};
use keepline_proto::Time;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

/// Who is woken within one slot of 50 ms: 1,000 a second. Their probes are below 1 Mbit/s then, and their wake-ups take a
/// few per cent of a core; ten thousand siblings are asked within 10 s, when their own heartbeats come each 25 s.
const IN_ONE_SLOT: usize = 50;

/// How long nobody is warned again of the same address: the siblings of a dead path die one after the other, each within a
/// probe of 3 s, and ten thousand are asked within 10 s.
const WARN_AGAIN: Duration = Duration::from_secs(30);

/// More local addresses than most machines have. The oldest warning makes room.
const MAX_ADDRESSES: usize = 16;

/// The local addresses from which a path fell silent, each with the time.
#[derive(Debug, Default)]
pub(super) struct RollCall {
    /// Counts the warnings: whoever knows the number has heard them all.
    warnings: AtomicU32,
    silent: Mutex<Vec<(IpAddr, Time)>>,
}

impl RollCall {
    fn silent(&self) -> MutexGuard<'_, Vec<(IpAddr, Time)>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a death; `false` if its siblings were warned just now.
    fn note(&self, local: IpAddr, now: Time) -> bool {
        let mut silent = self.silent();
        silent.retain(|(_, at)| now.since(*at) < WARN_AGAIN);
        if silent.iter().any(|(address, _)| *address == local) {
            return false;
        }
        if silent.len() >= MAX_ADDRESSES {
            silent.remove(0);
        }
        silent.push((local, now));
        drop(silent);
        self.warnings.fetch_add(1, Ordering::Release);
        true
    }
}

impl Wheel {
    /// Warns everybody on this wheel that a path from `local` fell silent.
    pub(crate) fn warn_siblings(&self, local: IpAddr, now: Time) {
        if self.siblings.note(local, now) {
            self.table().warn_all();
            self.changed.notify_one();
        }
    }

    /// The number of warnings so far.
    pub(crate) fn warnings(&self) -> u32 {
        self.siblings.warnings.load(Ordering::Acquire)
    }

    /// When a path from `local` fell silent, if it did of late.
    pub(crate) fn silent_since(&self, local: IpAddr) -> Option<Time> {
        self.siblings.silent().iter().find(|(address, _)| *address == local).map(|(_, at)| *at)
    }
}

impl Table {
    /// A round over all seats; one that is under way goes on until it has come round again.
    fn warn_all(&mut self) {
        self.to_warn.1 = self.seats.len();
    }

    /// Appends the wakers of the next few; says whether more are left.
    pub(super) fn warn_some(&mut self, due: &mut Vec<Waker>) -> bool {
        let (next, left) = &mut self.to_warn;
        let mut woken = 0;
        while *left > 0 && woken < IN_ONE_SLOT {
            if *next >= self.seats.len() {
                *next = 0;
            }
            if let Some(waker) = self.seats.get(*next).and_then(|entry| entry.waker.as_ref()) {
                due.push(waker.clone());
                woken += 1;
            }
            *next += 1;
            *left -= 1;
        }
        *left > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wheel::tests::waker;

    #[test]
    fn everybody_is_woken_once_and_never_more_than_a_few_at_once() {
        let mut table = Table::default();
        let seats: Vec<u32> = (0..120).map(|_| table.sit()).collect();
        for seat in &seats[..110] {
            table.arm(*seat, 7, &waker());
        }
        table.warn_all();
        let mut rounds = Vec::new();
        loop {
            let mut due = Vec::new();
            let more = table.warn_some(&mut due);
            rounds.push(due.len());
            if !more {
                break;
            }
        }
        assert_eq!(rounds, [50, 50, 10]);
        assert!(!table.warn_some(&mut Vec::new()));
        assert_eq!(table.earliest(), Some(7), "their own deadlines stay");
    }

    #[test]
    fn one_address_is_warned_of_once_in_thirty_seconds() {
        let roll_call = RollCall::default();
        let address = |last: u8| IpAddr::from([10, 0, 0, last]);
        let start = Time::ZERO + Duration::from_secs(1000);
        assert!(roll_call.note(address(1), start));
        assert!(!roll_call.note(address(1), start + Duration::from_secs(29)));
        assert!(roll_call.note(address(2), start + Duration::from_secs(29)));
        assert!(roll_call.note(address(1), start + Duration::from_secs(30)));
        assert_eq!(roll_call.warnings.load(Ordering::Relaxed), 3);
        for last in 0..100 {
            roll_call.note(address(last), start + Duration::from_secs(60));
        }
        assert!(roll_call.silent().len() <= MAX_ADDRESSES);
    }
}
