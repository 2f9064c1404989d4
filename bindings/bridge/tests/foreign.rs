//! The foreign API as another language's executor uses it: wake-ups from one thread, calls that are given up.
#![cfg(feature = "uniffi")]

use keepline_bridge::config::FramingRecord;
use keepline_bridge::foreign::{CancelToken, ForeignError, connect, start};
use keepline_bridge::{BridgeError, ClientConfig, names};
use std::collections::HashSet;
use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

#[test]
fn every_wake_up_comes_from_the_one_thread_of_calls() {
    let wakers = Arc::new(Mutex::new(HashSet::new()));
    let client = wait(&wakers, connect(vec![echo()], lines(), None)).unwrap();
    for number in 1..=50 {
        wait(&wakers, client.send(b"hello".to_vec(), false, None, None)).unwrap();
        let messages = wait(&wakers, client.next_messages(number - 1, 8, Some(5_000), None)).unwrap();
        assert_eq!((messages[0].seq, &messages[0].payload[..]), (number, &b"hello"[..]));
    }
    wait(&wakers, client.close_within(1_000, None)).unwrap();
    let seen = wakers.lock().unwrap().clone();
    assert_eq!(seen, HashSet::from(["keepline-calls".to_owned()]));
}

#[test]
fn call_that_is_given_up_ends_at_once_and_loses_nothing() {
    let wakers = Arc::default();
    let client = wait(&wakers, connect(vec![echo()], lines(), None)).unwrap();
    let token = CancelToken::new();
    let pull = client.next_messages(0, 8, None, Some(token.clone()));
    let giving_up = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        token.cancel();
        assert!(token.is_cancelled());
    });
    assert!(matches!(wait(&wakers, pull), Err(ForeignError::Cancelled)));
    giving_up.join().unwrap();
    client.try_send(b"one".to_vec(), false).unwrap();
    let messages = wait(&wakers, client.next_messages(0, 8, Some(5_000), None)).unwrap();
    assert_eq!((messages[0].seq, &messages[0].payload[..]), (1, &b"one"[..]));
}

#[test]
fn state_is_told_when_it_changes_and_closed_is_the_last() {
    let wakers = Arc::default();
    let client = wait(&wakers, connect(vec![echo()], lines(), None)).unwrap();
    let reader = client.events(client.last_event().unwrap()).unwrap();
    assert_eq!(wait(&wakers, reader.state_after("idle".into(), None)).unwrap(), "connected");
    client.pause().unwrap();
    assert_eq!(wait(&wakers, reader.state_after("connected".into(), None)).unwrap(), "idle");
    client.abort().unwrap();
    assert_eq!(wait(&wakers, reader.state_after("idle".into(), None)).unwrap(), "closed");
    assert!(matches!(
        wait(&wakers, reader.state_after("nowhere".into(), None)),
        Err(ForeignError::InvalidConfig { detail }) if detail.field.as_deref() == Some("state")
    ));
}

#[test]
fn every_kind_of_the_contract_has_a_case_of_its_own() {
    let kinds = names::all().into_iter().filter(|(name, _)| name.ends_with("error_kinds"));
    let mut cases = HashSet::new();
    let mut count = 0;
    for kind in kinds.flat_map(|(_, kinds)| kinds) {
        let error = ForeignError::from(BridgeError::of_kind(&kind, "a test says so"));
        assert_eq!(error.to_string(), "a test says so");
        cases.insert(std::mem::discriminant(&error));
        count += 1;
    }
    assert_eq!((cases.len(), count), (8, 8));
}

#[test]
fn bad_option_is_refused_with_its_field() {
    let config = ClientConfig { profile: Some("fast".into()), ..ClientConfig::default() };
    let refused = start(vec!["127.0.0.1:1".into()], config).unwrap_err();
    assert!(matches!(refused, ForeignError::InvalidConfig { detail } if detail.field.as_deref() == Some("profile")));
}

fn lines() -> ClientConfig {
    ClientConfig { framing: Some(FramingRecord::Lines { max: None }), ..ClientConfig::default() }
}

/// An echo server for lines, in a thread that ends with the test program.
fn echo() -> keepline_bridge::EndpointRecord {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
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
    address.to_string().as_str().into()
}

/// Waits as a foreign executor does, at most 10 s, and notes the names of the threads that wake it.
fn wait<T>(wakers: &Arc<Mutex<HashSet<String>>>, future: impl Future<Output = T>) -> T {
    struct Unpark(Thread, Arc<Mutex<HashSet<String>>>);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().insert(thread::current().name().unwrap_or_default().to_owned());
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current(), wakers.clone())));
    let mut future = pin!(future);
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return result;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "a call did not end");
        thread::park_timeout(left);
    }
}
