//! The race that goes on until TLS stands: an address that connects and then says nothing holds nobody up.

use crate::authority::Authority;
use crate::server::Plan;
use crate::support::{SOON, await_event, eventually, millis, secs};
use keepline::cause::TlsFailure;
use keepline::recorder::Transition;
use keepline::{
    Addresses, Builder, Cause, Client, ErrorKind, EventKind, Framing, Matcher, Profile, ResolveError, Resolver,
    Resolving, Script, Tls,
};
use keepline_testkit::chaos::{ChaosProxy, Direction};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

const HOST: &str = "service.test";

#[tokio::test]
async fn address_that_never_answers_the_hello_costs_a_stagger_and_hears_no_credentials() {
    let authority = Authority::new("tests");
    let server = Plan::new(&authority.sign(&[HOST])).start().await;
    let deaf = Deaf::start().await;
    let client = racing(&authority, vec![deaf.addr, server.addr()]).start().unwrap();
    let connected = await_event(&mut client.events_after(0), "connected", SOON).await;
    let EventKind::Connected { peer, after, .. } = connected.kind else { panic!("{connected:?}") };
    assert_eq!(peer, Some(server.addr()));
    assert!(after >= millis(250), "the first one has its stagger for itself: {after:?}");
    assert!(after < Tls::HANDSHAKE_LEAST, "and no handshake deadline: {after:?}");
    assert_eq!((client.stats().attempts, server.accepted()), (1, 1));
    // The loser's socket is closed, and what it heard is a hello: a record of a handshake, and no other record behind it.
    eventually("the end of the loser", SOON, || deaf.ended().is_some()).await;
    let heard = deaf.ended().unwrap();
    assert_eq!(heard[..2], [0x16, 0x03]);
    let length = usize::from(u16::from_be_bytes([heard[3], heard[4]]));
    assert_eq!(heard.len(), 5 + length, "one record and nothing behind it");
}

#[tokio::test]
async fn address_that_shakes_hands_too_late_hears_nothing_more() {
    let authority = Authority::new("tests");
    let (late, server) =
        (Plan::new(&authority.sign(&[HOST])).start().await, Plan::new(&authority.sign(&[HOST])).start().await);
    let slow = ChaosProxy::start(late.addr()).await.unwrap();
    slow.latency(Direction::Down, millis(1_500), millis(0));
    let client = racing(&authority, vec![slow.addr(), server.addr()]).start().unwrap();
    let connected = await_event(&mut client.events_after(0), "connected", SOON).await;
    assert!(
        matches!(connected.kind, EventKind::Connected { peer, .. } if peer == Some(server.addr())),
        "{connected:?}"
    );
    eventually("the end of the loser", SOON, || late.accepted() == 1 && late.connections() == 0).await;
    assert_eq!(late.service().heard.load(Ordering::Relaxed), 0);
    assert!(server.service().heard.load(Ordering::Relaxed) > 0, "the winner was greeted");
}

#[tokio::test]
async fn failure_of_tls_at_one_address_starts_the_next_at_once_and_is_remembered() {
    let authority = Authority::new("tests");
    let stranger = Plan::new(&Authority::new("strangers").sign(&[HOST])).start().await;
    let server = Plan::new(&authority.sign(&[HOST])).start().await;
    // The longest there is: a handshake on a busy machine takes less, and a failure waits for none.
    let racing = racing(&authority, vec![stranger.addr(), server.addr()]).address_stagger(secs(2));
    let client = racing.connect().await.unwrap();
    let mut events = client.events_after(0);
    await_event(&mut events, "connected", SOON).await;
    client.reconnect();
    await_event(&mut events, "disconnected", SOON).await;
    let failed = client.reports()[0].entries.iter().find_map(|entry| match entry.what {
        Transition::AddressesFailed { count } => Some(count),
        _ => None,
    });
    assert_eq!(failed, Some(1));
    await_event(&mut events, "connected", SOON).await;
    assert_eq!((stranger.accepted(), server.accepted()), (1, 2), "the one that answered is dialled first from now on");
}

