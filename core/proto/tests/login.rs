//! Refused credentials, servers that send the client away, and subscriptions that have to be confirmed.

use keepline_proto::cause::GreetingFailure;
use keepline_proto::config::{Choice, Config, Credentials, Greeting, Heartbeat, Matcher, RetryAfter, Script};
use keepline_proto::event::Disconnected;
use keepline_proto::{Cause, CloseHow, Command, Ending, Epoch, Output, Secret, State};
use keepline_testkit::SimWorld;
use std::time::Duration;

const REFUSED: Ending = Ending::new(Cause::Greeting(GreetingFailure::Auth), None);
const NO_CREDENTIALS: Ending = Ending::new(Cause::Greeting(GreetingFailure::Credentials), None);

#[test]
fn credentials_that_are_refused_twice_in_a_row_close_the_client_unless_told_otherwise() {
    for (limit, refusals) in [(Choice::Auto, 2), (Choice::On(1), 1), (Choice::On(5), 5)] {
        let mut world = refusing(Config { auth_attempts: limit, ..greeting() });
        for number in 1..refusals {
            world.end_with(REFUSED);
            let end = end(&world);
            assert_eq!((end.ending, end.failures), (REFUSED, number));
            assert!(end.retry_in.unwrap() >= secs(10), "servers lock accounts: {end:?}");
            assert_eq!(world.session().refusals(), number);
            world.run_until("connecting");
            world.run_for(Duration::ZERO);
        }
        world.end_with(REFUSED);
        assert_eq!((world.state(), end(&world).retry_in), (State::Closed, None));
    }
}

#[test]
fn refused_credentials_are_tried_for_ever_where_the_limit_is_off() {
    let mut world = refusing(Config { auth_attempts: Choice::Off, ..greeting() });
    for _ in 0..300 {
        world.end_with(REFUSED);
        world.run_until("connecting");
        world.run_for(Duration::ZERO);
    }
    assert_eq!(world.state(), State::Connecting);
}

#[test]
fn only_a_greeting_that_passes_forgets_a_refusal() {
    let mut world = refusing(greeting());
    world.end_with(REFUSED);
    world.run_until("connecting");
    // Nobody listens for a while: that says nothing about the credentials.
    world.end(Cause::Refused);
    assert_eq!(world.session().refusals(), 1);
    world.answer();
    world.run_until("connected");
    assert_eq!(world.session().refusals(), 0);
    world.silence_peer();
    world.end(Cause::Reset);
    world.run_until("connecting");
    world.run_for(Duration::ZERO);
    world.end_with(REFUSED);
    assert_eq!(world.state(), State::Waiting);
}

#[test]
fn missing_credentials_wait_as_long_as_refused_ones_and_never_close_the_client() {
    let mut world = refusing(greeting());
    for _ in 0..10 {
        world.end_with(NO_CREDENTIALS);
        assert!(end(&world).retry_in.unwrap() >= secs(10));
        world.run_until("connecting");
        world.run_for(Duration::ZERO);
    }
    assert_eq!(world.session().refusals(), 0);
}

#[test]
fn client_leaves_in_order_when_it_is_sent_away_and_comes_back_no_sooner() {
    let mut world = SimWorld::connected(Config::default());
    world.command(Command::GoAway { retry_after: secs(30) });
    let end = end(&world);
    assert_eq!((end.ending.cause, end.ending.retry_after), (Cause::PeerClosed, Some(secs(30))));
    assert!(end.up_for.is_some() && end.failures == 0);
    let wait = end.retry_in.unwrap();
    assert!(wait >= secs(30) && wait <= secs(30) + world.config().backoff.first_spread, "{wait:?}");
    assert!(
        world.outputs().iter().any(|(_, output)| *output == Output::Close { epoch: Epoch(1), how: CloseHow::Graceful })
    );
    assert_eq!(world.run_until("connected"), wait);
}

#[test]
fn a_fleet_that_is_sent_away_does_not_come_back_at_one_instant() {
    let waits: std::collections::BTreeSet<Duration> = (0..50)
        .map(|seed| {
            let mut world = SimWorld::with_seed(Config::default(), seed);
            world.start();
            world.run_until("connected");
            world.command(Command::GoAway { retry_after: secs(5) });
            end(&world).retry_in.unwrap()
        })
        .collect();
    assert_eq!(waits.len(), 50);
}

#[test]
fn nobody_is_sent_away_for_more_than_an_hour() {
    let mut world = SimWorld::connected(Config::default());
    world.command(Command::GoAway { retry_after: Duration::MAX });
    assert!(end(&world).retry_in.unwrap() <= secs(3_600) + world.config().backoff.first_spread);
}

#[test]
fn notice_that_is_understood_too_late_makes_the_wait_longer_and_never_shorter() {
    let mut world = SimWorld::connected(Config::default());
    world.end(Cause::PeerClosed);
    assert_eq!(world.state(), State::Waiting);
    world.command(Command::GoAway { retry_after: secs(30) });
    assert!(world.session().retry_at().unwrap().since(world.now()) >= secs(30));
    let before = world.session().retry_at();
    world.command(Command::GoAway { retry_after: Duration::ZERO });
    assert_eq!(world.session().retry_at(), before);
    assert!(world.run_until("connecting") >= secs(30));
}

