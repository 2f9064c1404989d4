//! Rows 29 to 32: the NAT between the two forgets the connection.

use super::support::{Journal, SOON, assert_balanced, assert_noticed, echo, in_lab, lines, peer, ping, quick, secs};
use keepline::{Builder, Cause, Detector};
use keepline_testkit::lab::{Forgotten, LabOptions};
use std::time::Instant;

/// What the NAT remembers, in seconds; shorter than any silence of [`slow_heartbeat`].
const NAT_SECONDS: u64 = 2;

#[test]
fn heartbeat_faster_than_the_nat_keeps_the_connection_for_six_of_its_periods() {
    in_lab(LabOptions::default().nat_timeout(secs(3)), async |lab| {
        let peer = peer(lab);
        let client = quick().no_keepalive().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        let epoch = journal.next("connected", SOON).await.event.kind.epoch();
        tokio::time::sleep(6 * secs(3)).await;
        journal.assert_unbroken();
        assert!(client.stats().heartbeats >= 9, "{:?}", client.stats());
        assert_eq!(Some(echo(&client, "still the same").await), epoch);
        assert_eq!(peer.counts().unwrap().accepted, 1);
    });
}

#[test]
fn forgotten_connection_is_path_silence_and_is_replaced() {
    let nat = LabOptions::default().nat_timeout(secs(NAT_SECONDS));
    in_lab(nat, async |lab| {
        let peer = peer(lab);
        let client = slow_heartbeat().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        let fault = Instant::now();
        let (noticed, end) = journal.next_end(SOON).await;
        assert!(lab.hits("nat").unwrap() >= 1, "the NAT forgot it:\n{}", lab.status());
        journal.assert_told("suspect");
        assert_eq!(end.ending.cause, Cause::PathSilent, "{journal}");
        assert_eq!(end.ending.detector, Some(Detector::Heartbeat));
        assert_noticed(fault, noticed, client.detection_bounds().path_silent_idle.within);
        journal.next("connected", SOON).await;
        echo(&client, "over a new connection").await;
        assert_eq!(peer.counts().unwrap().accepted, 2);
        assert_balanced(&client);
    });
}

#[test]
fn nat_that_resets_forgotten_connections_is_noticed_at_the_next_heartbeat() {
    let nat = LabOptions::default().nat_timeout(secs(NAT_SECONDS)).forgotten(Forgotten::Rst);
    in_lab(nat, async |lab| {
        let _peer = peer(lab);
        let client = slow_heartbeat().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        let fault = Instant::now();
        let (noticed, end) = journal.next_end(SOON).await;
        assert!(lab.hits("nat").unwrap() >= 1, "the NAT forgot it:\n{}", lab.status());
        assert_eq!(end.ending.cause, Cause::Reset);
        assert_noticed(fault, noticed, Some(heartbeat_interval(&client)));
        journal.next("connected", SOON).await;
        echo(&client, "over a new connection").await;
    });
}

#[test]
fn router_that_loses_its_table_is_path_silence_within_the_bound() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        let client = quick().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        let fault = Instant::now();
        lab.fault("nat_flush", &[]).unwrap();
        lab.await_hits("nat", 1, SOON).unwrap();
        let (noticed, end) = journal.next_end(SOON).await;
        journal.assert_told("suspect");
        assert_eq!(end.ending.cause, Cause::PathSilent, "{journal}");
        assert_noticed(fault, noticed, client.detection_bounds().path_silent_idle.within);
        journal.next("connected", SOON).await;
        echo(&client, "over a new connection").await;
    });
}

#[test]
fn router_that_loses_its_table_and_resets_is_noticed_in_a_round_trip_of_the_next_write() {
    in_lab(LabOptions::default().forgotten(Forgotten::Rst), async |lab| {
        let _peer = peer(lab);
        let client = slow_heartbeat().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        lab.fault("nat_flush", &[]).unwrap();
        let fault = Instant::now();
        client.try_send("into the void").unwrap();
        let (noticed, end) = journal.next_end(SOON).await;
        assert_eq!(end.ending.cause, Cause::Reset);
        assert_noticed(fault, noticed, Some(secs(0)));
        journal.next("connected", SOON).await;
        echo(&client, "over a new connection").await;
    });
}

/// Silent for 6 s at a time: three times what the NAT remembers.
fn slow_heartbeat() -> Builder {
    lines().no_keepalive().user_timeout(secs(12)).heartbeat(ping().every(secs(6)).reply_within(secs(2)))
}

fn heartbeat_interval(client: &keepline::Client) -> std::time::Duration {
    client.config().heartbeat.as_ref().expect("it has a heartbeat").interval
}
