//! Whether full-size packets reach the server. Small ones did: the handshake and the first heartbeat.

use super::attempt::{Attempt, timeline};
use super::diagnosis::{Examined, Fact, StageName};
use crate::clock;
use keepline_proto::Cause;
use keepline_proto::outbox::Outcome;

/// Two packets of 1,500 bytes: as much as surely makes a full-size one.
const BYTES: usize = 3_000;

/// Sends the heartbeat many times in one go, and waits until the server's kernel has it all. Whether the way is open.
pub(super) async fn examine(attempt: &Attempt<'_>, examined: &mut Examined) -> bool {
    let begun = clock::now();
    let Some(heartbeat) = attempt.config.heartbeat.clone() else {
        let why = "not asked: it sends the declared heartbeat, and none is declared";
        examined.warned(StageName::PathMtu, begun, None, vec![Fact::new("skipped", why)]);
        return true;
    };
    let (client, _events) = match attempt.connect(attempt.once()).await {
        Ok(up) => up,
        Err(end) => {
            let cause = end.as_ref().map_or(Cause::ConnectTimeout, |end| end.ending.cause);
            examined.failed(StageName::PathMtu, begun, Some(cause), end.as_ref().map(timeline).unwrap_or_default());
            return false;
        }
    };
    let count = BYTES.div_ceil(heartbeat.payload.len().max(1));
    let mut last = None;
    for _ in 0..count {
        last = client.send_tracked(heartbeat.payload.clone()).await.ok();
    }
    let sent = Fact::new("sent", format!("{count} heartbeats in one go, {} bytes", count * heartbeat.payload.len()));
    let outcome = match last {
        Some(mut receipt) => tokio::time::timeout(attempt.patience, receipt.outcome()).await.ok().and_then(Result::ok),
        None => None,
    };
    client.abort();
    if outcome == Some(Outcome::Acked) {
        examined.passed(StageName::PathMtu, begun, vec![sent]);
        return true;
    }
    let came_to = outcome.map_or("no acknowledgement", Outcome::as_str);
    examined.failed(StageName::PathMtu, begun, Some(Cause::PathSilent), vec![sent, Fact::new("outcome", came_to)]);
    false
}
