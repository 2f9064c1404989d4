//! Rows 3 to 5 and 9 to 12: the endpoint is a name, and its addresses or the name service have their days.

use super::support::{Journal, PORT, SOON, assert_noticed, echo, in_lab, millis, peer, quick, secs};
use keepline::cause::DnsFailure;
use keepline::{Addresses, Builder, Cause, Client, Event, EventKind, Framing, Profile};
use keepline_testkit::lab::{FRESH_SERVER, Lab, LabOptions, PeerOptions, Role, SERVER, SERVER_V6};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Instant;

const NAME: &str = "svc.lab";

#[test]
fn dead_ipv6_costs_a_name_one_stagger() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        lab.fault("dns", &[&format!("a={SERVER}"), &format!("aaaa={SERVER_V6}")]).unwrap();
        lab.fault("blackhole", &["family=6"]).unwrap();
        assert_connected_after_one_stagger(lab, SERVER, by_name).await;
    });
}

#[test]
fn dead_ipv4_costs_a_name_that_prefers_it_one_stagger() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        lab.fault("blackhole", &["family=4"]).unwrap();
        assert_connected_after_one_stagger(lab, SERVER_V6, || resolving_to(&[SERVER, SERVER_V6])).await;
    });
}

#[test]
fn dead_first_address_of_the_same_family_costs_one_stagger() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = lab.peer(PeerOptions::on(Role::FreshServer, PORT)).unwrap();
        lab.fault("dns", &[&format!("a={SERVER}")]).unwrap();
        let dead = lab.peer(PeerOptions::on(Role::Server, PORT).backlog(1)).unwrap();
        dead.set_accepting(false).unwrap();
        let queued: Vec<_> = std::iter::from_fn(|| connect_soon(SERVER)).take(10).collect();
        assert!(queued.len() < 10, "the queue does not fill");
        assert_connected_after_one_stagger(lab, FRESH_SERVER, || resolving_to(&[SERVER, FRESH_SERVER])).await;
    });
}

#[test]
fn address_that_the_network_refuses_costs_a_round_trip() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        // The router knows no way to the first (a documentation network), and says so.
        let fault = Instant::now();
        let builder = resolving_to(&["203.0.113.1", SERVER]).address_stagger(secs(2));
        let client = builder.start().unwrap();
        let mut journal = Journal::of(&client);
        let connected = journal.next("connected", SOON).await;
        assert_eq!(peer_of(&connected.event), SERVER.parse::<IpAddr>().unwrap());
        let EventKind::Connected { after, .. } = connected.event.kind else { unreachable!() };
        assert!(after < secs(2), "the stagger was waited for: {after:?}");
        assert_noticed(fault, connected.at, Some(secs(0)));
    });
}

#[test]
fn one_at_a_time_leaves_the_second_address_its_share_of_the_time() {
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
        assert!(connected.at - fault >= client.config().connect_per_address, "two sockets at a time: {journal}");
        assert_noticed(fault, connected.at, Some(client.config().connect_per_address));
        assert_eq!(journal.count("disconnected"), 0, "{journal}");
    });
}

#[test]
fn sixteen_dead_addresses_cost_one_attempt_its_time_and_are_told_of_once() {
    for addresses in [Addresses::HappyEyeballs, Addresses::OneAtATime] {
        in_lab(LabOptions::default(), async |lab| {
            let peer = peer(lab);
            let dead: Vec<String> = (100..116).map(|host| format!("198.18.2.{host}")).collect();
            lab.fault("dns", &[&format!("a={}", dead.join(","))]).unwrap();
            lab.fault("syn_drop", &[&format!("port={PORT}")]).unwrap();
            let start = Instant::now();
            let builder = by_name().addresses(addresses).connect_per_address(secs(3)).connect_total(secs(5));
            let client = builder.start().unwrap();
            let mut journal = Journal::of(&client);
            let (noticed, end) = journal.next_end(SOON).await;
            assert_eq!(end.ending.cause, Cause::ConnectTimeout, "{journal}");
            assert!(noticed - start >= secs(5), "there was time for another address: {journal}");
            assert_noticed(start, noticed, Some(secs(5)));
            // Sixteen that start 250 ms apart have all started after 3.75 s. One after the other, the second ends before its
            // third SYN would come too late, and leaves the third a moment. Each SYN is sent again every second.
            let tried = lab.hits("syn").unwrap();
            let expected = if addresses == Addresses::HappyEyeballs { 17..=80 } else { 4..=8 };
            assert!(expected.contains(&tried), "{tried} SYNs of {addresses}:\n{}", lab.status());
            lab.clear().unwrap();
            lab.fault("dns", &[&format!("a={SERVER}")]).unwrap();
            journal.next("connected", SOON).await;
            let attempts = client.stats().attempts;
            assert_eq!(journal.count("disconnected") as u64, attempts - 1, "one for each attempt: {journal}");
            assert_eq!(peer.counts().unwrap().accepted, 1);
        });
    }
}

