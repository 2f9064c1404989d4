//! Rows 27 and 49 to 52: the client's own network changes or goes down, and the client sees it by itself.

use super::support::{
    Journal, PORT, SOON, assert_noticed, echo, in_lab, lines, millis, on_one_thread_in_lab, peer, ping, quick, secs,
};
use keepline::{Cause, Client, Event, EventKind, State, Suspicion};
use keepline_testkit::lab::{LabOptions, SERVER};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};

/// What a client waits for a network to hold still.
const SETTLES: Duration = secs(1);

#[test]
fn client_that_starts_without_a_network_makes_no_attempt_until_there_is_one() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        lab.fault("link_down", &["side=client"]).unwrap();
        let client = quick().start().unwrap();
        let mut journal = Journal::of(&client);
        journal.next("offline", SOON).await;
        tokio::time::sleep(secs(4)).await;
        assert_eq!((client.stats().attempts, client.state()), (0, State::Offline), "{journal}");
        let back = Instant::now();
        lab.clear().unwrap();
        let connected = journal.next("connected", SOON).await;
        assert_noticed(back, connected.at, Some(SETTLES));
        echo(&client, "at last").await;
        assert_eq!((client.stats().attempts, peer.counts().unwrap().accepted), (1, 1), "{journal}");
    });
}

#[test]
fn client_whose_server_went_away_with_the_network_tries_nothing_until_the_network_is_back() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = quick().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        peer.kill().unwrap();
        journal.next_end(SOON).await;
        lab.fault("link_down", &["side=client"]).unwrap();
        journal.next("offline", SOON).await;
        let before = client.stats().attempts;
        tokio::time::sleep(secs(4)).await;
        assert_eq!((client.stats().attempts, client.state()), (before, State::Offline), "{journal}");
        let _again = self::peer(lab);
        let back = Instant::now();
        lab.clear().unwrap();
        assert_noticed(back, journal.next("connected", SOON).await.at, Some(SETTLES));
        echo(&client, "back").await;
    });
}

#[test]
fn name_that_cannot_be_asked_for_without_a_network_costs_one_attempt() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        lab.fault("dns", &["name=svc.lab", &format!("a={SERVER}")]).unwrap();
        lab.fault("link_down", &["side=client"]).unwrap();
        let client = named().start().unwrap();
        let mut journal = Journal::of(&client);
        let (_, end) = journal.next_end(SOON).await;
        assert!(matches!(end.ending.cause, Cause::Dns(_)), "{journal}");
        journal.next("offline", SOON).await;
        tokio::time::sleep(secs(4)).await;
        assert_eq!((client.stats().attempts, client.state()), (1, State::Offline), "{journal}");
        let back = Instant::now();
        lab.clear().unwrap();
        lab.fault("dns", &["name=svc.lab", &format!("a={SERVER}")]).unwrap();
        assert_noticed(back, journal.next("connected", SOON).await.at, Some(SETTLES));
    });
}

#[test]
fn new_address_is_seen_and_followed_at_once() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = quick().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        let fault = Instant::now();
        lab.fault("roam", &[]).unwrap();
        let (noticed, end) = journal.next_end(SOON).await;
        assert_eq!(end.ending.cause, Cause::NetworkChanged, "{journal}");
        assert_eq!(end.retry_in, Some(secs(0)));
        assert_noticed(fault, noticed, Some(SETTLES));
        let back = journal.next("connected", SOON).await;
        assert_noticed(fault, back.at, Some(SETTLES));
        echo(&client, "from the road").await;
        assert_eq!(peer.counts().unwrap().accepted, 2);
    });
}

#[test]
fn stream_on_an_address_that_goes_is_ended_for_its_user() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        let streams = Client::builder((SERVER, PORT)).connect_streams().await.unwrap();
        let mut stream = streams.next().await.unwrap();
        let fault = Instant::now();
        lab.fault("roam", &[]).unwrap();
        let mut byte = [0];
        let read = tokio::time::timeout(SOON, tokio::io::AsyncReadExt::read(&mut stream, &mut byte)).await.unwrap();
        assert!(matches!(read, Err(_) | Ok(0)), "{read:?}");
        assert_noticed(fault, Instant::now(), Some(SETTLES));
        drop(stream);
        tokio::time::timeout(SOON, streams.next()).await.unwrap().unwrap();
    });
}

