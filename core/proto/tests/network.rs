//! The network changes, goes and comes back.

use keepline_proto::cause::Detector;
use keepline_proto::config::{Config, Heartbeat};
use keepline_proto::event::Suspicion;
use keepline_proto::{Cause, Command, Ending, EventKind, NetworkChange, NetworkKind, NetworkPath, State};
use keepline_testkit::SimWorld;
use std::time::Duration;

#[test]
fn same_network_told_again_is_nothing() {
    let mut world = SimWorld::connected(config());
    world.change_network(path(1, Some(true)));
    world.run_until("recovered");
    let asked = world.heartbeats().len();
    for _ in 0..5 {
        world.change_network(path(1, Some(false)));
        world.run_for(secs(2));
    }
    assert_eq!(world.heartbeats().len(), asked);
    assert_eq!(world.dials().len(), 1);
}

#[test]
fn new_network_with_the_address_intact_makes_the_connection_prove_itself() {
    let mut world = SimWorld::connected(config());
    world.silence_peer();
    world.change_network(path(2, Some(true)));
    assert_eq!(world.run_until("suspect"), secs(1), "changes count once nothing has changed for a second");
    assert!(matches!(
        world.events().last().map(|event| &event.kind),
        Some(EventKind::Suspect { evidence: Suspicion::NetworkChanged, .. })
    ));
    assert_eq!(world.run_until("disconnected"), secs(3));
}

#[test]
fn unknown_route_never_kills_a_living_connection() {
    let mut world = SimWorld::connected(config());
    world.change_network(NetworkChange::default());
    assert_eq!(world.run_until("recovered"), secs(1));
    assert_eq!(world.dials().len(), 1);
}

#[test]
fn connection_whose_address_is_gone_is_replaced_at_once() {
    let mut world = SimWorld::connected(config());
    world.change_network(path(2, Some(false)));
    assert_eq!(world.run_until("disconnected"), secs(1));
    assert_eq!(world.last_end().ending, Ending::new(Cause::NetworkChanged, Some(Detector::NetworkChange)));
    assert_eq!(world.last_end().retry_in, Some(Duration::ZERO));
    assert_eq!(world.run_until("connected"), Duration::ZERO);
}

#[test]
fn ten_flaps_in_five_seconds_are_one_change() {
    let mut world = SimWorld::connected(config());
    for flap in 0..10 {
        world.change_network(path(10 + flap % 2, Some(false)));
        world.run_for(millis(500));
    }
    world.run_for(secs(5));
    assert_eq!(world.dials().len(), 2);
}

#[test]
fn new_network_ends_a_wait_with_one_canary_and_keeps_the_curve() {
    let mut world = SimWorld::new(config());
    world.refuse();
    world.start();
    for _ in 0..8 {
        world.run_until("disconnected");
    }
    let dials = world.dials().len();
    world.change_network(path(2, None));
    world.run_for(secs(1));
    assert!(world.dials().len() > dials);
    let failures = world.last_end().failures;
    assert!(failures >= 9, "{failures}");
    // Eight waits were drawn already: a canary that fails must not go back to the short ones.
    let waits = (0..30).map(|_| {
        world.run_until("disconnected");
        world.last_end().retry_in.unwrap_or_default()
    });
    assert!(waits.max() > Some(secs(3)));
}

#[test]
fn network_that_is_gone_keeps_the_socket_and_judges_nothing() {
    let mut world = SimWorld::connected(config());
    let asked = world.heartbeats().len();
    world.silence_peer();
    world.change_network(gone(1));
    assert_eq!(world.run_until("offline"), secs(1));
    assert_eq!(world.state(), State::Offline);
    world.run_for(secs(3600));
    assert_eq!(world.state(), State::Offline);
    assert_eq!(world.dials().len(), 1);
    assert_eq!(world.heartbeats().len(), asked);
}

#[test]
fn kept_socket_is_asked_when_the_network_is_back() {
    let mut world = SimWorld::connected(config());
    world.change_network(gone(1));
    world.run_for(secs(100));
    world.change_network(path(1, Some(true)));
    assert_eq!(world.run_until("recovered"), secs(1));
    assert_eq!(world.event_names(), ["connecting", "connected", "offline", "suspect", "recovered"]);
    world.silence_peer();
    world.change_network(gone(1));
    world.run_for(secs(100));
    world.change_network(path(1, Some(true)));
    assert_eq!(world.run_until("disconnected"), secs(4));
}

