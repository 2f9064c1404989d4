//! Make before break: a second attempt beside a suspect connection, and whoever proves alive first stays.

use keepline_proto::config::{Config, Greeting, Heartbeat, Matcher, Script};
use keepline_proto::event::Disconnected;
use keepline_proto::{
    Cause, CloseHow, Command, Ending, Epoch, EventKind, NetworkChange, NetworkKind, NetworkPath, Output, State,
};
use keepline_testkit::SimWorld;
use std::time::Duration;

#[test]
fn suspect_connection_is_challenged_only_where_it_is_allowed() {
    for allowed in [true, false] {
        let mut world = SimWorld::connected(Config { concurrent_ok: allowed, ..config() });
        world.silence_peer();
        assert_eq!(world.run_until("suspect"), secs(25));
        assert_eq!(world.session().challenger(), allowed.then_some(Epoch(2)));
        assert_eq!((world.state(), world.session().epoch()), (State::Suspect, Epoch(1)));
    }
}

#[test]
fn challenger_that_proves_alive_first_replaces_the_connection_without_a_wait() {
    let mut world = suspect(config());
    world.answer();
    assert_eq!(world.run_until("connected"), Duration::ZERO);
    assert_eq!((world.state(), world.session().epoch()), (State::Connected, Epoch(2)));
    let end = world.last_end();
    assert_eq!((end.epoch, end.ending), (Epoch(1), Ending::new(Cause::Replaced, None)));
    assert_eq!((end.up_for, end.retry_in, end.failures), (Some(secs(25)), Some(Duration::ZERO), 0));
    // The loser is gone before the gate opens for the winner: nothing is replayed while both live.
    assert_eq!(gates(&world), ["open #1", "close #1", "open #2"]);
    world.run_for(secs(1_000));
    assert_eq!(world.state(), State::Connected);
    assert_eq!(world.dials().len(), 2);
}

#[test]
fn connection_that_recovers_first_stays_and_the_challenger_ends_without_a_word_about_it() {
    let mut world = suspect(config());
    world.receive();
    assert_eq!((world.state(), world.session().epoch()), (State::Connected, Epoch(1)));
    assert_eq!(world.session().challenger(), None);
    let names = world.event_names();
    assert_eq!(names[names.len() - 4..], ["suspect", "connecting", "recovered", "disconnected"]);
    let end = world.last_end();
    assert_eq!((end.epoch, end.ending.cause, end.up_for, end.retry_in), (Epoch(2), Cause::Replaced, None, None));
    assert_eq!(gates(&world), ["open #1", "close #2"]);
    world.answer();
    world.run_for(secs(1_000));
    assert_eq!((world.state(), world.dials().len()), (State::Connected, 2));
}

#[test]
fn challenger_goes_on_alone_when_the_connection_dies_first() {
    let mut world = suspect(config());
    assert_eq!(world.run_until("disconnected"), secs(5));
    let end = world.last_end();
    assert_eq!((end.epoch, end.ending.cause), (Epoch(1), Cause::PeerUnresponsive));
    assert_eq!(end.retry_in, Some(Duration::ZERO), "the next attempt runs already");
    assert_eq!((world.state(), world.session().epoch()), (State::Connecting, Epoch(2)));
    world.reply();
    assert_eq!(world.state(), State::Connected);
    assert_eq!(world.dials().len(), 2);
}

#[test]
fn challenger_that_fails_leaves_the_connection_alone_and_is_not_repeated() {
    let mut world = suspect(config());
    let refused = Ending::os(Cause::Refused, Some(111));
    world.input(|session, now| session.handle_ended(now, Epoch(2), refused));
    let Disconnected { epoch, ending, retry_in, failures, .. } = *world.last_end();
    assert_eq!((epoch, ending, retry_in, failures), (Epoch(2), refused, None, 0));
    assert_eq!((world.state(), world.session().challenger()), (State::Suspect, None));
    assert_eq!(world.run_until("disconnected"), secs(5));
    assert_eq!(world.last_end().epoch, Epoch(1));
    assert!(world.last_end().retry_in > Some(Duration::ZERO), "the curve, as without a challenger");
    assert_eq!(world.dials().len(), 2);
}

#[test]
fn each_suspicion_has_a_challenger_of_its_own() {
    let mut world = suspect(config());
    world.receive();
    world.run_until("suspect");
    assert_eq!(world.session().challenger(), Some(Epoch(3)));
    assert_eq!(world.session().epoch(), Epoch(1));
}

