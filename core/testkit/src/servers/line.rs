//! A server that speaks lines: answers pings, echoes the rest, remembers everything.

use super::{Server, Service};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

/// Answers `PING` with `PONG`, sends every other line back, and records it.
pub type LineServer = Server<Lines>;

/// The service of [`LineServer`].
#[derive(Debug, Default)]
pub struct Lines {
    record: watch::Sender<Recorded>,
}

/// One line as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedLine {
    /// The number of the connection it came over, from 1.
    pub connection: u64,
    /// The line without its end.
    pub line: String,
}

#[derive(Debug, Default)]
struct Recorded {
    lines: Vec<ReceivedLine>,
    pings: u64,
}

/// 64 KiB: a longer line is a broken client; its connection is ended.
const MAX_LINE: u64 = 64 * 1024;
/// A million lines, more than any test sends; beyond it lines are answered and no longer recorded.
const MAX_RECORDED: usize = 1_000_000;

impl Service for Lines {
    async fn serve(&self, connection: u64, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut stream).take(MAX_LINE).read_until(b'\n', &mut line).await;
            // Without its end it is a line cut off by the end of the connection (or far too long): nobody sent it.
            if read.is_err() || line.last() != Some(&b'\n') {
                return;
            }
            let answer = self.answer(connection, &line);
            if stream.get_mut().write_all(&answer).await.is_err() {
                return;
            }
        }
    }
}

impl Lines {
    fn answer(&self, connection: u64, line: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end_matches(['\r', '\n']);
        if text == "PING" {
            self.record.send_modify(|record| record.pings += 1);
            return b"PONG\n".to_vec();
        }
        self.record.send_modify(|record| {
            if record.lines.len() < MAX_RECORDED {
                record.lines.push(ReceivedLine { connection, line: text.to_owned() });
            }
        });
        line.to_vec()
    }
}

impl Server<Lines> {
    /// Every line but the pings, in the order of arrival, duplicates included, over all connections and stops.
    pub fn received(&self) -> Vec<ReceivedLine> {
        self.service().record.borrow().lines.clone()
    }

    /// How many pings were answered.
    pub fn pings(&self) -> u64 {
        self.service().record.borrow().pings
    }

    /// Waits until `count` lines were recorded.
    ///
    /// # Errors
    /// `TimedOut` if that did not happen in time.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn await_lines(&self, count: usize, within: Duration) -> io::Result<()> {
        let mut record = self.service().record.subscribe();
        let reached = timeout(within, record.wait_for(|record| record.lines.len() >= count)).await.is_ok();
        if reached {
            return Ok(());
        }
        let text = format!("waited for {count} lines, saw {}", self.received().len());
        Err(io::Error::new(io::ErrorKind::TimedOut, text))
    }
}