#[test]
fn byte_on_the_kept_socket_proves_the_system_wrong() {
    let mut world = SimWorld::connected(config());
    world.run_for(secs(5));
    world.receive();
    world.change_network(gone(1));
    world.run_until("offline");
    world.run_for(secs(100));
    world.receive();
    assert_eq!(world.state(), State::Connected);
    world.silence_peer();
    assert_eq!(world.run_until("disconnected"), secs(30));
    assert_eq!(world.state(), State::Offline, "without a connection nothing is dialled");
}

#[test]
fn without_a_network_only_a_cautious_attempt_is_made() {
    let mut world = SimWorld::new(config());
    world.refuse();
    world.start();
    world.run_until("disconnected");
    world.change_network(gone(1));
    world.run_until("offline");
    let before = world.dials().len();
    let start = world.now();
    world.run_for(secs(310));
    let dials: Vec<_> = world.dials().split_off(before).iter().map(|at| at.since(start)).collect();
    assert!((9..=10).contains(&dials.len()), "{dials:?}");
    assert!(dials[0] >= secs(30));
    world.answer();
    world.change_network(path(1, None));
    assert_eq!(world.run_until("connected"), secs(1));
}

#[test]
fn attempt_under_way_ends_with_the_network_and_is_no_failure() {
    let mut world = SimWorld::new(config());
    world.blackhole();
    world.start();
    world.change_network(gone(1));
    world.run_until("offline");
    assert_eq!(world.last_end().ending.cause, Cause::LocalNetworkDown);
    assert_eq!(world.last_end().failures, 0);
    world.answer();
    world.change_network(path(2, None));
    assert_eq!(world.run_until("connected"), secs(1));
}

#[test]
fn client_that_starts_without_a_network_waits_for_it() {
    let mut world = SimWorld::new(config());
    world.change_network(gone(1));
    world.run_for(secs(2));
    world.start();
    assert_eq!(world.state(), State::Offline);
    world.run_for(secs(10));
    assert!(world.dials().is_empty());
    world.change_network(path(1, None));
    assert_eq!(world.run_until("connected"), secs(1));
}

#[test]
fn wish_of_the_user_beats_the_word_of_the_system() {
    let mut world = SimWorld::new(config());
    world.change_network(gone(1));
    world.run_for(secs(2));
    world.start();
    world.command(Command::Reconnect);
    assert_eq!(world.run_until("connected"), Duration::ZERO);
}

#[test]
fn dial_on_the_old_network_is_begun_again_on_the_new_one() {
    let mut world = SimWorld::new(config());
    world.blackhole();
    world.start();
    world.run_for(secs(5));
    world.answer();
    world.change_network(path(2, None));
    assert_eq!(world.run_until("connected"), secs(1));
    assert_eq!(world.last_end().ending.cause, Cause::NetworkChanged);
}

#[test]
fn bytes_from_before_the_loss_do_not_prove_the_system_wrong() {
    let mut world = SimWorld::connected(config());
    world.receive();
    world.run_for(secs(5));
    world.receive();
    world.change_network(gone(1));
    assert_eq!(world.run_until("offline"), secs(1));
    let before_the_loss = world.now() - secs(1);
    world.input(|session, now| session.handle_deadline(now, before_the_loss));
    assert_eq!(world.state(), State::Offline);
}

#[test]
fn one_change_after_another_does_not_lengthen_the_life_of_a_silent_peer() {
    let mut world = SimWorld::connected(config());
    world.silence_peer();
    for id in 0..10 {
        world.change_network(path(id, Some(true)));
        world.run_for(secs(2));
    }
    let names = world.event_names();
    assert_eq!(names[..4], ["connecting", "connected", "suspect", "disconnected"]);
    assert_eq!(world.events()[3].at.since(world.events()[1].at), secs(4));
}

#[test]
fn hint_without_a_path_does_not_hide_the_path_told_before() {
    let mut world = SimWorld::connected(config());
    world.change_network(path(7, Some(true)));
    world.change_network(NetworkChange::default());
    world.run_for(secs(2));
    let asked = world.heartbeats().len();
    world.change_network(path(7, Some(true)));
    world.run_for(secs(2));
    assert_eq!(world.heartbeats().len(), asked);
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn config() -> Config {
    let heartbeat = Heartbeat::new("PING").every(secs(20)).reply_within(secs(10));
    Config { heartbeat: Some(heartbeat), ..Config::default() }
}

fn path(id: u64, route_intact: Option<bool>) -> NetworkChange {
    let path = NetworkPath { id, available: true, kind: NetworkKind::Wifi, metered: false };
    NetworkChange { path: Some(path), route_intact }
}

fn gone(id: u64) -> NetworkChange {
    let path = NetworkPath { id, available: false, kind: NetworkKind::Wifi, metered: false };
    NetworkChange { path: Some(path), route_intact: None }
}
