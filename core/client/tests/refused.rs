//! A server that is away: attempts follow the curve, and only a stable connection resets it.

mod support;

use keepline::{Builder, Cause, Client, EventKind, Events, Jitter, Matcher, Script};
use keepline_testkit::ChaosProxy;
use keepline_testkit::chaos::End;
use keepline_testkit::servers::{EchoServer, Server, Service};
use std::net::SocketAddr;
use std::time::Duration;
use support::{await_event, millis, secs};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn attempts_follow_the_curve_for_a_minute() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr()).stable_after(secs(3)).connect().await.unwrap();
    let backoff = client.config().backoff;
    let mut events = client.events();
    await_event(&mut events, "connected", secs(5)).await;
    tokio::time::sleep(secs(4)).await;
    server.stop(End::Rst).await;

    // Each wait lies in its window: 100 ms + uniform(0, first_spread), then 100 ms + uniform(0, initial · 2^n) to max.
    let away = tokio::time::Instant::now();
    let mut failures = 0;
    let mut waits = Vec::new();
    while away.elapsed() < secs(60) {
        let Ok(event) = tokio::time::timeout(secs(12), events.recv()).await else { panic!("no attempt for 12 s") };
        let EventKind::Disconnected(disconnected) = event.unwrap().kind else { continue };
        let window = match disconnected.failures {
            0 => backoff.first_spread,
            n => backoff.initial.mul_f64(backoff.multiplier.powi(n as i32)).min(backoff.max),
        };
        let wait = disconnected.retry_in.unwrap();
        assert!(
            wait >= millis(100) && wait <= millis(100) + window,
            "wait {wait:?} after failure {failures}, window {window:?}"
        );
        assert_eq!(disconnected.failures, failures, "{disconnected:?}");
        if failures > 0 {
            assert_eq!(disconnected.ending.cause, Cause::Refused);
        }
        waits.push(wait);
        failures += 1;
    }
    // Mean waits of 0.35, 0.35, 0.6, 1.1, 2.1, 4.1, 5.1, 5.1 s …: about 15 attempts fit into a minute.
    assert!((8..=40).contains(&failures), "{failures} attempts in a minute: {waits:?}");

    server.start_again().unwrap();
    await_event(&mut events, "connected", backoff.max + secs(2)).await;
    client.close(secs(0)).await;
}

#[tokio::test]
async fn only_a_connection_that_was_stable_resets_the_curve() {
    let server = EchoServer::start().await.unwrap();
    // Without jitter every wait is its window, to the nanosecond.
    let client = Client::builder(server.addr())
        .backoff_jitter(Jitter::None)
        .first_spread(millis(500))
        .backoff_max(secs(1))
        .stable_after(secs(2))
        .read_idle(secs(60))
        .greeting(Script::default().send("hello").expect(Matcher::Any))
        .connect()
        .await
        .unwrap();
    let backoff = client.config().backoff;
    let (first, last) = (millis(100) + backoff.first_spread, backoff.max);
    let mut events = client.events();
    await_event(&mut events, "connected", secs(5)).await;
    server.stop(End::Rst).await;
    let mut waits = Vec::new();
    while waits.last() != Some(&last) {
        waits.push(retry_in(&mut events).await);
    }
    assert_eq!(waits, [first, millis(600), last], "100 ms + 0.5 s, then 100 ms + 0.25 s · 2^n, 1 s at most");

    server.start_again().unwrap();
    await_event(&mut events, "connected", secs(5)).await;
    server.stop(End::Rst).await;
    // At the same place of its own curve, which ends later.
    assert_eq!(retry_in(&mut events).await, millis(1_100), "an early death restores the saved entry");

    server.start_again().unwrap();
    await_event(&mut events, "connected", secs(5)).await;
    tokio::time::sleep(secs(3)).await;
    server.stop(End::Rst).await;
    assert_eq!(retry_in(&mut events).await, first, "a stable connection resets it");
    client.close(secs(0)).await;
}

#[tokio::test]
async fn server_that_closes_every_connection_at_once_meets_ever_longer_waits() {
    let server = EchoServer::start().await.unwrap();
    let proxy = ChaosProxy::start(server.addr()).await.unwrap();
    proxy.accept_then_fin();
    let client = exact(proxy.addr()).start().unwrap();
    let mut events = client.events();
    // TCP is established each time, and proves nothing.
    for wait in GROWING {
        await_event(&mut events, "connected", secs(10)).await;
        assert_eq!(retry_in(&mut events).await, wait);
    }
}

#[tokio::test]
async fn server_that_leaves_a_second_after_each_greeting_meets_ever_longer_waits() {
    let server = Server::serving(Flapping).await.unwrap();
    let greeting = Script::default().send("hello").expect(Matcher::Any);
    let client = exact(server.addr()).greeting(greeting).start().unwrap();
    let mut events = client.events();
    for wait in GROWING {
        await_event(&mut events, "connected", secs(10)).await;
        assert_eq!(retry_in(&mut events).await, wait, "a second is not stable");
    }
    assert_eq!(server.accepted(), GROWING.len() as u64);
}

/// 100 ms, and first_spread; then 100 ms + 0.25 s · 2^n, at most three times backoff_max for a server that sends clients away.
const GROWING: [Duration; 5] = [millis(600), millis(600), millis(1_100), millis(2_100), millis(3_000)];

/// Without jitter every wait is its window, to the nanosecond. A minute: no connection here counts as stable.
fn exact(address: SocketAddr) -> Builder {
    Client::builder(address)
        .backoff_jitter(Jitter::None)
        .first_spread(millis(500))
        .backoff_max(secs(1))
        .stable_after(secs(60))
}

/// Answers what it is greeted with, and leaves a second later.
struct Flapping;

impl Service for Flapping {
    async fn serve(&self, _connection: u64, mut stream: TcpStream) {
        let mut greeting = [0; 64];
        let Ok(count) = stream.read(&mut greeting).await else { return };
        if stream.write_all(&greeting[..count]).await.is_ok() {
            tokio::time::sleep(secs(1)).await;
        }
    }
}

async fn retry_in(events: &mut Events) -> Duration {
    let EventKind::Disconnected(disconnected) = await_event(events, "disconnected", secs(10)).await.kind else {
        panic!()
    };
    disconnected.retry_in.unwrap()
}
