//! One timer for all clients of a runtime: deadlines share slots of 50 ms, and the timer sleeps until the earliest.
//!
//! Ten thousand clients with heartbeats cost one wake-up per occupied slot instead of one timer each. Each client has a
//! seat; the seats of one slot are a list through their numbers, so that arming and letting go allocate nothing.

mod roll_call;

use crate::alarm::Alarm;
use crate::clock;
use keepline_proto::Time;
use roll_call::RollCall;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;
use tokio::runtime::{Handle, Id};
use tokio::sync::Notify;

/// The width of a slot: deadlines round up to it. 50 ms cost a fifth more CPU than 250 ms and stay far below what a
/// reply deadline of seconds notices.
pub(crate) const SLOT: Duration = Duration::from_millis(50);

const SLOT_NANOS: u64 = SLOT.as_nanos() as u64;

/// 16 seats, half a kilobyte: few clients do not make the table grow often.
const FIRST_SEATS: usize = 16;

/// No slot: a seat that is not armed.
const UNARMED: u64 = u64::MAX;

/// No seat: the end of a list.
const NOBODY: u32 = u32::MAX;

static WHEELS: Mutex<Vec<(Id, Weak<Wheel>)>> = Mutex::new(Vec::new());

/// The wheel of one runtime. Its task ends when the last client lets go of it.
#[derive(Debug)]
pub(crate) struct Wheel {
    table: Mutex<Table>,
    changed: Arc<Notify>,
    siblings: RollCall,
}

/// A client's place on the wheel. It has one deadline at a time.
#[derive(Debug)]
pub(crate) struct Seat {
    wheel: Arc<Wheel>,
    number: u32,
    /// The slot that was armed last; over, if it has passed. 32 bits of slots are seven years, beyond which a seat is armed
    /// anew each time.
    armed: u32,
}

#[derive(Debug, Default)]
struct Table {
    seats: Vec<Entry>,
    /// The first seat that nobody has; the others follow as in a slot.
    free: Option<u32>,
    /// Occupied slots, the earliest first, each with its first seat.
    slots: VecDeque<(u64, u32)>,
    /// The seats that a warning still has to reach: the next one, and how many.
    to_warn: (usize, usize),
}

#[derive(Debug)]
struct Entry {
    waker: Option<Waker>,
    slot: u64,
    previous: u32,
    next: u32,
}

impl Wheel {
    /// The wheel of the runtime behind `handle`, made if it does not exist yet.
    pub(crate) fn of(handle: &Handle) -> Arc<Wheel> {
        let mut wheels = WHEELS.lock().unwrap_or_else(PoisonError::into_inner);
        wheels.retain(|(_, wheel)| wheel.strong_count() > 0);
        if let Some(wheel) = wheels.iter().find(|(id, _)| *id == handle.id()).and_then(|(_, wheel)| wheel.upgrade()) {
            return wheel;
        }
        let changed = Arc::new(Notify::new());
        let wheel =
            Arc::new(Wheel { table: Mutex::default(), changed: changed.clone(), siblings: RollCall::default() });
        wheels.push((handle.id(), Arc::downgrade(&wheel)));
        handle.spawn(turn(Arc::downgrade(&wheel), changed));
        wheel
    }

    /// Takes a seat.
    pub(crate) fn sit(self: Arc<Wheel>) -> Seat {
        let number = self.table().sit();
        Seat { wheel: self, number, armed: 0 }
    }

    /// Wakes everybody who was ever armed or introduced.
    pub(crate) fn wake_all(&self) {
        let wakers: Vec<Waker> = self.table().seats.iter().filter_map(|entry| entry.waker.clone()).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends every waker that is due to `due`, and says when the next one is.
    fn take_due(&self, due: &mut Vec<Waker>) -> Option<Time> {
        let mut table = self.table();
        let now = clock::now();
        let warned = table.warn_some(due).then(|| now + SLOT);
        while let Some((slot, _)) = table.slots.front() {
            let at = Time::from_nanos(slot.saturating_mul(SLOT_NANOS));
            if at > now {
                return Some(warned.map_or(at, |warned| warned.min(at)));
            }
            table.empty_first(due);
        }
        warned
    }
}

impl Drop for Wheel {
    fn drop(&mut self) {
        self.changed.notify_one();
    }
}

impl Seat {
    /// Wakes `waker` after `delay`, rounded up to a slot. A seat that will be woken before is left as it is: who sits
    /// there answers with the later deadline. Unless `later_too`, which moves it: then nobody is woken in vain.
    pub(crate) fn arm(&mut self, delay: Duration, waker: &Waker, later_too: bool) {
        let now = clock::now();
        let slot = (now + delay).as_nanos().div_ceil(SLOT_NANOS);
        let armed = u64::from(self.armed);
        let will_wake = armed.saturating_mul(SLOT_NANOS) > now.as_nanos();
        if will_wake && (armed == slot || (armed < slot && !later_too)) {
            return;
        }
        self.armed = u32::try_from(slot).unwrap_or(0);
        let mut table = self.wheel.table();
        let before = table.earliest();
        table.disarm(self.number);
        table.arm(self.number, slot, waker);
        let moved = table.earliest() != before;
        drop(table);
        if moved {
            self.wheel.changed.notify_one();
        }
    }

    /// The wheel it belongs to.
    pub(crate) fn wheel(&self) -> &Arc<Wheel> {
        &self.wheel
    }

    /// Lets [`Wheel::wake_all`] reach whoever sits here without a deadline.
    pub(crate) fn introduce(&self, waker: &Waker) {
        self.wheel.table().introduce(self.number, waker);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // A wheel that wakes for nobody goes back to sleep.
        self.wheel.table().leave(self.number);
    }
}

impl Table {
    fn earliest(&self) -> Option<u64> {
        self.slots.front().map(|(slot, _)| *slot)
    }

