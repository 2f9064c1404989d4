//! Events in words for people and as JSON for programs.

use crate::report;
use keepline::{Cause, Ending, Event, EventKind, MessageCounts, Suspicion, Time};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// A time for people: rough, with a unit, never more digits than anyone reads.
pub(crate) fn time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 0.0995 {
        format!("{:.0} ms", seconds * 1_000.0)
    } else if seconds < 9.95 {
        format!("{seconds:.1} s")
    } else if seconds < 600.0 {
        format!("{seconds:.0} s")
    } else {
        format!("{:.0} min", seconds / 60.0)
    }
}

/// What a user would tell a friend; `None` for what only matters to programs.
pub(crate) fn sentence(kind: &EventKind) -> Option<String> {
    Some(match kind {
        EventKind::Connecting { .. } => return None,
        EventKind::Connected { epoch, peer, after, endpoint } => {
            let peer = peer.map(|peer| peer.to_string());
            let peer = match (endpoint.as_deref(), peer) {
                (Some(endpoint), Some(peer)) if endpoint != peer => format!(" to {endpoint} at {peer}"),
                (Some(place), _) => format!(" to {place}"),
                (None, Some(peer)) => format!(" to {peer}"),
                (None, None) => String::new(),
            };
            format!("connected{peer} after {} ({epoch})", time(*after))
        }
        EventKind::Suspect { evidence, .. } => format!("suspect: {}", suspicion(*evidence)),
        EventKind::Recovered { .. } => "recovered".to_owned(),
        EventKind::Stalled { .. } => "stalled: the peer lives and does not read".to_owned(),
        // The end of the client follows and says enough.
        EventKind::Disconnected(lost) if lost.ending.cause == Cause::Requested && lost.retry_in.is_none() => {
            return None;
        }
        EventKind::Disconnected(lost) => {
            let next = match lost.retry_in {
                Some(wait) => format!("retrying in {}", time(wait)),
                None => "not retrying".to_owned(),
            };
            match lost.up_for {
                Some(up_for) => format!("lost ({}) after {}, {next}", reason(&lost.ending), time(up_for)),
                None => {
                    let place = lost.endpoint.as_deref().map(|place| format!(" to {place}")).unwrap_or_default();
                    format!("no connection{place} ({}; attempt {}), {next}", reason(&lost.ending), lost.failures)
                }
            }
        }
        EventKind::InboxFull { .. } => "inbox full: stdout is slow, reading pauses".to_owned(),
        EventKind::Offline => "offline: no network".to_owned(),
        EventKind::Paused => "paused".to_owned(),
        EventKind::Resumed => "resumed".to_owned(),
        EventKind::Missed { count, state } => format!("{count} events missed; {state} now"),
        EventKind::Closed(ending) if ending.cause == Cause::Requested => "closed".to_owned(),
        EventKind::Closed(ending) => format!("closed ({})", reason(ending)),
        // The list may grow: a new event at least tells its name.
        other => other.name().to_owned(),
    })
}

/// The cause, who noticed, and the system's own word for it.
pub(crate) fn reason(ending: &Ending) -> String {
    let detector = ending.detector.map(|detector| format!(" by {detector}")).unwrap_or_default();
    let system = ending.errno.map(|errno| format!(": {}", system_text(errno))).unwrap_or_default();
    let code = ending.code.map(|code| format!(", code {code}")).unwrap_or_default();
    let hint = ending.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("{}{detector}{system}{code}{hint}", ending.cause)
}

