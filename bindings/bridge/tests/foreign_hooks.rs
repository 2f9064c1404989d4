//! Hooks of another language, as the core asks them: from one thread, never longer than the core waits.
#![cfg(feature = "uniffi")]

use keepline_bridge::config::{FramingRecord, ProxyUrl, SecretRecord};
use keepline_bridge::foreign::{
    ForeignClient, ForeignGreeting, ForeignHooks, HookFailure, HooksThere, ProxyCredentialsRecord, start_with,
};
use keepline_bridge::{ClientConfig, CredentialsQuestion, EventRecord, NameQuestion, SocketQuestion};
use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

#[test]
fn every_hook_is_asked_from_the_thread_of_calls() {
    let hooks = Arc::new(Recording::default());
    let client = begin(&hooks, "machine.plant");
    wait(client.connected(None)).unwrap();
    let asked = hooks.asked.lock().unwrap().clone();
    let names: Vec<&str> = asked.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    for what in ["addresses machine.plant", "credentials 1 0", "socket", "greet 1"] {
        assert!(names.contains(&what), "{what} in {names:?}");
    }
    assert!(asked.iter().all(|(_, thread)| thread == "keepline-calls"), "{asked:?}");
    let batch = vec![b"one".to_vec(), b"two".to_vec()];
    wait(client.send_many(batch.clone(), false, Some(5_000), None)).unwrap();
    client.try_send_many(batch, false).unwrap();
    let mut messages = Vec::new();
    while messages.len() < 4 {
        let after = messages.len() as u64;
        let more = wait(client.next_messages(after, 8, Some(5_000), None)).unwrap();
        messages.extend(more.into_iter().map(|message| message.payload));
    }
    assert_eq!(messages, [b"one", b"two", b"one", b"two"].map(|bytes| bytes.to_vec()));
}

#[test]
fn what_a_hook_throws_or_panics_with_is_the_cause_of_the_attempt() {
    let table = [
        (Mood::Thrown, "greeting.rejected"),
        (Mood::Refused, "greeting.auth"),
        (Mood::Panics, "greeting.rejected"),
        (Mood::SocketThrown, "local_resource"),
    ];
    for (mood, cause) in table {
        let hooks = Arc::new(Recording { mood: Mutex::new(mood), ..Recording::default() });
        let client = begin(&hooks, "127.0.0.1");
        assert_eq!(disconnected(&client).cause.as_deref(), Some(cause));
        *hooks.mood.lock().unwrap() = Mood::Well;
        // The waits of some causes are long; a call ends them.
        client.reconnect().unwrap();
        wait(client.connected(None)).unwrap();
    }
}

