//! The commands of chaos proxies.

use super::Answer;
use super::servers::{told, wait};
use super::words::Words;
use keepline_testkit::chaos::{ChaosProxy, IdleMode};
use std::collections::HashMap;
use std::net::SocketAddr;

#[derive(Default)]
pub(crate) struct Proxies(HashMap<String, ChaosProxy>);

impl Proxies {
    pub(crate) async fn run(&mut self, verb: &str, name: &str, words: &mut Words<'_>) -> Answer {
        if verb == "proxy" {
            return self.start(name, words).await;
        }
        let proxy = self.0.get(name).ok_or_else(|| format!("no proxy or server {name}"))?;
        match verb {
            "address" => return Ok(proxy.addr().to_string()),
            "accepted" => return Ok(proxy.accepted().to_string()),
            "connections" => return Ok(proxy.connections().len().to_string()),
            "await-accepted" => {
                let count: u64 = words.number("a count")?;
                wait(words.millis("a limit")?, || proxy.accepted() >= count).await?;
            }
            "await-gone" => wait(words.millis("a limit")?, || proxy.connections().is_empty()).await?,
            "upstream" => proxy.set_upstream(words.address()?),
            "clear" => proxy.clear(),
            "refuse" => proxy.refuse(),
            "accept-and-silence" => proxy.accept_and_silence(),
            "accept-then-fin" => proxy.accept_then_fin(),
            "accept-then-rst" => proxy.accept_then_rst(),
            "hang-syn" => proxy.hang_syn().await.map_err(told)?,
            "accept-again" => proxy.accept_again(),
            "reset" => proxy.reset(),
            "close" => proxy.close(),
            "idle-cut" => {
                let after = words.millis("a time")?;
                let mode = match words.word("silent or rst")? {
                    "silent" => IdleMode::Silent,
                    "rst" => IdleMode::Rst,
                    other => return Err(format!("neither silent nor rst: {other}")),
                };
                proxy.idle_cut(after, mode);
            }
            other => fault(proxy, other, words)?,
        }
        Ok(String::new())
    }

    /// Where a proxy listens.
    pub(crate) fn address(&self, name: &str) -> Option<SocketAddr> {
        self.0.get(name).map(ChaosProxy::addr)
    }

    async fn start(&mut self, name: &str, words: &mut Words<'_>) -> Answer {
        let upstream = words.address()?;
        let mut builder = ChaosProxy::builder();
        if let Some(bytes) = words.optional("a buffer")? {
            builder = builder.receive_buffer(bytes);
        }
        let proxy = builder.start(upstream).await.map_err(told)?;
        let address = proxy.addr().to_string();
        self.0.insert(name.to_owned(), proxy);
        Ok(address)
    }
}

/// What is done to the bytes of one direction.
fn fault(proxy: &ChaosProxy, verb: &str, words: &mut Words<'_>) -> Result<(), String> {
    let direction = words.direction()?;
    match verb {
        "pass" => proxy.pass(direction),
        "stall" => proxy.stall(direction),
        "hold" => proxy.hold(direction),
        "release" => proxy.release(direction),
        "silence" => proxy.silence(direction),
        "duplicate" => proxy.duplicate(direction),
        "half-close" => proxy.half_close(direction),
        "latency" => proxy.latency(direction, words.millis("a delay")?, words.millis("a jitter")?),
        "rate" => proxy.rate(direction, words.number("a rate")?),
        "slice" => proxy.slice(direction, words.number("a size")?, words.millis("a gap")?),
        "limit" => proxy.limit(direction, words.number("a count")?, words.ending()?),
        "drop-after" => proxy.drop_after(direction, words.number("a count")?),
        "corrupt" => proxy.corrupt(direction, words.number("an offset")?, words.number("a mask")?),
        "inject" => proxy.inject(direction, &words.hex()?),
        other => return Err(format!("a proxy knows no {other}")),
    }
    Ok(())
}
