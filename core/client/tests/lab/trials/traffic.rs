//! The client of one trial: what it sends, how it leaves its connection, and what it was told of each message.

use super::super::support::{Journal, SOON, assert_balanced, millis, quick, secs};
use super::judge::{Account, Fate, Sent, farewell, line};
use fastrand::Rng;
use keepline::{Client, Epoch, ErrorKind, Receipt, State, WhileDown};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// What a trial sends in a hurry; then it goes on with a message now and then.
const HURRY: usize = 1_500_000;
/// How long a message waits for room before it is given up.
const ROOM_WITHIN: Duration = millis(100);
/// A trial on its way.
pub(super) struct Traffic {
    name: u8,
    client: Client,
    journal: Journal,
    talking: JoinHandle<Vec<(Sent, Option<Receipt>)>>,
    /// How long it goes on talking after its connection has ended.
    talks_on: Duration,
    enough: Arc<AtomicBool>,
    epoch: Option<Epoch>,
}

impl Traffic {
    /// Connects, and begins to talk at a random moment.
    pub(super) async fn start(name: u8, mut luck: Rng) -> Traffic {
        // Some queue while they are down and replay, some reject, and drop what was not handed over.
        let while_down = if luck.u8(..10) < 6 { WhileDown::Queue } else { WhileDown::Reject };
        let client = quick().stall_limit(secs(2)).while_down(while_down).connect().await.unwrap();
        let mut journal = Journal::of(&client);
        let epoch = journal.next("connected", SOON).await.event.kind.epoch();
        let enough = Arc::new(AtomicBool::new(false));
        let talks_on = millis(luck.u64(..300));
        let talking = tokio::spawn(talk(name, client.clone(), luck, enough.clone()));
        Traffic { name, client, journal, talking, talks_on, enough, epoch }
    }

    pub(super) fn reconnect(&self) {
        self.client.reconnect();
    }

    /// Waits for the end of the connection; one that lives for too long is left.
    pub(super) async fn leave(mut self, patience: Duration) -> Traffic {
        let deadline = Instant::now() + patience;
        while !self.journal.has("disconnected") {
            if Instant::now() >= deadline {
                self.client.reconnect();
                break;
            }
            tokio::time::sleep(millis(5)).await;
        }
        self.journal.next_end(SOON).await;
        tokio::time::sleep(self.talks_on).await;
        self.enough.store(true, Ordering::Relaxed);
        self
    }

    /// On a connection that works again: everything that waits goes through, the client closes, and the account is made up.
    pub(super) async fn farewell(self) -> Account {
        let talked = self.talking.await.unwrap();
        let farewell = farewell(self.name);
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < 2 * SOON, "no farewell: {}", self.journal);
            let is_up = self.client.state() == State::Connected && self.client.try_send(&*farewell).is_ok();
            // What else comes back was in no message: the judge will find it on the wire.
            if is_up
                && let Ok(Some(message)) = self.client.recv_within(secs(3)).await
                && message.payload == farewell
            {
                assert!(Some(message.epoch) > self.epoch, "it has left its first connection: {}", self.journal);
                break;
            }
            tokio::time::sleep(millis(20)).await;
        }
        self.client.close(secs(2)).await;
        let mut sent = Vec::new();
        for (message, receipt) in talked {
            sent.push(Sent { fate: fate(message.fate, receipt).await, ..message });
        }
        assert_balanced(&self.client);
        Account { name: self.name, sent }
    }
}

/// Sends message after message: bursts and pauses, from a few bytes to 200 kB, as many small ones as large ones.
async fn talk(name: u8, client: Client, mut luck: Rng, enough: Arc<AtomicBool>) -> Vec<(Sent, Option<Receipt>)> {
    let mut talked = Vec::new();
    let mut total = 0;
    tokio::time::sleep(millis(luck.u64(..600))).await;
    while !enough.load(Ordering::Relaxed) {
        let calm = total > HURRY;
        let octaves = luck.f64() * if calm { 6.0 } else { 15.0 };
        let length = (6.0 * octaves.exp2()) as usize;
        total += length;
        let number = talked.len();
        let entry = match client.send_tracked_within(line(name, number, length), ROOM_WITHIN).await {
            Ok(receipt) => (Sent { length, fate: Fate::Untold }, Some(receipt)),
            // No room, or no connection: it was not accepted, so it must not arrive.
            Err(error) => match error.kind() {
                ErrorKind::Timeout | ErrorKind::Rejected | ErrorKind::Unavailable => {
                    (Sent { length, fate: Fate::Refused }, None)
                }
                kind => panic!("{kind:?}: {error}"),
            },
        };
        talked.push(entry);
        if calm || luck.u8(..10) < 3 {
            tokio::time::sleep(millis(luck.u64(1..40))).await;
        }
    }
    talked
}

async fn fate(known: Fate, receipt: Option<Receipt>) -> Fate {
    let Some(mut receipt) = receipt else { return known };
    let Ok(first) = tokio::time::timeout(SOON, receipt.outcome()).await else { return Fate::Untold };
    let first = first.unwrap();
    assert_eq!(receipt.outcome().await.unwrap(), first, "an outcome is final");
    Fate::Told(first)
}
