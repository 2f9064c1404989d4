//! Unix sockets: a real Redis behind one, through kills and restarts; streams; what does not apply.
#![cfg(unix)]

mod support;

use keepline::{Cause, Client, DialSocket, EventKind, Events, Framing, Heartbeat, Matcher, Outcome, Scheme};
use keepline_testkit::process::{RedisReply, RedisServer, require};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::{SOON, assert_balanced, await_event, millis, redis_has_loaded, secs};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_behind_a_unix_socket_is_kept_through_kills_and_what_was_handed_over_is_unknown() {
    let test = "a_redis_behind_a_unix_socket_is_kept_through_kills_and_what_was_handed_over_is_unknown";
    let Some(redis) = require(test, RedisServer::start().await) else { return };
    let ping = Heartbeat::new(&b"PING\r\n"[..]).reply(Matcher::Exact("+PONG\r\n".into()));
    let client = Client::builder(format!("unix:{}", redis.unix_socket().display()))
        .framing(Framing::resp())
        .greeting(redis_has_loaded())
        .heartbeat(ping.every(secs(1)).reply_within(secs(2)))
        .backoff_max(millis(500))
        .connect()
        .await
        .unwrap();
    assert_eq!(client.endpoints()[0].scheme(), Scheme::Unix);
    assert_eq!(client.stats().options, keepline::SocketOptions::default(), "no option of TCP is in force");
    let mut events = client.events();
    for round in 0..3u32 {
        let event = await_event(&mut events, "connected", SOON).await;
        assert!(matches!(event.kind, EventKind::Connected { peer: None, endpoint: None, .. }), "{event:?}");
        let mut receipt = client.send_tracked(format!("SET round {round}\r\n")).await.unwrap();
        assert_eq!(&client.recv_within(SOON).await.unwrap().unwrap().payload[..], b"+OK\r\n");
        let outcome = tokio::time::timeout(SOON, receipt.outcome()).await.unwrap().unwrap();
        assert_eq!(outcome, Outcome::Unknown, "no kernel tells what became of it");
        assert_balanced(&client);
        let kept = redis.query(&["GET", "round"]).await.unwrap();
        assert_eq!(kept, RedisReply::Bulk(Some(round.to_string().into_bytes())));

        redis.kill().unwrap();
        assert!(matches!(next_cause(&mut events).await, Cause::PeerClosed | Cause::Reset));
        let mut cause = next_cause(&mut events).await;
        // While a killed process ends, its listener may outlive its connections: it then ends who has come in between.
        while matches!(cause, Cause::PeerClosed | Cause::Reset) {
            cause = next_cause(&mut events).await;
        }
        assert_eq!(cause, Cause::Refused, "nobody is behind the path");
        redis.start_again().await.unwrap();
    }
    client.close(secs(1)).await;
    assert_balanced(&client);
}

#[tokio::test]
async fn path_without_a_server_is_refused_with_its_errno() {
    let client = Client::builder("unix:/nonexistent/keepline.sock").start().unwrap();
    let event = await_event(&mut client.events(), "disconnected", SOON).await;
    let EventKind::Disconnected(end) = event.kind else { panic!("{event:?}") };
    const ENOENT: i32 = 2;
    assert_eq!((end.ending.cause, end.ending.errno), (Cause::Refused, Some(ENOENT)));
    client.close(secs(0)).await;
}

#[tokio::test]
async fn full_accept_queue_is_waited_for_until_the_deadline() {
    let path = Path::new();
    // Room for one that waits; nobody accepts.
    let listener = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    listener.bind(&socket2::SockAddr::unix(&path.0).unwrap()).unwrap();
    listener.listen(0).unwrap();
    let mut waiting = Vec::new();
    loop {
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        match socket.connect(&socket2::SockAddr::unix(&path.0).unwrap()) {
            Ok(()) => waiting.push(socket),
            Err(_full) => break,
        }
    }
    let builder = || Client::builder(path.endpoint()).connect_per_address(millis(400)).connect_total(millis(400));
    let client = builder().start().unwrap();
    let event = await_event(&mut client.events(), "disconnected", SOON).await;
    let EventKind::Disconnected(end) = event.kind else { panic!("{event:?}") };
    assert_eq!(end.ending.cause, Cause::ConnectTimeout);
    client.close(secs(0)).await;

    let accepting = tokio::task::spawn_blocking(move || listener.accept().map(|(socket, _)| (listener, socket)));
    let client = Client::builder(path.endpoint()).connect().await.unwrap();
    assert_eq!(client.stats().failures, 0);
    drop((accepting.await.unwrap().unwrap(), waiting));
    client.close(secs(0)).await;
}

#[tokio::test]
async fn streams_and_hooks_work_over_unix_sockets() {
    let path = Path::new();
    let listener = tokio::net::UnixListener::bind(&path.0).unwrap();
    let serving = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut word = [0; 5];
            stream.read_exact(&mut word).await.unwrap();
            stream.write_all(&word).await.unwrap();
        }
    });
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let hook = move |socket: &DialSocket<'_>| {
        assert_eq!((socket.address(), socket.endpoint().scheme()), (None, Scheme::Unix));
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(())
    };
    let streams = Client::builder(path.endpoint()).socket_hook(hook).connect_streams().await.unwrap();
    for round in 1..=2 {
        let mut stream = tokio::time::timeout(SOON, streams.next()).await.unwrap().unwrap();
        stream.write_all(b"hello").await.unwrap();
        let mut word = [0; 5];
        tokio::time::timeout(SOON, stream.read_exact(&mut word)).await.unwrap().unwrap();
        assert_eq!((&word, calls.load(Ordering::SeqCst)), (b"hello", round));
        drop(stream);
    }
    streams.close(secs(0)).await;
    serving.abort();
}

async fn next_cause(events: &mut Events) -> Cause {
    let event = await_event(events, "disconnected", SOON).await;
    let EventKind::Disconnected(end) = event.kind else { panic!("{event:?}") };
    end.ending.cause
}

/// A path of its own, removed in the end.
struct Path(std::path::PathBuf);

impl Path {
    fn new() -> Path {
        let unique = format!("keepline-{}-{:x}.sock", std::process::id(), fastrand::u64(..));
        Path(std::env::temp_dir().join(unique))
    }

    fn endpoint(&self) -> String {
        format!("unix://{}", self.0.display())
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        let _gone_already = std::fs::remove_file(&self.0);
    }
}
