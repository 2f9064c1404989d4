//! Rows 42, 43, 45: the peer does not read, or the line is narrow.

use super::support::{
    Journal, PORT, SOON, assert_balanced, assert_noticed, in_lab, in_lab_within, millis, peer, ping, quick, secs,
};
use keepline::{Cause, Client, Framing, State};
use keepline_testkit::lab::{Lab, LabOptions, LabPeer, PeerOptions, Role, SERVER};
use std::time::{Duration, Instant};

/// 1 KB lines that are not sent back: 600 of them are far more than the kernels of both sides hold.
const LINES: u64 = 600;
const LINE: usize = 1023;
/// 20 s of a line of 64 kbit/s.
const MODEM_LINES: u64 = 160;
const MEGABYTE: usize = 1_000_000;
/// The kernel's patience on a line with 2 s of queue, near that of the least patient profile (22 s). The 4 s that follow from
/// the quick keepalive are too few there: what is lost at the end of a full queue waits behind 2 s of bytes when it is sent
/// again, and one retransmission that is lost too makes the kernel give up a healthy peer. That is the kernel's verdict,
/// with `user_timeout` as detector; what these tests are about is the heartbeat's.
const PATIENT: Duration = secs(20);

#[test]
fn peer_that_does_not_read_for_twice_the_user_timeout_is_stalled_and_lives() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = small_peer(lab);
        let client = quick().connect().await.unwrap();
        let user_timeout = client.stats().options.user_timeout.unwrap();
        let mut journal = Journal::of(&client);
        let epoch = journal.next("connected", SOON).await.event.kind.epoch();
        peer.set_reading(false).unwrap();
        flood(&client);
        journal.next("stalled", SOON).await;
        tokio::time::sleep(2 * user_timeout + secs(1)).await;
        journal.assert_unbroken();
        assert_eq!(client.state(), State::Stalled);
        peer.set_reading(true).unwrap();
        assert_eq!(journal.next("recovered", SOON).await.event.kind.epoch(), epoch);
        let counts = peer.await_counts(SOON, |counts| counts.lines == LINES).unwrap();
        assert_eq!(counts.accepted, 1);
        journal.assert_unbroken();
        assert_balanced(&client);
    });
}

#[test]
fn peer_that_does_not_read_for_a_minute_lives_in_the_default_profile() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = small_peer(lab);
        let builder = Client::builder((SERVER, PORT)).framing(Framing::lines());
        let client = builder.heartbeat(ping()).connect().await.unwrap();
        let mut journal = Journal::of(&client);
        let epoch = journal.next("connected", SOON).await.event.kind.epoch();
        peer.set_reading(false).unwrap();
        flood(&client);
        journal.next("stalled", SOON).await;
        tokio::time::sleep(secs(60)).await;
        assert_eq!(client.state(), State::Stalled, "{journal}");
        peer.set_reading(true).unwrap();
        // The kernel asks for the window less and less often: the next answer may take as long as the last pause.
        assert_eq!(journal.next("recovered", 2 * SOON).await.event.kind.epoch(), epoch);
        peer.await_counts(2 * SOON, |counts| counts.lines == LINES).unwrap();
        journal.assert_unbroken();
        assert_eq!(peer.counts().unwrap().accepted, 1);
    });
}

#[test]
fn peer_that_does_not_read_for_longer_than_the_stall_limit_has_stalled() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = small_peer(lab);
        let client = quick().stall_limit(secs(5)).connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        peer.set_reading(false).unwrap();
        let fault = Instant::now();
        flood(&client);
        let (noticed, end) = journal.next_end(SOON).await;
        journal.assert_told("stalled");
        assert_eq!(end.ending.cause, Cause::PeerStalled, "{journal}");
        assert!(noticed - fault >= secs(5), "{journal}");
        assert_noticed(fault, noticed, client.detection_bounds().peer_stalled.within);
        let before = peer.counts().unwrap().lines;
        peer.set_reading(true).unwrap();
        journal.next("connected", SOON).await;
        peer.await_counts(SOON, |counts| counts.lines > before).unwrap();
        assert_balanced(&client);
    });
}

