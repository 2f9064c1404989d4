//! Rows 53, 54, 56: the client's process does not run for a while; what it missed is no proof of a dead peer.

use super::support::{Journal, SOON, assert_noticed, echo, lines, on_one_thread_in_lab, peer, ping, quick, secs};
use keepline::Cause;
use keepline_testkit::lab::LabOptions;
use std::time::{Duration, Instant};

/// Twice the time in which a silent peer is declared dead.
const ASLEEP: Duration = secs(6);

#[test]
fn process_that_was_stopped_for_longer_than_the_bound_keeps_a_living_connection() {
    on_one_thread_in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = quick().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        let epoch = journal.next("connected", SOON).await.event.kind.epoch();
        echo(&client, "before").await;
        std::thread::sleep(ASLEEP);
        assert_eq!(Some(echo(&client, "after").await), epoch);
        tokio::time::sleep(secs(4)).await;
        journal.assert_unbroken();
        assert_eq!(peer.counts().unwrap().accepted, 1);
    });
}

#[test]
fn reply_that_came_while_the_process_was_stopped_is_read_before_anything_is_judged() {
    on_one_thread_in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = quick().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        // Between a heartbeat and its reply, the worst moment: every deadline passes while the reply lies there.
        let before = client.stats().heartbeats;
        while client.stats().heartbeats == before {
            tokio::task::yield_now().await;
        }
        std::thread::sleep(ASLEEP);
        tokio::time::sleep(secs(4)).await;
        journal.assert_unbroken();
        assert_eq!(peer.counts().unwrap().accepted, 1);
    });
}

#[test]
fn connection_that_died_while_the_process_was_stopped_costs_one_probe_and_one_attempt() {
    on_one_thread_in_lab(LabOptions::default().nat_timeout(secs(2)), async |lab| {
        let peer = peer(lab);
        let heartbeat = ping().every(secs(1)).reply_within(secs(3));
        let client = lines().no_keepalive().user_timeout(secs(20)).heartbeat(heartbeat).connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        std::thread::sleep(ASLEEP);
        let awake = Instant::now();
        let (noticed, end) = journal.next_end(SOON).await;
        assert!(lab.hits("nat").unwrap() >= 1, "the NAT forgot it:\n{}", lab.status());
        journal.assert_told("suspect");
        assert_eq!(end.ending.cause, Cause::PathSilent, "{journal}");
        assert_noticed(awake, noticed, Some(secs(3)));
        journal.next("connected", SOON).await;
        assert_eq!(client.stats().attempts, 2, "{journal}");
        assert_eq!(peer.counts().unwrap().accepted, 2);
    });
}

#[test]
fn kernel_probes_keep_the_nats_mapping_while_the_process_is_stopped() {
    on_one_thread_in_lab(LabOptions::default().nat_timeout(secs(3)), async |lab| {
        let peer = peer(lab);
        let client = quick().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        let epoch = journal.next("connected", SOON).await.event.kind.epoch();
        std::thread::sleep(4 * secs(3));
        assert_eq!(Some(echo(&client, "awake").await), epoch);
        journal.assert_unbroken();
        assert_eq!(peer.counts().unwrap().accepted, 1);
    });
}