#[test]
fn new_route_is_asked_over_and_the_connection_kept_while_its_address_is() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = quick().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        let epoch = journal.next("connected", SOON).await.event.kind.epoch();
        lab.fault("roam", &["keep_addr=1"]).unwrap();
        let suspect = journal.next("suspect", SOON).await.event;
        assert!(is_by_network(&suspect), "{journal}");
        journal.next("recovered", SOON).await;
        assert_eq!(Some(echo(&client, "over another link").await), epoch);
        journal.assert_unbroken();
        assert_eq!(peer.counts().unwrap().accepted, 1);
    });
}

#[test]
fn interface_that_the_connection_does_not_use_comes_and_goes_unnoticed() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = quick().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        let epoch = journal.next("connected", SOON).await.event.kind.epoch();
        for _ in 0..3 {
            ip("link add other0 type veth peer name other1");
            ip("address add 10.99.0.1/24 dev other0");
            ip("link set other0 up");
            ip("link set other1 up");
            ip("route add 10.98.0.0/24 via 10.99.0.2");
            tokio::time::sleep(millis(400)).await;
            ip("link set other0 down");
            ip("link delete other0");
            tokio::time::sleep(millis(400)).await;
        }
        tokio::time::sleep(SETTLES + secs(1)).await;
        assert!(!journal.has("suspect") && !journal.has("offline"), "{journal}");
        journal.assert_unbroken();
        assert_eq!(Some(echo(&client, "still here").await), epoch);
        assert_eq!(peer.counts().unwrap().accepted, 1);
    });
}

#[test]
fn idle_client_is_not_even_woken_by_changes_that_are_not_its_own() {
    on_one_thread_in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        let turns = Turns::default();
        let _counting = tracing::subscriber::set_default(turns.clone());
        let client = Client::builder((SERVER, PORT)).connect().await.unwrap();
        tokio::time::sleep(secs(2)).await;
        let before = turns.count();
        for _ in 0..3 {
            ip("link add other0 type veth peer name other1");
            ip("address add 10.99.0.1/24 dev other0");
            ip("link set other0 up");
            ip("link delete other0");
            tokio::time::sleep(millis(400)).await;
        }
        assert_eq!(turns.count(), before);
        lab.fault("roam", &[]).unwrap();
        Journal::of(&client).next_end_by(Cause::NetworkChanged, SOON).await;
        assert!(turns.count() > before, "what is counted here is counted");
    });
}

#[test]
fn link_that_flaps_costs_at_most_one_connection() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        // A deadline longer than the flapping, as in the same test with hints.
        let client = lines().user_timeout(secs(30)).heartbeat(ping().every(secs(1)).reply_within(secs(10)));
        let client = client.connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        for _ in 0..10 {
            lab.fault("link_down", &["side=client"]).unwrap();
            tokio::time::sleep(secs(1) / 4).await;
            lab.clear().unwrap();
            tokio::time::sleep(secs(1) / 4).await;
        }
        tokio::time::sleep(SETTLES).await;
        echo(&client, "still here").await;
        assert_eq!(client.state(), State::Connected);
        assert!(journal.count("disconnected") <= 1 && peer.counts().unwrap().accepted <= 2, "{journal}");
    });
}

#[test]
fn connection_outlives_a_link_that_is_down_for_a_while() {
    in_lab(LabOptions::default(), async |lab| {
        for side in ["side=client", "side=router"] {
            let peer = peer(lab);
            // The kernel's patience is longer than the outage: what is tested is that the client's is too.
            let client = lines().user_timeout(secs(30)).heartbeat(ping().every(secs(1)).reply_within(secs(2)));
            let client = client.connect().await.unwrap();
            let mut journal = Journal::of(&client);
            let epoch = journal.next("connected", SOON).await.event.kind.epoch();
            let fault = Instant::now();
            lab.fault("link_down", &[side]).unwrap();
            assert_noticed(fault, journal.next("offline", SOON).await.at, Some(SETTLES));
            // Longer than the heartbeat would have waited.
            tokio::time::sleep(secs(5)).await;
            assert_eq!((client.stats().attempts, client.state()), (1, State::Offline), "{side}: {journal}");
            lab.clear().unwrap();
            journal.next("suspect", SOON).await;
            journal.next("recovered", SOON).await;
            assert_eq!(Some(echo(&client, "as if nothing had been").await), epoch, "{side}");
            journal.assert_unbroken();
            client.abort();
            drop(peer);
        }
    });
}

