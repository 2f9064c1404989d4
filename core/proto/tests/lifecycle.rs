//! From start to connected to the next connection: attempts, greetings, wishes, epochs.

use keepline_proto::cause::{GreetingFailure, TlsFailure};
use keepline_proto::config::{Config, Greeting, Heartbeat, Matcher, Script};
use keepline_proto::{Cause, Command, Ending, Epoch, EventKind, Output, Session, State, Time};
use keepline_testkit::SimWorld;
use std::time::Duration;

#[test]
fn plain_tcp_is_connected_as_soon_as_it_is_established() {
    let mut world = SimWorld::new(Config::default());
    assert_eq!(world.state(), State::Idle);
    world.start();
    assert_eq!(world.state(), State::Connecting);
    assert_eq!(world.run_until("connected"), Duration::ZERO);
    assert_eq!(world.event_names(), ["connecting", "connected"]);
    assert_eq!(world.session().epoch(), Epoch(1));
}

#[test]
fn declared_greeting_must_pass_before_connected() {
    let mut world = SimWorld::new(greeting());
    world.silence_peer();
    world.start();
    assert_eq!(world.run_until("disconnected"), secs(60));
    assert_eq!(world.last_end().ending.cause, Cause::Greeting(GreetingFailure::Timeout));
    assert_eq!(world.last_end().up_for, None);
    assert_eq!(world.last_end().failures, 1);
    world.answer();
    world.run_until("connected");
}

#[test]
fn greeting_ends_with_the_whole_attempt_and_not_later() {
    let mut world = SimWorld::new(greeting());
    world.silence_peer();
    world.start();
    world.run_for(Duration::ZERO);
    let dialed = deadline_of(&world, |output| match output {
        Output::Dial { deadline, .. } => Some(*deadline),
        _ => None,
    });
    let greeted = deadline_of(&world, |output| match output {
        Output::Greet { deadline, .. } => Some(*deadline),
        _ => None,
    });
    assert_eq!(dialed, greeted);
    assert_eq!(dialed.since(world.now()), secs(60));
}

#[test]
fn first_heartbeat_is_the_greeting_where_none_is_declared() {
    let mut world = SimWorld::new(heartbeat(Matcher::Exact("PONG".into())));
    world.silence_peer();
    world.start();
    world.run_for(secs(1));
    assert_eq!(world.heartbeats().len(), 1);
    world.receive();
    assert_eq!(world.state(), State::Connecting, "a byte that is not the reply proves nothing yet");
    world.reply();
    assert_eq!(world.state(), State::Connected);
}

#[test]
fn any_byte_answers_a_first_heartbeat_that_any_byte_may_answer() {
    let mut world = SimWorld::new(heartbeat(Matcher::Any));
    world.silence_peer();
    world.start();
    world.run_for(secs(1));
    world.receive();
    assert_eq!(world.state(), State::Connected);
}

#[test]
fn first_heartbeat_without_answer_fails_the_attempt_after_its_reply_deadline() {
    let mut world = SimWorld::new(heartbeat(Matcher::Any));
    world.silence_peer();
    world.start();
    assert_eq!(world.run_until("disconnected"), secs(10));
    assert_eq!(world.last_end().ending, Ending::new(Cause::Greeting(GreetingFailure::Timeout), None));
}

#[test]
fn heartbeat_without_a_reply_is_no_greeting() {
    let mut world = SimWorld::new(heartbeat(Matcher::None));
    world.silence_peer();
    world.start();
    assert_eq!(world.run_until("connected"), Duration::ZERO);
}

#[test]
fn dial_into_a_black_hole_ends_with_the_total_deadline() {
    let mut world = SimWorld::new(Config::default());
    world.blackhole();
    world.start();
    assert_eq!(world.run_until("disconnected"), secs(60));
    assert_eq!(world.last_end().ending.cause, Cause::ConnectTimeout);
    assert_eq!(world.state(), State::Waiting);
    let retry_in = world.last_end().retry_in;
    assert_eq!(world.session().retry_at(), retry_in.map(|wait| world.now() + wait));
    assert_eq!(Some(world.run_until("connecting")), retry_in);
}

#[test]
fn failures_count_up_and_connected_sets_them_back() {
    let mut world = SimWorld::new(Config::default());
    world.refuse();
    world.start();
    for failures in 1..=5 {
        world.run_until("disconnected");
        assert_eq!(world.last_end().failures, failures);
        assert_eq!(world.last_end().ending.errno, Some(111));
    }
    world.answer();
    world.run_until("connected");
    world.end(Cause::Reset);
    assert_eq!(world.last_end().failures, 0);
    assert_eq!(world.last_end().up_for, Some(Duration::ZERO));
}