/// An event as one JSON object; times in milliseconds, `at_ms` since `start`.
pub(crate) fn json(event: &Event, start: Time) -> Value {
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    set("type", json!("event"));
    set("seq", json!(event.seq));
    set("at_ms", millis(event.at.since(start)));
    set("event", json!(event.kind.name()));
    if let Some(epoch) = event.kind.epoch() {
        set("epoch", json!(epoch.0));
    }
    match &event.kind {
        EventKind::Connecting { endpoint, .. } => {
            set("endpoint", json!(endpoint.as_deref()));
        }
        EventKind::Connected { peer, after, endpoint, .. } => {
            set("endpoint", json!(endpoint.as_deref()));
            set("peer", json!(peer.map(|peer| peer.to_string())));
            set("after_ms", millis(*after));
        }
        EventKind::Suspect { evidence, .. } => {
            set("evidence", json!(evidence.as_str()));
        }
        EventKind::Disconnected(lost) => {
            set("endpoint", json!(lost.endpoint.as_deref()));
            ending(&lost.ending, &mut set);
            set("up_for_ms", lost.up_for.map_or(Value::Null, millis));
            set("retry_in_ms", lost.retry_in.map_or(Value::Null, millis));
            set("failures", json!(lost.failures));
            set("messages", counts(&lost.messages));
            set("report", lost.report.as_deref().map_or(Value::Null, report::json));
        }
        EventKind::Missed { count, state } => {
            set("count", json!(count));
            set("state", json!(state.as_str()));
        }
        EventKind::Closed(why) => ending(why, &mut set),
        EventKind::Recovered { .. }
        | EventKind::Stalled { .. }
        | EventKind::InboxFull { .. }
        | EventKind::Offline
        | EventKind::Paused
        | EventKind::Resumed => {}
        // The list may grow: a new event at least tells its name.
        _ => {}
    }
    Value::Object(fields)
}

/// A time as JSON: milliseconds, to the microsecond.
pub(crate) fn millis(duration: Duration) -> Value {
    json!(duration.as_micros() as f64 / 1_000.0)
}

fn ending<R>(why: &Ending, set: &mut impl FnMut(&str, Value) -> R) {
    set("cause", json!(why.cause.as_str()));
    set("detector", json!(why.detector.map(|detector| detector.as_str())));
    set("errno", json!(why.errno));
    set("hint", json!(why.hint.map(|hint| hint.as_str())));
    set("advice", json!(why.hint.map(|hint| hint.to_string())));
    set("code", json!(why.code));
    set("retry_after_ms", why.retry_after.map_or(Value::Null, millis));
}

fn counts(counts: &MessageCounts) -> Value {
    json!({
        "accepted": counts.accepted,
        "acked": counts.acked,
        "not_sent": counts.not_sent,
        "unknown": counts.unknown,
        "expired": counts.expired,
        "queued": counts.queued,
        "in_flight": counts.in_flight,
    })
}

fn suspicion(evidence: Suspicion) -> &'static str {
    match evidence {
        Suspicion::HeartbeatLate => "the heartbeat's answer is late",
        Suspicion::Retransmits => "the kernel retransmits without an answer",
        Suspicion::Woke => "the machine was asleep",
        Suspicion::NetworkChanged => "the network changed",
        Suspicion::PathRefused => "the network says that there is no way",
        Suspicion::SiblingDied => "another connection from the same address died of a silent path",
        other => other.as_str(),
    }
}

/// `Connection refused`, without the number that the standard library appends.
fn system_text(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => format!("{words}, errno {errno}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keepline::{Detector, Disconnected, Epoch};

    fn lost(up_for: Option<Duration>) -> EventKind {
        EventKind::Disconnected(Box::new(Disconnected {
            epoch: Epoch(3),
            endpoint: None,
            ending: Ending::new(Cause::PeerClosed, Some(Detector::OsError)),
            up_for,
            retry_in: Some(Duration::from_millis(1_200)),
            failures: 2,
            messages: MessageCounts::default(),
            report: None,
        }))
    }

    #[test]
    fn losses_are_told_with_cause_detector_and_next_step() {
        let told = sentence(&lost(Some(Duration::from_secs(12))));
        assert_eq!(told.as_deref(), Some("lost (peer_closed by os_error) after 12 s, retrying in 1.2 s"));
        let told = sentence(&lost(None));
        assert_eq!(told.as_deref(), Some("no connection (peer_closed by os_error; attempt 2), retrying in 1.2 s"));
    }

    #[test]
    fn json_carries_the_names_of_the_core() {
        let event = Event { seq: 7, at: Time::from_nanos(2_500_000_000), kind: lost(None) };
        let value = json(&event, Time::from_nanos(1_000_000_000));
        assert_eq!(value["event"], "disconnected");
        assert_eq!(value["at_ms"], 1_500.0);
        assert_eq!(value["cause"], "peer_closed");
        assert_eq!(value["retry_in_ms"], 1_200.0);
        assert_eq!(value["messages"]["accepted"], 0);
    }
}
