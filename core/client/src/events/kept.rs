//! The events of one client as they are kept: its first two in the place of a few numbers, as long as nothing followed them.

use crate::bell::Bell;
use keepline_proto::recorder::Reports;
use keepline_proto::{Epoch, Event, EventKind, Report, Time};
use std::collections::VecDeque;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

/// Events kept per client.
pub(super) const KEPT: usize = 256;

/// The last events. None is left out between them.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// How many of the first two are told by the fields that follow; none once there are others.
    told: u8,
    pub(super) ended: bool,
    /// `Connecting`, number 1.
    began: Time,
    /// `Connected`, number 2: so many nanoseconds later, after so long, to this address of the fourth version.
    connected_later: u32,
    connected_after: u32,
    address: [u8; 4],
    port: u16,
    /// Boxed: a client that never lost its first connection has none.
    more: Option<Box<More>>,
    /// An event was added, or the client's state changed, which nearly always is the same moment.
    pub(super) changed: Bell,
}

#[derive(Debug, Default)]
struct More {
    /// The last of them is number `last`.
    events: VecDeque<Compact>,
    last: u64,
    reports: Reports,
}

/// An event in the ring: those that every connection has without a box, and without the number that its place tells.
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

impl Kept {
    /// The number of the last event.
    pub(super) fn last(&self) -> u64 {
        self.more.as_ref().map_or(self.told.into(), |more| more.last)
    }

    /// The number of the oldest event that is kept, or of the next one if none is.
    pub(super) fn first(&self) -> u64 {
        self.more.as_ref().map_or(1, |more| more.last + 1 - more.events.len() as u64)
    }

    /// When the oldest event that is kept happened.
    pub(super) fn oldest_at(&self) -> Time {
        match &self.more {
            Some(more) => more.events.front().map_or(Time::ZERO, Compact::at),
            None => self.began,
        }
    }

    pub(super) fn push(&mut self, event: Event) {
        self.ended |= matches!(event.kind, EventKind::Closed(_));
        if self.more.is_none() && self.takes(&event) {
            return;
        }
        let more = self.more();
        if more.events.len() == KEPT {
            more.events.pop_front();
        }
        more.last = event.seq;
        more.events.push_back(Compact::of(event));
    }

    /// The events from number `first` on.
    pub(super) fn from(&self, first: u64) -> impl Iterator<Item = Event> {
        let more = self.more.iter().flat_map(|more| &more.events);
        let numbered = (self.first()..).zip(more).skip_while(move |(number, _)| *number < first);
        let first_ones = self.first_ones().filter(move |event| event.seq >= first);
        first_ones.chain(numbered.map(|(number, event)| event.whole(number)))
    }

    /// Keeps a report. The one that goes for it also leaves its event: a ring of events is no archive.
    pub(super) fn keep(&mut self, report: Arc<Report>) {
        let more = self.more();
        let Some(gone) = more.reports.push(report) else { return };
        for event in &mut more.events {
            if let Compact::Other(event) = event
                && let EventKind::Disconnected(end) = &mut event.kind
                && end.epoch == gone.epoch
            {
                end.report = None;
            }
        }
    }

    /// The last reports, oldest first.
    pub(super) fn reports(&self) -> impl DoubleEndedIterator<Item = &Arc<Report>> + Clone {
        self.more.iter().flat_map(|more| more.reports.iter())
    }

    /// Takes one of the first two, if it is as usual.
    fn takes(&mut self, event: &Event) -> bool {
        match (&event.kind, event.seq, self.told) {
            (EventKind::Connecting { epoch: Epoch(1), endpoint: None }, 1, 0) => {
                self.began = event.at;
            }
            (
                EventKind::Connected { epoch: Epoch(1), peer: Some(SocketAddr::V4(peer)), after, endpoint: None },
                2,
                1,
            ) => {
                // Up to four seconds fit; a client that took longer pays for an entry.
                let nanos = |span: Duration| u32::try_from(span.as_nanos());
                let (Ok(later), Ok(after)) = (nanos(event.at.since(self.began)), nanos(*after)) else { return false };
                (self.connected_later, self.connected_after) = (later, after);
                (self.address, self.port) = (peer.ip().octets(), peer.port());
            }
            (_, _, _) => return false,
        }
        self.told += 1;
        true
    }

    fn first_ones(&self) -> impl Iterator<Item = Event> + use<> {
        let nanos = |nanos: u32| Duration::from_nanos(nanos.into());
        let (epoch, endpoint) = (Epoch(1), None);
        let connecting = Event { seq: 1, at: self.began, kind: EventKind::Connecting { epoch, endpoint: None } };
        let peer = Some(SocketAddr::V4(SocketAddrV4::new(self.address.into(), self.port)));
        let kind = EventKind::Connected { epoch, peer, after: nanos(self.connected_after), endpoint };
        let connected = Event { seq: 2, at: self.began + nanos(self.connected_later), kind };
        [connecting, connected].into_iter().take(self.told.into())
    }

    /// What follows the first two; they go there too.
    fn more(&mut self) -> &mut More {
        let first_ones = self.first_ones();
        let told = std::mem::take(&mut self.told);
        self.more.get_or_insert_with(|| {
            let events = first_ones.map(Compact::of).collect();
            Box::new(More { events, last: told.into(), reports: Reports::default() })
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 6379));

    fn connecting(seq: u64, at: u64) -> Event {
        let kind = EventKind::Connecting { epoch: Epoch(seq), endpoint: None };
        Event { seq, at: Time::from_nanos(at), kind }
    }

    fn connected(peer: Option<SocketAddr>, at: u64) -> Event {
        let kind = EventKind::Connected { epoch: Epoch(1), peer, after: Duration::from_nanos(at + 1), endpoint: None };
        Event { seq: 2, at: Time::from_nanos(at), kind }
    }

    #[test]
    fn usual_beginning_takes_no_memory_and_is_told_as_any_other() {
        let v6 = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 1));
        // To this address at once; after more than four seconds; to one of the sixth version; to a Unix socket.
        for (peer, at) in [(Some(PEER), 9), (Some(PEER), 5_000_000_000), (Some(v6), 9), (None, 9)] {
            let mut kept = Kept::default();
            let mut events = vec![connecting(1, 3), connected(peer, at)];
            events.iter().for_each(|event| kept.push(event.clone()));
            assert_eq!(kept.more.is_none(), (peer, at) == (Some(PEER), 9));
            for next in 3..=5 {
                for first in 0..=next {
                    let expected: Vec<_> = events.iter().filter(|event| event.seq >= first).cloned().collect();
                    assert_eq!(kept.from(first).collect::<Vec<_>>(), expected, "from {first} of {next}");
                }
                assert_eq!((kept.first(), kept.last(), kept.oldest_at()), (1, next - 1, Time::from_nanos(3)));
                events.push(connecting(next, next * 1_000_000_000_000));
                kept.push(events[next as usize - 1].clone());
            }
        }
    }

    #[test]
    fn ring_without_events_begins_with_the_first() {
        let kept = Kept::default();
        assert_eq!((kept.first(), kept.last(), kept.from(0).count()), (1, 0, 0));
        // Two numbers for the beginning, what is more, and the bell: every idle client has it.
        assert!(size_of::<Kept>() <= 40, "{}", size_of::<Kept>());
    }
}
