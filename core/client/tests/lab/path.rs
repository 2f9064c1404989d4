//! Rows 33 to 36, 46 to 48: the path between the two swallows or refuses packets.

use super::support::{
    Journal, SOON, assert_balanced, assert_noticed, echo, in_lab, lines, millis, peer, ping, quick, secs,
};
use keepline::{Cause, Detector, EventKind, Jitter, Outcome, State, Suspicion};
use keepline_testkit::lab::LabOptions;
use std::time::{Duration, Instant};

/// What a connection takes to recover once the path heals, with retransmissions at most a second apart.
const RECOVERY: Duration = secs(1);

/// 800 KB in lines of 1 KB: several times what the kernel holds before a byte is acknowledged.
const BULK_LINES: u64 = 800;

#[test]
fn black_hole_with_data_in_flight_is_path_silence_within_the_bound() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = quick().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        echo(&client, "before").await;
        let fault = Instant::now();
        lab.fault("blackhole", &[]).unwrap();
        let mut receipt = client.send_tracked("in flight").await.unwrap();
        lab.await_hits("blackhole", 1, SOON).unwrap();
        let (noticed, end) = journal.next_end(SOON).await;
        journal.assert_told("suspect");
        assert_eq!(end.ending.cause, Cause::PathSilent, "{journal}");
        assert_noticed(fault, noticed, client.detection_bounds().path_silent_in_flight.within);
        client.try_send("queued").unwrap();
        lab.clear().unwrap();
        journal.next("connected", SOON).await;
        assert_eq!(client.recv_within(SOON).await.unwrap().unwrap().payload, "queued");
        assert_eq!(receipt.outcome().await.unwrap(), Outcome::Unknown);
        let lines: Vec<String> = peer.received().unwrap().into_iter().map(|(_, line)| line).collect();
        assert_eq!(lines, ["before", "queued"], "what is unknown is not sent again");
        assert_balanced(&client);
    });
}

#[test]
fn black_hole_without_a_heartbeat_ends_with_the_kernels_user_timeout() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        let client = lines().connect().await.unwrap();
        let user_timeout = client.stats().options.user_timeout.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        let fault = Instant::now();
        lab.fault("blackhole", &[]).unwrap();
        client.try_send("in flight").unwrap();
        lab.await_hits("blackhole", 1, SOON).unwrap();
        let (noticed, end) = journal.next_end(SOON).await;
        assert_eq!(end.ending.cause, Cause::PathSilent);
        assert_eq!(end.ending.detector, Some(Detector::UserTimeout));
        assert!(noticed - fault >= user_timeout, "{journal}");
        assert_noticed(fault, noticed, client.detection_bounds().path_silent_in_flight.within);
    });
}

#[test]
fn black_hole_of_an_idle_connection_without_a_heartbeat_ends_with_keepalive() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        let client = lines().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        let fault = Instant::now();
        lab.fault("blackhole", &[]).unwrap();
        let (noticed, end) = journal.next_end(SOON).await;
        assert!(lab.hits("blackhole").unwrap() >= 3, "probes were sent");
        assert_eq!(end.ending.cause, Cause::PathSilent);
        assert_eq!(end.ending.detector, Some(Detector::Keepalive));
        assert_noticed(fault, noticed, client.detection_bounds().path_silent_idle.within);
    });
}

#[test]
fn lost_acknowledgements_leave_a_message_unknown_that_the_server_has() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = quick().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        let fault = Instant::now();
        lab.fault("blackhole", &["dir=down"]).unwrap();
        let mut receipt = client.send_tracked("# arrives").await.unwrap();
        peer.await_counts(SOON, |counts| counts.lines == 1).unwrap();
        lab.await_hits("blackhole", 1, SOON).unwrap();
        let (noticed, end) = journal.next_end(SOON).await;
        assert_eq!(end.ending.cause, Cause::PathSilent, "{journal}");
        assert_noticed(fault, noticed, client.detection_bounds().path_silent_in_flight.within);
        assert_eq!(receipt.outcome().await.unwrap(), Outcome::Unknown);
        lab.clear().unwrap();
        journal.next("connected", SOON).await;
        echo(&client, "after").await;
        let lines: Vec<String> = peer.received().unwrap().into_iter().map(|(_, line)| line).collect();
        assert_eq!(lines, ["# arrives", "after"], "no duplicate");
    });
}

