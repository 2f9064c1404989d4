//! Keepline against a Redis: requests in order, `PING` as the heartbeat, nobody tells it of network changes.

use super::console::{FLOOD, Subject, tell};
use crate::measure::Failure;
use keepline::{Client, Correlation, DetectionBounds, EventKind, Framing, Heartbeat, Profile};
use serde_json::json;
use std::time::Duration;

/// 2 s for a request, as all clients with a time limit have here.
const REQUEST: Duration = Duration::from_secs(2);
/// 16 KiB a message: far below the outbox's limit of 1 MiB.
const MESSAGE: usize = 16 * 1024;

pub(super) struct Keepline {
    client: Client,
}

pub(super) async fn balanced(address: &str) -> Result<Keepline, Failure> {
    connect(Client::builder(address).profile(Profile::Balanced)).await
}

pub(super) async fn datacenter(address: &str) -> Result<Keepline, Failure> {
    connect(Client::builder(address).profile(Profile::Datacenter)).await
}

/// The shortest that `detect_within` takes.
pub(super) async fn within_4s(address: &str) -> Result<Keepline, Failure> {
    connect(Client::builder(address).profile(Profile::Datacenter).detect_within(Duration::from_secs(4))).await
}

async fn connect(builder: keepline::Builder) -> Result<Keepline, Failure> {
    let builder = builder.framing(Framing::resp()).correlation(Correlation::Fifo).heartbeat(Heartbeat::new("PING\r\n"));
    let client = builder.connect().await?;
    let mut events = client.events();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if let EventKind::Disconnected(end) = event.kind {
                let detector = end.ending.detector.map_or_else(|| "-".to_owned(), |detector| detector.to_string());
                tell("lost", &format!("{} by {detector}", end.ending.cause));
            }
        }
    });
    Ok(Keepline { client })
}

impl Subject for Keepline {
    async fn exchange(&self) -> Result<(), String> {
        self.client.request("PING\r\n", REQUEST).await.map(drop).map_err(|error| error.to_string())
    }

    async fn flood(&self) -> Result<(), String> {
        let reader = self.client.clone();
        tokio::spawn(async move { while reader.recv().await.is_some() {} });
        let mut message = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${MESSAGE}\r\n").into_bytes();
        message.resize(message.len() + MESSAGE, b'x');
        message.extend_from_slice(b"\r\n");
        for _ in 0..FLOOD / MESSAGE {
            self.client.send(&message[..]).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn bounds(&self) -> String {
        let DetectionBounds { path_silent_idle, path_silent_in_flight, peer_frozen, peer_stalled, connect: _ } =
            self.client.detection_bounds();
        let seconds = |bound: keepline::Bound| bound.within.map(|within| within.as_secs_f64());
        json!({
            "path_silent_idle": seconds(path_silent_idle),
            "path_silent_in_flight": seconds(path_silent_in_flight),
            "peer_frozen": seconds(peer_frozen),
            "peer_stalled": seconds(peer_stalled),
            "round_trip": 0.0,
        })
        .to_string()
    }
}
