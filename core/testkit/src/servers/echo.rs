//! A server that sends every byte back.

use super::{Server, Service};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends every byte back.
pub type EchoServer = Server<Echo>;

/// The service of [`EchoServer`].
#[derive(Debug, Default)]
pub struct Echo;

/// 64 KiB a read: the size at which loopback stops getting faster.
const CHUNK: usize = 64 * 1024;

impl Service for Echo {
    async fn serve(&self, _connection: u64, mut stream: TcpStream) {
        let mut chunk = vec![0; CHUNK];
        while let Ok(count @ 1..) = stream.read(&mut chunk).await {
            if stream.write_all(&chunk[..count]).await.is_err() {
                return;
            }
        }
    }
}