#[test]
fn connected_tells_the_time_since_the_last_connection_ended() {
    let mut world = SimWorld::connected(Config::default());
    world.run_for(secs(100));
    world.refuse();
    world.end(Cause::PeerClosed);
    let lost_at = world.now();
    world.run_for(secs(20));
    world.answer();
    world.run_until("connected");
    let Some(EventKind::Connected { after, .. }) = world.events().last().map(|event| &event.kind) else {
        panic!("{:?}", world.events());
    };
    assert_eq!(*after, world.now().since(lost_at));
}

#[test]
fn every_epoch_opens_before_connected_and_closes_before_disconnected() {
    let mut world = SimWorld::connected(Config::default());
    world.end(Cause::Reset);
    let order: Vec<_> = world
        .outputs()
        .iter()
        .map(|(_, output)| match output {
            Output::Emit(event) => event.kind.name(),
            Output::Open { .. } => "open",
            Output::Close { .. } => "close",
            Output::Dial { .. } => "dial",
            _ => "other",
        })
        .collect();
    assert_eq!(order, ["connecting", "dial", "open", "connected", "close", "disconnected"]);
}

#[test]
fn news_of_an_old_epoch_is_dropped() {
    let mut world = SimWorld::connected(Config::default());
    world.end(Cause::Reset);
    world.run_until("connected");
    let before = world.events().len();
    world.input(|session, now| session.handle_ended(now, Epoch(1), Ending::os(Cause::Reset, None)));
    world.input(|session, now| session.handle_dialed(now, Epoch(1), None));
    world.input(|session, now| session.handle_greeted(now, Epoch(3)));
    world.input(|session, now| session.handle_drained(now, Epoch(2)));
    world.input(|session, now| session.handle_dialed(now, Epoch(2), None));
    assert_eq!(world.events().len(), before);
    assert_eq!(world.state(), State::Connected);
}

#[test]
fn fatal_causes_close_the_client() {
    for cause in [TlsFailure::NameMismatch, TlsFailure::UntrustedIssuer, TlsFailure::ClientAuth].map(Cause::Tls) {
        let mut world = SimWorld::new(Config::default());
        world.blackhole();
        world.start();
        world.end(cause);
        assert_eq!(world.event_names(), ["connecting", "disconnected", "closed"]);
        assert_eq!(world.last_end().retry_in, None);
        assert_eq!(world.state(), State::Closed);
    }
}

#[test]
fn client_gives_up_after_its_last_attempt_with_the_last_ending() {
    let mut world = SimWorld::new(Config { max_attempts: Some(3), ..Config::default() });
    world.refuse();
    world.start();
    world.run_until("closed");
    assert_eq!(world.dials().len(), 3);
    assert_eq!(world.last_end().failures, 3);
    let Some(EventKind::Closed(ending)) = world.events().last().map(|event| &event.kind) else {
        panic!("{:?}", world.events());
    };
    assert_eq!(ending.cause, Cause::Refused);
}

#[test]
fn paused_client_ends_its_connection_and_dials_only_when_resumed() {
    let mut world = SimWorld::connected(Config::default());
    world.command(Command::Pause);
    assert_eq!(world.state(), State::Idle);
    world.run_for(secs(3600));
    assert_eq!(world.dials().len(), 1);
    world.command(Command::Resume);
    world.run_until("connected");
    assert_eq!(
        world.event_names(),
        ["connecting", "connected", "disconnected", "paused", "resumed", "connecting", "connected"]
    );
}

#[test]
fn client_in_the_background_stays_away_until_somebody_looks_again() {
    let mut world = SimWorld::connected(Config::default());
    world.command(Command::Background);
    assert_eq!(world.state(), State::Idle);
    world.run_for(secs(3600));
    assert_eq!(world.dials().len(), 1);
    world.command(Command::Foreground);
    assert_eq!(world.run_until("connected"), Duration::ZERO);
    assert_eq!(
        world.event_names(),
        ["connecting", "connected", "disconnected", "paused", "resumed", "connecting", "connected"]
    );
}

#[test]
fn pause_outlives_the_background_and_a_resume_ends_both() {
    for first in [Command::Pause, Command::Background] {
        let mut world = SimWorld::connected(Config::default());
        world.command(first);
        world.command(if first == Command::Pause { Command::Background } else { Command::Pause });
        world.command(Command::Foreground);
        world.run_for(secs(10));
        assert_eq!(world.state(), State::Idle, "{first:?}");
        world.command(Command::Background);
        world.command(Command::Resume);
        world.run_until("connected");
        assert_eq!(
            world.event_names(),
            ["connecting", "connected", "disconnected", "paused", "resumed", "connecting", "connected"]
        );
    }
}

