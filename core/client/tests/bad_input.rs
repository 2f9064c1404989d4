//! What a hostile or broken peer sends ends in a typed cause, without the memory it asks for.

mod support;

use keepline::{AutoReply, Client, EventKind, Framing, LengthPrefixed, Matcher, State};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::{SOON, await_event, eventually, millis, secs};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};

#[tokio::test]
async fn broken_frames_end_the_connection_with_the_protocol_cause() {
    let huge = [0xff, 0xff, 0xff, 0xff];
    let cases: Vec<(&str, Framing, Vec<u8>, &str)> = vec![
        ("length 2^32-1", Framing::length_prefixed(4), huge.to_vec(), "protocol.too_large"),
        ("length 2^64-1", Framing::length_prefixed(8), [huge, huge].concat(), "protocol.too_large"),
        (
            "negative after adjustment",
            Framing::from(LengthPrefixed::new(2).adjustment(-10)),
            vec![0, 3, 1, 2, 3],
            "protocol.malformed",
        ),
        ("endless line", Framing::lines().with_max(100), vec![b'x'; 200], "protocol.too_large"),
        ("not Modbus", Framing::modbus_tcp(), b"GET / HTTP/1.1\r\n\r\n".to_vec(), "protocol.malformed"),
        ("not Redis", Framing::resp(), b"hello\r\n".to_vec(), "protocol.malformed"),
        ("bulk of 9 GB", Framing::resp(), b"$9999999999\r\n".to_vec(), "protocol.too_large"),
    ];
    for (what, framing, bytes, cause) in cases {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(&bytes).await.unwrap();
            tokio::time::sleep(secs(30)).await;
        });
        let client = Client::builder(address).framing(framing).connect().await.unwrap();
        let mut events = client.events();
        let event = await_event(&mut events, "disconnected", SOON).await;
        let EventKind::Disconnected(disconnected) = event.kind else { panic!() };
        assert_eq!(disconnected.ending.cause.as_str(), cause, "{what}");
        serving.abort();
        client.close(secs(0)).await;
    }
}

#[tokio::test]
async fn flood_of_pings_from_a_peer_that_takes_no_answers_is_held_back_and_answered_once_it_takes_them() {
    // 32 MB each way: far more than the kernels hold.
    const PINGS: usize = 32_000;
    const SIZE: usize = 1000;
    let ping = [vec![b'p'; SIZE - 1], vec![b'\n']].concat();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(64 * 1024).unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let written = Arc::new(AtomicUsize::new(0));
    let (count, memory) = (written.clone(), resident_kib());
    let (let_go, held) = tokio::sync::oneshot::channel();
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (mut reading, mut writing) = stream.into_split();
        let flood = tokio::spawn(async move {
            for _ in 0..PINGS {
                writing.write_all(&ping).await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
            }
            writing
        });
        held.await.unwrap();
        let (mut answers, mut buffer) = (0, vec![0; 1 << 20]);
        while answers < PINGS * SIZE {
            answers += reading.read(&mut buffer).await.unwrap();
        }
        drop(flood.await.unwrap());
        answers
    });
    let auto = AutoReply { when: Matcher::Prefix("ppp".into()), reply: vec![b'q'; SIZE - 1].into() };
    let client =
        Client::builder(address).framing(Framing::lines()).auto_reply(auto.when, auto.reply).connect().await.unwrap();
    let (mut before, mut looks) = (0, 0);
    eventually("the flood stands still", secs(20), || {
        let now = written.load(Ordering::Relaxed);
        looks = if std::mem::replace(&mut before, now) == now && now > 0 { looks + 1 } else { 0 };
        looks == 20
    })
    .await;
    assert!(before < PINGS && client.state() == State::Connected, "{before}");
    let grown = resident_kib().saturating_sub(memory);
    assert!(grown < 16 * 1024, "{grown} KiB more for answers that cannot leave");
    let_go.send(()).unwrap();
    assert_eq!(tokio::time::timeout(secs(20), serving).await.unwrap().unwrap(), PINGS * SIZE);
    assert_eq!(client.epoch().0, 1);
}

#[tokio::test]
async fn a_declared_length_takes_no_memory_before_its_bytes_come() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            // Allowed by the maximum of 512 MiB, and never sent.
            stream.write_all(&(500u32 << 20).to_be_bytes()).await.unwrap();
            kept.push(stream);
        }
    });
    let before = resident_kib();
    let mut clients = Vec::new();
    for _ in 0..8 {
        let framing = Framing::length_prefixed(4).with_max(512 << 20);
        clients.push(Client::builder(address).framing(framing).connect().await.unwrap());
    }
    eventually("the lengths are there", SOON, || clients.iter().all(|client| client.stats().bytes_in == 4)).await;
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 20 * 1024, "{grown} KiB more for lengths without bytes");
}

#[tokio::test]
async fn a_frame_that_never_ends_is_given_up_at_its_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for _ in 0..100 {
            // Bytes keep coming: only the frame's own deadline ends this.
            let _gone = stream.write_all(b"x").await;
            tokio::time::sleep(millis(100)).await;
        }
    });
    let client = Client::builder(address).framing(Framing::lines()).frame_within(secs(1)).connect().await.unwrap();
    let mut events = client.events();
    let EventKind::Disconnected(disconnected) = await_event(&mut events, "disconnected", secs(5)).await.kind else {
        panic!()
    };
    assert_eq!(disconnected.ending.cause.as_str(), "protocol.frame_timeout");
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