#[test]
fn addresses_that_an_attempt_had_no_time_for_are_the_first_of_the_next() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        // Three that nothing answers for, and the one that lives comes last.
        lab.fault("blackhole", &["family=6"]).unwrap();
        let list = ["2001:db8:2::101", "2001:db8:2::102", "2001:db8:2::103", SERVER_V6];
        let client = resolving_to(&list)
            .profile(Profile::Industrial)
            .connect_per_address(millis(1_600))
            .connect_total(millis(3_600))
            .start()
            .unwrap();
        let mut journal = Journal::of(&client);
        journal.next_end_by(Cause::ConnectTimeout, SOON).await;
        lab.clear().unwrap();
        let connected = journal.next("connected", SOON).await;
        assert_eq!(peer_of(&connected.event), SERVER_V6.parse::<IpAddr>().unwrap());
        assert_eq!(client.stats().attempts, 2, "{journal}");
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
fn name_service_that_fails_is_told_by_how_it_fails() {
    in_lab(LabOptions::default(), async |lab| {
        for (mode, failure) in
            [("nxdomain", DnsFailure::NotFound), ("servfail", DnsFailure::Temporary), ("empty", DnsFailure::NoAddress)]
        {
            lab.fault("dns", &[&format!("mode={mode}")]).unwrap();
            let client = by_name().start().unwrap();
            let (_, end) = Journal::of(&client).next_end(SOON).await;
            assert_eq!(end.ending.cause, Cause::Dns(failure), "{mode}");
            client.close(secs(0)).await;
        }
    });
}

#[test]
fn name_service_that_hangs_costs_an_attempt_its_share_and_the_user_nothing() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        lab.fault("dns", &["mode=drop"]).unwrap();
        let start = Instant::now();
        let client = by_name().connect_per_address(secs(1)).connect_total(secs(2)).start().unwrap();
        let mut journal = Journal::of(&client);
        client.try_send("queued").unwrap();
        // While getaddrinfo hangs, for 2 s with the resolv.conf of the lab.
        journal.next("connecting", SOON).await;
        for (name, ask) in [("paused", Client::pause as fn(&Client)), ("resumed", Client::resume)] {
            let asked = Instant::now();
            ask(&client);
            let told = journal.next(name, SOON).await;
            assert_at_once(asked, told.at);
        }
        let (noticed, end) = journal.next_end_by(Cause::Dns(DnsFailure::Timeout), SOON).await;
        assert_eq!(end.up_for, None, "{journal}");
        assert_noticed(start, noticed, Some(client.config().name_within()));
        journal.next("connecting", SOON).await;
        let asked = Instant::now();
        client.close(secs(0)).await;
        assert_at_once(asked, Instant::now());
    });
}

#[test]
fn last_good_addresses_serve_while_the_name_service_is_away() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        lab.fault("dns", &[&format!("a={SERVER}")]).unwrap();
        let client = by_name().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        for mode in ["nxdomain", "servfail", "empty", "drop"] {
            lab.fault("dns", &[&format!("mode={mode}")]).unwrap();
            let fault = Instant::now();
            peer.reset_all().unwrap();
            let (_, end) = journal.next_end(SOON).await;
            let connected = journal.next("connected", SOON).await;
            assert_eq!(peer_of(&connected.event), SERVER.parse::<IpAddr>().unwrap());
            // The wait before the attempt, and the name's share of it.
            assert_noticed(fault, connected.at, Some(end.retry_in.unwrap() + client.config().name_within()));
            assert_eq!(echo(&client, mode).await, client.epoch());
        }
        assert_eq!(journal.count("connecting"), 5, "each took one attempt: {journal}");
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
        assert_eq!(
            (new.counts().unwrap().accepted, client.stats().attempts),
            (1, 2),
            "one reconnect is enough: {journal}"
        );
    });
}

/// Connects three fresh clients, each of which meets a dead address first: after its stagger of 250 ms and a round trip,
/// and the quickest of them 100 ms later at most.
async fn assert_connected_after_one_stagger(lab: &Lab, alive: &str, builder: impl Fn() -> Builder) {
    let round_trip = {
        let start = Instant::now();
        assert!(connect_soon(alive).is_some(), "{alive} is alive\n{}", lab.status());
        start.elapsed()
    };
    let bound = millis(250) + round_trip + millis(100);
    let mut quickest = SOON;
    for _ in 0..3 {
        let fault = Instant::now();
        let client = builder().start().unwrap();
        let mut journal = Journal::of(&client);
        let connected = journal.next("connected", SOON).await;
        assert_eq!(peer_of(&connected.event), alive.parse::<IpAddr>().unwrap());
        assert!(connected.at - fault >= millis(250), "the dead one was not tried first: {journal}");
        assert_noticed(fault, connected.at, Some(bound));
        assert_eq!(journal.count("disconnected"), 0, "{journal}");
        quickest = quickest.min(connected.at - fault);
        client.close(secs(0)).await;
    }
    assert!(quickest <= bound, "the quickest took {quickest:?}, bound {bound:?}");
}

/// What does not wait for anything takes 50 ms; half a second on a machine that is busy with other labs.
fn assert_at_once(asked: Instant, answered: Instant) {
    assert!(answered - asked <= millis(500), "answered after {:?}", answered - asked);
}

fn connect_soon(host: &str) -> Option<TcpStream> {
    let address = SocketAddr::new(host.parse().unwrap(), PORT);
    TcpStream::connect_timeout(&address, millis(500)).ok()
}

/// The quick client of a name that its own resolver knows, in this order.
fn resolving_to(list: &[&str]) -> Builder {
    let addresses: Vec<SocketAddr> = list.iter().map(|host| SocketAddr::new(host.parse().unwrap(), PORT)).collect();
    by_name().resolver(move |_: String, _: u16| std::future::ready(Ok(addresses.clone())))
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
