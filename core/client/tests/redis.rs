//! A real Redis: killed and restarted under load, frozen and thawed.
#![cfg(unix)]

mod support;

use keepline::{Cause, Client, Detector, EventKind, Framing, Heartbeat, Matcher, Outcome, Profile};
use keepline_testkit::process::{RedisReply, RedisServer, require};
use std::collections::HashMap;
use support::{SOON, assert_balanced, await_event, eventually, millis, redis_has_loaded, secs};

fn ping() -> Heartbeat {
    Heartbeat::new(&b"PING\r\n"[..]).reply(Matcher::Exact("+PONG\r\n".into()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_sets_survive_five_kills_and_each_has_one_true_outcome() {
    let test = "ten_thousand_sets_survive_five_kills_and_each_has_one_true_outcome";
    let Some(redis) = require(test, RedisServer::start().await) else { return };
    let client = Client::builder(redis.addr())
        .framing(Framing::resp())
        .profile(Profile::Datacenter)
        .greeting(redis_has_loaded())
        .heartbeat(ping().every(secs(1)).reply_within(secs(2)))
        .backoff_max(millis(500))
        .connect()
        .await
        .unwrap();
    let mut events = client.events();

    // Replies: one "+OK" for each SET that the server carried out on a living connection, and nothing else.
    let reader = client.clone();
    let reading = tokio::spawn(async move {
        let mut replies = 0u64;
        while let Some(message) = reader.recv().await {
            assert_eq!(&message.payload[..], b"+OK\r\n", "a spliced or foreign frame");
            replies += 1;
        }
        replies
    });

    let sender = client.clone();
    let sending = tokio::spawn(async move {
        let mut receipts = Vec::new();
        for number in 0..10_000u32 {
            let command = format!("*3\r\n$3\r\nSET\r\n$8\r\nkey{number:05}\r\n$5\r\n{number:05}\r\n");
            receipts.push((number, sender.send_tracked(command).await.unwrap()));
            if number % 50 == 0 {
                tokio::time::sleep(millis(25)).await;
            }
        }
        receipts
    });

    for round in 1..=5u64 {
        tokio::time::sleep(millis(400)).await;
        redis.kill().unwrap();
        await_event(&mut events, "disconnected", SOON).await;
        redis.start_again().await.unwrap();
        await_event(&mut events, "connected", SOON).await;
        assert_eq!(client.stats().connections, 1 + round);
    }

    let mut outcomes = HashMap::new();
    for (number, mut receipt) in sending.await.unwrap() {
        let outcome = tokio::time::timeout(SOON, receipt.outcome()).await.expect("every send has an outcome").unwrap();
        assert!(outcomes.insert(number, outcome).is_none());
    }
    assert_eq!(outcomes.len(), 10_000);
    assert_balanced(&client);

    // The server's word: every key is absent or whole; NotSent means absent.
    let mut stored = 0;
    for (number, outcome) in &outcomes {
        let key = format!("key{number:05}");
        match redis.query(&["GET", &key]).await.unwrap() {
            RedisReply::Bulk(Some(value)) => {
                assert_eq!(value, format!("{number:05}").into_bytes(), "a spliced value");
                assert_ne!(*outcome, Outcome::NotSent, "{key} is on the server");
                stored += 1;
            }
            RedisReply::Bulk(None) => {}
            other => panic!("{other:?}"),
        }
    }
    let acked = outcomes.values().filter(|outcome| **outcome == Outcome::Acked).count();
    if cfg!(any(target_os = "linux", target_os = "android")) {
        assert!(acked > 9_000, "only {acked} are acked");
        assert!(!outcomes.values().any(|outcome| *outcome == Outcome::NotSent), "what never left goes out again");
    }
    // What its kernel had acknowledged and it had not read dies with a server: beside other work that can be 0.3 s of SETs each time.
    assert!(stored > 5_000, "only {stored} keys arrived");
    client.close(secs(2)).await;
    let replies = reading.await.unwrap();
    assert!(replies <= stored, "{replies} replies for {stored} keys");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_is_suspect_then_unresponsive_within_the_bound_and_recovers_when_thawed() {
    let test = "a_frozen_server_is_suspect_then_unresponsive_within_the_bound_and_recovers_when_thawed";
    let Some(redis) = require(test, RedisServer::start().await) else { return };
    let client = Client::builder(redis.addr())
        .framing(Framing::resp())
        .heartbeat(ping().every(secs(1)).reply_within(secs(2)))
        .backoff_max(secs(1))
        .connect()
        .await
        .unwrap();
    let bound = client.detection_bounds().peer_frozen.within.unwrap();
    assert_eq!(bound, secs(3));
    let mut events = client.events();
    await_event(&mut events, "connected", SOON).await;
    eventually("a heartbeat is answered", SOON, || client.stats().heartbeat_rtt.is_some()).await;

    redis.freeze().await.unwrap();
    let frozen = std::time::Instant::now();
    await_event(&mut events, "suspect", SOON).await;
    let event = await_event(&mut events, "disconnected", SOON).await;
    let noticed = frozen.elapsed();
    let EventKind::Disconnected(disconnected) = event.kind else { panic!("{event:?}") };
    assert_eq!(disconnected.ending.cause, Cause::PeerUnresponsive);
    assert_eq!(disconnected.ending.detector, Some(Detector::Heartbeat));
    assert!(disconnected.retry_in.is_some());
    assert!(noticed <= bound + secs(2), "noticed after {noticed:?}, bound {bound:?}");

    redis.thaw().unwrap();
    await_event(&mut events, "connected", SOON).await;
    client.close(secs(1)).await;
}

#[tokio::test]
async fn without_a_heartbeat_the_build_time_notice_says_that_a_frozen_peer_cannot_be_seen() {
    let client = Client::builder("127.0.0.1:1").framing(Framing::resp()).start().unwrap();
    assert!(client.notices().iter().any(|notice| notice.text.contains("frozen")), "{:?}", client.notices());
    assert_eq!(client.detection_bounds().peer_frozen.within, None);
    assert_eq!(client.detection_bound(), None);
    client.close(secs(0)).await;
}