#[tokio::test]
async fn addresses_that_are_all_dead_behind_tcp_are_one_failed_handshake_in_time() {
    let deaf = [Deaf::start().await, Deaf::start().await];
    let addresses = deaf.iter().map(|deaf| deaf.addr).collect();
    let client = racing(&Authority::new("tests"), addresses).connect_per_address(millis(500)).connect_total(secs(1));
    let client = client.start().unwrap();
    let ended = await_event(&mut client.events(), "disconnected", SOON).await;
    let EventKind::Disconnected(ended) = ended.kind else { panic!("{ended:?}") };
    assert_eq!((ended.ending.cause, ended.failures), (Cause::Tls(TlsFailure::Timeout), 1));
    assert_eq!(client.stats().attempts, 1);
}

#[tokio::test]
async fn race_ends_with_tcp_unless_more_is_asked_for() {
    let authority = Authority::new("tests");
    let server = Plan::new(&authority.sign(&[HOST])).start().await;
    let deaf = Deaf::start().await;
    let client = racing(&authority, vec![deaf.addr, server.addr()]).race_through_tls(false).start().unwrap();
    let ended = await_event(&mut client.events(), "disconnected", SOON).await;
    let EventKind::Disconnected(ended) = ended.kind else { panic!("{ended:?}") };
    assert_eq!(ended.ending.cause, Cause::Tls(TlsFailure::Timeout));
    assert_eq!(server.accepted(), 0);
}

#[test]
fn race_through_tls_needs_tls_and_more_than_one_socket() {
    let refused = |builder: Builder| {
        let error = builder.validate().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().starts_with("race_through_tls: "), "{error}");
    };
    let plain = Client::builder("service.test:1").race_through_tls(true);
    refused(plain.clone());
    refused(plain.clone().tls(Tls::new()).addresses(Addresses::OneAtATime));
    refused(plain.clone().tls(Tls::new()).profile(Profile::Industrial));
    assert!(plain.tls(Tls::new()).validate().unwrap().race_through_tls);
    assert!(Client::builder("tls://service.test:1").race_through_tls(true).validate().is_ok());
    assert!(!Client::builder("tls://service.test:1").validate().unwrap().race_through_tls, "off unless asked for");
    let behind = Client::builder("tls://service.test:1").race_through_tls(true).proxy("socks5://proxy.test:1");
    let notices = &behind.validate().unwrap().notices;
    assert!(notices.iter().any(|notice| notice.field == "race_through_tls"), "{notices:?}");
}

/// A client that logs in at whichever of these addresses shakes hands.
fn racing(authority: &Authority, addresses: Vec<SocketAddr>) -> Builder {
    let login = Script::default().send_credentials("login ", "").expect(Matcher::Exact("login hunter2".into()));
    Client::builder((HOST, 1))
        .tls(Tls::new().ca(authority.pem()))
        .framing(Framing::lines())
        .greeting(login)
        .static_credentials("hunter2")
        .resolver(Answers(addresses))
        .race_through_tls(true)
}

struct Answers(Vec<SocketAddr>);

impl Resolver for Answers {
    fn resolve(&self, _host: &str, _port: u16) -> Resolving {
        let addresses = self.0.clone();
        Box::pin(async move { Ok::<_, ResolveError>(addresses) })
    }
}

/// Accepts a connection and never says anything; what it heard is told once the other side has ended it.
struct Deaf {
    addr: SocketAddr,
    heard: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Deaf {
    async fn start() -> Deaf {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let deaf = Deaf { addr: listener.local_addr().unwrap(), heard: Arc::default() };
        let told = deaf.heard.clone();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = Vec::new();
            // Ended in order or by a reset: both are an end.
            let _ended = stream.read_to_end(&mut heard).await;
            *told.lock().unwrap() = Some(heard);
        });
        deaf
    }

    fn ended(&self) -> Option<Vec<u8>> {
        self.heard.lock().unwrap().clone()
    }
}
