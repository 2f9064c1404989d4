//! Credentials: asked for once in each attempt, in time, and never told to anybody but the peer.

mod support;

use keepline::cause::GreetingFailure;
use keepline::{
    Builder, Cause, Client, CredentialRequest, Disconnected, Epoch, ErrorKind, EventKind, Events, Framing,
    GreetingError, Matcher, RetryAfter, Script, Secret, State,
};
use keepline_testkit::ChaosProxy;
use keepline_testkit::servers::{EchoServer, LineServer};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{SOON, await_event, eventually, millis, secs};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::time::Instant;

const NO_CREDENTIALS: Cause = Cause::Greeting(GreetingFailure::Credentials);
const REFUSED: Cause = Cause::Greeting(GreetingFailure::Auth);

#[tokio::test]
async fn provider_is_asked_once_for_each_attempt_and_gives_each_its_own() {
    let (address, logins) = gate(|line| line.starts_with("login token-"), "welcome").await;
    let asked: Arc<Mutex<Vec<CredentialRequest>>> = Arc::default();
    let noted = asked.clone();
    let client = logging_in(address)
        .credentials(move |request| {
            noted.lock().unwrap().push(request.clone());
            async move { Ok(format!("token-{}", request.epoch.0).into()) }
        })
        .connect()
        .await
        .unwrap();
    client.reconnect();
    eventually("the second connection", SOON, || client.stats().connections == 2).await;
    assert_eq!(*logins.lock().unwrap(), ["login token-1", "login token-2"]);
    let asked = asked.lock().unwrap().clone();
    assert_eq!(
        asked.iter().map(|request| (request.epoch, request.refusals)).collect::<Vec<_>>(),
        [(Epoch(1), 0), (Epoch(2), 0)]
    );
    assert!(asked.iter().all(|request| request.endpoint.to_string() == address.to_string()));
}

#[tokio::test]
async fn provider_is_told_how_often_it_was_refused_and_new_credentials_may_pass() {
    let (address, logins) = gate(|line| line == "login fresh", "welcome").await;
    let client = logging_in(address)
        .credentials(|request| async move { Ok(if request.refusals == 0 { "stale" } else { "fresh" }.into()) })
        .start()
        .unwrap();
    let mut events = client.events();
    let end = disconnected(&mut events).await;
    assert_eq!((end.ending.cause, end.failures), (REFUSED, 1));
    assert!(end.retry_in.unwrap() >= secs(10), "{end:?}");
    await_event(&mut events, "connected", SOON).await;
    assert_eq!(*logins.lock().unwrap(), ["login stale", "login fresh"]);
}

#[tokio::test]
async fn refusal_is_read_although_the_server_closes_right_behind_it() {
    for _ in 0..20 {
        let (address, _) = gate(|_line| false, "").await;
        let client = logging_in(address).static_credentials("wrong").auth_attempts(1).start().unwrap();
        assert_eq!(tokio::time::timeout(SOON, client.closed()).await.unwrap().cause, REFUSED);
    }
}

#[tokio::test]
async fn connect_tells_that_it_gave_up_because_of_refused_credentials() {
    let (address, _) = gate(|_line| false, "").await;
    let error = logging_in(address).static_credentials("wrong").auth_attempts(1).connect().await.unwrap_err();
    assert_eq!((error.kind(), error.cause()), (ErrorKind::Exhausted, Some(REFUSED)), "{error}");
}

#[tokio::test]
async fn provider_that_fails_panics_or_is_late_is_a_failed_attempt_of_its_own_kind() {
    let server = LineServer::start().await.unwrap();
    type Answer = Result<Secret, Box<dyn std::error::Error + Send + Sync>>;
    let fails: fn() -> Answer = || Err("the vault is sealed".into());
    let panics: fn() -> Answer = || panic!("a bug of the user");
    for answer in [fails, panics] {
        let client = logging_in(server.addr()).credentials(move |_| async move { answer() }).start().unwrap();
        let end = disconnected(&mut client.events()).await;
        assert_eq!(end.ending.cause, NO_CREDENTIALS);
        assert!(end.retry_in.unwrap() >= secs(10), "{end:?}");
        assert_eq!(client.state(), State::Waiting);
    }
    let begun = Instant::now();
    let client = logging_in(server.addr())
        .credentials(|_| async { std::future::pending().await })
        .credentials_within(millis(500))
        .start()
        .unwrap();
    let end = disconnected(&mut client.events()).await;
    assert_eq!(end.ending.cause, NO_CREDENTIALS);
    let took = begun.elapsed();
    assert!(took >= millis(500) && took < secs(3), "{took:?}");
    assert!(server.received().is_empty(), "nothing is said without credentials");
}

