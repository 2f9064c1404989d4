//! Rows 4, 5, 9, 10, 12: the endpoint is a name, and the name service has its days.

use super::support::{Journal, PORT, SOON, assert_noticed, echo, in_lab, peer, quick, secs};
use keepline::cause::DnsFailure;
use keepline::{Builder, Cause, Client, Event, EventKind, Framing, Profile};
use keepline_testkit::lab::{FRESH_SERVER, LabOptions, PeerOptions, Role, SERVER, SERVER_V6};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

const NAME: &str = "svc.lab";

#[test]
fn first_address_that_is_dead_leaves_the_second_within_its_share_of_the_time() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        lab.fault("dns", &[&format!("a={SERVER}"), &format!("aaaa={SERVER_V6}")]).unwrap();
        lab.fault("blackhole", &["family=6"]).unwrap();
        let fault = Instant::now();
        let client = by_name().profile(Profile::Industrial).connect_per_address(secs(2)).start().unwrap();
        let mut journal = Journal::of(&client);
        let connected = journal.next("connected", SOON).await;
        assert_eq!(peer_of(&connected.event), SERVER.parse::<IpAddr>().unwrap());
        assert!(lab.hits("blackhole").unwrap() >= 1, "IPv6 was tried first:\n{}", lab.status());
        assert_noticed(fault, connected.at, Some(client.config().connect_per_address));
        assert_eq!(journal.count("disconnected"), 0, "{journal}");
    });
}

#[test]
fn sixteen_dead_addresses_cost_one_attempt_its_time_and_are_told_of_once() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let addresses: Vec<String> = (100..116).map(|host| format!("198.18.2.{host}")).collect();
        lab.fault("dns", &[&format!("a={}", addresses.join(","))]).unwrap();
        lab.fault("syn_drop", &[&format!("port={PORT}")]).unwrap();
        let start = Instant::now();
        let client = by_name().connect_per_address(secs(1)).connect_total(secs(3)).start().unwrap();
        let mut journal = Journal::of(&client);
        let (noticed, end) = journal.next_end(SOON).await;
        assert_eq!(end.ending.cause, Cause::ConnectTimeout, "{journal}");
        assert!(noticed - start >= secs(3), "more addresses are left than there is time for: {journal}");
        assert_noticed(start, noticed, Some(secs(3)));
        assert!(lab.hits("syn").unwrap() >= 3, "one address after the other:\n{}", lab.status());
        lab.clear().unwrap();
        lab.fault("dns", &[&format!("a={SERVER}")]).unwrap();
        journal.next("connected", SOON).await;
        let attempts = client.stats().attempts;
        assert_eq!(journal.count("disconnected") as u64, attempts - 1, "one for each attempt: {journal}");
        assert_eq!(peer.counts().unwrap().accepted, 1);
    });
}

#[test]
fn name_that_does_not_exist_yet_is_asked_for_again() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        lab.fault("dns", &["mode=nxdomain"]).unwrap();
        let client = by_name().start().unwrap();
        let mut journal = Journal::of(&client);
        let (_, end) = journal.next_end(SOON).await;
        assert_eq!(end.ending.cause, Cause::Dns(DnsFailure::NotFound), "{journal}");
        assert!(end.retry_in >= Some(secs(1)), "a name does not appear in less: {end:?}");
        lab.fault("dns", &[&format!("a={SERVER}")]).unwrap();
        journal.next("connected", SOON).await;
    });
}

#[test]
fn name_service_that_hangs_costs_an_attempt_its_time_and_the_user_nothing() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        lab.fault("dns", &["mode=drop"]).unwrap();
        let start = Instant::now();
        let client = by_name().connect_per_address(secs(1)).connect_total(secs(1)).start().unwrap();
        let mut journal = Journal::of(&client);
        client.try_send("queued").unwrap();
        let (noticed, end) = journal.next_end(SOON).await;
        assert_eq!(end.ending.cause, Cause::Dns(DnsFailure::Timeout), "{journal}");
        assert_noticed(start, noticed, Some(secs(1)));
        journal.next("connecting", SOON).await;
        let asked = Instant::now();
        client.close(secs(0)).await;
        assert_noticed(asked, Instant::now(), Some(secs(0)));
    });
}

#[test]
fn name_that_moved_is_followed_by_the_next_attempt() {
    in_lab(LabOptions::default(), async |lab| {
        let old = peer(lab);
        let new = lab.peer(PeerOptions::on(Role::FreshServer, PORT)).unwrap();
        lab.fault("dns", &[&format!("a={SERVER}")]).unwrap();
        let client = by_name().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        let connected = journal.next("connected", SOON).await;
        assert_eq!(peer_of(&connected.event), SERVER.parse::<IpAddr>().unwrap());
        lab.fault("dns", &[&format!("a={FRESH_SERVER}")]).unwrap();
        old.reset_all().unwrap();
        let connected = journal.next("connected", SOON).await;
        assert_eq!(peer_of(&connected.event), FRESH_SERVER.parse::<IpAddr>().unwrap());
        echo(&client, "moved").await;
        assert_eq!(new.counts().unwrap().accepted, 1);
    });
}

/// The quick client, with a name instead of an address.
fn by_name() -> Builder {
    let config = quick().validate().unwrap();
    let heartbeat = super::support::ping().every(secs(1)).reply_within(secs(2));
    Client::builder((NAME, PORT))
        .framing(Framing::lines())
        .heartbeat(heartbeat)
        .first_spread(config.backoff.first_spread)
        .backoff_initial(config.backoff.initial)
        .backoff_max(config.backoff.max)
}

fn peer_of(event: &Event) -> IpAddr {
    match event.kind {
        EventKind::Connected { peer: Some(peer), .. } => SocketAddr::ip(&peer),
        _ => panic!("{event:?}"),
    }
}
