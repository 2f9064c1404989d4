//! Messages: in order, once each, whole, on one connection.

use keepline::{Client, Correlation, ErrorKind, Framing, State};
use keepline_testkit::servers::EchoServer;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn messages_come_back_in_order_and_whole() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr()).framing(Framing::length_prefixed(4)).connect().await.unwrap();
    let sender = client.clone();
    let sending = tokio::spawn(async move {
        for number in 0..20_000u32 {
            // Sizes on both sides of the border between copy and reference.
            let mut message = vec![0; 4 + (number as usize * 37) % 12_000];
            message[..4].copy_from_slice(&number.to_be_bytes());
            sender.send(message).await.unwrap();
        }
    });
    for number in 0..20_000u32 {
        let message = client.recv_within(SOON).await.unwrap().unwrap();
        assert_eq!(message.payload[..4], number.to_be_bytes());
        assert_eq!(message.payload.len(), 4 + (number as usize * 37) % 12_000);
        assert_eq!(message.epoch, client.epoch());
    }
    sending.await.unwrap();
    let stats = client.stats();
    assert_eq!((stats.messages.accepted, stats.received), (20_000, 20_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_senders_share_one_connection_and_each_keeps_its_order() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr()).framing(Framing::length_prefixed(2)).connect().await.unwrap();
    for sender in 0..8u8 {
        let client = client.clone();
        tokio::spawn(async move {
            for number in 0..5_000u32 {
                let mut message = vec![sender];
                message.extend_from_slice(&number.to_be_bytes());
                client.send(message).await.unwrap();
            }
        });
    }
    let mut next = [0u32; 8];
    let mut received = Vec::new();
    let mut total = 0;
    while total < 40_000 {
        received.clear();
        let count = tokio::time::timeout(SOON, client.recv_many(&mut received, 500)).await.unwrap();
        assert!(count > 0);
        total += count;
        for message in &received {
            let sender = usize::from(message.payload[0]);
            assert_eq!(message.payload[1..], next[sender].to_be_bytes());
            next[sender] += 1;
        }
    }
    assert_eq!(next, [5_000; 8]);
}

#[tokio::test]
async fn a_message_that_does_not_fit_the_framing_is_rejected_and_the_connection_lives() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr()).framing(Framing::lines()).connect().await.unwrap();
    let error = client.try_send("two\nlines").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    client.send("one line").await.unwrap();
    assert_eq!(&client.recv_within(SOON).await.unwrap().unwrap().payload[..], b"one line");
    assert_eq!(client.state(), State::Connected);
}

#[tokio::test]
async fn an_empty_message_in_raw_framing_is_rejected() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr()).connect().await.unwrap();
    assert_eq!(client.try_send("").unwrap_err().kind(), ErrorKind::Rejected);
}

#[tokio::test]
async fn replies_find_their_requests_in_order() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr())
        .framing(Framing::lines())
        .correlation(Correlation::Fifo)
        .connect()
        .await
        .unwrap();
    let mut waiting = Vec::new();
    for number in 0..200 {
        let client = client.clone();
        waiting.push(tokio::spawn(async move {
            let question = format!("question {number}");
            let reply = client.request(&question, SOON).await.unwrap();
            assert_eq!(&reply[..], question.as_bytes());
        }));
    }
    for request in waiting {
        request.await.unwrap();
    }
    client.send("plain").await.unwrap();
    let message = client.recv_within(SOON).await.unwrap().unwrap();
    assert_eq!(&message.payload[..], b"plain");
    assert_eq!(client.stats().requests_in_flight, 0);
}

#[tokio::test]
async fn a_full_inbox_stops_the_reading_and_loses_nothing() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr())
        .framing(Framing::length_prefixed(4))
        .inbox_bytes(64 * 1024)
        .connect()
        .await
        .unwrap();
    let sender = client.clone();
    let sending = tokio::spawn(async move {
        for number in 0..3_000u32 {
            let mut message = vec![7; 4096];
            message[..4].copy_from_slice(&number.to_be_bytes());
            sender.send(message).await.unwrap();
        }
    });
    let mut events = client.events();
    while events.recv().await.unwrap().kind.name() != "inbox_full" {}
    assert!(client.stats().inbox < 100, "{:?}", client.stats());
    for number in 0..3_000u32 {
        let message = client.recv_within(SOON).await.unwrap().unwrap();
        assert_eq!(message.payload[..4], number.to_be_bytes());
    }
    sending.await.unwrap();
}

#[tokio::test]
async fn without_inline_writes_messages_pass_all_the_same() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr()).framing(Framing::lines()).inline_writes(false).connect().await.unwrap();
    for number in 0..100 {
        client.send(format!("line {number}")).await.unwrap();
        let message = client.recv_within(SOON).await.unwrap().unwrap();
        assert_eq!(message.payload, format!("line {number}"));
    }
}
