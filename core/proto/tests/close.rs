//! Close in every state: bounded, once, and final.

use keepline_proto::config::{Config, Heartbeat};
use keepline_proto::{
    Cause, CloseHow, Command, Ending, Epoch, EventKind, KernelFigures, NetworkChange, NetworkKind, NetworkPath, Output,
    State, Time,
};
use keepline_testkit::SimWorld;
use std::time::Duration;

#[test]
fn healthy_connection_is_drained_before_it_is_closed() {
    let mut world = SimWorld::connected(config());
    world.silence_peer();
    world.command(CLOSE);
    assert!(world.session().is_draining());
    assert_eq!(world.state(), State::Connected, "draining keeps the state");
    world.command(CLOSE);
    let epoch = world.session().epoch();
    world.run_for(secs(1));
    world.input(|session, now| session.handle_drained(now, epoch));
    assert_eq!(world.event_names(), ["connecting", "connected", "disconnected", "closed"]);
    assert_eq!(ways(&world), [CloseHow::Graceful]);
    assert_eq!(world.last_end().ending.cause, Cause::Requested);
}

#[test]
fn drain_is_bounded() {
    let mut world = SimWorld::connected(config());
    world.silence_peer();
    world.command(CLOSE);
    assert_eq!(world.run_until("closed"), secs(5));
    assert_eq!(ways(&world), [CloseHow::Abort]);
}

#[test]
fn connection_that_ends_while_draining_closes_the_client() {
    let mut world = SimWorld::connected(config());
    world.silence_peer();
    world.command(CLOSE);
    world.end(Cause::Reset);
    assert_eq!(world.last_end().ending.cause, Cause::Reset);
    assert_eq!(closed(&world), Ending::new(Cause::Requested, None));
}

#[test]
fn abort_ends_a_drain_at_once() {
    let mut world = SimWorld::connected(config());
    world.silence_peer();
    world.command(CLOSE);
    world.command(Command::Abort);
    assert_eq!(world.state(), State::Closed);
}

#[test]
fn nobody_waits_for_the_dead() {
    for prepare in [suspect, stalled, offline_with_a_socket] {
        let mut world = SimWorld::connected(config());
        prepare(&mut world);
        world.command(CLOSE);
        assert_eq!(world.state(), State::Closed);
        assert_eq!(ways(&world), [CloseHow::Abort]);
    }
}

#[test]
fn close_in_every_state_is_one_closed_at_once() {
    for prepare in [idle, connecting, greeting, waiting, offline, paused, suspect, stalled] {
        for command in [CLOSE, Command::Abort] {
            let mut world = SimWorld::new(config());
            prepare(&mut world);
            let before = world.now();
            world.command(command);
            assert_eq!(world.state(), State::Closed);
            assert_eq!(world.now(), before);
            assert_eq!(closed(&world), Ending::new(Cause::Requested, None));
            assert_eq!(world.event_names().iter().filter(|name| **name == "closed").count(), 1);
        }
    }
}

#[test]
fn nothing_is_heard_or_said_after_closed() {
    let mut world = SimWorld::connected(config());
    world.command(Command::Abort);
    let said = world.outputs().len();
    let epoch = world.session().epoch();
    let ending = Ending::new(Cause::Reset, None);
    for command in [Command::Pause, Command::Resume, Command::Reconnect, CLOSE, Command::Abort] {
        world.command(command);
    }
    world.start();
    world.input(|session, now| session.handle_dialed(now, epoch, None));
    world.input(|session, now| session.handle_greeted(now, epoch));
    world.input(|session, now| session.handle_ended(now, epoch, ending));
    world.input(|session, now| session.handle_received(now, epoch));
    world.input(|session, now| session.handle_heartbeat_reply(now, epoch));
    world.input(|session, now| session.handle_deadline(now, now));
    world.input(|session, now| session.handle_kernel(now, epoch, KernelFigures::default()));
    world.input(|session, now| session.handle_resumed(now, secs(100)));
    world.input(|session, now| session.handle_drained(now, epoch));
    world.input(|session, now| session.handle_gave_up(now, ending));
    world.change_network(NetworkChange::default());
    world.write_blocked();
    world.write_progress(true);
    world.inbox(true);
    world.frame_started();
    world.run_for(secs(1000));
    assert_eq!(world.outputs().len(), said);
    assert_eq!(world.session().retry_at(), None);
}

#[test]
fn drain_of_another_epoch_means_nothing() {
    let mut world = SimWorld::connected(config());
    world.silence_peer();
    world.command(CLOSE);
    world.input(|session, now| session.handle_drained(now, Epoch(9)));
    assert!(world.session().is_draining());
}

#[test]
fn draining_connection_is_left_in_peace() {
    let mut world = SimWorld::connected(config());
    world.silence_peer();
    world.run_for(secs(19));
    world.command(CLOSE);
    world.command(Command::Pause);
    world.command(Command::Reconnect);
    world.sleep(secs(1));
    world.run_for(secs(3));
    assert!(world.session().is_draining());
    assert_eq!(world.heartbeats().len(), 1);
    world.input(|session, _| session.handle_deadline(Time::FAR_FUTURE, Time::ZERO));
    assert_eq!(world.state(), State::Closed);
}

fn idle(_: &mut SimWorld) {}

fn connecting(world: &mut SimWorld) {
    world.blackhole();
    world.start();
}

fn greeting(world: &mut SimWorld) {
    world.silence_peer();
    world.start();
    world.run_for(secs(1));
}

fn waiting(world: &mut SimWorld) {
    world.refuse();
    world.start();
    world.run_until("disconnected");
}

fn offline(world: &mut SimWorld) {
    waiting(world);
    lose_network(world);
}

fn paused(world: &mut SimWorld) {
    world.start();
    world.run_until("connected");
    world.command(Command::Pause);
}

fn suspect(world: &mut SimWorld) {
    established(world);
    world.silence_peer();
    world.run_until("suspect");
}

fn stalled(world: &mut SimWorld) {
    established(world);
    world.stall_peer();
    world.run_until("stalled");
}

fn offline_with_a_socket(world: &mut SimWorld) {
    established(world);
    lose_network(world);
}

fn established(world: &mut SimWorld) {
    if world.state() == State::Idle {
        world.start();
        world.run_until("connected");
    }
}

fn lose_network(world: &mut SimWorld) {
    let path = NetworkPath { id: 1, available: false, kind: NetworkKind::Wifi, metered: false };
    world.change_network(NetworkChange { path: Some(path), route_intact: None });
    world.run_until("offline");
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn config() -> Config {
    let heartbeat = Heartbeat::new("PING").every(secs(20)).reply_within(secs(10));
    Config { heartbeat: Some(heartbeat), ..Config::default() }
}

fn ways(world: &SimWorld) -> Vec<CloseHow> {
    let ways = world.outputs().iter().filter_map(|(_, output)| match output {
        Output::Close { how, .. } => Some(*how),
        _ => None,
    });
    ways.collect()
}

fn closed(world: &SimWorld) -> Ending {
    match world.events().last().map(|event| &event.kind) {
        Some(EventKind::Closed(ending)) => *ending,
        other => panic!("{other:?}"),
    }
}

/// Close as most programs do.
const CLOSE: Command = Command::Close { drain: Duration::from_secs(5) };
