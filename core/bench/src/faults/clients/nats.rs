//! async-nats, as quick as it can be set. It has no access to the socket's options.

use super::console::{FLOOD, Subject, tell};
use crate::measure::Failure;
use async_nats::{Client, ConnectOptions, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{interval, timeout};

/// 1 s: it gives up when two pings are out and a third is due.
const PING_INTERVAL: Duration = Duration::from_secs(1);
/// 2 s to connect, and for an answer.
const WITHIN: Duration = Duration::from_secs(2);
/// 100 ms between attempts.
const RECONNECT: Duration = Duration::from_millis(100);
/// 100 ms until it says it again: what is published while a connection dies is lost, and nobody is told.
const AGAIN: Duration = Duration::from_millis(100);
/// 512 KiB a message: the server takes up to 1 MiB.
const MESSAGE: usize = 512 * 1024;

pub(super) struct Nats {
    client: Client,
    /// What this client says to itself through the server.
    heard: Mutex<Subscriber>,
    count: AtomicU64,
}

impl Nats {
    pub(super) async fn connect(address: &str) -> Result<Nats, Failure> {
        let options = ConnectOptions::new()
            .ping_interval(PING_INTERVAL)
            .connection_timeout(WITHIN)
            .reconnect_delay_callback(|_| RECONNECT)
            .event_callback(|event| async move { tell_of(&event) });
        let client = options.connect(address).await?;
        let heard = Mutex::new(client.subscribe("echo").await?);
        Ok(Nats { client, heard, count: AtomicU64::new(0) })
    }
}

fn tell_of(event: &async_nats::Event) {
    if matches!(event, async_nats::Event::Disconnected) {
        tell("lost", &event.to_string());
    }
}

impl Subject for Nats {
    async fn exchange(&self) -> Result<(), String> {
        let token = Bytes::from(self.count.fetch_add(1, Ordering::Relaxed).to_string());
        let mut subscriber = self.heard.lock().await;
        let heard = async {
            let mut again = interval(AGAIN);
            loop {
                tokio::select! {
                    _ = again.tick() => {
                        let said = self.client.publish("echo", token.clone()).await;
                        said.map_err(|error| error.to_string())?;
                    }
                    message = subscriber.next() => match message {
                        Some(message) if message.payload == token => return Ok(()),
                        // A late one of an exchange that was given up.
                        Some(_) => {}
                        None => return Err("the subscription ended".to_owned()),
                    },
                }
            }
        };
        timeout(WITHIN, heard).await.map_err(|_| "no answer within 2 s".to_owned())?
    }

    async fn flood(&self) -> Result<(), String> {
        let payload = Bytes::from(vec![b'x'; MESSAGE]);
        for _ in 0..FLOOD / MESSAGE {
            self.client.publish("sink", payload.clone()).await.map_err(|error| error.to_string())?;
        }
        self.client.flush().await.map_err(|error| error.to_string())
    }
}
