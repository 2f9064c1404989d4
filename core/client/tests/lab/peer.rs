//! Rows 37, 38, 41: the machine or the process at the other end goes away or freezes.

use super::support::{
    Journal, PORT, SOON, assert_balanced, assert_noticed, echo, in_lab, lines, peer, ping, quick, secs,
};
use keepline::cause::GreetingFailure;
use keepline::{Cause, Detector};
use keepline_testkit::lab::{LabOptions, PeerOptions, Role};
use std::time::Instant;

#[test]
fn rebooted_server_is_noticed_by_an_idle_client_then_refuses_then_serves() {
    in_lab(LabOptions::default(), async |lab| {
        let _old = peer(lab);
        let client = quick().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        let fault = Instant::now();
        lab.fault("reboot", &[]).unwrap();
        let (noticed, end) = journal.next_end(SOON).await;
        assert_eq!(end.ending.cause, Cause::Reset, "{journal}");
        assert_noticed(fault, noticed, client.detection_bounds().path_silent_idle.within);
        journal.next_end_by(Cause::Refused, SOON).await;
        let fresh = lab.peer(PeerOptions::on(Role::FreshServer, PORT)).unwrap();
        journal.next("connected", SOON).await;
        echo(&client, "hello again").await;
        assert_eq!(fresh.counts().unwrap().accepted, 1);
    });
}

#[test]
fn rebooted_server_is_noticed_in_a_round_trip_of_the_next_write() {
    in_lab(LabOptions::default(), async |lab| {
        let _old = peer(lab);
        let client = unhurried().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        lab.fault("reboot", &[]).unwrap();
        let fault = Instant::now();
        client.try_send("to the old one").unwrap();
        let (noticed, end) = journal.next_end(SOON).await;
        assert_eq!(end.ending.cause, Cause::Reset, "{journal}");
        assert_noticed(fault, noticed, Some(secs(0)));
    });
}

#[test]
fn killed_process_that_had_read_everything_has_closed() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = unhurried().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        echo(&client, "read").await;
        let fault = Instant::now();
        peer.kill().unwrap();
        let (noticed, end) = journal.next_end(SOON).await;
        assert_eq!(end.ending.cause, Cause::PeerClosed, "{journal}");
        assert_noticed(fault, noticed, Some(secs(0)));
        journal.next_end_by(Cause::Refused, SOON).await;
        let _again = self::peer(lab);
        journal.next("connected", SOON).await;
        echo(&client, "back").await;
    });
}

#[test]
fn killed_process_that_had_not_read_everything_has_reset() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = unhurried().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        let before = peer.kernel_bytes().unwrap();
        peer.set_reading(false).unwrap();
        let mut receipt = client.send_tracked("# never read").await.unwrap();
        let arrived = Instant::now();
        while peer.kernel_bytes().unwrap() == before {
            assert!(arrived.elapsed() < SOON, "the peer's kernel has the line");
        }
        let fault = Instant::now();
        peer.kill().unwrap();
        let (noticed, end) = journal.next_end(SOON).await;
        assert_eq!(end.ending.cause, Cause::Reset, "{journal}");
        assert_noticed(fault, noticed, Some(secs(0)));
        let outcome = receipt.outcome().await.unwrap();
        assert!(outcome != keepline::Outcome::NotSent, "it was transmitted: {outcome:?}");
        assert_balanced(&client);
    });
}

#[test]
fn frozen_process_is_unresponsive_and_welcome_after_the_thaw() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = quick().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        echo(&client, "before").await;
        let fault = Instant::now();
        peer.freeze().unwrap();
        client.try_send("its kernel takes this").unwrap();
        let (noticed, end) = journal.next_end(SOON).await;
        journal.assert_told("suspect");
        assert_eq!(end.ending.cause, Cause::PeerUnresponsive, "{journal}");
        assert_eq!(end.ending.detector, Some(Detector::Heartbeat));
        assert_noticed(fault, noticed, client.detection_bounds().peer_frozen.within);
        // The kernel still accepts connections for it: only the first heartbeat tells.
        journal.next_end_by(Cause::Greeting(GreetingFailure::Timeout), SOON).await;
        assert!(!journal.has("connected"), "{journal}");
        peer.thaw().unwrap();
        journal.next("connected", SOON).await;
        echo(&client, "after").await;
    });
}

/// Writes nothing by itself while a test runs: a heartbeat each 20 s, no probes.
fn unhurried() -> keepline::Builder {
    lines().no_keepalive().user_timeout(secs(30)).heartbeat(ping().every(secs(20)).reply_within(secs(5)))
}