    fn sit(&mut self) -> u32 {
        if let Some(number) = self.free {
            let next = self.seats[number as usize].next;
            self.free = (next != NOBODY).then_some(next);
            return number;
        }
        if self.seats.len() == self.seats.capacity() {
            // By an eighth, not by half: most of the memory that a doubling takes would wait for clients that never come.
            self.seats.reserve_exact((self.seats.len() / 8).max(FIRST_SEATS));
        }
        self.seats.push(Entry { waker: None, slot: UNARMED, previous: NOBODY, next: NOBODY });
        // Four thousand million clients do not fit into any memory.
        (self.seats.len() - 1) as u32
    }

    fn leave(&mut self, number: u32) {
        self.disarm(number);
        let free = self.free.replace(number).unwrap_or(NOBODY);
        let entry = &mut self.seats[number as usize];
        entry.waker = None;
        entry.next = free;
    }

    fn arm(&mut self, number: u32, slot: u64, waker: &Waker) {
        let place = self.slots.partition_point(|(other, _)| *other < slot);
        let next = match self.slots.get_mut(place) {
            Some((other, first)) if *other == slot => std::mem::replace(first, number),
            Some(_) | None => {
                self.slots.insert(place, (slot, number));
                NOBODY
            }
        };
        if let Some(entry) = self.seats.get_mut(next as usize) {
            entry.previous = number;
        }
        let entry = &mut self.seats[number as usize];
        (entry.slot, entry.previous, entry.next) = (slot, NOBODY, next);
        self.introduce(number, waker);
    }

    fn introduce(&mut self, number: u32, waker: &Waker) {
        match &mut self.seats[number as usize].waker {
            // Nearly always the same task: its count is left alone.
            Some(known) => known.clone_from(waker),
            unknown @ None => *unknown = Some(waker.clone()),
        }
    }

    fn disarm(&mut self, number: u32) {
        let entry = &mut self.seats[number as usize];
        let (slot, previous, next) = (std::mem::replace(&mut entry.slot, UNARMED), entry.previous, entry.next);
        if slot == UNARMED {
            return;
        }
        if let Some(entry) = self.seats.get_mut(next as usize) {
            entry.previous = previous;
        }
        if let Some(entry) = self.seats.get_mut(previous as usize) {
            entry.next = next;
        } else if let Ok(place) = self.slots.binary_search_by_key(&slot, |(slot, _)| *slot) {
            if next == NOBODY {
                self.slots.remove(place);
            } else {
                self.slots[place].1 = next;
            }
        }
    }

    /// Lets everybody in the earliest slot go, and notes whom to wake.
    fn empty_first(&mut self, due: &mut Vec<Waker>) {
        let Some((_, mut number)) = self.slots.pop_front() else { return };
        while let Some(entry) = self.seats.get_mut(number as usize) {
            entry.slot = UNARMED;
            due.extend(entry.waker.clone());
            number = entry.next;
        }
    }
}

async fn turn(wheel: Weak<Wheel>, changed: Arc<Notify>) {
    let mut due = Vec::new();
    let mut alarm = Alarm::new();
    loop {
        let Some(next) = wheel.upgrade().map(|wheel| wheel.take_due(&mut due)) else { return };
        due.drain(..).for_each(Waker::wake);
        let mut changed = pin!(changed.notified());
        match next {
            None => changed.await,
            Some(next) => {
                alarm.set(next);
                // An earlier deadline or the end of the wheel cuts the sleep short.
                poll_fn(|context| match changed.as_mut().poll(context) {
                    Poll::Ready(()) => Poll::Ready(()),
                    Poll::Pending => alarm.poll(context),
                })
                .await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Wake;

    #[test]
    fn seats_leave_their_slot_from_the_front_the_middle_and_the_end() {
        for leaving in 0..3 {
            let mut table = Table::default();
            let seats: Vec<u32> = (0..3).map(|_| table.sit()).collect();
            for seat in &seats {
                table.arm(*seat, 7, &waker());
            }
            table.disarm(seats[leaving]);
            assert_eq!(count_first(&mut table), 2, "seat {leaving}");
            assert_eq!(table.earliest(), None);
        }
    }

    #[test]
    fn slots_come_in_order_and_an_empty_one_goes() {
        let mut table = Table::default();
        let seats: Vec<u32> = (0..4).map(|_| table.sit()).collect();
        for (seat, slot) in seats.iter().zip([9, 3, 5, 3]) {
            table.arm(*seat, slot, &waker());
        }
        table.disarm(seats[2]);
        assert_eq!(table.earliest(), Some(3));
        assert_eq!(count_first(&mut table), 2);
        assert_eq!(table.earliest(), Some(9));
        assert_eq!(count_first(&mut table), 1);
    }

    #[test]
    fn a_seat_that_was_left_is_taken_again() {
        let mut table = Table::default();
        let seats: Vec<u32> = (0..3).map(|_| table.sit()).collect();
        table.arm(seats[0], 1, &waker());
        table.leave(seats[0]);
        table.leave(seats[2]);
        assert_eq!(table.earliest(), None);
        assert_eq!((table.sit(), table.sit(), table.sit()), (seats[2], seats[0], 3));
    }

    fn count_first(table: &mut Table) -> usize {
        let mut due = Vec::new();
        table.empty_first(&mut due);
        due.len()
    }

    pub(super) fn waker() -> Waker {
        struct Nobody;
        impl Wake for Nobody {
            fn wake(self: Arc<Self>) {}
        }
        Arc::new(Nobody).into()
    }
}
