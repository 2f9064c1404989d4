//! The border as another language uses it: operations polled by a foreign executor, pulls by number, clean ends.

use bytes::Bytes;
use keepline_bridge::config::FramingRecord;
use keepline_bridge::{BridgeClient, BridgeError, ClientConfig, ExaminationRecord, Operation, examine};
use std::future::Future;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

#[test]
fn pulls_are_repeated_until_their_numbers_are_passed() {
    let client = wait(BridgeClient::connect(&[echo().to_string().as_str().into()], lines())).unwrap();
    for word in ["one", "two"] {
        wait(client.send(Bytes::from(word), false, None)).unwrap();
    }
    let first = wait(client.next_messages(0, 1, Some(5_000))).unwrap();
    let again = wait(client.next_messages(0, 1, Some(5_000))).unwrap();
    assert_eq!(first, again);
    assert_eq!((first[0].seq, &first[0].payload[..]), (1, &b"one"[..]));
    let second = wait(client.next_messages(1, 8, Some(5_000))).unwrap();
    assert_eq!((second[0].seq, &second[0].payload[..]), (2, &b"two"[..]));
    let late = wait(client.next_messages(2, 8, Some(50))).unwrap_err();
    assert_eq!((late.kind.as_str(), late.retryable), ("timeout", true));
}

#[test]
fn events_are_pulled_by_number_and_end_after_closed() {
    let client = wait(BridgeClient::connect(&[echo().to_string().as_str().into()], lines())).unwrap();
    let ending = wait(client.close(1_000)).unwrap();
    assert_eq!(ending.cause, "requested");
    let mut after = 0;
    let mut names = Vec::new();
    loop {
        let events = wait(client.next_events(after, 2, Some(5_000))).unwrap();
        let Some(last) = events.last() else { break };
        after = last.seq;
        names.extend(events.into_iter().map(|event| event.name));
    }
    assert_eq!((names.first().unwrap().as_str(), names.last().unwrap().as_str()), ("connecting", "closed"));
    assert!(client.try_receive(8).unwrap().is_none());
}

#[test]
fn dropped_client_is_aborted_though_an_operation_still_waits() {
    let client = wait(BridgeClient::connect(&[echo().to_string().as_str().into()], lines())).unwrap();
    let closed = client.closed();
    let receiving = client.receive(None);
    drop(client);
    assert_eq!(wait(closed).unwrap().cause, "requested");
    assert!(wait(receiving).unwrap().is_none());
}

#[test]
fn nobody_there_is_unavailable_with_cause_and_errno() {
    let config = ClientConfig { connect_within_ms: Some(300), ..lines() };
    let error = wait(BridgeClient::connect(&[NOBODY.into()], config)).unwrap_err();
    assert_eq!((error.kind.as_str(), error.cause.as_deref()), ("unavailable", Some("refused")));
    assert_eq!(error.errno, Some(111));
}

#[test]
fn examination_tells_where_the_way_ends() {
    let asked = ExaminationRecord::default();
    let open = wait(examine(&echo().to_string(), beating(), &asked)).unwrap();
    assert_eq!((open.healthy, open.failed, open.cause), (true, None, None), "{:?}", open.stages);
    let shut = wait(examine(NOBODY, beating(), &asked)).unwrap();
    assert_eq!((shut.failed.as_deref(), shut.cause.as_deref()), (Some("tcp"), Some("refused")), "{:?}", shut.stages);
    let bad = ExaminationRecord { idle_ms: vec![0], ..ExaminationRecord::default() };
    let error = wait(examine(NOBODY, lines(), &bad)).unwrap_err();
    assert_eq!((error.kind.as_str(), error.field.as_deref()), ("invalid_config", Some("idle")));
}

#[test]
fn examination_that_is_given_up_ends_its_connections() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let operation = examine(&listener.local_addr().unwrap().to_string(), beating(), &ExaminationRecord::default());
    let mut operation = Box::pin(operation);
    assert!(operation.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    // The first connection only asks whether there is a way; the second waits for an answer to its heartbeat.
    let _way = listener.accept().unwrap();
    let (mut attempt, _) = listener.accept().unwrap();
    attempt.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut asked = [0; 5];
    attempt.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"PING\n");
    drop(operation);
    match attempt.read(&mut [0; 64]) {
        Ok(count) => assert_eq!(count, 0, "nothing more is said"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

/// Nobody listens there, and the system gives this port to nobody.
const NOBODY: &str = "127.0.0.1:1";

fn beating() -> ClientConfig {
    ClientConfig { heartbeat_payload: Some(b"PING".to_vec()), ..lines() }
}

fn lines() -> ClientConfig {
    ClientConfig { framing: Some(FramingRecord::Lines { max: None }), ..ClientConfig::default() }
}

/// An echo server for lines, in a thread that ends with the test program.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            thread::spawn(move || {
                let mut writer = stream.try_clone().unwrap();
                for line in BufReader::new(stream).lines() {
                    let Ok(line) = line else { return };
                    if writeln!(writer, "{line}").is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// Waits as a foreign executor does: with a waker of its own, outside of any runtime, at most 10 s.
fn wait<T>(operation: Operation<T>) -> Result<T, BridgeError> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut operation = pin!(operation);
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        if let Poll::Ready(result) = operation.as_mut().poll(&mut Context::from_waker(&waker)) {
            return result;
        }
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        assert!(!left.is_zero(), "an operation did not end");
        thread::park_timeout(left);
    }
}