#[test]
fn idle_connection_whose_own_link_is_down_dies_of_the_own_network() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        // Nothing but the kernel's probes: without the look at the network all it could say is that the path is silent.
        let client = lines().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        let fault = Instant::now();
        lab.fault("link_down", &["side=client"]).unwrap();
        journal.next("offline", SOON).await;
        let (noticed, end) = journal.next_end(SOON).await;
        assert_eq!(end.ending.cause, Cause::LocalNetworkDown, "{journal}");
        assert_noticed(fault, noticed, client.detection_bounds().path_silent_idle.within);
        let before = client.stats().attempts;
        tokio::time::sleep(secs(3)).await;
        assert_eq!((client.stats().attempts, client.state()), (before, State::Offline), "{journal}");
        lab.clear().unwrap();
        journal.next("connected", SOON).await;
        echo(&client, "back").await;
    });
}

#[test]
fn peer_on_this_host_is_dialled_without_any_network() {
    in_lab(LabOptions::default(), async |lab| {
        lab.fault("link_down", &["side=client"]).unwrap();
        let server = keepline_testkit::servers::EchoServer::start().await.unwrap();
        let client = Client::builder(server.addr()).framing(keepline::Framing::lines()).connect().await.unwrap();
        echo(&client, "hello").await;
        let local = Client::builder(("localhost", server.addr().port())).connect().await.unwrap();
        assert_eq!((client.stats().attempts, local.stats().attempts), (1, 1));
    });
}

#[test]
fn hint_of_the_system_and_the_own_eyes_make_one_new_connection() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = quick().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        lab.fault("roam", &[]).unwrap();
        client.network_changed(None);
        let (_, end) = journal.next_end(SOON).await;
        assert_eq!(end.ending.cause, Cause::NetworkChanged, "{journal}");
        journal.next("connected", SOON).await;
        tokio::time::sleep(SETTLES + secs(1)).await;
        echo(&client, "from the road").await;
        journal.assert_unbroken();
        assert_eq!(peer.counts().unwrap().accepted, 2);
    });
}

#[test]
fn many_clients_of_a_host_share_one_look_and_all_follow() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let mut clients = Vec::new();
        for _ in 0..50 {
            clients.push(quick().connect().await.unwrap());
        }
        assert_eq!(open_netlink_sockets(), 1, "one for all");
        lab.fault("roam", &[]).unwrap();
        for client in &clients {
            let mut journal = Journal::of(client);
            let (_, end) = journal.next_end(SOON).await;
            assert_eq!(end.ending.cause, Cause::NetworkChanged, "{journal}");
            journal.next("connected", SOON).await;
        }
        assert_eq!(peer.counts().unwrap().accepted, 100);
    });
}

fn named() -> keepline::Builder {
    let config = lines().heartbeat(ping().every(secs(1)).reply_within(secs(2))).validate().unwrap();
    Client::builder(("svc.lab", PORT)).valid_config(config)
}

fn is_by_network(event: &Event) -> bool {
    matches!(event.kind, EventKind::Suspect { evidence: Suspicion::NetworkChanged, .. })
}

/// Runs `ip` in the network of this thread, the client's.
fn ip(arguments: &str) {
    let done = Command::new("ip").args(arguments.split(' ')).status().unwrap();
    assert!(done.success(), "ip {arguments}: {done}");
}

/// Sockets of this network that are subscribed to news of links.
fn open_netlink_sockets() -> usize {
    let table = std::fs::read_to_string("/proc/thread-self/net/netlink").unwrap();
    let subscribed = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // NETLINK_ROUTE, and the groups that the client subscribes to.
        fields[1] == "0" && u32::from_str_radix(fields[3], 16).unwrap() == 0x551
    };
    table.lines().skip(1).filter(subscribed).count()
}

/// Counts the turns of drivers: each enters the span of its client.
#[derive(Clone, Default)]
struct Turns(Arc<AtomicU64>);

impl Turns {
    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Subscriber for Turns {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.name() == "keepline"
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn enter(&self, _span: &Id) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn exit(&self, _span: &Id) {}
    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn event(&self, _event: &tracing::Event<'_>) {}
}