#[test]
fn hook_that_hangs_is_dropped_at_the_deadline_and_the_next_attempt_connects() {
    let hooks = Arc::new(Recording { mood: Mutex::new(Mood::Hangs), ..Recording::default() });
    let client = begin(&hooks, "127.0.0.1");
    assert_eq!(disconnected(&client).cause.as_deref(), Some("greeting.timeout"));
    *hooks.mood.lock().unwrap() = Mood::Well;
    wait(client.connected(None)).unwrap();
    let dropped =
        || hooks.asked.lock().unwrap().iter().any(|(what, thread)| what == "dropped" && thread == "keepline-calls");
    let until = Instant::now() + Duration::from_secs(5);
    while !dropped() {
        assert!(Instant::now() < until, "the hook was not dropped");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn proxy_is_told_what_its_hook_gives_and_nothing_if_that_throws() {
    let (proxy, heard) = refusing();
    let hooks = Arc::new(Recording { mood: Mutex::new(Mood::Thrown), ..Recording::default() });
    let client = begin_behind(&proxy, &hooks);
    assert_eq!(disconnected(&client).cause.as_deref(), Some("proxy.credentials"));
    *hooks.mood.lock().unwrap() = Mood::Well;
    for attempt in [2, 3] {
        client.reconnect().unwrap();
        assert_eq!(disconnected_again(&client, attempt).cause.as_deref(), Some("proxy.auth"));
    }
    // The dial of the attempt whose hook threw was given up.
    let said: Vec<String> = heard.try_iter().filter(|said| !said.is_empty()).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.iter().all(|said| said.contains("Proxy-Authorization: Basic cm9ib3Q6aHVudGVyMg==\n")), "{said:?}");
    let ending = wait(client.closed(None)).unwrap();
    assert_eq!(ending.cause, "proxy.auth");
    let asked: Vec<String> = hooks.asked.lock().unwrap().iter().map(|(what, _)| what.clone()).collect();
    assert_eq!(asked, ["proxy credentials 1 0", "proxy credentials 2 0", "proxy credentials 3 1"]);
    let record = ProxyCredentialsRecord { user: "robot".to_owned(), password: "hunter2".to_owned() };
    assert!(!format!("{record:?}").contains("hunter2"));
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Mood {
    #[default]
    Well,
    Thrown,
    Refused,
    Panics,
    Hangs,
    SocketThrown,
}

#[derive(Default)]
struct Recording {
    mood: Mutex<Mood>,
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Recording {
    fn note(&self, what: String) -> Mood {
        note(&self.asked, what);
        *self.mood.lock().unwrap()
    }
}

fn note(asked: &Mutex<Vec<(String, String)>>, what: String) {
    asked.lock().unwrap().push((what, thread::current().name().unwrap_or_default().to_owned()));
}

#[async_trait::async_trait]
impl ForeignHooks for Recording {
    async fn greet(&self, greeting: Arc<ForeignGreeting>) -> Result<(), HookFailure> {
        struct Noted(Arc<Mutex<Vec<(String, String)>>>);
        impl Drop for Noted {
            fn drop(&mut self) {
                note(&self.0, "dropped".to_owned());
            }
        }
        let refused =
            |kind: &str| HookFailure::Told { kind: kind.to_owned(), reason: "no".to_owned(), retry_after_ms: None };
        match self.note(format!("greet {}", greeting.epoch().unwrap())) {
            Mood::Well | Mood::SocketThrown => {}
            Mood::Thrown => return Err(HookFailure::Thrown { reason: "a bug".to_owned() }),
            Mood::Refused => return Err(refused("auth_refused")),
            Mood::Panics => panic!("a bug of the border"),
            Mood::Hangs => {
                let _noted = Noted(self.asked.clone());
                std::future::pending::<()>().await;
            }
        }
        let SecretRecord(secret) = greeting.credentials(None).await.unwrap();
        greeting.send(secret.clone()).unwrap();
        assert_eq!(greeting.recv(Some(5_000), None).await.unwrap(), secret);
        Ok(())
    }

    async fn credentials(&self, asked: CredentialsQuestion) -> Result<SecretRecord, HookFailure> {
        self.note(format!("credentials {} {}", asked.epoch, asked.refusals));
        Ok(SecretRecord(b"token".to_vec()))
    }

    async fn proxy_credentials(&self, asked: CredentialsQuestion) -> Result<ProxyCredentialsRecord, HookFailure> {
        match self.note(format!("proxy credentials {} {}", asked.epoch, asked.refusals)) {
            Mood::Thrown => Err(HookFailure::Thrown { reason: "no vault".to_owned() }),
            Mood::Well | Mood::Refused | Mood::Panics | Mood::Hangs | Mood::SocketThrown => {
                Ok(ProxyCredentialsRecord { user: "robot".to_owned(), password: "hunter2".to_owned() })
            }
        }
    }

    async fn addresses(&self, asked: NameQuestion) -> Result<Vec<String>, HookFailure> {
        self.note(format!("addresses {}", asked.host));
        Ok(vec![format!("127.0.0.1:{}", asked.port)])
    }

    async fn socket(&self, asked: SocketQuestion) -> Result<(), HookFailure> {
        assert!(asked.descriptor > 0 && asked.address.is_some_and(|address| address.starts_with("127.0.0.1:")));
        match self.note("socket".to_owned()) {
            Mood::SocketThrown => Err(HookFailure::Thrown { reason: "no such network".to_owned() }),
            Mood::Well | Mood::Thrown | Mood::Refused | Mood::Panics | Mood::Hangs => Ok(()),
        }
    }
}

fn begin(hooks: &Arc<Recording>, host: &str) -> Arc<ForeignClient> {
    // Short only where it is waited for: a panic takes its time to print its backtrace.
    let total = if *hooks.mood.lock().unwrap() == Mood::Hangs { 1_000 } else { 9_000 };
    let config = ClientConfig {
        framing: Some(FramingRecord::Lines { max: None }),
        greeting_hook: true,
        credentials_hook: true,
        connect_total_ms: Some(total),
        // The wait before the next attempt is a part of it.
        connect_within_ms: Some(9_000),
        connect_per_address_ms: Some(1_000),
        auth_attempts_off: true,
        ..ClientConfig::default()
    };
    let there = HooksThere { addresses: true, socket: true, proxy_credentials: false };
    let endpoint = format!("{host}:{}", echo());
    start_with(vec![endpoint.as_str().into()], config, hooks.clone(), there).unwrap()
}

/// One that goes through a proxy and asks for nothing but its credentials.
fn begin_behind(proxy: &str, hooks: &Arc<Recording>) -> Arc<ForeignClient> {
    let config = ClientConfig { proxy: Some(ProxyUrl(proxy.to_owned())), ..ClientConfig::default() };
    let there = HooksThere { addresses: false, socket: false, proxy_credentials: true };
    start_with(vec!["plc-7.example:502".into()], config, hooks.clone(), there).unwrap()
}

/// An HTTP proxy that refuses whoever comes; what each said is told.
fn refusing() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            let heard = lines.fold(String::new(), |heard, line| heard + &line + "\n");
            // Before the answer, which the test may wait for. A client that has gone already was heard, too.
            let is_over = tell.send(heard).is_err();
            let _gone = stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
            if is_over {
                return;
            }
        }
    });
    (url, told)
}

fn disconnected(client: &ForeignClient) -> EventRecord {
    disconnected_again(client, 1)
}

/// The event of that name with this number.
fn disconnected_again(client: &ForeignClient, number: usize) -> EventRecord {
    let (mut after, mut found) = (0, Vec::new());
    loop {
        let events = wait(client.next_events(after, 8, Some(8_000), None)).unwrap();
        after = events.last().unwrap().seq;
        found.extend(events.into_iter().filter(|event| event.name == "disconnected"));
        if found.len() >= number {
            return found.swap_remove(number - 1);
        }
    }
}

/// An echo server for lines, in threads that end with the test program.
fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            thread::spawn(move || {
                let mut writer = stream.try_clone().unwrap();
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if writeln!(writer, "{line}").is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

/// Waits as a foreign executor does, at most 10 s.
fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
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
