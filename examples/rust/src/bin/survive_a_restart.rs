//! Writes a beat to Redis five times a second, and knows in the end what became of each.
//!
//! `survive-a-restart localhost:6379 [COUNT [MILLISECONDS]]`: stop the server, start it again, and the beats go on by
//! themselves. Ctrl-C, or the last beat, prints the sum.

use keepline::{Client, EventKind, Framing, Heartbeat, Matcher, Outcome, Receipt, Unsolicited};
use std::time::Duration;
use tokio::time::sleep;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("where to? HOST:PORT")?;
    let count: usize = arguments.next().map_or(Ok(1_000_000), |count| count.parse())?;
    let every = Duration::from_millis(arguments.next().map_or(Ok(200), |every| every.parse())?);

    let heartbeat = Heartbeat::new("PING\r\n").reply(Matcher::Exact("+PONG\r\n".into()));
    let client = Client::builder(&address)
        .framing(Framing::resp())
        .heartbeat(heartbeat.every(Duration::from_secs(1)).reply_within(Duration::from_secs(2)))
        // Nobody here waits for the replies: the receipts say what became of each beat.
        .unsolicited(Unsolicited::Discard)
        .connect()
        .await?;
    let telling = tokio::spawn(tell(client.clone()));

    let mut receipts = Vec::new();
    tokio::select! {
        sent = beat(&client, count, every, &mut receipts) => sent?,
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    // What still waits has five seconds to leave.
    client.close(Duration::from_secs(5)).await;
    telling.await?;
    let mut outcomes = Vec::new();
    for mut receipt in receipts {
        outcomes.push(receipt.outcome().await?);
    }
    let told = [Outcome::Acked, Outcome::NotSent, Outcome::Unknown, Outcome::Expired].map(|outcome| {
        let count = outcomes.iter().filter(|told| **told == outcome).count();
        format!(" {count} {}", outcome.as_str())
    });
    println!("{} beats:{}", outcomes.len(), told.concat());
    Ok(())
}

async fn beat(
    client: &Client,
    count: usize,
    every: Duration,
    receipts: &mut Vec<Receipt>,
) -> Result<(), keepline::Error> {
    while receipts.len() < count {
        receipts.push(client.send_tracked(format!("SET beat {}\r\n", receipts.len())).await?);
        sleep(every).await;
    }
    Ok(())
}

/// Says what a user would tell a friend.
async fn tell(client: Client) {
    let mut events = client.events();
    drop(client);
    while let Some(event) = events.recv().await {
        match event.kind {
            EventKind::Connected { epoch, after, .. } => println!("connected {epoch} after {after:.3?}"),
            EventKind::Disconnected(end) => {
                if let Some(wait) = end.retry_in {
                    println!("lost ({}), next attempt in {wait:.3?}", end.ending.cause);
                }
            }
            // The rest is for a closer look.
            _ => {}
        }
    }
}
