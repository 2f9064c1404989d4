//! Events as flat records: the fields that an event does not have are `None`.

use crate::config::millis;
use crate::report::ReportRecord;
use keepline::{Disconnected, Ending, Event, EventKind, MessageCounts};
use serde::Serialize;

/// One numbered fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct EventRecord {
    /// The number: each event of a client has the next one, from 1.
    pub seq: u64,
    /// When it happened, on the clock of the system that counts suspend (`CLOCK_BOOTTIME`).
    pub at_ms: u64,
    /// What happened: a name of the contract's `events`.
    pub name: String,
    /// The connection it is about.
    pub epoch: Option<u64>,
    /// Where it goes, as it was given (`connecting`, `connected`, `disconnected`); nothing if there is one endpoint.
    pub endpoint: Option<String>,
    /// The address on the other side (`connected`).
    pub peer: Option<String>,
    /// Time since the last connection ended, or since start (`connected`).
    pub after_ms: Option<u64>,
    /// What made the connection suspect (`suspect`).
    pub evidence: Option<String>,
    /// Why (`disconnected`, `closed`).
    pub cause: Option<String>,
    /// Which evidence told (`disconnected`, `closed`).
    pub detector: Option<String>,
    /// The operating system's error number (`disconnected`, `closed`).
    pub errno: Option<i32>,
    /// What may help: a name of the contract's `hints` (`disconnected`, `closed`).
    pub hint: Option<String>,
    /// The same as a sentence (`disconnected`, `closed`).
    pub advice: Option<String>,
    /// The other side's own number for it, if it told one (`disconnected`, `closed`): a SOCKS reply or the status of an HTTP proxy.
    pub code: Option<u16>,
    /// How long the peer asked the client to stay away (`disconnected`).
    pub retry_after_ms: Option<u64>,
    /// How long it had been connected (`disconnected`).
    pub up_for_ms: Option<u64>,
    /// When the next attempt starts, from the event on (`disconnected`).
    pub retry_in_ms: Option<u64>,
    /// Attempts that failed in a row (`disconnected`).
    pub failures: Option<u32>,
    /// What became of the messages accepted so far (`disconnected`).
    pub messages: Option<MessageCountsRecord>,
    /// What led to it (`disconnected`); nothing if more than four connections or attempts ended since.
    pub report: Option<ReportRecord>,
    /// How many events were overwritten (`missed`).
    pub count: Option<u64>,
    /// The state now (`missed`).
    pub state: Option<String>,
}

/// What became of the messages accepted so far; `accepted` is the sum of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct MessageCountsRecord {
    /// Accepted by a send.
    pub accepted: u64,
    /// Acknowledged by the peer's kernel.
    pub acked: u64,
    /// Dropped by policy, never transmitted.
    pub not_sent: u64,
    /// Handed to the kernel; nobody knows.
    pub unknown: u64,
    /// Ran out of time in the outbox.
    pub expired: u64,
    /// Waiting in the outbox.
    pub queued: u64,
    /// Handed to the kernel of the living connection.
    pub in_flight: u64,
}

impl From<MessageCounts> for MessageCountsRecord {
    fn from(counts: MessageCounts) -> MessageCountsRecord {
        let MessageCounts { accepted, acked, not_sent, unknown, expired, queued, in_flight } = counts;
        MessageCountsRecord { accepted, acked, not_sent, unknown, expired, queued, in_flight }
    }
}

impl From<Event> for EventRecord {
    fn from(event: Event) -> EventRecord {
        let mut record = EventRecord {
            seq: event.seq,
            at_ms: event.at.as_nanos() / 1_000_000,
            name: event.kind.name().to_owned(),
            epoch: event.kind.epoch().map(|epoch| epoch.0),
            endpoint: None,
            peer: None,
            after_ms: None,
            evidence: None,
            cause: None,
            detector: None,
            errno: None,
            hint: None,
            advice: None,
            code: None,
            retry_after_ms: None,
            up_for_ms: None,
            retry_in_ms: None,
            failures: None,
            messages: None,
            report: None,
            count: None,
            state: None,
        };
        match event.kind {
            EventKind::Connecting { epoch: _, endpoint } => record.endpoint = endpoint.as_deref().map(str::to_owned),
            EventKind::Connected { epoch: _, peer, after, endpoint } => {
                record.endpoint = endpoint.as_deref().map(str::to_owned);
                record.peer = peer.map(|peer| peer.to_string());
                record.after_ms = Some(millis(after));
            }
            EventKind::Suspect { epoch: _, evidence } => record.evidence = Some(evidence.to_string()),
            EventKind::Disconnected(disconnected) => record.tell_disconnected(*disconnected),
            EventKind::Missed { count, state } => {
                record.count = Some(count);
                record.state = Some(state.to_string());
            }
            EventKind::Closed(ending) => record.tell_ending(ending),
            EventKind::Recovered { epoch: _ }
            | EventKind::Stalled { epoch: _ }
            | EventKind::InboxFull { epoch: _ }
            | EventKind::Offline
            | EventKind::Paused
            | EventKind::Resumed => {}
            // The core may name a new kind before this crate tells more of it than its name and epoch.
            _ => {}
        }
        record
    }
}

impl EventRecord {
    fn tell_disconnected(&mut self, disconnected: Disconnected) {
        self.tell_ending(disconnected.ending);
        self.retry_after_ms = disconnected.ending.retry_after.map(millis);
        self.endpoint = disconnected.endpoint.as_deref().map(str::to_owned);
        self.up_for_ms = disconnected.up_for.map(millis);
        self.retry_in_ms = disconnected.retry_in.map(millis);
        self.failures = Some(disconnected.failures);
        self.messages = Some(disconnected.messages.into());
        self.report = disconnected.report.as_deref().map(Into::into);
    }

    fn tell_ending(&mut self, ending: Ending) {
        self.cause = Some(ending.cause.to_string());
        self.detector = ending.detector.map(|detector| detector.to_string());
        self.errno = ending.errno;
        self.hint = ending.hint.map(|hint| hint.as_str().to_owned());
        self.advice = ending.hint.map(|hint| hint.to_string());
        self.code = ending.code;
    }
}
