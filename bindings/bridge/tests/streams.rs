//! Streams as another language uses them: reads when asked for, a queue of writes that tells its size, clean ends.

use keepline_bridge::{BridgeError, BridgeStream, BridgeStreams, ClientConfig, EndpointRecord, Operation};
use std::future::Future;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

#[test]
fn queue_tells_its_size_and_is_written_in_order_when_it_is_driven() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (_streams, stream) = one(&listener);
    let (mut peer, _) = listener.accept().unwrap();
    // More than the kernels of both sides hold for somebody who does not read.
    let sent: Vec<u8> = (0..32_000_000u32).map(|byte| byte as u8).collect();
    let told = stream.write(&sent).unwrap();
    assert!(told.queued > 0 && !told.idle, "{told:?}");
    let more = stream.write(b"more").unwrap();
    assert_eq!(more.queued, told.queued + 4);
    assert!(stream.end_writes().unwrap().queued == more.queued);
    assert_eq!(stream.write(b"too late").unwrap_err().kind, "rejected");

    let reading = thread::spawn(move || {
        let mut heard = Vec::new();
        peer.read_to_end(&mut heard).unwrap();
        heard
    });
    let mut before = more.queued;
    loop {
        let now = wait(stream.flush()).unwrap();
        assert!(now.queued < before || now.idle, "{now:?}");
        before = now.queued;
        if now.idle {
            break;
        }
    }
    let heard = reading.join().unwrap();
    assert!(heard[..sent.len()] == sent[..] && &heard[sent.len()..] == b"more");
}

#[test]
fn reads_take_what_is_there_and_nothing_at_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (_streams, stream) = one(&listener);
    let (mut peer, _) = listener.accept().unwrap();
    assert_eq!(stream.peer().unwrap(), listener.local_addr().unwrap());
    assert_eq!(stream.local().unwrap(), peer.peer_addr().unwrap());
    let given_up = stream.read(10);
    drop(given_up);
    peer.write_all(b"hello").unwrap();
    assert_eq!(wait(stream.read(2)).unwrap(), "he");
    assert_eq!(wait(stream.read(100)).unwrap(), "llo");
    drop(peer);
    assert!(wait(stream.read(100)).unwrap().is_empty());
    stream.abandon();
    assert_eq!(wait(stream.read(100)).unwrap_err().kind, "closed");
}

#[test]
fn stream_that_is_dropped_ends_its_connection_and_the_next_has_its_own_bytes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = EndpointRecord::from(listener.local_addr().unwrap().to_string().as_str());
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for (mut peer, greeting) in listener.incoming().map(Result::unwrap).zip(["first", "second"]) {
            peer.write_all(greeting.as_bytes()).unwrap();
            tell.send(peer).unwrap();
        }
    });
    let streams = wait(BridgeStreams::connect(&[endpoint], ClientConfig::default())).unwrap();
    let first = wait(streams.next(Some(10_000))).unwrap();
    let mut peer = told.recv().unwrap();
    drop(first);
    let mut rest = Vec::new();
    // What was never read makes the system reset the connection: an end all the same.
    let _end = peer.read_to_end(&mut rest);
    let second = wait(streams.next(Some(10_000))).unwrap();
    assert_eq!(wait(second.read(100)).unwrap(), "second");
    let client = streams.client().unwrap();
    assert_eq!(client.epoch().unwrap(), second.epoch());
    wait(client.close(0)).unwrap();
    let error = wait(second.read(100)).unwrap_err();
    assert_eq!((error.kind.as_str(), error.cause.as_deref()), ("unavailable", Some("requested")));
}

fn one(listener: &TcpListener) -> (BridgeStreams, BridgeStream) {
    let endpoint = EndpointRecord::from(listener.local_addr().unwrap().to_string().as_str());
    wait(BridgeStreams::connect_one(&[endpoint], ClientConfig::default())).unwrap()
}

/// Waits as a language without an executor of ours does, at most 20 s for each step.
fn wait<T>(operation: Operation<T>) -> Result<T, BridgeError> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut operation = pin!(operation);
    for _ in 0..10_000 {
        match operation.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => return result,
            Poll::Pending => thread::park_timeout(Duration::from_secs(20)),
        }
    }
    panic!("an operation was woken too often for nothing");
}
