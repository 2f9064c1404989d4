//! async-nats against the NATS server of this crate, which is faster than a real one.

use super::idle;
use crate::measure::{Bound, Context, Counter, Failure, Latencies, Metrics, Stopwatch, crowd_address, local, wait_for};
use async_nats::Client;
use bytes::Bytes;

/// `publish` for each message.
pub(super) async fn publish(context: &Context) -> Result<Metrics, Failure> {
    let payload = Bytes::from(context.payload());
    let client = connect(context.ports.nats).await?;
    let counter = Counter::reset(context)?;
    let mut bound = Bound::new(context);
    let watch = Stopwatch::start();
    while bound.another() {
        client.publish("s", payload.clone()).await?;
    }
    client.flush().await?;
    // The server counts the line end of each payload too.
    wait_for(counter, bound.messages() * (context.size as u64 + 2)).await?;
    Ok(watch.per_message(bound.messages()))
}

/// `request`, which the server answers at once.
pub(super) async fn request(context: &Context) -> Result<Metrics, Failure> {
    let payload = Bytes::from(context.payload());
    let client = connect(context.ports.nats).await?;
    let mut latencies = Latencies::new(context);
    while latencies.another() {
        client.request("s", payload.clone()).await?;
        latencies.done();
    }
    latencies.metrics()
}

/// Clients as their defaults make them.
pub(super) async fn idle(context: &Context) -> Result<Metrics, Failure> {
    let port = context.ports.nats_crowd;
    idle::measure(context, async |index| Ok(async_nats::connect(crowd_address(port, index).to_string()).await?)).await
}

async fn connect(port: u16) -> Result<Client, Failure> {
    Ok(async_nats::connect(local(port).to_string()).await?)
}
