//! What becomes of messages, by the kernel's word: acknowledged, sent again, or unknown.
#![cfg(any(target_os = "linux", target_os = "android"))]

mod support;

use keepline::{Client, ErrorKind, Framing, Idempotent, Outcome, Receipt, WhileDown};
use keepline_testkit::servers::EchoServer;
use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use support::{SOON, assert_balanced, await_event, eventually, millis, secs};
use tokio::io::AsyncReadExt;

/// Larger than everything that the kernels on both sides hold for one connection here.
const MESSAGES: u32 = 400;
const SIZE: usize = 16 * 1024;

#[tokio::test]
async fn a_tracked_message_is_acked_whoever_wrote_it() {
    let server = EchoServer::start().await.unwrap();
    for inline in [true, false] {
        let client =
            Client::builder(server.addr()).framing(Framing::lines()).inline_writes(inline).connect().await.unwrap();
        // The first is written by its caller, the second waits for the driver's turn.
        let mut first = client.send_tracked("first").await.unwrap();
        let mut second = client.send_tracked("second").await.unwrap();
        for receipt in [&mut first, &mut second] {
            let outcome = tokio::time::timeout(secs(5), receipt.outcome()).await.unwrap().unwrap();
            assert_eq!(outcome, Outcome::Acked);
            assert_eq!(receipt.try_outcome(), Some(Outcome::Acked));
        }
        assert_balanced(&client);
    }
}

#[tokio::test]
async fn plain_messages_and_requests_are_counted_as_acked_too() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr())
        .framing(Framing::lines())
        .correlation(keepline::Correlation::Fifo)
        .connect()
        .await
        .unwrap();
    client.send("plain").await.unwrap();
    client.request("request", SOON).await.unwrap();
    eventually("both are acked", SOON, || client.stats().messages.acked == 2).await;
    assert_eq!(client.stats().messages.in_flight, 0);
    assert_balanced(&client);
}

#[tokio::test]
async fn what_the_kernel_never_transmitted_goes_out_on_the_next_connection_whole_and_in_order() {
    let (client, mut receipts, peer) = a_peer_that_does_not_read(false).await;
    let numbers = peer.reset_and_accept().await;
    let (acked, unknown) = outcomes(&mut receipts).await;
    let resent: BTreeSet<u32> = numbers.iter().copied().collect();
    let first = *numbers.first().expect("something was left");
    assert_eq!(numbers, (first..MESSAGES).collect::<Vec<_>>(), "whole, in order, each once");
    // Of the messages before the first one that never left, each was acknowledged or is unknown; none is lost or doubled.
    assert!(unknown.iter().all(|number| *number < first), "{unknown:?} from {first}");
    assert_eq!(acked.len() + unknown.len(), MESSAGES as usize);
    assert!(resent.iter().all(|number| acked.contains(number)));
    assert!(first > 0, "the peer's kernel took some");
    assert_balanced(&client);
}

#[tokio::test]
async fn idempotent_messages_go_out_again_where_nobody_knows() {
    let (client, mut receipts, peer) = a_peer_that_does_not_read(true).await;
    let numbers = peer.reset_and_accept().await;
    let (acked, unknown) = outcomes(&mut receipts).await;
    let first = *numbers.first().expect("something was left");
    assert_eq!(numbers, (first..MESSAGES).collect::<Vec<_>>(), "whole, in order");
    assert_eq!((acked.len(), unknown.len()), (MESSAGES as usize, 0), "nothing of the last 256 KiB is unknown");
    assert_balanced(&client);
}

#[tokio::test]
async fn a_client_that_rejects_while_down_sends_nothing_again() {
    let listener = listener();
    let client = Client::builder(listener.local_addr().unwrap())
        .framing(Framing::length_prefixed(4))
        .while_down(WhileDown::Reject)
        .outbox_bytes(64 << 20)
        .first_spread(millis(10))
        .connect()
        .await
        .unwrap();
    let mut receipts = send_all(&client, false).await;
    let peer = accept(&listener);
    let mut events = client.events();
    reset(peer);
    await_event(&mut events, "disconnected", SOON).await;
    let mut not_sent = 0;
    for receipt in &mut receipts {
        let outcome = tokio::time::timeout(SOON, receipt.outcome()).await.unwrap().unwrap();
        not_sent += usize::from(outcome == Outcome::NotSent);
    }
    assert!(not_sent > 0);
    assert_eq!(client.stats().messages.queued, 0);
    await_event(&mut events, "connected", SOON).await;
    let mut peer = into_tokio(accept(&listener));
    client.close(secs(1)).await;
    let mut left = Vec::new();
    peer.read_to_end(&mut left).await.unwrap();
    assert!(left.is_empty(), "{} bytes of a dead connection", left.len());
}

#[tokio::test]
async fn a_request_that_never_left_was_not_executed() {
    let listener = listener();
    let client = Client::builder(listener.local_addr().unwrap())
        .framing(Framing::length_prefixed(4))
        .correlation(keepline::Correlation::Fifo)
        .max_in_flight(1_000)
        .outbox_bytes(64 << 20)
        .connect()
        .await
        .unwrap();
    let requests: Vec<_> = (0..MESSAGES)
        .map(|number| {
            let client = client.clone();
            tokio::spawn(async move { client.request(message(number), SOON).await.unwrap_err() })
        })
        .collect();
    let peer = accept(&listener);
    eventually("all are asked", SOON, || client.stats().messages.accepted == u64::from(MESSAGES)).await;
    until_stuck(&client).await;
    reset(peer);
    let (mut executed, mut not_executed) = (0, 0);
    for request in requests {
        let error = request.await.unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        if error.maybe_executed() { executed += 1 } else { not_executed += 1 }
    }
    assert!(executed > 0 && not_executed > 0, "{executed} {not_executed}");
    assert_eq!(executed + not_executed, MESSAGES);
}

