//! The last events of a client, for any number of readers, each with its own cursor. Nobody is ever waited for.

use crate::shared::Shared;
use keepline_proto::recorder::Reports;
use keepline_proto::{Ending, Epoch, Event, EventKind, Report, State, Time};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Events kept per client.
const KEPT: usize = 256;

/// The ring that the driver writes.
#[derive(Debug, Default)]
pub(crate) struct EventRing {
    kept: Mutex<Kept>,
    /// An event was added, or the client's state changed, which nearly always is the same moment.
    pub(crate) changed: Notify,
}

#[derive(Debug, Default)]
struct Kept {
    /// The last of them is number `last`, and none is left out.
    events: VecDeque<Compact>,
    /// Boxed: a client that never lost a connection has none.
    reports: Option<Box<Reports>>,
    last: u64,
    ended: bool,
}

/// An event in the ring: those that every client has without a box, and without the number that its place tells.
#[derive(Debug)]
enum Compact {
    Connecting {
        at: Time,
        epoch: Epoch,
    },
    /// To an address of the fourth version; the sixth takes more room than a box.
    Connected {
        at: Time,
        epoch: Epoch,
        after_nanos: u64,
        address: [u8; 4],
        port: u16,
    },
    Other(Box<Event>),
}

impl Compact {
    fn of(event: Event) -> Compact {
        match event {
            Event { at, kind: EventKind::Connecting { epoch, endpoint: None }, seq: _ } => {
                Compact::Connecting { at, epoch }
            }
            Event {
                at,
                kind: EventKind::Connected { epoch, peer: Some(SocketAddr::V4(peer)), after, endpoint: None },
                seq: _,
            } => {
                // Both are spans of the clock, which counts in 64 bits.
                let after_nanos = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
                Compact::Connected { at, epoch, after_nanos, address: peer.ip().octets(), port: peer.port() }
            }
            event => Compact::Other(Box::new(event)),
        }
    }

    fn whole(&self, seq: u64) -> Event {
        match self {
            Compact::Connecting { at, epoch } => {
                Event { seq, at: *at, kind: EventKind::Connecting { epoch: *epoch, endpoint: None } }
            }
            Compact::Connected { at, epoch, after_nanos, address, port } => {
                let peer = Some(SocketAddr::from((*address, *port)));
                let after = Duration::from_nanos(*after_nanos);
                Event { seq, at: *at, kind: EventKind::Connected { epoch: *epoch, peer, after, endpoint: None } }
            }
            Compact::Other(event) => Event::clone(event),
        }
    }

    fn at(&self) -> Time {
        match self {
            Compact::Connecting { at, .. } | Compact::Connected { at, .. } => *at,
            Compact::Other(event) => event.at,
        }
    }
}

impl Kept {
    /// The number of the oldest event in the ring, or of the next one if it is empty.
    fn first(&self) -> u64 {
        self.last + 1 - self.events.len() as u64
    }
}

impl EventRing {
    pub(crate) fn push(&self, event: Event) {
        self.push_with(event, || ());
    }

    /// Adds an event together with what `publish` stores: whoever sees one of both and looks for the other finds it.
    pub(crate) fn push_with<T>(&self, event: Event, publish: impl FnOnce() -> T) {
        let mut kept = self.kept();
        publish();
        if kept.events.len() == KEPT {
            kept.events.pop_front();
        }
        if kept.events.capacity() == 0 {
            // Two events tell of most clients' lives so far; the default would hold four.
            kept.events.reserve_exact(2);
        }
        kept.last = event.seq;
        kept.ended |= matches!(event.kind, EventKind::Closed(_));
        kept.events.push_back(Compact::of(event));
        drop(kept);
        self.changed.notify_waiters();
    }

    /// Keeps a report. The one that goes for it also leaves its event: a ring of events is no archive.
    pub(crate) fn keep(&self, report: Arc<Report>) {
        let mut kept = self.kept();
        let Some(gone) = kept.reports.get_or_insert_default().push(report) else { return };
        for event in &mut kept.events {
            if let Compact::Other(event) = event
                && let EventKind::Disconnected(end) = &mut event.kind
                && end.epoch == gone.epoch
            {
                end.report = None;
            }
        }
    }

    /// The last reports, oldest first.
    pub(crate) fn reports(&self) -> Vec<Arc<Report>> {
        self.kept().reports.iter().flat_map(|reports| reports.iter()).cloned().collect()
    }

    /// The last report of a connection or an attempt that ended so; the last of all if none did.
    pub(crate) fn report_of(&self, ending: Ending) -> Option<Arc<Report>> {
        let kept = self.kept();
        let mut latest_first = kept.reports.iter().flat_map(|reports| reports.iter()).rev();
        latest_first.clone().find(|report| report.ending == ending).or_else(|| latest_first.next()).cloned()
    }

    pub(crate) fn last(&self) -> u64 {
        self.kept().last
    }

    /// The events after `seq`, at most `max`; a first `Missed` if some were overwritten. `None` after the last.
    pub(crate) fn after(&self, seq: u64, max: usize, state: State) -> Option<Vec<Event>> {
        let kept = self.kept();
        let first = kept.first();
        let mut found = Vec::new();
        if seq + 1 < first {
            let count = first - seq - 1;
            let at = kept.events.front().map_or(Time::ZERO, Compact::at);
            found.push(Event { seq: first - 1, at, kind: EventKind::Missed { count, state } });
        }
        let numbered = (first..).zip(&kept.events).skip_while(|(number, _)| *number <= seq);
        found.extend(numbered.take(max.saturating_sub(found.len())).map(|(number, event)| event.whole(number)));
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
        loop {
            let changed = self.shared.events.changed.notified();
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
        loop {
            let changed = self.events.changed.notified();
            let found = self.events.after(seq, max, self.state())?;
            if !found.is_empty() {
                return Some(found);
            }
            changed.await;
        }
    }
}
