//! The last events of a client, for any number of readers, each with its own cursor. Nobody is ever waited for.

mod kept;

use crate::shared::Shared;
use keepline_proto::{Ending, Event, EventKind, Report, State};
use kept::{KEPT, Kept};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The ring that the driver writes.
#[derive(Debug, Default)]
pub(crate) struct EventRing {
    kept: Mutex<Kept>,
}

impl EventRing {
    pub(crate) fn push(&self, event: Event) {
        self.push_with(event, || ());
    }

    /// Adds an event together with what `publish` stores: whoever sees one of both and looks for the other finds it.
    pub(crate) fn push_with<T>(&self, event: Event, publish: impl FnOnce() -> T) {
        let mut kept = self.kept();
        publish();
        kept.push(event);
        let changed = kept.changed.rope();
        drop(kept);
        changed.ring();
    }

    /// Wakes those who wait for the state to be another.
    pub(crate) fn note_change(&self) {
        let changed = self.kept().changed.rope();
        changed.ring();
    }

    /// For whoever is going to wait for an event, or another state.
    pub(crate) fn listen(&self) -> Arc<Notify> {
        self.kept().changed.listen()
    }

    /// Gives back the room for those who wait, if nobody does.
    pub(crate) fn rest(&self) {
        self.kept().changed.rest();
    }

    /// Keeps a report; the oldest of too many goes.
    pub(crate) fn keep(&self, report: Arc<Report>) {
        self.kept().keep(report);
    }

    /// The last reports, oldest first.
    pub(crate) fn reports(&self) -> Vec<Arc<Report>> {
        self.kept().reports().cloned().collect()
    }

    /// The last report of a connection or an attempt that ended so; the last of all if none did.
    pub(crate) fn report_of(&self, ending: Ending) -> Option<Arc<Report>> {
        let kept = self.kept();
        let mut latest_first = kept.reports().rev();
        latest_first.clone().find(|report| report.ending == ending).or_else(|| latest_first.next()).cloned()
    }

    pub(crate) fn last(&self) -> u64 {
        self.kept().last()
    }

    /// The events after `seq`, at most `max`; a first `Missed` if some were overwritten. `None` after the last.
    pub(crate) fn after(&self, seq: u64, max: usize, state: State) -> Option<Vec<Event>> {
        let kept = self.kept();
        let first = kept.first();
        let mut found = Vec::new();
        if seq + 1 < first {
            let count = first - seq - 1;
            found.push(Event { seq: first - 1, at: kept.oldest_at(), kind: EventKind::Missed { count, state } });
        }
        found.extend(kept.from(seq + 1).take(max.saturating_sub(found.len())));
        if found.is_empty() && kept.ended { None } else { Some(found) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader of events with its own cursor.
///
/// Made by [`Client::events`](crate::Client::events). It does not keep the client alive.
#[derive(Debug)]
pub struct Events {
    shared: Arc<Shared>,
    cursor: u64,
    ready: VecDeque<Event>,
}

impl Events {
    pub(crate) fn new(shared: Arc<Shared>, cursor: u64) -> Events {
        Events { shared, cursor, ready: VecDeque::new() }
    }

    /// Waits for the next event; `None` after `Closed`.
    ///
    /// A reader that falls more than 256 events behind gets [`EventKind::Missed`] with the number and the state now.
    ///
    /// # Cancel safety
    /// Cancel safe: the event stays for the next call.
    pub async fn recv(&mut self) -> Option<Event> {
        if self.ready.is_empty() {
            self.ready = self.shared.events_after(self.cursor, KEPT).await?.into();
        }
        let event = self.ready.pop_front()?;
        self.cursor = event.seq;
        Some(event)
    }

    /// Waits until the client's state is another than `known`, and returns it. `Closed` is the last one.
    ///
    /// It takes no event.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn state_after(&self, known: State) -> State {
        let bell = self.shared.events.listen();
        loop {
            let changed = bell.notified();
            let state = self.shared.state();
            if state != known {
                return state;
            }
            changed.await;
        }
    }

    /// The next event if it is there already.
    pub fn try_recv(&mut self) -> Option<Event> {
        if self.ready.is_empty() {
            self.ready = self.shared.events.after(self.cursor, KEPT, self.shared.state())?.into();
        }
        let event = self.ready.pop_front()?;
        self.cursor = event.seq;
        Some(event)
    }
}

impl Shared {
    /// Waits for events after `seq`: at least one, or `None` after the last.
    pub(crate) async fn events_after(&self, seq: u64, max: usize) -> Option<Vec<Event>> {
        let bell = self.events.listen();
        loop {
            let changed = bell.notified();
            let found = self.events.after(seq, max, self.state())?;
            if !found.is_empty() {
                return Some(found);
            }
            changed.await;
        }
    }
}
