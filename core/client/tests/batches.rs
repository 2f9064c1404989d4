//! Batches: accepted whole or not at all, and in one piece.

use keepline::{Client, ErrorKind, Framing, Idempotent, State};
use keepline_testkit::servers::EchoServer;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_arrive_in_order_and_nothing_gets_between_their_messages() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr())
        .framing(Framing::length_prefixed(4))
        .inbox_bytes(64 << 20)
        .connect()
        .await
        .unwrap();
    for sender in 0..4u8 {
        let client = client.clone();
        tokio::spawn(async move {
            for batch in 0..100u8 {
                // The last two go by reference.
                let sizes = (0..40u8).map(|place| (place, if place < 38 { 3 } else { 9_000 }));
                let messages = sizes.map(|(place, size)| {
                    let mut message = vec![0; size];
                    message[..3].copy_from_slice(&[sender, batch, place]);
                    message
                });
                client.send_many(messages).await.unwrap();
            }
        });
    }
    let mut next = [0; 4];
    for _batch in 0..400 {
        let first = client.recv_within(SOON).await.unwrap().unwrap().payload;
        let sender = usize::from(first[0]);
        assert_eq!(first[1..3], [next[sender], 0], "batches of one sender are in order");
        next[sender] += 1;
        for place in 1..40u8 {
            let message = client.recv_within(SOON).await.unwrap().unwrap().payload;
            assert_eq!(message[..3], [first[0], first[1], place]);
        }
    }
    assert_eq!(client.stats().messages.accepted, 16_000);
}

#[tokio::test]
async fn batch_with_one_bad_message_is_refused_whole() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr()).framing(Framing::lines()).connect().await.unwrap();
    let error = client.try_send_many(["good", "two\nlines", "good"]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert_eq!(client.send_many(["good", "two\nlines"]).await.unwrap_err().kind(), ErrorKind::Rejected);
    assert_eq!(client.stats().messages.accepted, 0);
    client.try_send_many([Idempotent("one"), Idempotent("two")]).unwrap();
    client.try_send_many::<&str>([]).unwrap();
    for word in ["one", "two"] {
        assert_eq!(client.recv_within(SOON).await.unwrap().unwrap().payload, word.as_bytes());
    }
    let raw = Client::builder(server.addr()).connect().await.unwrap();
    assert_eq!(raw.try_send_many(["x", ""]).unwrap_err().kind(), ErrorKind::Rejected);
    assert_eq!(raw.stats().messages.accepted, 0);
}

#[tokio::test]
async fn batch_without_room_as_a_whole_is_refused_and_one_that_never_has_room_says_so() {
    let server = EchoServer::start().await.unwrap();
    let client = idle(&server, 8).await;
    client.try_send_many(["one"; 5]).unwrap();
    let error = client.try_send_many(["two"; 4]).unwrap_err();
    assert_eq!((error.kind(), error.to_string().contains("full")), (ErrorKind::Rejected, true));
    let error = client.try_send_many(["three"; 9]).unwrap_err();
    assert!(error.to_string().contains("a batch of 9 messages"), "{error}");
    client.try_send_many(["two"; 3]).unwrap();
    assert_eq!(client.stats().messages.queued, 8);
    client.resume();
    for word in ["one", "one", "one", "one", "one", "two", "two", "two"] {
        assert_eq!(client.recv_within(SOON).await.unwrap().unwrap().payload, word.as_bytes());
    }
}

#[tokio::test]
async fn cancelled_batch_was_not_accepted_and_a_late_one_times_out() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr())
        .framing(Framing::lines())
        .outbox_messages(8)
        .overflow(keepline::Overflow::Wait)
        .connect()
        .await
        .unwrap();
    client.pause();
    while client.state() != State::Idle {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    client.try_send_many(["one"; 5]).unwrap();
    {
        let mut waiting = pin!(client.send_many(["two"; 4]));
        let is_done = poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context).is_ready())).await;
        assert!(!is_done, "it waits for room");
    }
    let late = client.send_many_within(["three"; 4], Duration::from_millis(20)).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Timeout);
    let sender = client.clone();
    let waiting = tokio::spawn(async move { sender.send_many(["four"; 8]).await });
    client.resume();
    for word in ["one"; 5].into_iter().chain(["four"; 8]) {
        assert_eq!(client.recv_within(SOON).await.unwrap().unwrap().payload, word.as_bytes());
    }
    waiting.await.unwrap().unwrap();
    assert_eq!(client.stats().messages.accepted, 13);
}

/// A client that was connected and is paused, with an outbox for so many messages.
async fn idle(server: &EchoServer, messages: usize) -> Client {
    let client =
        Client::builder(server.addr()).framing(Framing::lines()).outbox_messages(messages).connect().await.unwrap();
    client.pause();
    while client.state() != State::Idle {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    client
}