#[test]
fn challenger_that_never_answers_ends_by_its_own_deadline() {
    let heartbeat = Heartbeat::new("PING").every(secs(20)).reply_within(secs(100));
    let patient = Config { heartbeat: Some(heartbeat), connect_total: Some(secs(12)), ..config() };
    let mut world = SimWorld::connected(patient);
    world.blackhole();
    world.run_until("suspect");
    assert_eq!(world.run_until("disconnected"), secs(12));
    let end = world.last_end();
    assert_eq!((end.epoch, end.ending.cause), (Epoch(2), Cause::ConnectTimeout));
    assert_eq!(world.state(), State::Suspect);
}

#[test]
fn greeting_decides_where_there_is_one() {
    let script = Script::default().send("HELLO").expect(Matcher::Exact("WELCOME".into()));
    let mut world = suspect(Config { greeting: Some(Greeting::Script(script)), ..config() });
    world.run_for(Duration::ZERO);
    assert_eq!(world.session().epoch(), Epoch(1), "established is not yet alive");
    world.input(|session, now| session.handle_greeted(now, Epoch(2)));
    assert_eq!((world.state(), world.session().epoch()), (State::Connected, Epoch(2)));
    assert_eq!(world.last_end().ending.cause, Cause::Replaced);
}

#[test]
fn without_greeting_and_heartbeat_the_handshake_decides() {
    let bare = Config { concurrent_ok: true, ..Config::default() };
    let mut world = SimWorld::connected(bare);
    world.silence_peer();
    world.sleep(secs(600));
    assert_eq!(world.state(), State::Connected);
    assert_eq!(world.session().epoch(), Epoch(2));
}

#[test]
fn news_of_the_challenger_is_not_taken_for_news_of_the_connection() {
    let mut world = suspect(config());
    for input in [
        |session: &mut keepline_proto::Session, now| session.handle_received(now, Epoch(2)),
        |session: &mut keepline_proto::Session, now| session.handle_frame_started(now, Epoch(2)),
        |session: &mut keepline_proto::Session, now| session.handle_write_blocked(now, Epoch(2)),
        |session: &mut keepline_proto::Session, now| session.handle_inbox(now, Epoch(2), true),
    ] {
        world.input(input);
    }
    assert_eq!((world.state(), world.session().epoch()), (State::Suspect, Epoch(1)));
}

#[test]
fn wishes_end_both() {
    for command in [Command::Pause, Command::Abort, Command::Close { drain: secs(5) }, Command::Reconnect] {
        let mut world = suspect(config());
        world.command(command);
        assert_eq!(world.session().challenger(), None);
        let ends = world.events().iter().filter(|event| matches!(event.kind, EventKind::Disconnected(_))).count();
        assert_eq!(ends, 2, "{command:?}");
    }
}

#[test]
fn lost_network_ends_the_challenger_and_keeps_the_connection() {
    let mut world = suspect(config());
    let path = NetworkPath { id: 1, available: false, kind: NetworkKind::Wifi, metered: false };
    world.change_network(NetworkChange { path: Some(path), route_intact: None });
    world.run_until("offline");
    assert_eq!((world.session().challenger(), world.session().epoch()), (None, Epoch(1)));
    assert_eq!(world.last_end().epoch, Epoch(2));
}

/// A connection that is suspect for 0 s and has 5 s left, and the dial beside it.
fn suspect(config: Config) -> SimWorld {
    let mut world = SimWorld::connected(config);
    world.silence_peer();
    assert_eq!(world.run_until("suspect"), secs(25));
    assert_eq!(world.session().challenger(), Some(Epoch(2)));
    world
}

fn config() -> Config {
    let heartbeat = Heartbeat::new("PING").every(secs(20)).reply_within(secs(10));
    let framing = keepline_proto::framing::Framing::lines();
    Config { concurrent_ok: true, heartbeat: Some(heartbeat), framing, ..Config::default() }
}

fn gates(world: &SimWorld) -> Vec<String> {
    let gates = world.outputs().iter().filter_map(|(_, output)| match output {
        Output::Open { epoch } => Some(format!("open {epoch}")),
        Output::Close { epoch, how } => {
            assert_eq!(*how, CloseHow::Abort);
            Some(format!("close {epoch}"))
        }
        _ => None,
    });
    gates.collect()
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
