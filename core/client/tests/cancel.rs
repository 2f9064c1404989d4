//! Cancelled waits lose nothing.

mod support;

use keepline::{Client, Correlation, Framing};
use keepline_testkit::ChaosProxy;
use keepline_testkit::chaos::Direction;
use keepline_testkit::servers::EchoServer;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use support::{SOON, millis, secs};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_cancelled_receives_lose_no_message() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr()).framing(Framing::lines()).connect().await.unwrap();
    let sender = client.clone();
    tokio::spawn(async move {
        for number in 0..10_000 {
            sender.send(number.to_string()).await.unwrap();
            if number % 7 == 0 {
                tokio::task::yield_now().await;
            }
        }
    });
    let (mut cancelled, mut next) = (0, 0);
    let mut patience = 0u64;
    while next < 10_000 || cancelled < 10_000 {
        // Polled a few times, then dropped: before, while and after the message comes.
        patience += 1;
        let polls = patience % 3 + 1;
        let mut receive = pin!(client.recv());
        let mut left = polls;
        let received = poll_fn(|context| match receive.as_mut().poll(context) {
            Poll::Ready(message) => Poll::Ready(Some(message)),
            Poll::Pending if left > 1 => {
                left -= 1;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Ready(None),
        })
        .await;
        match received {
            Some(message) => {
                assert_eq!(message.unwrap().payload, next.to_string().into_bytes());
                next += 1;
            }
            None => {
                cancelled += 1;
                if patience.is_multiple_of(64) {
                    tokio::task::yield_now().await;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_cancelled_sends_are_either_accepted_once_or_not_at_all() {
    let server = EchoServer::start().await.unwrap();
    let proxy = ChaosProxy::start(server.addr()).await.unwrap();
    let client = Client::builder(proxy.addr())
        .framing(Framing::length_prefixed(4))
        .outbox_bytes(256 * 1024)
        .inbox_bytes(64 << 20)
        .connect()
        .await
        .unwrap();
    proxy.rate(Direction::Up, 4 << 20);
    let mut accepted = Vec::new();
    let mut cancelled = 0u32;
    let mut number = 0u32;
    while cancelled < 10_000 {
        let mut message = vec![0; 2048];
        message[..4].copy_from_slice(&number.to_be_bytes());
        let mut send = pin!(client.send(message));
        let sent = poll_fn(|context| match send.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => Poll::Ready(None),
        })
        .await;
        match sent {
            Some(result) => {
                result.unwrap();
                accepted.push(number);
            }
            None => {
                cancelled += 1;
                if cancelled.is_multiple_of(200) {
                    tokio::time::sleep(millis(2)).await;
                }
            }
        }
        number += 1;
    }
    proxy.pass(Direction::Up);
    for expected in &accepted {
        let message = client.recv_within(SOON).await.unwrap().unwrap();
        assert_eq!(message.payload[..4], expected.to_be_bytes());
    }
    assert_eq!(client.stats().messages.accepted, accepted.len() as u64);
    assert!(client.recv_within(millis(200)).await.is_err(), "a cancelled send went out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_requests_never_give_their_reply_to_another() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr())
        .framing(Framing::lines())
        .correlation(Correlation::Fifo)
        .connect()
        .await
        .unwrap();
    for number in 0..2_000u32 {
        let question = format!("question {number}");
        if number % 2 == 0 {
            let mut request = pin!(client.request(&question, secs(5)));
            let _dropped = poll_fn(|context| Poll::Ready(request.as_mut().poll(context).is_ready())).await;
        } else {
            let reply = client.request(&question, secs(5)).await.unwrap();
            assert_eq!(&reply[..], question.as_bytes());
        }
    }
    assert!(client.try_recv().is_none(), "late replies are swallowed");
}
