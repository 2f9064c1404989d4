//! Without a heartbeat: on a hint the kernel asks the peer's kernel at once, long before its own keepalive would.

use super::support::{Journal, PORT, SOON, assert_noticed, echo, in_lab, peer, secs};
use keepline::{Builder, Cause, Client, Detector, Framing, Keepalive};
use keepline_testkit::lab::{LabOptions, SERVER};
use std::time::{Duration, Instant};

/// A hint settles within a second, the first probe leaves within another, and three go unanswered in three more.
const BOUND: Duration = secs(5);

#[test]
fn hint_finds_a_dead_path_by_the_kernels_probes_within_seconds() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        for user_timeout in [Some(secs(80)), None] {
            let builder = slow_keepalive();
            let client = match user_timeout {
                Some(limit) => builder.user_timeout(limit),
                None => builder.no_user_timeout(),
            };
            let client = client.connect().await.unwrap();
            let mut journal = Journal::of(&client);
            journal.next("connected", SOON).await;
            echo(&client, "before").await;
            lab.fault("blackhole", &[]).unwrap();
            let fault = Instant::now();
            client.network_changed(None);
            journal.next("suspect", SOON).await;
            let (noticed, end) = journal.next_end(SOON).await;
            assert!(lab.hits("blackhole").unwrap() >= 3, "probes were sent");
            assert_eq!(
                (end.ending.cause, end.ending.detector),
                (Cause::PathSilent, Some(Detector::Keepalive)),
                "{journal}"
            );
            assert_noticed(fault, noticed, Some(BOUND));
            lab.clear().unwrap();
            client.close(secs(0)).await;
        }
    });
}

#[test]
fn hint_on_a_healthy_path_is_answered_by_the_peers_kernel_though_its_process_stands_still() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = slow_keepalive().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        echo(&client, "before").await;
        peer.freeze().unwrap();
        client.network_changed(None);
        journal.next("suspect", SOON).await;
        journal.next("recovered", SOON).await;
        peer.thaw().unwrap();
        echo(&client, "after").await;
        journal.assert_unbroken();
        assert_eq!(peer.counts().unwrap().accepted, 1);
    });
}

#[test]
fn keepalive_is_set_back_after_a_question_that_was_answered() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        let client = slow_keepalive().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        client.network_changed(None);
        journal.next("recovered", SOON).await;
        lab.fault("blackhole", &[]).unwrap();
        // At the pace of the question the connection would be over.
        tokio::time::sleep(2 * BOUND).await;
        assert_eq!(lab.hits("blackhole").unwrap(), 0, "the configured probe comes after 60 s of silence");
        journal.assert_unbroken();
    });
}

/// Probes that come too late for any of these tests.
fn slow_keepalive() -> Builder {
    let keepalive = Keepalive { idle: secs(60), interval: secs(5), retries: 4 };
    Client::builder((SERVER, PORT)).framing(Framing::lines()).keepalive(keepalive)
}
