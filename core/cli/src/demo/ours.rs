//! The Keepline client: the same messages through `try_send` and `recv`, with a heartbeat declared.

use super::MESSAGE_EVERY;
use super::journal::{Journal, What, Why};
use keepline::{Builder, Client, Error, EventKind, Framing, Heartbeat, Matcher, ValidConfig};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// 1 s and 2 s: the shortest that the rules allow, so that the demonstration is short as well.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);
const REPLY_WITHIN: Duration = Duration::from_secs(2);
/// 1 s: for one client before one server; a fleet waits longer.
const BACKOFF_MAX: Duration = Duration::from_secs(1);
/// 5 s: an attempt that meets silence is not worth more here.
const CONNECT_TOTAL: Duration = Duration::from_secs(5);
/// 1 s to say goodbye.
const DRAIN: Duration = Duration::from_secs(1);

/// The client while it runs.
pub(super) struct Running {
    client: Client,
    tasks: [JoinHandle<()>; 3],
}

impl Running {
    pub(super) fn start(
        journal: Arc<Journal>,
        address: SocketAddr,
        talk: watch::Receiver<bool>,
    ) -> Result<Running, Error> {
        let client = declared(Client::builder(address)).start()?;
        let tasks = [
            tokio::spawn(send(client.clone(), journal.clone(), talk)),
            tokio::spawn(receive(client.clone(), journal.clone())),
            tokio::spawn(watch_events(client.clone(), journal)),
        ];
        Ok(Running { client, tasks })
    }

    pub(super) async fn end(self) {
        // The journal is complete: the goodbye belongs to no fault.
        self.tasks.iter().for_each(JoinHandle::abort);
        self.client.close(DRAIN).await;
    }
}

/// The configuration of the demonstration, checked: what it promises is printed first.
pub(super) fn promise() -> Result<Arc<ValidConfig>, Error> {
    declared(Client::builder("localhost:1")).validate()
}

fn declared(builder: Builder) -> Builder {
    let heartbeat = Heartbeat::new(&b"PING"[..]).reply(Matcher::Exact("PONG".into()));
    builder
        .framing(Framing::lines())
        .heartbeat(heartbeat.every(HEARTBEAT_EVERY).reply_within(REPLY_WITHIN))
        .backoff_max(BACKOFF_MAX)
        .connect_total(CONNECT_TOTAL)
}

async fn send(client: Client, journal: Arc<Journal>, talk: watch::Receiver<bool>) {
    let mut ticks = interval(MESSAGE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut number = 0;
    loop {
        ticks.tick().await;
        if *talk.borrow() {
            number += 1;
            journal.write(What::Due { number });
            // Refused messages are counted as lost, like those that never come back.
            if let Err(error) = client.try_send(number.to_string()) {
                tracing::warn!(number, %error, "not accepted");
            }
        }
    }
}

async fn receive(client: Client, journal: Arc<Journal>) {
    while let Some(message) = client.recv().await {
        let text = std::str::from_utf8(&message.payload).ok();
        if let Some(number) = text.and_then(|text| text.parse().ok()) {
            journal.write(What::Back { number, connection: message.epoch.0 });
        }
    }
}

async fn watch_events(client: Client, journal: Arc<Journal>) {
    let mut events = client.events();
    while let Some(event) = events.recv().await {
        match event.kind {
            EventKind::Connected { epoch, .. } => journal.write(What::Up { connection: epoch.0 }),
            EventKind::Suspect { evidence, .. } => journal.write(What::Suspect { evidence }),
            EventKind::Recovered { .. } => journal.write(What::Recovered),
            EventKind::Disconnected(lost) => {
                let (why, retry_in) = (Why::Ending(lost.ending), lost.retry_in);
                journal.write(match lost.up_for {
                    Some(_) => What::Down { connection: lost.epoch.0, why, retry_in },
                    None => What::Failed { why, retry_in },
                });
            }
            EventKind::Connecting { .. }
            | EventKind::Stalled { .. }
            | EventKind::InboxFull { .. }
            | EventKind::Offline
            | EventKind::Paused
            | EventKind::Resumed
            | EventKind::Missed { .. }
            | EventKind::Closed(_) => {}
            // The list may grow by what no fault of these brings about.
            _ => {}
        }
    }
}