#[test]
fn attempt_under_way_is_given_up_when_the_server_sent_the_client_away() {
    let mut world = refusing(greeting());
    world.command(Command::GoAway { retry_after: secs(30) });
    assert_eq!(world.state(), State::Waiting);
    assert!(end(&world).retry_in.unwrap() >= secs(30));
}

#[test]
fn notice_on_a_suspect_connection_ends_the_attempt_beside_it_too() {
    let heartbeat = Heartbeat::new("PING").reply(Matcher::Any);
    let mut world =
        SimWorld::connected(Config { heartbeat: Some(heartbeat), concurrent_ok: true, ..Config::default() });
    world.silence_peer();
    world.run_until("suspect");
    assert_eq!(world.session().challenger(), Some(Epoch(2)));
    world.input(|session, now| session.handle_go_away(now, Epoch(1), secs(30)));
    assert_eq!((world.state(), world.session().challenger()), (State::Waiting, None));
    let end = end(&world);
    assert_eq!(end.epoch, Epoch(1));
    assert!(end.retry_in.unwrap() >= secs(30));
}

#[test]
fn nothing_is_left_for_a_client_that_has_no_connection_by_wish() {
    let mut world = SimWorld::connected(Config::default());
    world.command(Command::Pause);
    let told = world.events().len();
    world.command(Command::GoAway { retry_after: secs(30) });
    assert_eq!((world.state(), world.events().len()), (State::Idle, told));
}

#[test]
fn connection_whose_subscriptions_are_confirmed_is_greeted_even_without_a_greeting() {
    let mut world = SimWorld::new(Config::default());
    world.silence_peer();
    world.input(|session, _| session.set_resubscribes(true));
    world.start();
    world.run_for(secs(1));
    assert!(world.outputs().iter().any(|(_, output)| matches!(output, Output::Greet { epoch: Epoch(1), .. })));
    assert_eq!(world.state(), State::Connecting);
    world.input(|session, now| session.handle_greeted(now, Epoch(1)));
    assert_eq!(world.state(), State::Connected);
}

#[test]
fn credentials_and_the_greeting_that_sends_them_belong_together() {
    let sends = || Some(Greeting::Script(Script::default().send_credentials("AUTH ", "").expect(Matcher::Any)));
    let secret = || Some(Credentials::Static(Secret::from("hunter2")));
    let valid = Config { greeting: sends(), credentials: secret(), ..Config::default() };
    let parsed = valid.clone().parse().unwrap();
    assert_eq!((parsed.credentials_within, parsed.auth_attempts), (secs(5), Some(2)));
    assert!(!format!("{valid:?} {parsed:?}").contains("hunter2"));
    let silent = Some(Greeting::Script(Script::default().expect(Matcher::Any)));
    let go_away = |when: Matcher, marker: &'static str| Some(RetryAfter::seconds_after(when, marker, secs(1)));
    let lines = keepline_proto::Framing::lines;
    for (field, config) in [
        ("credentials", Config { greeting: sends(), ..Config::default() }),
        ("credentials", Config { credentials: secret(), ..Config::default() }),
        ("credentials", Config { greeting: silent, credentials: secret(), ..Config::default() }),
        (
            "credentials",
            Config {
                framing: lines(),
                greeting: sends(),
                credentials: Some(Credentials::Static(Secret::from("two\nlines"))),
                ..Config::default()
            },
        ),
        ("credentials_within", Config { credentials_within: Some(secs(61)), ..Config::default() }),
        ("credentials_within", Config { credentials_within: Some(Duration::ZERO), ..Config::default() }),
        ("auth_attempts", Config { auth_attempts: Choice::On(0), ..Config::default() }),
        ("auth_attempts", Config { auth_attempts: Choice::On(256), ..Config::default() }),
        ("go_away", Config { go_away: go_away(Matcher::Any, "in"), framing: lines(), ..Config::default() }),
        ("go_away", Config { go_away: go_away(Matcher::Prefix("BYE".into()), "in"), ..Config::default() }),
        (
            "go_away",
            Config { go_away: go_away(Matcher::Prefix("BYE".into()), ""), framing: lines(), ..Config::default() },
        ),
        (
            "greeting",
            Config {
                greeting: Some(Greeting::Script(Script::default().refused(Matcher::Any).expect(Matcher::Any))),
                ..Config::default()
            },
        ),
    ] {
        let error = config.parse().unwrap_err();
        assert_eq!(error.field, field, "{error}");
        assert!(!error.to_string().contains("hunter2") && !error.to_string().contains("two"), "{error}");
    }
}

fn greeting() -> Config {
    let script = Script::default().send("hello").expect(Matcher::Any);
    Config { greeting: Some(Greeting::Script(script)), ..Config::default() }
}

/// A world whose peer is greeted and has not answered yet.
fn refusing(config: Config) -> SimWorld {
    let mut world = SimWorld::new(config);
    world.silence_peer();
    world.start();
    world.run_for(Duration::ZERO);
    assert_eq!(world.state(), State::Connecting);
    world
}

fn end(world: &SimWorld) -> Disconnected {
    world.last_end().clone()
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
