//! What is measured: one function for each thing that a library can be asked to do, and the list that names them.

mod actor;
mod framed;
mod idle;
mod keepline;
mod limit;
mod nats;
mod raw;
mod redis;
mod stubborn;

use crate::measure::{Context, Failure, Metrics};
use std::future::Future;

/// Runs the case of this name, `group/case`.
///
/// # Errors
/// If there is no such case or it went wrong; then it has no figures.
pub(crate) fn run(name: &str, context: &Context) -> Result<Metrics, Failure> {
    match name {
        "throughput/limit-16k" => limit::throughput(context, 16 * 1024),
        "throughput/limit-1m" => limit::throughput(context, 1024 * 1024),
        "throughput/tokio" => on_one_thread(raw::throughput(context)),
        "throughput/framed" => on_one_thread(framed::send(context)),
        "throughput/framed-feed" => on_one_thread(framed::feed(context)),
        "throughput/stubborn" => on_one_thread(stubborn::send(context)),
        "throughput/actor" => on_one_thread(actor::throughput(context, 1)),
        "throughput/nats" => on_one_thread(nats::publish(context)),
        "throughput/redis" => on_one_thread(redis::set(context)),
        "throughput/keepline" => on_one_thread(keepline::throughput(context, 1)),

        "producers/actor-1" => on_two_threads(actor::throughput(context, 1)),
        "producers/actor-8" => on_two_threads(actor::throughput(context, 8)),
        "producers/keepline-1" => on_two_threads(keepline::throughput(context, 1)),
        "producers/keepline-8" => on_two_threads(keepline::throughput(context, 8)),

        "receive/limit" => limit::receive(context),
        "receive/framed" => on_one_thread(framed::receive(context)),
        "receive/actor" => on_one_thread(actor::receive(context)),
        "receive/keepline-many" => on_one_thread(keepline::receive_many(context)),
        "receive/keepline-one" => on_one_thread(keepline::receive_one(context)),

        "roundtrip/blocking" => limit::roundtrip(context),
        "roundtrip/tokio" => on_one_thread(raw::roundtrip(context)),
        "roundtrip/framed" => on_one_thread(framed::roundtrip(context)),
        "roundtrip/nats" => on_one_thread(nats::request(context)),
        "roundtrip/redis" => on_one_thread(redis::ping(context)),
        "roundtrip/keepline" => on_one_thread(keepline::roundtrip(context)),
        "roundtrip/keepline-request" => on_one_thread(keepline::request(context)),
        "roundtrip/actor-thread" => actor::roundtrip_from_thread(context),
        "roundtrip/keepline-thread" => keepline::roundtrip_from_thread(context),

        "memory/tokio-shared" => on_one_thread(idle::tokio_shared(context)),
        "memory/tokio" => on_one_thread(idle::tokio(context)),
        "memory/framed" => on_one_thread(idle::framed(context)),
        "memory/redis" => on_one_thread(redis::idle(context)),
        "memory/nats" => on_one_thread(nats::idle(context)),
        "memory/keepline" => on_one_thread(keepline::idle(context)),

        "heartbeat/limit" => limit::heartbeat(context),
        "heartbeat/tokio" => on_one_thread(raw::heartbeat(context)),
        "heartbeat/keepline" => on_one_thread(keepline::heartbeat(context)),

        "setup/tokio" => on_one_thread(raw::setup(context)),
        "setup/tokio-verified" => on_one_thread(raw::setup_verified(context)),
        "setup/keepline" => on_one_thread(keepline::setup(context)),
        "setup/keepline-verified" => on_one_thread(keepline::setup_verified(context)),

        other => Err(format!("there is no case {other:?}").into()),
    }
}

/// The runtime of most cases. Pinned to one CPU, a second worker would only pass tasks to and fro.
fn on_one_thread(case: impl Future<Output = Result<Metrics, Failure>>) -> Result<Metrics, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(case)
}

/// The runtime of the cases with several producers. The case itself runs on a worker, as its producers do.
fn on_two_threads(case: impl Future<Output = Result<Metrics, Failure>> + Send + 'static) -> Result<Metrics, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async { tokio::spawn(case).await })?
}
