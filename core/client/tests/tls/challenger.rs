//! A second connection beside a suspect one, over TLS: what is told is told of the one that is in use.

use crate::authority::Authority;
use crate::server::Plan;
use crate::support::{SOON, await_event, eventually, secs};
use keepline::{Client, Epoch, Framing, Heartbeat, Matcher, State, Tls};
use keepline_testkit::servers::{Server, Service};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

#[tokio::test]
async fn what_was_agreed_with_a_challenger_is_told_once_it_has_won() {
    let authority = Authority::new("tests");
    let server = Server::serving(Hesitant {
        acceptor: Plan::new(&authority.sign(&["127.0.0.1"])).acceptor(),
        shaken: AtomicU64::new(0),
        go_on: Notify::new(),
    });
    let server = server.await.unwrap();
    let ping = Heartbeat::new("PING").reply(Matcher::Exact("PING".into())).every(secs(1)).reply_within(secs(12));
    let client = Client::builder(server.addr())
        .tls(Tls::new().ca(authority.pem()))
        .framing(Framing::lines())
        .heartbeat(ping)
        .concurrent_ok()
        .connect()
        .await
        .unwrap();
    let mut events = client.events();
    let resumed = || client.stats().tls.map(|facts| facts.resumed);
    assert_eq!(resumed(), Some(false));
    await_event(&mut events, "suspect", SOON).await;
    // It has asked its first question: all of its handshake lies behind it.
    eventually("the second question", SOON, || server.service().shaken.load(Ordering::SeqCst) == 3).await;
    assert_eq!((client.state(), client.epoch(), resumed()), (State::Suspect, Epoch(1), Some(false)));
    server.service().go_on.notify_one();
    await_event(&mut events, "connected", SOON).await;
    assert_eq!((client.epoch(), resumed()), (Epoch(2), Some(true)));
}

/// Answers the first message of its first connection and nothing more on it; on the second it answers once it is told to.
struct Hesitant {
    acceptor: TlsAcceptor,
    /// Handshakes, and the first message of the second connection.
    shaken: AtomicU64,
    go_on: Notify,
}

impl Service for Hesitant {
    async fn serve(&self, _connection: u64, stream: TcpStream) {
        let Ok(mut stream) = self.acceptor.accept(stream).await else { return };
        let is_first = self.shaken.fetch_add(1, Ordering::SeqCst) == 0;
        let mut bytes = [0; 1024];
        let Ok(count) = stream.read(&mut bytes).await else { return };
        if !is_first {
            self.shaken.fetch_add(1, Ordering::SeqCst);
            self.go_on.notified().await;
        }
        if stream.write_all(&bytes[..count]).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        while stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
    }
}
