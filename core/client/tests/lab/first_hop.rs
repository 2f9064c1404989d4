//! The client looks at the way that it really goes: to its proxy, to the endpoint that it is connected to, from where it is
//! to begin.

use super::support::{Journal, PORT, SOON, assert_noticed, echo, in_lab, peer, quick, secs};
use keepline::{Cause, Client, EndpointOrder, State};
use keepline_testkit::lab::{LabOptions, SERVER};
use std::process::Command;
use std::time::Instant;

/// Nobody has this address, and [`forbid`] leaves no way to it.
const ELSEWHERE: &str = "203.0.113.9";

#[test]
fn client_of_a_proxy_looks_at_the_way_to_the_proxy_and_not_to_the_endpoint() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        forbid(ELSEWHERE);
        let client = Client::builder((ELSEWHERE, 502)).proxy(proxy()).connect_total(secs(2)).start().unwrap();
        let mut journal = Journal::of(&client);
        // The peer is no proxy, but it was reached, which is all that a way has to lead to.
        let (_, end) = journal.next_end(SOON).await;
        assert!(matches!(end.ending.cause, Cause::Proxy(_)), "{journal}");
        assert!(!journal.has("offline"), "{journal}");
        assert!(peer.counts().unwrap().accepted >= 1);
    });
}

#[test]
fn client_whose_proxy_cannot_be_reached_tries_nothing_though_the_endpoint_could() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        forbid(ELSEWHERE);
        let client = quick().proxy(format!("socks5://{ELSEWHERE}:1080")).start().unwrap();
        let mut journal = Journal::of(&client);
        journal.next("offline", SOON).await;
        tokio::time::sleep(secs(3)).await;
        assert_eq!((client.stats().attempts, client.state()), (0, State::Offline), "{journal}");
        assert_eq!(peer.counts().unwrap().accepted, 0);
        // The way to the proxy is what is waited for.
        let back = Instant::now();
        ip(&format!("route del unreachable {ELSEWHERE}"));
        let connecting = journal.next("connecting", SOON).await;
        assert_noticed(back, connecting.at, Some(secs(1)));
    });
}

#[test]
fn client_of_several_endpoints_looks_at_the_way_to_the_one_it_is_connected_to() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = Client::builder([format!("{ELSEWHERE}:{PORT}"), format!("{SERVER}:{PORT}")])
            .endpoint_order(EndpointOrder::Ordered)
            .framing(keepline::Framing::lines())
            .heartbeat(super::support::ping().every(secs(1)).reply_within(secs(2)))
            .connect_per_address(secs(1))
            .connect_total(secs(2));
        forbid(ELSEWHERE);
        let client = client.connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        // What becomes of the way to the other one is of no interest.
        ip(&format!("route del unreachable {ELSEWHERE}"));
        forbid(ELSEWHERE);
        tokio::time::sleep(secs(3)).await;
        assert!(!journal.has("suspect") && !journal.has("offline"), "{journal}");
        // What becomes of its own is.
        let fault = Instant::now();
        lab.fault("roam", &[]).unwrap();
        let (noticed, end) = journal.next_end(SOON).await;
        assert_eq!(end.ending.cause, Cause::NetworkChanged, "{journal}");
        assert_noticed(fault, noticed, Some(secs(1)));
        assert!(peer.counts().unwrap().accepted >= 1);
    });
}

#[test]
fn client_of_an_own_address_is_offline_without_it_whatever_else_leads_there() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        let own = own_address();
        // Another address of the same network: there is a way to the peer, and not from where the client is to begin.
        let (interface, length) = interface_of(&own);
        let second = "10.77.77.7";
        ip(&format!("address add {second}/32 dev {interface}"));
        let client = quick().bind_address(second.parse().unwrap()).start().unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connecting", SOON).await;
        ip(&format!("address del {second}/32 dev {interface}"));
        journal.next("offline", SOON).await;
        let before = client.stats().attempts;
        tokio::time::sleep(secs(3)).await;
        assert_eq!((client.stats().attempts, client.state()), (before, State::Offline), "{journal}");
        let back = Instant::now();
        ip(&format!("address add {second}/32 dev {interface}"));
        let connecting = journal.next("connecting", SOON).await;
        assert_noticed(back, connecting.at, Some(secs(1)));
        drop(client);
        // The address that the route prefers is as good as none given.
        let usual = quick().bind_address(own.parse().unwrap()).connect().await.unwrap();
        echo(&usual, "from where the route begins").await;
        assert!(length > 0);
    });
}

#[test]
fn word_of_the_system_leaves_a_connection_alone_that_begins_where_it_was_told_to() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let own = own_address();
        let client = quick().bind_address(own.parse().unwrap()).connect().await.unwrap();
        let mut journal = Journal::of(&client);
        let epoch = journal.next("connected", SOON).await.event.kind.epoch();
        // A second way, whose address the route now prefers.
        let (interface, length) = interface_of(&own);
        let other = other_address(&own);
        ip(&format!("address add {other}/{length} dev {interface}"));
        ip(&format!("route replace {SERVER}/32 dev {interface} via {} src {other}", gateway()));
        client.network_changed(None);
        tokio::time::sleep(secs(3)).await;
        assert_eq!(Some(echo(&client, "still from here").await), epoch, "{journal}");
        assert_eq!(peer.counts().unwrap().accepted, 1);
    });
}

fn proxy() -> String {
    format!("socks5://{SERVER}:{PORT}")
}

/// Leaves no way to an address.
fn forbid(address: &str) {
    ip(&format!("route add unreachable {address}"));
}

/// The address that the route to the server begins with.
fn own_address() -> String {
    let probe = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    probe.connect((SERVER, 9)).unwrap();
    probe.local_addr().unwrap().ip().to_string()
}

/// Another one of the same network.
fn other_address(own: &str) -> String {
    let (network, _) = own.rsplit_once('.').unwrap();
    format!("{network}.201")
}

/// The interface that has the address, and the length of its network.
fn interface_of(own: &str) -> (String, u32) {
    let told = said("-o -4 address show");
    let line = told.lines().find(|line| line.contains(&format!(" {own}/"))).expect("somebody has it");
    let fields: Vec<&str> = line.split_whitespace().collect();
    let length = fields[3].split_once('/').expect("a network").1.parse().unwrap();
    (fields[1].trim_end_matches(':').to_owned(), length)
}

fn gateway() -> String {
    let told = said(&format!("route get {SERVER}"));
    let fields: Vec<&str> = told.split_whitespace().collect();
    let via = fields.iter().position(|field| *field == "via").expect("a gateway");
    fields[via + 1].to_owned()
}

fn ip(arguments: &str) {
    let done = Command::new("ip").args(arguments.split(' ')).status().unwrap();
    assert!(done.success(), "ip {arguments}: {done}");
}

fn said(arguments: &str) -> String {
    String::from_utf8(Command::new("ip").args(arguments.split(' ')).output().unwrap().stdout).unwrap()
}
