//! What the tests of this crate share: a deadline from inside, a proxied echo server, plain clients.
#![allow(dead_code, unreachable_pub)]

use keepline_testkit::chaos::ChaosProxy;
use keepline_testkit::servers::EchoServer;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// 20 s for anything that takes milliseconds on an idle machine.
pub const SOON: Duration = Duration::from_secs(20);
/// 300 ms without a byte count as "nothing comes"; the byte that must not come would need microseconds.
pub const QUIET: Duration = Duration::from_millis(300);

/// Runs a test on two threads and ends it after two minutes, whatever it waits for.
pub fn run(test: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async { timeout(Duration::from_secs(120), test).await.expect("the test ends by itself") });
}

pub async fn proxied_echo() -> (EchoServer, ChaosProxy) {
    let server = EchoServer::start().await.expect("a port");
    let proxy = ChaosProxy::start(server.addr()).await.expect("a port");
    (server, proxy)
}

/// Connects and waits for the first echo, so that the whole path stands.
pub async fn connected(addr: SocketAddr) -> TcpStream {
    let mut client = connect(addr).await.expect("a connection");
    assert_eq!(exchange(&mut client, b"hello").await, b"hello");
    client
}

pub async fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    timeout(SOON, TcpStream::connect(addr)).await?
}

pub async fn exchange(client: &mut TcpStream, bytes: &[u8]) -> Vec<u8> {
    client.write_all(bytes).await.expect("a write");
    read(client, bytes.len()).await
}

/// Reads exactly `count` bytes.
pub async fn read(client: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    timeout(SOON, client.read_exact(&mut bytes)).await.expect("bytes in time").expect("bytes");
    bytes
}

/// Reads until the stream ends and tells how.
pub async fn read_to_end(client: &mut TcpStream) -> (Vec<u8>, io::Result<()>) {
    let mut bytes = Vec::new();
    let end = timeout(SOON, client.read_to_end(&mut bytes)).await.expect("an end in time");
    (bytes, end.map(|_| ()))
}

/// Asserts that neither a byte nor the end of the stream comes.
pub async fn assert_quiet(client: &mut TcpStream) {
    let mut byte = [0];
    let came = timeout(QUIET, client.read(&mut byte)).await;
    assert!(came.is_err(), "expected nothing, got {came:?} {byte:?}");
}

pub async fn assert_reset(client: &mut TcpStream) {
    let (_, end) = read_to_end(client).await;
    assert_eq!(end.expect_err("a reset").kind(), io::ErrorKind::ConnectionReset);
}

pub async fn assert_refused(addr: SocketAddr) {
    let error = connect(addr).await.expect_err("nobody listens");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

pub fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}
