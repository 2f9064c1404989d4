//! What several test files need: waiting for events, counting what a process holds.
#![allow(dead_code)]

pub(crate) mod look;

use keepline::{Client, Event, EventKind, Events, Matcher, Script};
use std::time::Duration;

/// Long enough for a loaded machine, short enough to end a hanging test.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A Redis that still loads its data answers whatever comes first with an error.
pub(crate) fn redis_has_loaded() -> Script {
    Script::default().send("PING\r\n").expect(Matcher::Exact("+PONG\r\n".into()))
}

/// Waits for the next event of this name; fails when it does not come within `limit` or the client closes before.
pub(crate) async fn await_event(events: &mut Events, name: &str, limit: Duration) -> Event {
    let waiting = async {
        while let Some(event) = events.recv().await {
            if event.kind.name() == name {
                return event;
            }
            assert!(!matches!(event.kind, EventKind::Closed(_)), "closed while waiting for {name}: {event:?}");
        }
        panic!("the events ended while waiting for {name}");
    };
    tokio::time::timeout(limit, waiting).await.unwrap_or_else(|_elapsed| panic!("no {name} within {limit:?}"))
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let until = tokio::time::Instant::now() + limit;
    while !condition() {
        assert!(tokio::time::Instant::now() < until, "not within {limit:?}: {what}");
        tokio::time::sleep(millis(10)).await;
    }
}

/// The open descriptors of this process.
pub(crate) fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// The threads of this process.
pub(crate) fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// The counts of a client add up, at every moment.
pub(crate) fn assert_balanced(client: &Client) {
    let counts = client.stats().messages;
    let sum = counts.acked + counts.not_sent + counts.unknown + counts.expired + counts.queued + counts.in_flight;
    assert_eq!(counts.accepted, sum, "{counts:?}");
}