#[test]
fn what_was_sent_has_its_outcome_though_the_runtime_ended_before_the_acknowledgement_was_seen() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (listener, first, second) = (listener(), runtime(), runtime());
    let builder = Client::builder(listener.local_addr().unwrap()).outbox_bytes(64 << 20);
    let client = first.block_on(async { builder.connect().await.unwrap() });
    // More than both kernels take at once: the rest of it waits in the outbox.
    let receipts = [vec![1; 16], vec![2; 16 << 20]].map(|message| {
        let outbox = client.clone();
        first.block_on(async move { outbox.send_tracked(message).await.unwrap() })
    });
    drop(first);
    let outcomes = receipts.map(|mut receipt| {
        second.block_on(async { tokio::time::timeout(SOON, receipt.outcome()).await }).unwrap().unwrap()
    });
    assert!(
        matches!(outcomes, [Outcome::Acked | Outcome::Unknown, Outcome::Unknown | Outcome::NotSent]),
        "{outcomes:?}"
    );
}

struct Peer {
    listener: TcpListener,
    stream: TcpStream,
}

/// A client that has sent [`MESSAGES`] to a peer that reads none, until neither kernel takes more.
async fn a_peer_that_does_not_read(idempotent: bool) -> (Client, Vec<Receipt>, Peer) {
    let listener = listener();
    let client = Client::builder(listener.local_addr().unwrap())
        .framing(Framing::length_prefixed(4))
        .outbox_bytes(64 << 20)
        .first_spread(millis(10))
        .connect()
        .await
        .unwrap();
    let receipts = send_all(&client, idempotent).await;
    let stream = accept(&listener);
    (client, receipts, Peer { listener, stream })
}

async fn send_all(client: &Client, idempotent: bool) -> Vec<Receipt> {
    let mut receipts = Vec::new();
    for number in 0..MESSAGES {
        let message = message(number);
        receipts.push(match idempotent {
            true => client.send_tracked(Idempotent(message)).await.unwrap(),
            false => client.send_tracked(message).await.unwrap(),
        });
    }
    until_stuck(client).await;
    receipts
}

/// Waits until neither kernel takes more.
async fn until_stuck(client: &Client) {
    let mut before = u64::MAX;
    loop {
        tokio::time::sleep(millis(200)).await;
        let queued = client.stats().messages.queued;
        if queued == before {
            assert!(queued > 0, "everything fits into the kernels: the test shows nothing");
            return;
        }
        before = queued;
    }
}

impl Peer {
    /// Resets the connection, and reads the numbers of the messages that come on the next.
    async fn reset_and_accept(self) -> Vec<u32> {
        reset(self.stream);
        let listener = self.listener;
        let stream = tokio::task::spawn_blocking(move || accept(&listener)).await.unwrap();
        let mut stream = into_tokio(stream);
        let mut numbers = Vec::new();
        let reading = async {
            while numbers.last() != Some(&(MESSAGES - 1)) {
                assert_eq!(stream.read_u32().await.unwrap() as usize, SIZE, "a frame begins here");
                let mut body = vec![0; SIZE];
                stream.read_exact(&mut body).await.unwrap();
                let number = u32::from_be_bytes(body[..4].try_into().unwrap());
                assert!(body[4..].iter().all(|byte| *byte == number as u8), "a spliced frame");
                numbers.push(number);
            }
        };
        tokio::time::timeout(SOON, reading).await.expect("the rest arrives");
        // Kept open until the receipts are read.
        tokio::spawn(async move {
            tokio::time::sleep(secs(60)).await;
            drop(stream);
        });
        numbers
    }
}

async fn outcomes(receipts: &mut [Receipt]) -> (BTreeSet<u32>, BTreeSet<u32>) {
    let (mut acked, mut unknown) = (BTreeSet::new(), BTreeSet::new());
    for (number, receipt) in (0u32..).zip(receipts) {
        match tokio::time::timeout(SOON, receipt.outcome()).await.expect("an outcome").unwrap() {
            Outcome::Acked => acked.insert(number),
            Outcome::Unknown => unknown.insert(number),
            other => panic!("{other} for message {number}"),
        };
    }
    (acked, unknown)
}

fn message(number: u32) -> Vec<u8> {
    let mut message = vec![number as u8; SIZE];
    message[..4].copy_from_slice(&number.to_be_bytes());
    message
}

/// A listener whose connections have a small receive buffer.
fn listener() -> TcpListener {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(16).unwrap();
    socket.into()
}

fn accept(listener: &TcpListener) -> TcpStream {
    listener.accept().unwrap().0
}

/// Ends a connection with an RST.
fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream.as_fd()).set_linger(Some(secs(0))).unwrap();
}

fn into_tokio(stream: TcpStream) -> tokio::net::TcpStream {
    stream.set_nonblocking(true).unwrap();
    tokio::net::TcpStream::from_std(stream).unwrap()
}
