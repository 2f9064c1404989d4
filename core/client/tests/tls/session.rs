//! Sessions that are established: resumed, ended, filled to the brim.

use crate::authority::Authority;
use crate::server::{Farewell, ONLY_12, ONLY_13, Plan};
use crate::support::{SOON, assert_balanced, await_event, eventually, millis, secs};
use keepline::cause::TlsFailure;
use keepline::{Cause, Client, Detector, EventKind, Framing, Heartbeat, Matcher, Outcome, Tls};
use keepline_testkit::chaos::{ChaosProxy, Direction};
use std::sync::atomic::Ordering;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn the_second_connection_resumes_the_session_of_the_first() {
    let authority = Authority::new("tests");
    let identity = authority.sign(&["127.0.0.1"]);
    for versions in [ONLY_12, ONLY_13] {
        let server = Plan { versions, ..Plan::new(&identity) }.start().await;
        let client = Client::builder(server.addr())
            .tls(trusting(&authority))
            .framing(Framing::lines())
            .first_spread(millis(10))
            .connect()
            .await
            .unwrap();
        let mut events = client.events();
        for round in 1..=3 {
            client.send("ping").await.unwrap();
            tokio::time::timeout(SOON, client.recv()).await.unwrap().unwrap();
            let facts = client.stats().tls.unwrap();
            assert_eq!(facts.resumed, round > 1, "{versions:?} {round}");
            client.reconnect();
            await_event(&mut events, "disconnected", SOON).await;
            await_event(&mut events, "connected", SOON).await;
        }
        assert!(server.service().resumed.load(Ordering::Relaxed) >= 2);
    }
}

