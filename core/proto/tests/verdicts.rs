//! What ends a client by itself, and what a configuration lets it try again.

use keepline_proto::cause::{ProxyFailure, TlsFailure};
use keepline_proto::config::{Addresses, Choice, Config, Profile};
use keepline_proto::proxy::Proxy;
use keepline_proto::{Cause, Ending, State};
use keepline_testkit::SimWorld;
use std::time::Duration;

const WRONG: Ending = Ending::new(Cause::Proxy(ProxyFailure::Auth), None);

#[test]
fn verdicts_on_tls_are_tried_again_for_ever_where_that_is_asked_for_and_never_soon() {
    for failure in TlsFailure::ALL.iter().copied().filter(|failure| Cause::Tls(*failure).is_fatal()) {
        let mut world = dialling(Config { retry_tls_verdicts: true, ..Config::default() });
        for _ in 0..50 {
            world.end(Cause::Tls(failure));
            let wait = world.last_end().retry_in.unwrap();
            assert!(wait >= Duration::from_secs(30), "{failure}: {wait:?}");
            next_attempt(&mut world);
        }
        let mut strict = dialling(Config::default());
        strict.end(Cause::Tls(failure));
        assert_eq!((strict.state(), strict.last_end().retry_in), (State::Closed, None), "{failure}");
    }
}

#[test]
fn one_of_several_endpoints_with_a_verdict_is_no_end_either() {
    let mut world = SimWorld::new(Config { retry_tls_verdicts: true, ..Config::default() });
    world.endpoints(&[("a:1", 1), ("b:1", 1)]);
    world.blackhole();
    world.start();
    for _ in 0..10 {
        world.end(Cause::Tls(TlsFailure::NameMismatch));
        next_attempt(&mut world);
    }
    assert_eq!(world.state(), State::Connecting);
}

#[test]
fn proxy_that_refuses_declared_credentials_is_the_end_and_a_provider_is_asked_once_more() {
    let mut declared = dialling(Config { proxy: Some(proxy("robot:secret@")), ..Config::default() });
    declared.end_with(WRONG);
    assert_eq!(declared.state(), State::Closed);

    let provided = Config { proxy: Some(proxy("")), proxy_credentials: true, ..Config::default() };
    for (limit, tries) in [(Choice::Auto, 2), (Choice::On(1), 1), (Choice::On(4), 4)] {
        let mut world = dialling(Config { auth_attempts: limit, ..provided.clone() });
        for number in 1..tries {
            world.end_with(WRONG);
            assert!(world.last_end().retry_in.unwrap() >= Duration::from_secs(10), "accounts get locked");
            assert_eq!((world.session().proxy_refusals(), world.session().refusals()), (number, 0));
            next_attempt(&mut world);
        }
        world.end_with(WRONG);
        assert_eq!((world.state(), world.last_end().retry_in), (State::Closed, None));
    }
    let mut patient = dialling(Config { auth_attempts: Choice::Off, ..provided });
    for _ in 0..300 {
        patient.end_with(WRONG);
        next_attempt(&mut patient);
    }
    assert_eq!(patient.state(), State::Connecting);
}

#[test]
fn connection_that_comes_about_forgets_what_the_proxy_refused() {
    let config = Config { proxy: Some(proxy("")), proxy_credentials: true, ..Config::default() };
    let mut world = dialling(config);
    world.end_with(WRONG);
    world.answer();
    world.run_until("connected");
    assert_eq!(world.session().proxy_refusals(), 0);
    world.blackhole();
    world.end(Cause::Reset);
    next_attempt(&mut world);
    world.end_with(WRONG);
    assert_eq!(world.state(), State::Waiting);
}

#[test]
fn race_through_tls_is_refused_where_there_is_no_race() {
    let racing = Config { race_through_tls: true, ..Config::default() };
    assert!(racing.clone().parse().unwrap().race_through_tls);
    assert!(!Config::default().parse().unwrap().race_through_tls);
    for config in [
        Config { addresses: Some(Addresses::OneAtATime), ..racing.clone() },
        Config { profile: Profile::Industrial, ..racing.clone() },
        Config { single_connection: Some(true), ..racing },
    ] {
        assert_eq!(config.parse().unwrap_err().field, "race_through_tls");
    }
}

/// A client whose first attempt is under way.
fn dialling(config: Config) -> SimWorld {
    let mut world = SimWorld::new(config);
    world.blackhole();
    world.start();
    world
}

fn next_attempt(world: &mut SimWorld) {
    world.run_until("connecting");
    world.run_for(Duration::ZERO);
}

fn proxy(login: &str) -> Proxy {
    Proxy::parse(&format!("http://{login}proxy.example:3128")).unwrap()
}
