//! A heartbeat that the peer's kernel does not have yet proves nothing about the peer.

use keepline_proto::config::{Config, Heartbeat};
use keepline_proto::{Cause, KernelFigures, State};
use keepline_testkit::SimWorld;
use std::time::Duration;

#[test]
fn heartbeat_under_way_on_a_path_that_answers_is_waited_for() {
    let mut world = SimWorld::connected(config());
    world.silence_peer();
    world.set_kernel(Some(queued(1_000, 5_000)));
    assert_eq!(world.run_until("suspect"), secs(25));
    world.run_for(secs(100));
    assert_eq!(world.state(), State::Suspect, "the deadline of 30 s is long over");
    world.receive();
    assert_eq!(world.state(), State::Connected);
}

#[test]
fn peer_whose_kernel_got_the_heartbeat_late_has_its_full_time_from_then() {
    let mut world = SimWorld::connected(config());
    world.silence_peer();
    world.set_kernel(Some(queued(1_000, 5_000)));
    world.run_for(secs(60));
    world.set_kernel(Some(queued(6_000, 5_000)));
    // A look a second while it is late, and then the deadline of 10 s.
    let waited = world.run_until("disconnected");
    assert!(waited > secs(10) && waited <= secs(11), "{waited:?}");
    assert_eq!(world.last_end().ending.cause, Cause::PeerUnresponsive);
}

#[test]
fn bytes_written_behind_a_heartbeat_that_arrived_do_not_lengthen_the_life_of_a_frozen_peer() {
    let mut world = SimWorld::connected(config());
    world.silence_peer();
    world.set_kernel(Some(queued(1_000, 50)));
    world.run_for(secs(26));
    world.set_kernel(Some(queued(9_000, 50)));
    assert_eq!(world.run_until("disconnected"), secs(4));
    assert_eq!(world.last_end().ending.cause, Cause::PeerUnresponsive);
}

#[test]
fn heartbeat_under_way_on_a_path_that_does_not_answer_is_not_waited_for() {
    let mut world = SimWorld::connected(config());
    world.silence_peer();
    let lost = KernelFigures {
        retransmits: Some(5),
        unacked_segments: Some(3),
        last_ack_received: Some(secs(9)),
        ..queued(1_000, 5_000)
    };
    world.set_kernel(Some(lost));
    assert_eq!(world.run_until("disconnected"), secs(30));
    assert_eq!(world.last_end().ending.cause, Cause::PathSilent);
}

#[test]
fn path_that_stops_answering_ends_the_wait() {
    let mut world = SimWorld::connected(config());
    world.silence_peer();
    world.set_kernel(Some(queued(1_000, 5_000)));
    world.run_for(secs(60));
    let silent = KernelFigures { retransmits: Some(5), last_ack_received: Some(secs(9)), ..queued(1_000, 5_000) };
    world.set_kernel(Some(silent));
    assert!(world.run_until("disconnected") <= secs(10));
    assert_eq!(world.last_end().ending.cause, Cause::PathSilent);
}

#[test]
fn heartbeat_that_waits_for_the_end_of_a_long_message_is_not_under_way_yet() {
    let mut world = SimWorld::connected(config());
    world.silence_peer();
    world.write_blocked();
    world.set_kernel(Some(queued(0, 5_000)));
    world.run_for(secs(20));
    world.hold_heartbeat(true);
    // The message goes on, and everything that was before the heartbeat when it was asked for is long through.
    for second in 1..100 {
        world.set_kernel(Some(queued(second * 1_000, 5_000)));
        world.write_progress(true);
        world.run_for(secs(1));
        assert!(world.state().is_up(), "after {second} s");
    }
    world.hold_heartbeat(false);
    world.write_progress(false);
    world.run_for(secs(3));
    world.set_kernel(Some(queued(105_000, 50)));
    let waited = world.run_until("disconnected");
    assert!(waited > secs(9) && waited <= secs(16), "its peer has the full time: {waited:?}");
    assert_eq!(world.last_end().ending.cause, Cause::PeerUnresponsive);
}

#[test]
fn heartbeat_behind_a_blocked_writer_is_waited_for_while_the_path_answers() {
    let mut world = SimWorld::connected(Config { stall_limit: Some(secs(600)), ..config() });
    world.silence_peer();
    world.write_blocked();
    world.set_kernel(Some(queued(1_000, 5_000)));
    world.run_for(secs(100));
    assert!(world.state().is_up());
}

#[test]
fn path_that_carries_a_segment_now_and_then_is_slow_and_not_dead() {
    // 64 kbit/s behind 5 s of queue: a look a second, progress in every second one, and 2 s for the reply.
    let heartbeat = Heartbeat::new("PING").every(secs(1)).reply_within(secs(2));
    let config = || Config { heartbeat: Some(heartbeat.clone()), stall_limit: Some(secs(600)), ..Config::default() };
    for is_blocked in [true, false] {
        let mut world = SimWorld::connected(config());
        world.silence_peer();
        if is_blocked {
            world.write_blocked();
        }
        let slow = |acked| KernelFigures {
            retransmits: Some(1),
            last_ack_received: Some(Duration::from_millis(1_200)),
            ..queued(acked, 200_000)
        };
        for step in 0..20 {
            world.set_kernel(Some(slow(step * 1_448)));
            world.run_for(Duration::from_millis(1_500));
            let epoch = world.session().epoch();
            world.input(|session, now| session.handle_kernel(now, epoch, slow(step * 1_448)));
            assert!(world.state().is_up(), "step {step}, blocked: {is_blocked}: {:?}", world.last_end());
        }
        let silent = KernelFigures { last_ack_received: Some(secs(5)), ..slow(20 * 1_448) };
        world.set_kernel(Some(silent));
        let waited = world.run_until("disconnected");
        assert!(waited <= secs(5), "{waited:?}");
        assert_eq!(world.last_end().ending.cause, Cause::PathSilent);
    }
}

#[test]
fn path_whose_round_trip_is_longer_than_the_deadline_has_time_for_a_loss() {
    let heartbeat = Heartbeat::new("PING").every(secs(1)).reply_within(secs(2));
    for (rtt, limit) in [(4, 8), (0, 3), (600, 20)] {
        let mut world = SimWorld::connected(Config { heartbeat: Some(heartbeat.clone()), ..Config::default() });
        world.silence_peer();
        let figures = |silent| KernelFigures {
            retransmits: Some(1),
            rtt: Some(secs(rtt)),
            last_ack_received: Some(silent),
            ..queued(1_000, 200_000)
        };
        let start = world.now();
        while world.state().is_up() {
            let silent = world.now().since(start);
            world.set_kernel(Some(figures(silent)));
            world.run_for(Duration::from_millis(10));
        }
        let lived = world.now().since(start);
        assert!(lived >= secs(limit) && lived <= secs(limit + 2), "{lived:?} with a round trip of {rtt} s");
        assert_eq!(world.last_end().ending.cause, Cause::PathSilent);
    }
}

/// A heartbeat is due at 20 s, suspicion at 25 s, the verdict at 30 s.
fn config() -> Config {
    let heartbeat = Heartbeat::new("PING").every(secs(20)).reply_within(secs(10));
    Config { heartbeat: Some(heartbeat), ..Config::default() }
}

/// So much acknowledged, so much not, and the last answer just now.
fn queued(acked: u64, queue: u32) -> KernelFigures {
    KernelFigures {
        bytes_acked: Some(acked),
        send_queue: Some(queue),
        send_window: Some(65_535),
        retransmits: Some(0),
        last_ack_received: Some(Duration::from_millis(100)),
        ..KernelFigures::default()
    }
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