#[test]
fn connection_that_was_never_left_is_asked_when_somebody_looks_again() {
    let mut world = SimWorld::connected(heartbeat(Matcher::Any));
    let asked = world.heartbeats().len();
    world.command(Command::Foreground);
    world.run_until("recovered");
    assert_eq!(world.event_names(), ["connecting", "connected", "suspect", "recovered"]);
    assert_eq!((world.heartbeats().len(), world.dials().len()), (asked + 1, 1));
}

#[test]
fn wait_ends_when_somebody_looks_again_and_an_attempt_goes_on() {
    let mut world = SimWorld::new(Config::default());
    world.refuse();
    world.start();
    world.run_until("disconnected");
    world.blackhole();
    world.command(Command::Foreground);
    assert_eq!(world.dials().len(), 2);
    world.command(Command::Foreground);
    assert_eq!(world.dials().len(), 2);
}

#[test]
fn pause_before_start_keeps_the_client_idle() {
    let mut world = SimWorld::new(Config::default());
    world.command(Command::Pause);
    world.start();
    world.run_for(secs(10));
    assert_eq!(world.event_names(), ["paused"]);
    world.command(Command::Resume);
    world.run_until("connected");
}

#[test]
fn reconnect_leaves_the_connection_and_dials_at_once() {
    let mut world = SimWorld::connected(Config::default());
    world.run_for(secs(5));
    world.command(Command::Reconnect);
    assert_eq!(world.last_end().ending.cause, Cause::Requested);
    assert_eq!(world.last_end().retry_in, Some(Duration::ZERO));
    assert_eq!(world.run_until("connected"), Duration::ZERO);
    assert_eq!(world.session().epoch(), Epoch(2));
}

#[test]
fn reconnect_ends_a_wait_and_leaves_an_attempt_alone() {
    let mut world = SimWorld::new(Config::default());
    world.refuse();
    world.start();
    world.run_until("disconnected");
    world.blackhole();
    world.command(Command::Reconnect);
    assert_eq!(world.state(), State::Connecting);
    world.command(Command::Reconnect);
    assert_eq!(world.dials().len(), 2);
}

#[test]
fn giving_up_closes_with_the_ending_of_the_giver() {
    let mut world = SimWorld::new(Config::default());
    world.blackhole();
    world.start();
    world.run_for(secs(3));
    let ending = Ending::new(Cause::ConnectTimeout, None);
    world.input(|session, now| session.handle_gave_up(now, ending));
    assert_eq!(world.event_names(), ["connecting", "disconnected", "closed"]);
    assert_eq!(world.events().last().map(|event| event.kind.clone()), Some(EventKind::Closed(ending)));
}

#[test]
fn starting_twice_dials_once() {
    let mut world = SimWorld::connected(Config::default());
    world.start();
    assert_eq!(world.dials().len(), 1);
}

#[test]
fn same_seed_and_inputs_give_the_same_outputs() {
    let run = |seed| {
        let mut world = SimWorld::with_seed(Config::default(), seed);
        world.refuse();
        world.start();
        world.run_for(secs(60));
        world.outputs().to_vec()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn clock_that_steps_back_is_held_still() {
    let mut world = SimWorld::connected(heartbeat(Matcher::Any));
    let before = world.now();
    world.input(|session, _| session.handle_deadline(Time::ZERO, Time::ZERO));
    assert_eq!(world.state(), State::Connected);
    assert_eq!(world.now(), before);
}

#[test]
#[should_panic(expected = "outputs must be drained")]
fn input_before_the_outputs_are_drained_is_a_bug_of_the_driver() {
    let mut world = SimWorld::new(Config::default());
    world.input(|session, now| {
        session.handle_start(now);
        session.handle_start(now);
    });
}

#[test]
fn a_session_is_small() {
    assert!(size_of::<Session>() <= 544, "{}", size_of::<Session>());
    assert!(size_of::<Output>() <= 64, "{}", size_of::<Output>());
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn heartbeat(reply: Matcher) -> Config {
    let heartbeat = Heartbeat::new("PING").every(secs(20)).reply_within(secs(10)).reply(reply);
    Config { heartbeat: Some(heartbeat), ..lines() }
}

fn greeting() -> Config {
    let script = Script::default().send("HELLO").expect(Matcher::Exact("WELCOME".into()));
    Config { greeting: Some(Greeting::Script(script)), ..lines() }
}

/// A framing in which a reply can be told from others.
fn lines() -> Config {
    Config { framing: keepline_proto::framing::Framing::lines(), ..Config::default() }
}

fn deadline_of(world: &SimWorld, wanted: impl Fn(&Output) -> Option<Time>) -> Time {
    let found = world.outputs().iter().find_map(|(_, output)| wanted(output));
    found.unwrap_or_else(|| panic!("{:?}", world.outputs()))
}