#[tokio::test]
async fn provider_is_asked_while_the_connection_is_made_and_its_failure_ends_the_dial() {
    let server = EchoServer::start().await.unwrap();
    let proxy = ChaosProxy::start(server.addr()).await.unwrap();
    // Nobody answers there: the dial alone would last until its deadline.
    proxy.hang_syn().await.unwrap();
    let client = logging_in(proxy.addr())
        .connect_per_address(secs(9))
        .connect_total(secs(10))
        .credentials(|_| async { Err("no token".into()) })
        .start()
        .unwrap();
    let begun = Instant::now();
    let end = disconnected(&mut client.events()).await;
    assert_eq!(end.ending.cause, NO_CREDENTIALS);
    assert!(begun.elapsed() < secs(9), "not at the deadline of the dial");
}

#[tokio::test]
async fn provider_of_an_attempt_that_fails_before_is_given_up() {
    struct Dropped(Arc<AtomicU32>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let dropped = Arc::new(AtomicU32::new(0));
    let counted = dropped.clone();
    let client = logging_in(([127, 0, 0, 1], 1).into())
        .credentials(move |_| {
            let guard = Dropped(counted.clone());
            async move {
                let _guard = guard;
                std::future::pending().await
            }
        })
        .start()
        .unwrap();
    assert_eq!(disconnected(&mut client.events()).await.ending.cause, Cause::Refused);
    eventually("the provider is dropped", SOON, || dropped.load(Ordering::Relaxed) > 0).await;
}

#[tokio::test]
async fn hook_gets_the_credentials_as_often_as_it_asks_and_fails_without_any() {
    let (address, logins) = gate(|line| line == "login secret", "welcome").await;
    let asked = Arc::new(AtomicU32::new(0));
    let counted = asked.clone();
    let client = Client::builder(address)
        .framing(Framing::lines())
        .greeting_hook(|io| async move {
            let first = io.credentials().await?;
            assert_eq!(first.expose(), io.credentials().await?.expose());
            io.send(first.between(b"login ", b""));
            if &io.recv().await[..] == b"welcome" { Ok(()) } else { Err(GreetingError::auth("no")) }
        })
        .credentials(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            async { Ok("secret".into()) }
        })
        .connect()
        .await
        .unwrap();
    assert_eq!((asked.load(Ordering::Relaxed), logins.lock().unwrap().len()), (1, 1));
    drop(client);

    let client = Client::builder(address)
        .framing(Framing::lines())
        .greeting_hook(|io| async move { io.credentials().await.map(|_secret| ()) })
        .start()
        .unwrap();
    assert_eq!(disconnected(&mut client.events()).await.ending.cause, NO_CREDENTIALS);
}

#[tokio::test]
async fn declared_credentials_can_be_replaced_for_the_next_attempt_and_are_shown_nowhere() {
    let (address, logins) = gate(|_line| true, "welcome").await;
    let builder = logging_in(address).static_credentials("hunter2");
    assert!(!format!("{builder:?}").contains("hunter2"));
    let client = builder.connect().await.unwrap();
    assert!(!format!("{client:?} {:?}", client.config()).contains("hunter2"));
    client.set_credentials("hunter3").unwrap();
    client.reconnect();
    eventually("the second connection", SOON, || client.stats().connections == 2).await;
    assert_eq!(*logins.lock().unwrap(), ["login hunter2", "login hunter3"]);

    let provided = logging_in(address).credentials(|_| async { Ok("x".into()) }).start().unwrap();
    assert_eq!(provided.set_credentials("y").unwrap_err().kind(), ErrorKind::Rejected);
    let plain = Client::builder(address).start().unwrap();
    assert_eq!(plain.set_credentials("y").unwrap_err().kind(), ErrorKind::InvalidConfig);
}

