//! Names and addresses on the loopback: who resolves, which address is dialled when, and what is told of it.

mod support;

use keepline::cause::DnsFailure;
use keepline::recorder::Transition;
use keepline::{
    Addresses, Builder, Cause, Client, Disconnected, Event, EventKind, Events, NetworkKind, NetworkPath, Profile,
    ResolveError, Resolver, Resolving,
};
use keepline_testkit::chaos::End;
use keepline_testkit::port::ReservedPort;
use keepline_testkit::servers::EchoServer;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use support::{SOON, await_event, millis, secs};

#[tokio::test]
async fn closed_address_is_passed_over_at_once_and_counted_in_the_report() {
    let server = EchoServer::start().await.unwrap();
    let closed = [closed_port(), closed_port()];
    let addresses = vec![closed[0].addr(), closed[1].addr(), server.addr()];
    let client = quick(Answers::of(addresses)).connect().await.unwrap();
    let mut events = client.events_after(0);
    let connected = await_event(&mut events, "connected", SOON).await;
    assert_eq!(peer_of(&connected), server.addr());
    assert_eq!(client.stats().attempts, 1, "one attempt, however many addresses");
    client.reconnect();
    await_event(&mut events, "disconnected", SOON).await;
    assert_eq!(addresses_failed(&client), Some(2));
    // The one that answered is dialled first from now on.
    await_event(&mut events, "connected", SOON).await;
    client.reconnect();
    await_event(&mut events, "disconnected", SOON).await;
    assert_eq!(addresses_failed(&client), None);
}

#[tokio::test]
async fn ipv6_that_nobody_listens_on_leaves_ipv4() {
    let server = EchoServer::start().await.unwrap();
    let dead = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], server.addr().port()));
    let client = quick(Answers::of(vec![dead, server.addr()])).connect().await.unwrap();
    let connected = await_event(&mut client.events_after(0), "connected", SOON).await;
    assert_eq!(peer_of(&connected), server.addr());
}

#[tokio::test]
async fn silent_first_address_costs_one_stagger() {
    let silent = Silent::listen();
    let server = EchoServer::start().await.unwrap();
    let client = quick(Answers::of(vec![silent.address(1), server.addr()])).start().unwrap();
    let connected = await_event(&mut client.events_after(0), "connected", SOON).await;
    let EventKind::Connected { peer, after, .. } = connected.kind else { panic!("{connected:?}") };
    assert_eq!(peer, Some(server.addr()));
    assert!(after >= millis(250), "the first one has its stagger for itself: {after:?}");
    assert!(after < client.config().connect_per_address, "and no more: {after:?}");
}

#[tokio::test]
async fn one_at_a_time_waits_for_the_first_address_before_it_dials_the_second() {
    let silent = Silent::listen();
    let server = EchoServer::start().await.unwrap();
    let client = quick(Answers::of(vec![silent.address(1), server.addr()]))
        .profile(Profile::Industrial)
        .connect_per_address(millis(800))
        .start()
        .unwrap();
    assert_eq!(client.config().addresses, Addresses::OneAtATime);
    let connected = await_event(&mut client.events_after(0), "connected", SOON).await;
    let EventKind::Connected { peer, after, .. } = connected.kind else { panic!("{connected:?}") };
    assert_eq!(peer, Some(server.addr()));
    assert!(after >= millis(800), "two sockets at a time: {after:?}");
}

#[tokio::test]
async fn sixteen_silent_addresses_are_one_failed_attempt_that_keeps_its_deadline() {
    let silent = Silent::listen();
    let addresses = (1..=16).map(|host| silent.address(host)).collect();
    let client = quick(Answers::of(addresses)).connect_per_address(secs(1)).connect_total(secs(2)).start().unwrap();
    let start = Instant::now();
    let mut events = client.events_after(0);
    let end = next_end(&mut events).await;
    assert_eq!(end.ending.cause, Cause::ConnectTimeout);
    assert!(start.elapsed() >= secs(2) - millis(100) && start.elapsed() < secs(4), "{:?}", start.elapsed());
    await_event(&mut events, "connecting", SOON).await;
    client.pause();
    await_event(&mut events, "paused", SOON).await;
    let stats = client.stats();
    assert_eq!((stats.attempts, stats.failures), (2, 2));
}

#[tokio::test]
async fn of_a_thousand_addresses_thirty_two_are_dialled() {
    let closed = closed_port();
    let addresses = (0..1_000u32).map(|host| (Ipv4Addr::from(0x7f00_0001 + host), closed.port()).into()).collect();
    let client = quick(Answers::of(addresses)).start().unwrap();
    let end = next_end(&mut client.events_after(0)).await;
    assert_eq!(end.ending.cause, Cause::Refused);
    assert_eq!(addresses_failed(&client), Some(32));
}

