//! Whether a connection survives silence: what a NAT or a firewall on the way makes of it.

use super::attempt::{Attempt, end_of, timeline};
use super::diagnosis::{Examined, Fact, StageName};
use crate::clock;
use keepline_proto::Cause;
use keepline_proto::config::Keepalive;
use keepline_proto::event::Disconnected;
use std::pin::pin;
use std::time::Duration;

/// Without a heartbeat the kernel asks after the silence: three probes, a second apart, and it knows.
const PROBES: u32 = 3;
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// 50 ms between looks for the answer: unseen in a test that lasts seconds.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A verdict may be late by this on a busy machine.
const SLACK: Duration = Duration::from_secs(2);

/// Tries each silence on a connection of its own, from the shortest on, until one does not survive.
pub(super) async fn examine(attempt: &Attempt<'_>, silences: &[Duration], examined: &mut Examined) {
    if silences.is_empty() {
        return;
    }
    let begun = clock::now();
    let mut facts = Vec::new();
    for silence in silences {
        match survive(attempt, *silence).await {
            Ok(()) => facts.push(Fact::new("survived", format!("{silence:?}"))),
            Err(end) => {
                facts.push(Fact::new("died_after", format!("{silence:?}")));
                let cause = end.as_ref().map_or(Cause::PathSilent, |end| end.ending.cause);
                facts.extend(end.as_ref().map(timeline).unwrap_or_default());
                examined.failed(StageName::Idle, begun, Some(cause), facts);
                return;
            }
        }
    }
    examined.passed(StageName::Idle, begun, facts);
}

/// Says nothing for that long, then asks: with the heartbeat if there is one, else with the kernel's probes.
async fn survive(attempt: &Attempt<'_>, silence: Duration) -> Result<(), Option<Disconnected>> {
    let mut builder = attempt.once().silent_for(silence);
    let answer_within = match &attempt.config.heartbeat {
        Some(heartbeat) if heartbeat.expects_reply() => {
            builder = builder.no_keepalive();
            heartbeat.reply_within
        }
        Some(_) | None => {
            builder = builder.keepalive(Keepalive { idle: silence, interval: PROBE_EVERY, retries: PROBES });
            PROBE_EVERY * (PROBES + 1)
        }
    };
    let (client, mut events) = attempt.connect(builder).await?;
    let before = client.stats().bytes_in;
    let mut ended = pin!(tokio::time::timeout(silence + answer_within + SLACK, end_of(&mut events)));
    let outcome = loop {
        match tokio::time::timeout(LOOK_EVERY, ended.as_mut()).await {
            Ok(outcome) => break outcome,
            // The heartbeat that ended the silence was answered, or the server spoke by itself and broke it.
            Err(_still_there) if client.stats().bytes_in > before => {
                client.abort();
                return Ok(());
            }
            Err(_still_there) => {}
        }
    };
    client.abort();
    match outcome {
        Err(_nothing_ended) => Ok(()),
        // The server's own limit is longer than the silence: it ended a connection that had been asked, and was alive.
        Ok(Some(end)) if end.ending.cause == Cause::PeerClosed && end.up_for > Some(silence + PROBE_EVERY) => Ok(()),
        Ok(end) => Err(end),
    }
}
