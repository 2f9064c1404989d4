//! The measured clients of Rust, one file for each library. Those of Python are in `core/bench/faults/`.

mod keepline;
mod nats;
mod redis;
mod tokio;

use super::console;
use crate::measure::Failure;
use std::process::ExitCode;

/// Is the client of this name until standard input ends.
///
/// # Errors
/// If there is no such client, or it cannot connect.
pub(crate) fn run(mut arguments: impl Iterator<Item = String>) -> Result<ExitCode, Failure> {
    let (Some(name), Some(address)) = (arguments.next(), arguments.next()) else {
        return Err("usage: keepline-bench fault-client NAME ADDRESS".into());
    };
    let runtime = ::tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        match name.as_str() {
            "keepline-balanced" => console::serve(keepline::balanced(&address).await?).await,
            "keepline-datacenter" => console::serve(keepline::datacenter(&address).await?).await,
            "keepline-4s" => console::serve(keepline::within_4s(&address).await?).await,
            "tokio" => console::serve(tokio::Naive::start(address, tokio::Options::None)).await,
            "tokio-keepalive" => console::serve(tokio::Naive::start(address, tokio::Options::Keepalive)).await,
            "tokio-keepalive-user-timeout" => {
                console::serve(tokio::Naive::start(address, tokio::Options::KeepaliveAndUserTimeout)).await
            }
            "async-nats" => console::serve(nats::Nats::connect(&address).await?).await,
            "redis-rs" => console::serve(redis::Redis::connect(&address).await?).await,
            _ => Err(format!("no such client: {name}").into()),
        }
    })?;
    // Tasks that wait in a dead network are not waited for.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}