#[test]
fn peer_that_vanishes_behind_a_shut_window_is_found_dead() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = small_peer(lab);
        let client = quick().stall_limit(secs(60)).connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        peer.set_reading(false).unwrap();
        flood(&client);
        journal.next("stalled", SOON).await;
        lab.fault("blackhole", &[]).unwrap();
        lab.await_hits("blackhole", 1, SOON).unwrap();
        let (_, end) = journal.next_end(2 * SOON).await;
        assert_eq!(end.ending.cause, Cause::PathSilent, "{journal}");
    });
}

#[test]
fn bulk_on_a_narrow_line_does_not_starve_the_heartbeat() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = quick().user_timeout(PATIENT).connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        lab.fault("slow", &["rate=512kbit", "latency=2s"]).unwrap();
        let start = Instant::now();
        flood(&client);
        while peer.counts().unwrap().lines < LINES {
            journal.assert_unbroken();
            assert!(start.elapsed() < 3 * SOON, "{:?} {journal}", peer.counts());
            tokio::time::sleep(millis(100)).await;
        }
        assert!(start.elapsed() > secs(6), "the line is narrow: {:?}", start.elapsed());
        journal.assert_unbroken();
        assert_eq!(peer.counts().unwrap().accepted, 1);
    });
}

#[test]
fn heartbeat_behind_a_queue_longer_than_its_deadline_is_waited_for() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        // 2 s for the reply, and up to 5 s of queue before it at 8 KB/s.
        let client = quick().user_timeout(secs(30)).connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        lab.fault("slow", &["rate=64kbit", "latency=5s"]).unwrap();
        let start = Instant::now();
        for number in 0..MODEM_LINES {
            client.try_send(&*format!("#{number:0width$}", width = LINE - 1)).unwrap();
        }
        while peer.counts().unwrap().lines < MODEM_LINES {
            journal.assert_unbroken();
            assert!(start.elapsed() < 3 * SOON, "{:?} {journal}", peer.counts());
            tokio::time::sleep(millis(100)).await;
        }
        assert!(start.elapsed() > secs(12), "the line is narrow: {:?}", start.elapsed());
        journal.assert_unbroken();
        assert_eq!(peer.counts().unwrap().accepted, 1);
    });
}

#[test]
fn message_of_a_megabyte_on_a_narrow_line_arrives_whole_on_its_connection() {
    // 256 kbit/s: 33 s for the message, three times the reply deadline of the profile.
    send_a_megabyte_over("256kbit", secs(30));
}

#[test]
#[ignore = "two minutes: make test-lab-soak"]
fn message_of_a_megabyte_at_sixty_four_kilobits_arrives_whole_on_its_connection() {
    send_a_megabyte_over("64kbit", secs(120));
}

/// One message of 1 MB, in a profile as it is but for more frequent heartbeats, which come due while it is under way.
fn send_a_megabyte_over(rate: &str, at_least: Duration) {
    in_lab_within(2 * at_least + secs(60), LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let builder = Client::builder((SERVER, PORT)).framing(Framing::lines()).outbox_bytes(2 << 20);
        let client = builder.heartbeat(ping().every(secs(5)).reply_within(secs(10))).connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        lab.fault("slow", &[&format!("rate={rate}"), "latency=2s"]).unwrap();
        let start = Instant::now();
        client.try_send("#".repeat(MEGABYTE)).unwrap();
        while peer.counts().unwrap().lines == 0 {
            journal.assert_unbroken();
            assert!(start.elapsed() < 2 * at_least + secs(30), "{:?} {journal}", peer.counts());
            tokio::time::sleep(millis(100)).await;
        }
        assert!(start.elapsed() >= at_least, "the line is narrow: {:?}", start.elapsed());
        // The first heartbeat after it: nothing was lost on the way there.
        let pings = peer.counts().unwrap().pings;
        peer.await_counts(SOON, |counts| counts.pings > pings).unwrap();
        journal.assert_unbroken();
        assert_eq!(peer.counts().unwrap().accepted, 1);
        assert!(peer.counts().unwrap().bytes >= MEGABYTE as u64);
    });
}

/// A peer whose window shuts soon.
fn small_peer(lab: &Lab) -> LabPeer {
    lab.peer(PeerOptions::on(Role::Server, PORT).receive_buffer(4096)).unwrap()
}

fn flood(client: &Client) {
    for number in 0..LINES {
        client.try_send(&*format!("#{number:0width$}", width = LINE - 1)).unwrap();
    }
}
