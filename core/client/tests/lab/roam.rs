//! Rows 49 to 52: the client's own network changes or goes down, and nobody tells but the test.

use super::support::{Journal, SOON, assert_noticed, echo, in_lab, lines, peer, ping, quick, secs};
use keepline::{Cause, Detector, NetworkKind, NetworkPath, State};
use keepline_testkit::lab::LabOptions;
use std::time::{Duration, Instant};

/// What a client waits for a network to hold still.
const SETTLES: Duration = secs(1);
const HOME: u64 = 1;
const ROAD: u64 = 2;

#[test]
fn new_address_that_the_system_tells_of_is_followed_at_once() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = quick().network_monitor(false).connect().await.unwrap();
        client.network_changed(path(HOME, true));
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        tokio::time::sleep(SETTLES + secs(1)).await;
        journal.assert_unbroken();
        let fault = Instant::now();
        lab.fault("roam", &[]).unwrap();
        client.network_changed(path(ROAD, true));
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
fn new_address_that_nobody_tells_of_is_noticed_within_the_bound() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        let client = quick().network_monitor(false).connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        let fault = Instant::now();
        lab.fault("roam", &[]).unwrap();
        client.try_send("from nowhere").unwrap();
        let (noticed, end) = journal.next_end(SOON).await;
        journal.assert_told("suspect");
        assert_eq!(end.ending.cause, Cause::LocalNetworkDown, "{journal}");
        assert_noticed(fault, noticed, client.detection_bounds().path_silent_in_flight.within);
        journal.next("connected", SOON).await;
        // Without its address the kernel could not send it, and says so: it was kept, and goes out now.
        assert_eq!(client.recv_within(SOON).await.unwrap().unwrap().payload, "from nowhere");
        echo(&client, "from the road").await;
    });
}

#[test]
fn new_address_that_nobody_tells_of_is_told_apart_by_the_kernel_alone() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        let client = lines().network_monitor(false).connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        let fault = Instant::now();
        lab.fault("roam", &[]).unwrap();
        client.try_send("from nowhere").unwrap();
        let (noticed, end) = journal.next_end(SOON).await;
        assert_eq!(end.ending.cause, Cause::LocalNetworkDown, "{journal}");
        assert_eq!(end.ending.detector, Some(Detector::UserTimeout), "{journal}");
        assert_noticed(fault, noticed, client.detection_bounds().path_silent_in_flight.within);
        journal.next("connected", SOON).await;
        assert_eq!(client.recv_within(SOON).await.unwrap().unwrap().payload, "from nowhere");
        echo(&client, "from the road").await;
    });
}

#[test]
fn new_route_with_the_old_address_changes_nothing() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = quick().network_monitor(false).connect().await.unwrap();
        let mut journal = Journal::of(&client);
        let epoch = journal.next("connected", SOON).await.event.kind.epoch();
        lab.fault("roam", &["keep_addr=1"]).unwrap();
        assert_eq!(Some(echo(&client, "over another link").await), epoch);
        let before = client.stats().heartbeats;
        tokio::time::sleep(secs(4)).await;
        assert!(client.stats().heartbeats > before);
        journal.assert_unbroken();
        assert_eq!(peer.counts().unwrap().accepted, 1);
    });
}

#[test]
fn hint_on_an_intact_network_costs_one_probe_and_no_connection() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = quick().network_monitor(false).connect().await.unwrap();
        let mut journal = Journal::of(&client);
        let epoch = journal.next("connected", SOON).await.event.kind.epoch();
        client.network_changed(None);
        journal.next("suspect", SOON).await;
        journal.next("recovered", SOON).await;
        assert_eq!(Some(echo(&client, "here still").await), epoch);
        journal.assert_unbroken();
        assert_eq!(peer.counts().unwrap().accepted, 1);
    });
}

#[test]
fn link_that_goes_down_is_told_as_the_own_network_then_unreachable_then_back() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        let client = quick().network_monitor(false).connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        let fault = Instant::now();
        lab.fault("link_down", &["side=client"]).unwrap();
        let (noticed, end) = journal.next_end(SOON).await;
        assert_eq!(end.ending.cause, Cause::LocalNetworkDown, "{journal}");
        assert_noticed(fault, noticed, client.detection_bounds().path_silent_idle.within);
        let (_, end) = journal.next_end(SOON).await;
        assert!(matches!(end.ending.cause, Cause::Unreachable | Cause::LocalNetworkDown), "{journal}");
        lab.clear().unwrap();
        journal.next("connected", SOON).await;
        echo(&client, "back").await;
    });
}

#[test]
fn link_that_flaps_costs_at_most_one_connection() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        // The deadline is longer than the flapping: what is tested is what the hints cost. With a shorter one the connection
        // may truly die of the flapping: two seconds can pass in which each retransmission meets a link that is down. The
        // attempts that follow fail while it is down, and each is told of; that would be silence found, not a hint's cost.
        let client = lines()
            .network_monitor(false)
            .user_timeout(secs(30))
            .heartbeat(ping().every(secs(1)).reply_within(secs(10)));
        let client = client.connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        for _ in 0..10 {
            lab.fault("link_down", &["side=client"]).unwrap();
            client.network_changed(path(HOME, false));
            tokio::time::sleep(secs(1) / 4).await;
            lab.clear().unwrap();
            client.network_changed(path(HOME, true));
            tokio::time::sleep(secs(1) / 4).await;
        }
        tokio::time::sleep(SETTLES).await;
        echo(&client, "still here").await;
        assert_eq!(client.state(), State::Connected);
        assert!(journal.count("disconnected") <= 1 && peer.counts().unwrap().accepted <= 2, "{journal}");
    });
}

#[test]
fn without_a_network_nothing_is_tried_until_it_is_back() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = quick().network_monitor(false).connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        lab.fault("link_down", &["side=client"]).unwrap();
        client.network_changed(path(HOME, false));
        journal.next("offline", SOON).await;
        let before = client.stats().attempts;
        peer.kill().unwrap();
        tokio::time::sleep(secs(5)).await;
        assert_eq!((client.stats().attempts, client.state()), (before, State::Offline), "{journal}");
        let _again = self::peer(lab);
        lab.clear().unwrap();
        client.network_changed(path(HOME, true));
        // The socket was kept and asked; its server is another one by now.
        journal.next("connected", SOON).await;
        echo(&client, "back").await;
    });
}

fn path(id: u64, available: bool) -> Option<NetworkPath> {
    Some(NetworkPath { id, available, kind: NetworkKind::Wired, metered: false })
}
