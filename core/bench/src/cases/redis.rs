//! redis-rs against a real redis-server. Without one these cases fail and say so.

use super::idle;
use crate::measure::{Bound, Context, Failure, Latencies, Metrics, Stopwatch};
use crate::redis_server::ADDRESSES;
use redis::Client;
use redis::aio::ConnectionManager;

/// Messages in a pipeline; each is waited for.
const PIPELINE: u64 = 100;

/// Pipelines of SET.
pub(super) async fn set(context: &Context) -> Result<Metrics, Failure> {
    let payload = context.payload();
    let mut manager = connect(context, 0).await?;
    let mut bound = Bound::new(context);
    let watch = Stopwatch::start();
    while bound.several(PIPELINE) {
        let mut pipeline = redis::pipe();
        for _ in 0..PIPELINE {
            pipeline.set("k", &payload).ignore();
        }
        pipeline.exec_async(&mut manager).await?;
    }
    Ok(watch.per_message(bound.messages()))
}

/// PING with a payload, which the server echoes.
pub(super) async fn ping(context: &Context) -> Result<Metrics, Failure> {
    let payload = context.payload();
    let mut manager = connect(context, 0).await?;
    let mut latencies = Latencies::new(context);
    while latencies.another() {
        let _: Vec<u8> = redis::cmd("PING").arg(&payload).query_async(&mut manager).await?;
        latencies.done();
    }
    latencies.metrics()
}

/// Connection managers as their defaults make them.
pub(super) async fn idle(context: &Context) -> Result<Metrics, Failure> {
    idle::measure(context, async |index| connect(context, index).await).await
}

async fn connect(context: &Context, index: usize) -> Result<ConnectionManager, Failure> {
    let port = context.ports.redis.ok_or("no redis-server is running")?;
    let address = ADDRESSES[index % ADDRESSES.len()];
    Ok(Client::open(format!("redis://{address}:{port}/"))?.get_connection_manager().await?)
}