#[tokio::test]
async fn each_failure_of_the_resolver_is_a_cause_of_its_own() {
    let failures: [(Cause, fn() -> Answer); 5] = [
        (Cause::Dns(DnsFailure::NotFound), || Err(ResolveError::not_found("no such name"))),
        (Cause::Dns(DnsFailure::Temporary), || Err(ResolveError::temporary("try again"))),
        (Cause::Dns(DnsFailure::NoAddress), || Err(ResolveError::no_address("only text"))),
        (Cause::Dns(DnsFailure::NoAddress), || Ok(Vec::new())),
        (Cause::Dns(DnsFailure::Temporary), || panic!("a resolver that panics (expected)")),
    ];
    for (cause, answer) in failures {
        let client = quick(move |_: String, _: u16| async move { answer() }).start().unwrap();
        let end = next_end(&mut client.events_after(0)).await;
        assert_eq!(end.ending.cause, cause);
        assert!(end.retry_in.is_some(), "a name may come back: {end:?}");
    }
}

#[tokio::test]
async fn resolver_that_never_answers_leaves_the_attempt_two_fifths_of_its_time() {
    let client = quick(|_: String, _: u16| std::future::pending()).connect_total(secs(1)).start().unwrap();
    let start = Instant::now();
    let end = next_end(&mut client.events_after(0)).await;
    assert_eq!(end.ending.cause, Cause::Dns(DnsFailure::Timeout));
    assert!(start.elapsed() >= millis(550) && start.elapsed() < secs(3), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resolver_that_blocks_its_thread_keeps_nobody_waiting() {
    // Longer than anything is waited for here, and freed at the end.
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Mutex::new(released);
    let client = quick(move |_: String, _: u16| {
        let _word = released.lock().unwrap().recv_timeout(secs(30));
        std::future::ready(Err(ResolveError::temporary("too late")))
    })
    .start()
    .unwrap();
    let mut events = client.events_after(0);
    await_event(&mut events, "connecting", SOON).await;
    for (name, ask) in [
        ("paused", Client::pause as fn(&Client)),
        ("resumed", Client::resume as fn(&Client)),
        ("connecting", |_: &Client| {}),
    ] {
        ask(&client);
        await_event(&mut events, name, SOON).await;
    }
    for (name, available) in [("offline", false), ("connecting", true)] {
        client.network_changed(Some(path(available)));
        await_event(&mut events, name, SOON).await;
    }
    tokio::time::timeout(SOON, client.close(secs(0))).await.unwrap();
    // Nor did anything wait until the attempt gave its resolver up.
    let mut told = client.events_after(0);
    while let Some(event) = told.try_recv() {
        let EventKind::Disconnected(end) = event.kind else { continue };
        assert!(!matches!(end.ending.cause, Cause::Dns(_)), "{end:?}");
    }
    drop(release);
}

#[tokio::test]
async fn last_good_addresses_serve_while_the_name_cannot_be_resolved() {
    for failure in [ResolveError::not_found("gone"), ResolveError::temporary("down"), ResolveError::no_address("empty")]
    {
        let server = EchoServer::start().await.unwrap();
        let answers = Answers::of(vec![server.addr()]);
        let client = quick(answers.clone()).connect().await.unwrap();
        let mut events = connected_events(&client).await;
        answers.now(Err(failure));
        server.stop(End::Rst).await;
        server.start_again().unwrap();
        let connected = await_event(&mut events, "connected", SOON).await;
        assert_eq!(peer_of(&connected), server.addr());
        assert!(answers.asked() >= 2, "every attempt asks anew");
        client.close(secs(0)).await;
    }
}

#[tokio::test]
async fn last_good_addresses_that_are_dead_too_leave_the_name_as_the_cause() {
    let server = EchoServer::start().await.unwrap();
    let answers = Answers::of(vec![server.addr()]);
    let client = quick(answers.clone()).connect().await.unwrap();
    let mut events = connected_events(&client).await;
    answers.now(Err(ResolveError::temporary("down")));
    server.stop(End::Rst).await;
    let end = next_end_by(&mut events, Cause::Dns(DnsFailure::Temporary)).await;
    assert_eq!(end.up_for, None);
    assert_eq!(addresses_failed(&client), Some(1), "the old one was tried");
}

#[tokio::test]
async fn name_that_moved_is_followed_by_the_next_attempt() {
    let (old, new) = (EchoServer::start().await.unwrap(), EchoServer::start().await.unwrap());
    let answers = Answers::of(vec![old.addr()]);
    let client = quick(answers.clone()).connect().await.unwrap();
    let mut events = connected_events(&client).await;
    answers.now(Ok(vec![new.addr()]));
    client.reconnect();
    let connected = await_event(&mut events, "connected", SOON).await;
    assert_eq!(peer_of(&connected), new.addr());
}

#[tokio::test]
async fn address_whose_server_sends_clients_away_is_not_dialled_first_again() {
    let rude = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let (rude_address, kind) = (rude.local_addr().unwrap(), EchoServer::start().await.unwrap());
    std::thread::spawn(move || rude.incoming().take(1).for_each(drop));
    let client = quick(Answers::of(vec![rude_address, kind.addr()])).start().unwrap();
    let mut events = client.events_after(0);
    assert_eq!(peer_of(&await_event(&mut events, "connected", SOON).await), rude_address);
    await_event(&mut events, "disconnected", SOON).await;
    assert_eq!(peer_of(&await_event(&mut events, "connected", SOON).await), kind.addr());
}

#[tokio::test]
async fn names_that_lead_inside_are_refused_on_request_only() {
    let server = EchoServer::start().await.unwrap();
    let answers = Answers::of(vec![server.addr()]);
    quick(answers.clone()).connect().await.unwrap();
    let client = quick(answers).refuse_private_addresses().start().unwrap();
    let end = next_end(&mut client.events_after(0)).await;
    assert_eq!(end.ending.cause, Cause::Dns(DnsFailure::NoAddress));
    // An address is no name: whoever gives it knows it.
    let client = Client::builder(server.addr()).refuse_private_addresses().connect().await.unwrap();
    client.close(secs(0)).await;
}

#[tokio::test]
async fn system_resolver_serves_by_itself_and_inside_another() {
    let server = EchoServer::start().await.unwrap();
    let port = server.addr().port();
    let client = Client::builder(("localhost", port)).connect().await.unwrap();
    client.close(secs(0)).await;
    let client = Client::builder(("database.internal", port))
        .resolver(|_: String, port: u16| async move { keepline::SystemResolver.resolve("localhost", port).await })
        .connect()
        .await
        .unwrap();
    client.close(secs(0)).await;
}

#[test]
fn runtime_ends_at_once_while_a_name_is_being_looked_up() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let client = runtime.block_on(async {
        let client = Client::builder("name.invalid:1").start().unwrap();
        await_event(&mut client.events_after(0), "connecting", SOON).await;
        client
    });
    let start = Instant::now();
    drop(runtime);
    assert!(start.elapsed() < secs(2), "{:?}", start.elapsed());
    drop(client);
}

type Answer = Result<Vec<SocketAddr>, ResolveError>;

/// A resolver whose answer can be changed.
#[derive(Clone)]
struct Answers {
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicUsize>,
}

impl Answers {
    fn of(addresses: Vec<SocketAddr>) -> Answers {
        Answers { answer: Arc::new(Mutex::new(Ok(addresses))), asked: Arc::default() }
    }

    fn now(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Resolver for Answers {
    fn resolve(&self, host: &str, _port: u16) -> Resolving {
        assert_eq!(host, "service.test");
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answer.lock().unwrap().clone();
        Box::pin(async move { answer })
    }
}

/// Addresses that accept nothing and refuse nothing: the queue of a listener on all of them is full.
struct Silent {
    listener: socket2::Socket,
    _queued: Vec<TcpStream>,
}

impl Silent {
    fn listen() -> Silent {
        let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from(([0, 0, 0, 0], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
        let mut queued = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&local, millis(300)) {
            queued.push(stream);
            assert!(queued.len() < 10, "the queue does not fill");
        }
        Silent { listener, _queued: queued }
    }

    fn address(&self, host: u8) -> SocketAddr {
        let address = self.listener.local_addr().unwrap().as_socket().unwrap();
        SocketAddr::from(([127, 0, 0, host], address.port()))
    }
}

/// A port that nobody listens on as long as this lives.
fn closed_port() -> ReservedPort {
    ReservedPort::loopback().unwrap()
}

/// A client that is back soon.
fn quick(resolver: impl Resolver) -> Builder {
    Client::builder("service.test:1")
        .resolver(resolver)
        .first_spread(millis(50))
        .backoff_initial(millis(50))
        .backoff_max(millis(200))
}

fn path(available: bool) -> NetworkPath {
    NetworkPath { id: 1, available, kind: NetworkKind::Unknown, metered: false }
}

/// The events of a client that is connected, from there on.
async fn connected_events(client: &Client) -> Events {
    let mut events = client.events_after(0);
    await_event(&mut events, "connected", SOON).await;
    events
}

fn peer_of(event: &Event) -> SocketAddr {
    match event.kind {
        EventKind::Connected { peer: Some(peer), .. } => peer,
        _ => panic!("{event:?}"),
    }
}

async fn next_end(events: &mut Events) -> Disconnected {
    let event = await_event(events, "disconnected", SOON).await;
    let EventKind::Disconnected(end) = event.kind else { panic!("{event:?}") };
    *end
}

async fn next_end_by(events: &mut Events, cause: Cause) -> Disconnected {
    loop {
        let end = next_end(events).await;
        if end.ending.cause == cause {
            return end;
        }
    }
}

/// What the last report says of addresses.
fn addresses_failed(client: &Client) -> Option<u32> {
    let report = client.reports().last().cloned().expect("an end has a report");
    report.entries.iter().find_map(|entry| match entry.what {
        Transition::AddressesFailed { count } => Some(count),
        _ => None,
    })
}
