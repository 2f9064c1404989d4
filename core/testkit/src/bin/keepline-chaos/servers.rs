//! The commands of servers.

use super::Answer;
use super::words::Words;
use keepline_testkit::chaos::End;
use keepline_testkit::servers::{EchoServer, LineServer, SinkServer};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// 5 ms between two looks at a count that nobody announces.
const LOOK: Duration = Duration::from_millis(5);

#[derive(Default)]
pub(crate) struct Servers(HashMap<String, AnyServer>);

enum AnyServer {
    Echo(EchoServer),
    Line(LineServer),
    Sink(SinkServer),
}

/// The same of each kind of server.
macro_rules! each {
    ($server:expr, $bound:ident => $call:expr) => {
        match $server {
            AnyServer::Echo($bound) => $call,
            AnyServer::Line($bound) => $call,
            AnyServer::Sink($bound) => $call,
        }
    };
}

impl Servers {
    /// Whether this command is one of a server.
    pub(crate) fn knows(&self, verb: &str, name: &str) -> bool {
        verb == "serve" || self.0.contains_key(name)
    }

    /// Where a server listens, or would if it ran.
    pub(crate) fn address(&self, name: &str) -> Option<SocketAddr> {
        self.0.get(name).map(|server| each!(server, server => server.addr()))
    }

    pub(crate) async fn run(&mut self, verb: &str, name: &str, words: &mut Words<'_>) -> Answer {
        if verb == "serve" {
            return self.serve(name, words).await;
        }
        let server = self.0.get(name).ok_or_else(|| format!("no server {name}"))?;
        match verb {
            "stop" => {
                let end: End = words.ending()?;
                each!(server, server => server.stop(end).await);
            }
            "start" => each!(server, server => server.start_again()).map_err(told)?,
            "freeze" => each!(server, server => server.freeze()),
            "thaw" => each!(server, server => server.thaw()),
            "address" => return Ok(each!(server, server => server.addr()).to_string()),
            "accepted" => return Ok(server.accepted().to_string()),
            "connections" => return Ok(server.connections().to_string()),
            "await-accepted" => {
                let count: u64 = words.number("a count")?;
                wait(words.millis("a limit")?, || server.accepted() >= count).await?;
            }
            "await-gone" => wait(words.millis("a limit")?, || server.connections() == 0).await?,
            "pings" => return Ok(server.lines()?.pings().to_string()),
            "lines" => return Ok(server.lines()?.received().len().to_string()),
            "line" => {
                let index: usize = words.number("an index")?;
                let lines = server.lines()?.received();
                return lines.get(index).map(|line| line.line.clone()).ok_or_else(|| format!("no line {index}"));
            }
            "await-lines" => {
                let count = words.number("a count")?;
                server.lines()?.await_lines(count, words.millis("a limit")?).await.map_err(told)?;
            }
            "await-bytes" => match server {
                AnyServer::Sink(sink) => {
                    let count: u64 = words.number("a count")?;
                    sink.await_bytes(count, words.millis("a limit")?).await.map_err(told)?;
                }
                AnyServer::Echo(_) | AnyServer::Line(_) => return Err(format!("{name} counts no bytes")),
            },
            "bytes" => match server {
                AnyServer::Sink(sink) => return Ok(sink.bytes().to_string()),
                AnyServer::Echo(_) | AnyServer::Line(_) => return Err(format!("{name} counts no bytes")),
            },
            other => return Err(format!("a server knows no {other}")),
        }
        Ok(String::new())
    }

    async fn serve(&mut self, name: &str, words: &mut Words<'_>) -> Answer {
        let server = match words.word("echo, line or sink")? {
            "echo" => AnyServer::Echo(EchoServer::start().await.map_err(told)?),
            "line" => AnyServer::Line(LineServer::start().await.map_err(told)?),
            "sink" => AnyServer::Sink(SinkServer::start().await.map_err(told)?),
            other => return Err(format!("no kind of server: {other}")),
        };
        let address = each!(&server, server => server.addr()).to_string();
        self.0.insert(name.to_owned(), server);
        Ok(address)
    }
}

impl AnyServer {
    fn accepted(&self) -> u64 {
        each!(self, server => server.accepted())
    }

    fn connections(&self) -> usize {
        each!(self, server => server.connections())
    }

    fn lines(&self) -> Result<&LineServer, String> {
        match self {
            AnyServer::Line(server) => Ok(server),
            AnyServer::Echo(_) | AnyServer::Sink(_) => Err("only a line server counts lines".to_owned()),
        }
    }
}

/// Waits until `reached`, at most `limit`.
pub(crate) async fn wait(limit: Duration, reached: impl Fn() -> bool) -> Result<(), String> {
    let began = Instant::now();
    while !reached() {
        if began.elapsed() > limit {
            return Err(format!("not within {} ms", limit.as_millis()));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

pub(crate) fn told(error: io::Error) -> String {
    error.to_string()
}
