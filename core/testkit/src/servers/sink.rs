//! A server that reads, counts and never answers.

use super::{Server, Service};
use std::io;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

/// Reads and counts every byte, and never answers.
pub type SinkServer = Server<Sink>;

/// The service of [`SinkServer`].
#[derive(Debug, Default)]
pub struct Sink {
    bytes: watch::Sender<u64>,
}

/// 256 KiB a read: a sink in a benchmark must not be what is measured.
const CHUNK: usize = 256 * 1024;

impl Service for Sink {
    async fn serve(&self, _connection: u64, mut stream: TcpStream) {
        let mut chunk = vec![0; CHUNK];
        while let Ok(count @ 1..) = stream.read(&mut chunk).await {
            self.bytes.send_modify(|bytes| *bytes += count as u64);
        }
    }
}

impl Server<Sink> {
    /// How many bytes were read since the first start, over all connections.
    pub fn bytes(&self) -> u64 {
        *self.service().bytes.borrow()
    }

    /// Waits until `count` bytes were read since the first start.
    ///
    /// # Errors
    /// `TimedOut` if that did not happen in time.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn await_bytes(&self, count: u64, within: Duration) -> io::Result<()> {
        let mut bytes = self.service().bytes.subscribe();
        let reached = timeout(within, bytes.wait_for(|bytes| *bytes >= count)).await.is_ok();
        if reached {
            return Ok(());
        }
        let text = format!("waited for {count} bytes, saw {}", self.bytes());
        Err(io::Error::new(io::ErrorKind::TimedOut, text))
    }
}
