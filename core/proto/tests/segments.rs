//! Large segments that vanish while small ones pass: after two deaths the next connections send smaller ones.

use keepline_proto::config::{Config, Heartbeat};
use keepline_proto::{Cause, KernelFigures, NetworkChange, Output};
use keepline_testkit::SimWorld;
use std::time::Duration;

#[test]
fn two_deaths_with_large_segments_stuck_make_the_next_dials_smaller() {
    let mut world = SimWorld::connected(config());
    die(&mut world, stuck());
    assert_eq!(limits(&world), [None, None]);
    die(&mut world, stuck());
    assert_eq!(limits(&world), [None, None, Some(1200)]);
    world.end(Cause::Reset);
    world.run_until("connected");
    assert_eq!(limits(&world).last(), Some(&Some(1200)), "as long as the network is the same");
}

#[test]
fn deaths_that_the_system_tells_count_as_well() {
    let mut world = SimWorld::connected(config());
    for _ in 0..2 {
        world.set_kernel(Some(KernelFigures { unacked_segments: Some(0), ..stuck() }));
        world.end(Cause::PathSilent);
        world.run_until("connected");
    }
    assert_eq!(limits(&world).last(), Some(&Some(1200)));
}

#[test]
fn deaths_with_little_in_flight_prove_nothing_about_large_segments() {
    let mut world = SimWorld::connected(config());
    for _ in 0..4 {
        die(&mut world, KernelFigures { send_queue: Some(2 * 1448 - 1), not_sent: Some(0), ..stuck() });
    }
    assert!(limits(&world).iter().all(Option::is_none));
}

#[test]
fn connection_that_got_a_large_segment_through_is_no_witness() {
    let mut world = SimWorld::connected(config());
    for _ in 0..4 {
        let small = KernelFigures { retransmits: Some(0), ..stuck() };
        let carried = KernelFigures { bytes_acked: Some(70_000), delivered_segments: Some(60), ..small };
        let epoch = world.session().epoch();
        world.input(|session, now| session.handle_kernel(now, epoch, small));
        world.input(|session, now| session.handle_kernel(now, epoch, carried));
        die(&mut world, KernelFigures { retransmits: Some(5), ..carried });
    }
    assert!(limits(&world).iter().all(Option::is_none));
}

#[test]
fn clamp_is_forgotten_on_another_network_after_an_hour_and_when_it_does_not_help() {
    let clamped = || {
        let mut world = SimWorld::connected(config());
        die(&mut world, stuck());
        die(&mut world, stuck());
        assert_eq!(limits(&world).last(), Some(&Some(1200)));
        world
    };
    let mut world = clamped();
    world.change_network(NetworkChange { path: None, route_intact: Some(false) });
    world.run_until("connected");
    assert_eq!(limits(&world).last(), Some(&None));

    let mut world = clamped();
    world.run_for(Duration::from_secs(3601));
    world.end(Cause::Reset);
    world.run_until("connected");
    assert_eq!(limits(&world).last(), Some(&None));

    let mut world = clamped();
    die(&mut world, KernelFigures { segment_size: Some(1188), ..stuck() });
    assert_eq!(limits(&world).last(), Some(&None));
}

/// The present connection falls silent with these figures, and the next one is made.
fn die(world: &mut SimWorld, figures: KernelFigures) {
    world.silence_peer();
    world.set_kernel(Some(figures));
    world.run_until("disconnected");
    assert_eq!(world.last_end().ending.cause, Cause::PathSilent);
    world.answer();
    world.set_kernel(None);
    world.run_until("connected");
}

fn limits(world: &SimWorld) -> Vec<Option<u16>> {
    let dials = world.outputs().iter().filter_map(|(_, output)| match output {
        Output::Dial { mss, .. } => Some(*mss),
        _ => None,
    });
    dials.collect()
}

fn config() -> Config {
    let heartbeat = Heartbeat::new("PING").every(Duration::from_secs(20)).reply_within(Duration::from_secs(10));
    Config { heartbeat: Some(heartbeat), ..Config::default() }
}

/// As measured behind a link of 1300 bytes: small messages passed, 20 kB do not.
fn stuck() -> KernelFigures {
    KernelFigures {
        unacked_segments: Some(11),
        retransmits: Some(6),
        send_window: Some(65_535),
        send_queue: Some(20_000),
        not_sent: Some(4_000),
        segment_size: Some(1448),
        bytes_acked: Some(60),
        delivered_segments: Some(12),
        last_ack_received: Some(Duration::from_secs(9)),
        ..KernelFigures::default()
    }
}