#[tokio::test]
async fn sessions_are_not_resumed_where_that_is_switched_off() {
    let authority = Authority::new("tests");
    let server = Plan::new(&authority.sign(&["127.0.0.1"])).start().await;
    let tls = trusting(&authority).no_resumption();
    let client = Client::builder(server.addr()).tls(tls).framing(Framing::lines()).connect().await.unwrap();
    let mut events = client.events();
    for _ in 0..2 {
        client.send("ping").await.unwrap();
        tokio::time::timeout(SOON, client.recv()).await.unwrap().unwrap();
        client.reconnect();
        await_event(&mut events, "disconnected", SOON).await;
        await_event(&mut events, "connected", SOON).await;
    }
    assert_eq!(server.service().resumed.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn the_end_of_a_session_is_told_from_a_stream_that_was_cut_off() {
    let authority = Authority::new("tests");
    let identity = authority.sign(&["127.0.0.1"]);
    for (farewell, cause) in
        [(Farewell::Whole, Cause::PeerClosed), (Farewell::Short, Cause::Tls(TlsFailure::Truncated))]
    {
        let server = Plan { farewell, ..Plan::new(&identity) }.start().await;
        let client = Client::builder(server.addr()).tls(trusting(&authority)).connect().await.unwrap();
        let mut events = client.events();
        client.send("bye").await.unwrap();
        let ended = await_event(&mut events, "disconnected", SOON).await;
        let EventKind::Disconnected(ended) = ended.kind else { panic!("{ended:?}") };
        assert_eq!(ended.ending.cause, cause);
        assert!(ended.retry_in.is_some_and(|wait| wait < secs(5)), "{:?}", ended.retry_in);
        await_event(&mut events, "connected", SOON).await;
    }
}

#[tokio::test]
async fn a_client_that_closes_ends_its_session_after_the_last_message() {
    let authority = Authority::new("tests");
    let server = Plan::new(&authority.sign(&["127.0.0.1"])).start().await;
    let client = Client::builder(server.addr()).tls(trusting(&authority)).connect().await.unwrap();
    let mut receipt = client.send_tracked(vec![7; 300_000]).await.unwrap();
    let ending = client.close(SOON).await;
    assert_eq!(ending.cause, Cause::Requested);
    assert!(matches!(receipt.outcome().await.unwrap(), Outcome::Acked));
    eventually("the server read the end", SOON, || server.service().finished.load(Ordering::Relaxed) == 1).await;
}

#[tokio::test]
async fn messages_of_all_sizes_come_back_whole_and_in_order() {
    let authority = Authority::new("tests");
    let server = Plan::new(&authority.sign(&["127.0.0.1"])).start().await;
    let client = Client::builder(server.addr())
        .tls(trusting(&authority))
        .framing(Framing::length_prefixed(4))
        .outbox_bytes(64 << 20)
        .connect()
        .await
        .unwrap();
    let mut luck = fastrand::Rng::with_seed(7);
    let sizes: Vec<usize> =
        (0..400).map(|number| if number % 40 == 0 { luck.usize(..600_000) } else { luck.usize(1..3_000) }).collect();
    let sender = client.clone();
    let sent = sizes.clone();
    let sending = tokio::spawn(async move {
        for (number, size) in sent.into_iter().enumerate() {
            sender.send(vec![number as u8; size]).await.unwrap();
        }
    });
    for (number, size) in sizes.into_iter().enumerate() {
        let message = tokio::time::timeout(SOON, client.recv()).await.unwrap().unwrap();
        assert_eq!(message.payload.len(), size, "{number}");
        assert!(message.payload.iter().all(|byte| *byte == number as u8), "{number}");
    }
    sending.await.unwrap();
    eventually("everything is acked", SOON, || client.stats().messages.in_flight == 0).await;
    assert_eq!(client.stats().messages.acked, 400);
    assert_balanced(&client);
}

#[tokio::test]
async fn a_stream_client_has_the_plaintext() {
    let authority = Authority::new("tests");
    let server = Plan::new(&authority.sign(&["127.0.0.1"])).start().await;
    let streams = Client::builder(server.addr()).tls(trusting(&authority)).connect_streams().await.unwrap();
    let stream = tokio::time::timeout(SOON, streams.next()).await.unwrap().unwrap();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let bytes: Vec<u8> = (0..3_000_000u32).map(|number| (number % 251) as u8).collect();
    let sent = bytes.clone();
    let writing = tokio::spawn(async move {
        writer.write_all(&sent).await.unwrap();
        writer.flush().await.unwrap();
        writer
    });
    let mut back = vec![0; bytes.len()];
    tokio::time::timeout(SOON, reader.read_exact(&mut back)).await.unwrap().unwrap();
    assert!(back == bytes);
    let mut writer = writing.await.unwrap();
    writer.shutdown().await.unwrap();
    assert_eq!(tokio::time::timeout(SOON, reader.read(&mut back)).await.unwrap().unwrap(), 0);
    eventually("the server read the end", SOON, || server.service().finished.load(Ordering::Relaxed) == 1).await;
}

#[tokio::test]
async fn a_stream_that_is_cut_off_is_an_error_and_no_end() {
    let authority = Authority::new("tests");
    let identity = authority.sign(&["127.0.0.1"]);
    let server = Plan { farewell: Farewell::Short, ..Plan::new(&identity) }.start().await;
    let streams = Client::builder(server.addr()).tls(trusting(&authority)).connect_streams().await.unwrap();
    let mut stream = tokio::time::timeout(SOON, streams.next()).await.unwrap().unwrap();
    stream.write_all(b"bye").await.unwrap();
    stream.flush().await.unwrap();
    let error = tokio::time::timeout(SOON, stream.read(&mut [0; 16])).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("close_notify"), "{error}");
    let ended = await_event(&mut streams.client().events(), "disconnected", SOON).await;
    let EventKind::Disconnected(ended) = ended.kind else { panic!("{ended:?}") };
    assert_eq!(ended.ending.cause, Cause::Tls(TlsFailure::Truncated));
}

#[tokio::test]
async fn a_part_of_a_record_is_life() {
    let authority = Authority::new("tests");
    let server = Plan::new(&authority.sign(&["127.0.0.1"])).start().await;
    let proxy = ChaosProxy::start(server.addr()).await.unwrap();
    let client = Client::builder(proxy.addr())
        .tls(trusting(&authority))
        .framing(Framing::lines())
        .read_idle(secs(2))
        .connect()
        .await
        .unwrap();
    // A record of 16 KiB takes five seconds, in which no byte of a message can be read.
    proxy.rate(Direction::Down, 3 * 1024);
    let line = "x".repeat(15_000);
    client.send(line.clone()).await.unwrap();
    let message = tokio::time::timeout(SOON, client.recv()).await.unwrap().unwrap();
    assert_eq!(message.payload, line);
    assert_eq!((client.stats().connections, message.epoch.0), (1, 1));
}

#[tokio::test]
async fn a_silent_peer_is_noticed_through_tls_and_the_next_connection_works() {
    let authority = Authority::new("tests");
    let server = Plan::new(&authority.sign(&["127.0.0.1"])).start().await;
    let proxy = ChaosProxy::start(server.addr()).await.unwrap();
    let client = Client::builder(proxy.addr())
        .tls(trusting(&authority))
        .framing(Framing::lines())
        .heartbeat(Heartbeat::new("PING").every(secs(1)).reply_within(secs(1)).reply(Matcher::Exact("PING".into())))
        .connect()
        .await
        .unwrap();
    let mut events = client.events();
    proxy.silence(Direction::Both);
    let ended = await_event(&mut events, "disconnected", SOON).await;
    let EventKind::Disconnected(ended) = ended.kind else { panic!("{ended:?}") };
    assert_eq!(ended.ending.detector, Some(Detector::Heartbeat), "{}", ended.ending);
    proxy.clear();
    await_event(&mut events, "connected", SOON).await;
    client.send("again").await.unwrap();
    assert_eq!(tokio::time::timeout(SOON, client.recv()).await.unwrap().unwrap().payload, "again");
}

fn trusting(authority: &Authority) -> Tls {
    Tls::new().ca(authority.pem())
}
