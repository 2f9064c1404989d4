//! What the driver itself sees of the network: beside the system's word, and before attempts.

use keepline_proto::cause::Detector;
use keepline_proto::config::{Config, Heartbeat};
use keepline_proto::event::Suspicion;
use keepline_proto::{Cause, Command, Ending, EventKind, NetworkChange, NetworkKind, NetworkPath, State};
use keepline_testkit::SimWorld;
use std::time::Duration;

const HOME: NetworkPath = NetworkPath { id: 1, available: true, kind: NetworkKind::Unknown, metered: false };
const ROAD: NetworkPath = NetworkPath { id: 2, ..HOME };
const NOWHERE: NetworkPath = NetworkPath { id: 0, available: false, ..HOME };

#[test]
fn address_that_is_seen_to_go_is_followed_a_second_later() {
    let mut world = SimWorld::connected(config());
    world.see_network(HOME, to(ROAD, Some(false)));
    assert_eq!(world.run_until("disconnected"), secs(1));
    assert_eq!(world.last_end().ending, Ending::new(Cause::NetworkChanged, Some(Detector::NetworkChange)));
    assert_eq!(world.run_until("connected"), Duration::ZERO);
}

#[test]
fn connection_whose_address_is_kept_is_asked_before_it_is_left() {
    let mut world = SimWorld::connected(config());
    world.see_network(HOME, to(ROAD, Some(true)));
    assert_eq!(world.run_until("suspect"), secs(1));
    assert!(matches!(
        world.events().last().map(|event| &event.kind),
        Some(EventKind::Suspect { evidence: Suspicion::NetworkChanged, .. })
    ));
    world.run_until("recovered");
    assert_eq!(world.dials().len(), 1);
    world.silence_peer();
    world.see_network(ROAD, to(HOME, Some(true)));
    assert_eq!(world.run_until("disconnected"), secs(1 + 3), "at most 3 s for the answer");
    assert_eq!(world.run_until("connecting"), world.last_end().retry_in.unwrap());
}

#[test]
fn way_that_is_lost_and_found_within_a_second_is_nothing() {
    let mut world = SimWorld::connected(config());
    let asked = world.heartbeats().len();
    world.see_network(HOME, to(NOWHERE, None));
    world.run_for(millis(900));
    world.see_network(NOWHERE, to(HOME, Some(true)));
    world.run_for(secs(5));
    assert_eq!(world.heartbeats().len(), asked);
    assert_eq!(world.event_names(), ["connecting", "connected"]);
}

#[test]
fn ten_flaps_in_five_seconds_are_one_change() {
    let mut world = SimWorld::connected(config());
    let (mut before, mut after) = (HOME, ROAD);
    for _ in 0..11 {
        world.see_network(before, to(after, Some(false)));
        std::mem::swap(&mut before, &mut after);
        world.run_for(millis(500));
    }
    world.run_for(secs(5));
    assert_eq!(world.dials().len(), 2);
}

#[test]
fn without_a_way_the_socket_is_kept_and_asked_when_there_is_one_again() {
    let mut world = SimWorld::connected(config());
    let asked = world.heartbeats().len();
    world.see_network(HOME, to(NOWHERE, None));
    assert_eq!(world.run_until("offline"), secs(1));
    world.run_for(secs(600));
    assert_eq!((world.heartbeats().len(), world.dials().len()), (asked, 1));
    world.see_network(NOWHERE, to(HOME, Some(true)));
    assert_eq!(world.run_until("recovered"), secs(1));
    assert_eq!((world.heartbeats().len(), world.dials().len()), (asked + 1, 1));
}

#[test]
fn numbers_of_the_driver_are_not_those_of_the_system() {
    let mut world = SimWorld::connected(config());
    world.change_network(told(7, true));
    world.run_until("recovered");
    let asked = world.heartbeats().len();
    // One is told again what it said before, the other sees what it saw before: nothing is new to either.
    world.see_network(HOME, to(HOME, Some(true)));
    world.run_for(secs(2));
    world.change_network(told(7, true));
    world.run_for(secs(2));
    assert_eq!(world.heartbeats().len(), asked);
    world.see_network(HOME, to(NetworkPath { id: 7, ..HOME }, Some(true)));
    assert_eq!(world.run_until("suspect"), secs(1));
}

#[test]
fn network_is_down_while_either_of_the_two_says_so() {
    let mut world = SimWorld::connected(config());
    world.change_network(told(7, false));
    world.run_until("offline");
    world.see_network(HOME, to(NOWHERE, None));
    world.run_for(secs(5));
    world.see_network(NOWHERE, to(HOME, Some(true)));
    world.run_for(secs(5));
    assert_eq!(world.state(), State::Offline, "the system has not taken its word back");
    world.change_network(told(7, true));
    assert_eq!(world.run_until("recovered"), secs(1));
}

