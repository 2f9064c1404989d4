//! Where no heartbeat expects a reply, the kernel asks the peer's kernel: on a wake from sleep, on a new network.

use keepline_proto::cause::Detector;
use keepline_proto::config::{Config, Heartbeat, Matcher};
use keepline_proto::{Cause, Ending, KernelFigures, NetworkChange, Output, State};
use keepline_testkit::SimWorld;
use std::time::Duration;

#[test]
fn three_probes_without_an_answer_end_a_connection_though_the_user_timeout_has_time() {
    let mut world = asleep_behind(quiet(0));
    world.set_kernel(Some(quiet(1)));
    world.run_for(millis(1_000));
    world.set_kernel(Some(quiet(2)));
    world.run_for(millis(1_000));
    world.set_kernel(Some(quiet(3)));
    assert_eq!(world.run_until("disconnected"), millis(1_000));
    assert_eq!(world.last_end().ending, Ending::new(Cause::PathSilent, Some(Detector::Keepalive)));
    assert_eq!(probes(&world), [true], "a dead socket needs nothing back");
}

#[test]
fn fewer_probes_than_three_are_waited_for() {
    let mut world = asleep_behind(quiet(0));
    world.set_kernel(Some(quiet(2)));
    world.run_for(secs(20));
    assert_eq!(world.state(), State::Suspect);
    world.set_kernel(Some(quiet(3)));
    assert!(world.run_until("disconnected") <= secs(1));
}

#[test]
fn probes_that_went_unanswered_before_the_question_do_not_count() {
    let mut world = asleep_behind(quiet(2));
    world.set_kernel(Some(quiet(4)));
    world.run_for(secs(5));
    assert_eq!(world.state(), State::Suspect);
    world.set_kernel(Some(quiet(5)));
    assert!(world.run_until("disconnected") <= secs(1));
}

#[test]
fn answer_of_the_peers_kernel_ends_the_doubt_and_sets_the_keepalive_back() {
    let mut world = asleep_behind(quiet(0));
    world.set_kernel(Some(KernelFigures { last_ack_received: Some(millis(200)), ..quiet(0) }));
    assert_eq!(world.run_until("recovered"), millis(250));
    assert_eq!(probes(&world), [true, false]);
    world.run_for(secs(1_000));
    assert_eq!(world.state(), State::Connected);
}

#[test]
fn byte_of_the_peer_ends_the_doubt_as_well() {
    let mut world = asleep_behind(quiet(0));
    world.run_for(millis(100));
    world.receive();
    assert_eq!(world.state(), State::Connected);
    assert_eq!(probes(&world), [true, false]);
}

#[test]
fn data_in_flight_that_is_sent_again_three_times_is_told_by_the_figures() {
    let resent = |retransmits| KernelFigures {
        retransmits: Some(retransmits),
        unacked_segments: Some(1),
        send_queue: Some(100),
        probes: Some(0),
        ..quiet(0)
    };
    let mut world = asleep_behind(resent(4));
    world.run_for(secs(5));
    assert_eq!(world.state(), State::Suspect);
    world.set_kernel(Some(resent(7)));
    assert!(world.run_until("disconnected") <= secs(1));
    assert_eq!(world.last_end().ending, Ending::new(Cause::PathSilent, Some(Detector::KernelInfo)));
}

#[test]
fn where_the_kernel_tells_nothing_its_own_verdict_is_waited_for() {
    let mut world = asleep_behind(KernelFigures::default());
    assert_eq!(world.run_until("recovered"), secs(5), "it would have told after four");
    assert_eq!(probes(&world), [true, false]);
}

#[test]
fn full_inbox_does_not_keep_the_kernels_from_talking() {
    let mut world = asleep_behind(quiet(0));
    world.inbox(true);
    world.set_kernel(Some(quiet(3)));
    assert_eq!(world.run_until("disconnected"), secs(3));
}

#[test]
fn lost_network_stops_the_question() {
    let mut world = asleep_behind(quiet(0));
    let path = keepline_proto::NetworkPath {
        id: 1,
        available: false,
        kind: keepline_proto::NetworkKind::Wifi,
        metered: false,
    };
    world.change_network(NetworkChange { path: Some(path), route_intact: None });
    world.run_until("offline");
    assert_eq!(probes(&world), [true, false]);
}

#[test]
fn heartbeat_that_expects_a_reply_needs_no_kernel() {
    let heartbeat = |reply| Heartbeat::new("PING").every(secs(20)).reply_within(secs(10)).reply(reply);
    for (reply, expected) in [(Matcher::Any, &[][..]), (Matcher::None, &[true][..])] {
        let mut world = SimWorld::connected(Config { heartbeat: Some(heartbeat(reply)), ..Config::default() });
        world.silence_peer();
        world.sleep(secs(600));
        world.run_for(secs(1));
        assert_eq!(probes(&world), expected);
    }
}

/// A client without a heartbeat that wakes up, and what its kernel says at the first look.
fn asleep_behind(figures: KernelFigures) -> SimWorld {
    let mut world = SimWorld::connected(Config::default());
    world.run_for(secs(100));
    world.set_kernel(Some(figures));
    world.sleep(secs(600));
    world.run_for(Duration::ZERO);
    assert_eq!(world.state(), State::Suspect);
    assert_eq!(probes(&world), [true]);
    world
}

/// Nothing heard for long, nothing to send, and so many probes unanswered.
fn quiet(probes: u32) -> KernelFigures {
    KernelFigures {
        unacked_segments: Some(0),
        retransmits: Some(0),
        probes: Some(probes),
        send_queue: Some(0),
        not_sent: Some(0),
        send_window: Some(65_535),
        last_ack_received: Some(secs(700)),
        ..KernelFigures::default()
    }
}

fn probes(world: &SimWorld) -> Vec<bool> {
    let asked = world.outputs().iter().filter_map(|(_, output)| match output {
        Output::ProbeKernel { now, .. } => Some(*now),
        _ => None,
    });
    asked.collect()
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