#[test]
fn server_that_is_heard_but_not_reached_lives_until_the_user_timeout() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        // The network's own setting: this thread is inside. On a starved machine the server sends something twice, and the
        // acknowledgement that says so would be too long for this fault: the server would fall silent.
        std::fs::write("/proc/sys/net/ipv4/tcp_dsack", "0").unwrap();
        let client = quick().connect().await.unwrap();
        let d_app = secs(3);
        let user_timeout = client.stats().options.user_timeout.unwrap();
        assert!(user_timeout > d_app);
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        echo(&client, "before").await;
        let fault = Instant::now();
        // An empty acknowledgement has 52 bytes and passes; whatever carries data does not.
        lab.fault("mtu_blackhole", &["size=52", "dir=up"]).unwrap();
        client.try_send("never arrives").unwrap();
        lab.await_hits("mtu", 1, SOON).unwrap();
        while !journal.has("disconnected") {
            assert!(fault.elapsed() < SOON, "{journal}");
            peer.push("news").unwrap();
            tokio::time::sleep(millis(200)).await;
        }
        let (noticed, end) = journal.next_end(SOON).await;
        assert_eq!(end.ending.cause, Cause::PathSilent, "{journal}");
        assert_eq!(end.ending.detector, Some(Detector::UserTimeout), "{journal}");
        assert!(noticed - fault >= user_timeout, "every inbound byte is life: {journal}");
        assert_noticed(fault, noticed, Some(user_timeout + secs(3)));
    });
}

#[test]
fn outage_shorter_than_the_deadline_keeps_the_connection_and_recovers_within_a_second() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = patient().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        let epoch = journal.next("connected", SOON).await.event.kind.epoch();
        lab.fault("blackhole", &[]).unwrap();
        client.try_send("held").unwrap();
        lab.await_hits("blackhole", 4, SOON).unwrap();
        journal.next("suspect", SOON).await;
        lab.clear().unwrap();
        let healed = Instant::now();
        let message = client.recv_within(SOON).await.unwrap().unwrap();
        assert_noticed(healed, Instant::now(), Some(RECOVERY));
        assert_eq!((Some(message.epoch), &message.payload[..]), (epoch, &b"held"[..]));
        journal.next("recovered", SOON).await;
        assert_eq!(client.state(), State::Connected);
        journal.assert_unbroken();
        assert_eq!(peer.counts().unwrap().accepted, 1);
    });
}

#[test]
fn unreachable_messages_on_a_living_connection_are_a_hint_and_end_nothing() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = patient().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        let epoch = journal.next("connected", SOON).await.event.kind.epoch();
        lab.fault("refuse", &["kind=host", "new_only=0"]).unwrap();
        client.try_send("held").unwrap();
        // More than the kernel takes: the writer is held up, and so the figures are looked at.
        for number in 0..BULK_LINES {
            client.try_send(&*format!("#{number:01000}")).unwrap();
        }
        lab.await_hits("refuse", 5, SOON).unwrap();
        let doubt = journal.next("suspect", SOON).await;
        let is_hint = matches!(doubt.event.kind, EventKind::Suspect { evidence: Suspicion::PathRefused, .. });
        assert!(is_hint, "{journal}");
        lab.clear().unwrap();
        let healed = Instant::now();
        let message = client.recv_within(SOON).await.unwrap().unwrap();
        assert_noticed(healed, Instant::now(), Some(RECOVERY));
        assert_eq!((Some(message.epoch), &message.payload[..]), (epoch, &b"held"[..]));
        journal.next("recovered", SOON).await;
        peer.await_counts(SOON, |counts| counts.lines == BULK_LINES + 1).unwrap();
        journal.assert_unbroken();
        assert_eq!(peer.counts().unwrap().accepted, 1);
    });
}

#[test]
fn message_that_is_too_large_for_the_path_arrives_after_two_deaths() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = quick().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        lab.fault("mtu_blackhole", &["size=1300"]).unwrap();
        let large = "x".repeat(20_000);
        for _ in 0..2 {
            journal.next("connected", SOON).await;
            echo(&client, "small ones pass").await;
            client.try_send(&*large).unwrap();
            let (_, end) = journal.next_end(SOON).await;
            assert_eq!(end.ending.cause, Cause::PathSilent, "{journal}");
        }
        assert!(lab.hits("mtu").unwrap() >= 3);
        journal.next("connected", SOON).await;
        echo(&client, &large).await;
        journal.assert_unbroken();
        assert_eq!(peer.counts().unwrap().accepted, 3);
    });
}

#[test]
fn reset_of_every_new_connection_makes_the_waits_grow() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        lab.fault("reset", &[]).unwrap();
        // Without jitter every wait is its window, to the nanosecond.
        let client = quick().backoff_jitter(Jitter::None).start().unwrap();
        let mut journal = Journal::of(&client);
        // A server that lets nobody stand is left alone three times as long as one that was lost.
        for wait in [300, 500, 900, 1700, 3000] {
            let (_, end) = journal.next_end(SOON).await;
            assert_eq!((end.ending.cause, end.retry_in), (Cause::Reset, Some(millis(wait))), "{journal}");
        }
        assert!(lab.hits("reset").unwrap() >= 5);
        lab.clear().unwrap();
        journal.next("connected", SOON).await;
    });
}

/// Waits 8 s for a reply, longer than the outages of these tests; the kernel waits longer still.
fn patient() -> keepline::Builder {
    lines().user_timeout(secs(20)).heartbeat(ping().every(secs(1)).reply_within(secs(8)))
}
