//! One death warns the others: a connection on the same local address is asked at once.

use keepline_proto::cause::Detector;
use keepline_proto::config::{Config, Heartbeat};
use keepline_proto::framing::Framing;
use keepline_testkit::SimWorld;
use std::time::Duration;

#[test]
fn sibling_that_died_makes_a_connection_prove_itself_long_before_its_own_heartbeat() {
    let mut world = SimWorld::connected(beating());
    world.run_for(secs(10));
    world.silence_peer();
    let died_at = world.now();
    world.input(|session, now| session.handle_sibling_died(now, died_at, died_at - secs(10)));
    assert_eq!(world.event_names(), ["connecting", "connected", "suspect"]);
    assert_eq!(world.run_until("disconnected"), secs(3));
    assert_eq!(world.last_end().ending.detector, Some(Detector::Heartbeat));
}

#[test]
fn sibling_says_nothing_about_a_connection_that_was_heard_just_now_or_began_later_or_does_not_want_to_know() {
    let mut world = SimWorld::connected(beating());
    let began = world.now();
    world.run_for(secs(10));
    let asked = world.heartbeats().len();
    world.input(|session, now| session.handle_sibling_died(now, now, now - millis(900)));
    world.input(|session, now| session.handle_sibling_died(now, began, began));
    assert_eq!(world.heartbeats().len(), asked);
    let mut world = SimWorld::connected(Config { sibling_probes: Some(false), ..beating() });
    world.run_for(secs(10));
    world.input(|session, now| session.handle_sibling_died(now, now, began));
    assert_eq!(world.event_names(), ["connecting", "connected"]);
}

#[test]
fn healthy_sibling_recovers_by_its_answer() {
    let mut world = SimWorld::connected(beating());
    world.run_for(secs(10));
    let died_at = world.now();
    world.input(|session, now| session.handle_sibling_died(now, died_at, died_at - secs(10)));
    world.run_until("recovered");
    assert_eq!(world.dials().len(), 1);
}

fn beating() -> Config {
    let heartbeat = Heartbeat::new("PING").every(secs(60)).reply_within(secs(10));
    Config { heartbeat: Some(heartbeat), framing: Framing::lines(), ..Config::default() }
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