#[test]
fn both_told_of_one_change_make_one_new_connection() {
    let mut world = SimWorld::connected(config());
    world.change_network(told(7, true));
    world.run_until("recovered");
    world.see_network(HOME, to(ROAD, Some(false)));
    world.run_for(millis(300));
    world.change_network(told(8, true));
    world.run_for(secs(10));
    assert_eq!(world.dials().len(), 2);
    assert_eq!(world.state(), State::Connected);
}

#[test]
fn client_that_finds_no_way_at_its_start_makes_no_attempt_until_there_is_one() {
    let mut world = SimWorld::new(config());
    world.find_network(NOWHERE);
    world.start();
    assert_eq!(world.state(), State::Offline);
    world.run_for(secs(29));
    assert!(world.dials().is_empty());
    world.see_network(NOWHERE, to(HOME, None));
    assert_eq!(world.run_until("connected"), secs(1));
    assert_eq!(world.dials().len(), 1);
}

#[test]
fn attempt_that_is_due_waits_for_a_way_if_there_is_none() {
    let mut world = SimWorld::new(config());
    world.refuse();
    world.start();
    world.run_until("disconnected");
    world.find_network(NOWHERE);
    assert_eq!(world.state(), State::Offline, "nothing is debounced: nothing that lives is at stake");
    world.run_for(secs(29));
    assert_eq!(world.dials().len(), 1);
}

#[test]
fn cautious_attempt_is_made_each_half_minute_though_nothing_was_found() {
    let mut world = SimWorld::new(config());
    world.refuse();
    world.find_network(NOWHERE);
    world.start();
    world.run_for(secs(310));
    assert!((9..=10).contains(&world.dials().len()), "{:?}", world.dials());
}

#[test]
fn way_that_is_found_while_offline_is_taken_at_once() {
    let mut world = SimWorld::new(config());
    world.find_network(NOWHERE);
    world.start();
    world.run_for(secs(7));
    world.find_network(HOME);
    assert_eq!(world.run_until("connected"), Duration::ZERO);
}

#[test]
fn way_that_is_found_beside_a_kept_socket_does_not_hide_that_it_was_seen() {
    let mut world = SimWorld::connected(config());
    world.see_network(HOME, to(NOWHERE, None));
    world.run_until("offline");
    world.see_network(NOWHERE, to(HOME, Some(true)));
    world.find_network(HOME);
    assert_eq!(world.run_until("recovered"), secs(1));
}

#[test]
fn attempt_that_fails_without_a_way_leads_to_offline() {
    let mut world = SimWorld::new(config());
    world.blackhole();
    world.start();
    world.find_network(NOWHERE);
    assert_eq!(world.state(), State::Connecting, "the attempt finds its own end");
    world.end(Cause::Unreachable);
    assert_eq!(world.last_end().ending.cause, Cause::Unreachable);
    assert_eq!(world.state(), State::Offline);
}

#[test]
fn silence_of_a_peer_without_a_way_to_it_is_the_own_networks() {
    for cause in [Cause::PathSilent, Cause::PeerUnresponsive, Cause::Unreachable] {
        let mut world = SimWorld::connected(config());
        world.find_network(NOWHERE);
        world.end(cause);
        assert_eq!(world.last_end().ending.cause, Cause::LocalNetworkDown);
        assert_eq!(world.last_end().ending.detector, Some(Detector::OsError), "who found out stays");
        assert_eq!(world.state(), State::Offline);
    }
    let mut world = SimWorld::connected(config());
    world.find_network(NOWHERE);
    world.end(Cause::Reset);
    assert_eq!(world.last_end().ending.cause, Cause::Reset, "a peer that speaks is no network that is silent");
}

#[test]
fn finding_what_was_always_there_changes_nothing() {
    let mut world = SimWorld::connected(config());
    for _ in 0..3 {
        world.find_network(HOME);
        world.find_network(ROAD);
        world.run_for(secs(2));
    }
    assert_eq!(world.event_names(), ["connecting", "connected"]);
}

#[test]
fn pause_and_close_hold_whatever_is_seen() {
    let mut world = SimWorld::connected(config());
    world.command(Command::Pause);
    world.see_network(HOME, to(NOWHERE, None));
    world.run_for(secs(2));
    world.see_network(NOWHERE, to(ROAD, None));
    world.find_network(HOME);
    world.run_for(secs(60));
    assert_eq!((world.state(), world.dials().len()), (State::Idle, 1));
    world.command(Command::Abort);
    world.see_network(HOME, to(ROAD, Some(false)));
    world.run_for(secs(60));
    assert_eq!((world.state(), world.dials().len()), (State::Closed, 1));
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

fn to(path: NetworkPath, route_intact: Option<bool>) -> NetworkChange {
    NetworkChange { path: Some(path), route_intact }
}

fn told(id: u64, available: bool) -> NetworkChange {
    to(NetworkPath { id, available, kind: NetworkKind::Wifi, metered: false }, Some(true))
}