#[tokio::test]
async fn credentials_that_break_the_framing_are_not_sent() {
    let server = LineServer::start().await.unwrap();
    let client = logging_in(server.addr()).credentials(|_| async { Ok("x\nquit".into()) }).start().unwrap();
    assert_eq!(disconnected(&mut client.events()).await.ending.cause, Cause::Greeting(GreetingFailure::Rejected));
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn script_reads_how_long_a_busy_server_wants_to_be_left_alone() {
    let (address, _) = gate(|_line| true, "busy, retry in 30 s").await;
    let client = logging_in(address).static_credentials("secret").start().unwrap();
    let end = disconnected(&mut client.events()).await;
    assert_eq!(end.ending.retry_after, Some(secs(30)));
    assert!(end.retry_in.unwrap() >= secs(30), "{end:?}");
}

#[tokio::test]
async fn declared_notice_in_traffic_sends_the_client_away_for_as_long_as_it_says() {
    let server = EchoServer::start().await.unwrap();
    let notice = RetryAfter::seconds_after(Matcher::Prefix("GOAWAY".into()), "after=", secs(5));
    let client = Client::builder(server.addr()).framing(Framing::lines()).go_away(notice).connect().await.unwrap();
    let mut events = client.events();
    client.send("before").await.unwrap();
    client.send("GOAWAY after=40").await.unwrap();
    let end = disconnected(&mut events).await;
    assert_eq!((end.ending.cause, end.ending.retry_after), (Cause::PeerClosed, Some(secs(40))));
    assert!(end.retry_in.unwrap() >= secs(40), "{end:?}");
    assert_eq!(&client.recv_within(SOON).await.unwrap().unwrap().payload[..], b"before");
    assert!(client.try_recv().is_none(), "the notice is consumed");
}

#[tokio::test]
async fn user_code_that_understands_a_notice_sends_the_client_away() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr()).connect().await.unwrap();
    client.go_away(secs(2));
    let mut events = client.events();
    let end = disconnected(&mut events).await;
    assert_eq!((end.ending.cause, end.ending.retry_after), (Cause::PeerClosed, Some(secs(2))));
    let left = Instant::now();
    await_event(&mut events, "connected", SOON).await;
    assert!(left.elapsed() >= millis(1_900), "{:?}", left.elapsed());
}

fn logging_in(address: SocketAddr) -> Builder {
    let busy = RetryAfter::seconds_after(Matcher::Prefix("busy".into()), "retry in ", secs(5));
    let script = Script::default()
        .refused(Matcher::Prefix("no".into()))
        .retry_after(busy)
        .send_credentials("login ", "")
        .expect(Matcher::Exact("welcome".into()));
    Client::builder(address).framing(Framing::lines()).greeting(script)
}

/// A server that reads one line and answers it, or says `no` and closes at once; with the lines that it read.
async fn gate(
    passes: impl Fn(&str) -> bool + Send + Sync + 'static,
    answer: &'static str,
) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = lines.clone();
    let passes = Arc::new(passes);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (told, passes) = (told.clone(), passes.clone());
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                if stream.read_line(&mut line).await.is_err() || line.is_empty() {
                    return;
                }
                told.lock().unwrap().push(line.trim_end().to_owned());
                if !passes(line.trim_end()) {
                    let _gone = stream.get_mut().write_all(b"no: wrong password\n").await;
                    return;
                }
                let _gone = stream.get_mut().write_all(format!("{answer}\n").as_bytes()).await;
                let mut rest = String::new();
                while stream.read_line(&mut rest).await.is_ok_and(|count| count > 0) {
                    rest.clear();
                }
            });
        }
    });
    (address, lines)
}

async fn disconnected(events: &mut Events) -> Disconnected {
    let event = await_event(events, "disconnected", Duration::from_secs(15)).await;
    let EventKind::Disconnected(end) = event.kind else { panic!("{event:?}") };
    *end
}
