//! What one death says to others: a black hole found by one client is found by its siblings within a probe.

use super::support::{Journal, SOON, echo, in_lab, lines, peer, ping, quick, secs};
use keepline::{Cause, EventKind, Suspicion};
use keepline_testkit::lab::LabOptions;

/// The longest wait for a sibling's sign of life, and what a busy machine adds.
const PROBE: std::time::Duration = secs(3);
const SLACK: std::time::Duration = secs(2);

#[test]
fn black_hole_that_one_client_found_is_found_by_its_sibling_within_a_probe() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        let patient =
            || lines().heartbeat(ping().every(secs(60)).reply_within(secs(10))).no_keepalive().user_timeout(secs(60));
        let first = quick().connect().await.unwrap();
        let second = patient().connect().await.unwrap();
        let deaf = patient().sibling_probes(false).connect().await.unwrap();
        let (mut of_first, mut of_second) = (Journal::of(&first), Journal::of(&second));
        let of_deaf = Journal::of(&deaf);
        for client in [&first, &second, &deaf] {
            echo(client, "before").await;
        }
        // Whoever was heard within the last second is left alone.
        tokio::time::sleep(secs(1)).await;
        lab.fault("blackhole", &[]).unwrap();
        first.try_send("in flight").unwrap();
        let (died, _) = of_first.next_end_by(Cause::PathSilent, SOON).await;
        let suspect = of_second.next("suspect", SOON).await;
        let EventKind::Suspect { evidence, .. } = suspect.event.kind else { panic!("{of_second}") };
        assert_eq!(evidence, Suspicion::SiblingDied, "{of_second}");
        let (noticed, end) = of_second.next_end(SOON).await;
        assert_eq!(end.ending.cause, Cause::PathSilent, "{of_second}");
        assert!(
            noticed >= died && noticed - died <= PROBE + SLACK,
            "{:?} after its sibling: {of_second}",
            noticed - died
        );
        of_deaf.assert_unbroken();
        let own = second.detection_bounds().peer_frozen.within.unwrap();
        assert!(own >= secs(70), "it would have taken {own:?} by itself");
        lab.clear().unwrap();
        of_second.next("connected", SOON).await;
    });
}

#[test]
fn frozen_peer_of_one_client_leaves_its_sibling_in_peace() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let first = quick().connect().await.unwrap();
        let second = lines().heartbeat(ping().every(secs(60)).reply_within(secs(10))).connect().await.unwrap();
        let (mut of_first, of_second) = (Journal::of(&first), Journal::of(&second));
        echo(&second, "before").await;
        tokio::time::sleep(secs(1)).await;
        peer.freeze().unwrap();
        let (_, end) = of_first.next_end(SOON).await;
        assert_eq!(end.ending.cause, Cause::PeerUnresponsive, "{of_first}");
        tokio::time::sleep(secs(1)).await;
        assert_eq!(of_second.count("suspect"), 0, "{of_second}");
    });
}
