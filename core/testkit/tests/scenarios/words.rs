//! What a step says, and what came of it: words on both sides.

use keepline::{Ending, Error, Event, EventKind};

/// What came of an action, as words: `hello epoch=2`, `error=rejected`, `disconnected epoch=1 cause=reset`.
pub(crate) type Told = Vec<String>;

/// Splits a step into its action and what is expected of it.
pub(crate) fn split(step: &str) -> (Vec<&str>, Vec<&str>) {
    let (action, expected) = step.split_once("->").unwrap_or((step, ""));
    (action.split_whitespace().collect(), expected.split_whitespace().collect())
}

/// Whether every expected word is among those that were told. Where nothing is expected, an error is a failure.
pub(crate) fn is_met(expected: &[&str], told: &Told) -> bool {
    match expected {
        [] => !told.iter().any(|word| word.starts_with("error=")),
        expected => expected.iter().all(|word| told.iter().any(|told| told == word)),
    }
}

/// A payload: the word itself, or `fill:COUNT` for so many letters.
pub(crate) fn payload(word: &str) -> Result<String, String> {
    match word.strip_prefix("fill:") {
        Some(count) => Ok("x".repeat(number(count)?)),
        None => Ok(word.to_owned()),
    }
}

pub(crate) fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_not_one| format!("no number: {word}"))
}

pub(crate) fn of_error(error: &Error) -> Told {
    let mut told = vec![format!("error={}", error.kind())];
    told.extend(error.cause().map(|cause| format!("cause={cause}")));
    told.extend(error.maybe_executed().then(|| "maybe_executed".to_owned()));
    told
}

pub(crate) fn of_ending(ending: &Ending) -> Told {
    let mut told = vec![format!("cause={}", ending.cause)];
    told.extend(ending.detector.map(|detector| format!("detector={detector}")));
    told.extend(ending.hint.map(|hint| format!("hint={}", hint.as_str())));
    told
}

pub(crate) fn of_event(event: &Event) -> Told {
    let mut told = vec![event.kind.name().to_owned()];
    match &event.kind {
        EventKind::Connecting { epoch, .. }
        | EventKind::Connected { epoch, .. }
        | EventKind::Recovered { epoch }
        | EventKind::Stalled { epoch }
        | EventKind::InboxFull { epoch } => told.push(format!("epoch={}", epoch.0)),
        EventKind::Suspect { epoch, evidence } => {
            told.extend([format!("epoch={}", epoch.0), format!("evidence={}", evidence.as_str())]);
        }
        EventKind::Disconnected(end) => {
            told.push(format!("epoch={}", end.epoch.0));
            told.push(format!("failures={}", end.failures));
            told.push(format!("retries={}", if end.retry_in.is_some() { "yes" } else { "no" }));
            told.extend(of_ending(&end.ending));
        }
        EventKind::Missed { count, state } => told.extend([format!("count={count}"), format!("state={state}")]),
        EventKind::Closed(ending) => told.extend(of_ending(ending)),
        EventKind::Offline | EventKind::Paused | EventKind::Resumed => {}
        other => told.push(format!("unknown to this driver: {other:?}")),
    }
    told
}
