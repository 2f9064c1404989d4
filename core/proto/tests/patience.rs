//! How long a handshake may take: more with a server that is busy, and not with every client the same.

use keepline_proto::Cause;
use keepline_proto::cause::TlsFailure;
use keepline_proto::config::{Config, Profile};
use keepline_proto::endpoints::{Candidate, Candidates, EndpointId};
use keepline_proto::framing::Framing;
use keepline_proto::race::{TLS_LEAST, tls_within};
use keepline_testkit::SimWorld;
use std::collections::BTreeSet;
use std::time::Duration;

/// Most of the first attempts, and one in four of them.
const FIRST: [Duration; 2] = [secs(8), millis(4_500)];

/// The same once one has timed out.
const SECOND: [Duration; 2] = [millis(21_500), Duration::from_nanos(12_093_750_000)];

#[test]
fn handshake_has_more_time_once_an_attempt_has_timed_out() {
    let mut seen = [const { BTreeSet::new() }; 6];
    for seed in 0..200 {
        let mut world = SimWorld::with_seed(config(), seed);
        world.start();
        world.silence_peer();
        for seen in &mut seen {
            seen.insert(world.session().connect_per_address());
            world.end(Cause::ConnectTimeout);
            world.run_until("connecting");
        }
    }
    let [first, second, rest @ ..] = seen;
    assert_eq!((first, second), (FIRST.into(), SECOND.into()));
    for later in rest {
        assert_eq!(later, [millis(21_500)].into(), "nobody leaves these early");
    }
}

#[test]
fn one_attempt_in_four_leaves_early_and_which_is_luck() {
    let early = |seed: &u64| {
        let mut world = SimWorld::with_seed(config(), *seed);
        world.start();
        world.session().connect_per_address() < secs(8)
    };
    let count = (0..4_000).filter(early).count();
    assert!((900..1_100).contains(&count), "{count} of 4,000");
}

#[test]
fn handshake_keeps_its_patience_until_an_attempt_succeeds() {
    let mut world = SimWorld::new(config());
    world.start();
    world.end(Cause::Refused);
    assert!(FIRST.contains(&world.session().connect_per_address()));
    world.silence_peer();
    world.run_until("connecting");
    world.end(Cause::ConnectTimeout);
    world.run_until("connecting");
    assert!(SECOND.contains(&world.session().connect_per_address()));
    world.end(Cause::Refused);
    world.run_until("connecting");
    assert!(SECOND.contains(&world.session().connect_per_address()), "a refusal is no success");
    world.answer();
    world.run_until("connected");
    world.silence_peer();
    world.end(Cause::PeerClosed);
    world.run_until("connecting");
    assert!(FIRST.contains(&world.session().connect_per_address()));
}

#[test]
fn handshake_has_no_more_time_and_no_less_where_somebody_else_can_be_tried() {
    for seed in 0..50 {
        let mut world = two_endpoints(seed);
        world.start();
        assert_eq!(world.session().connect_per_address(), secs(8));
        world.end(Cause::ConnectTimeout);
        assert_eq!(world.session().connect_per_address(), secs(8));
    }
}

#[test]
fn deadline_that_was_declared_or_is_the_same_for_all_attempts_is_kept_by_everybody() {
    let declared = Config { connect_per_address: Some(secs(5)), ..config() };
    let industrial = Config { profile: Profile::Industrial, ..config() };
    for (config, whole) in [(declared, secs(5)), (industrial, millis(6_500))] {
        for seed in 0..50 {
            let mut world = SimWorld::with_seed(config.clone(), seed);
            world.start();
            world.silence_peer();
            for _attempt in 0..4 {
                assert_eq!(world.session().connect_per_address(), whole);
                world.end(Cause::ConnectTimeout);
                world.run_until("connecting");
            }
        }
    }
}

#[test]
fn nobody_leaves_a_tls_handshake_early() {
    for seed in 0..50 {
        let mut world = SimWorld::with_seed(config(), seed);
        world.start();
        world.silence_peer();
        let mut least = Vec::new();
        for _attempt in 0..5 {
            least.push(world.session().tls_least());
            world.end(Cause::ConnectTimeout);
            world.run_until("connecting");
        }
        let patient = millis(21_500);
        assert_eq!(least, [secs(8), patient, patient, patient, patient]);
    }
}

#[test]
fn tls_handshake_with_one_endpoint_has_as_long_as_tcp_has_with_an_address() {
    let mut world = SimWorld::new(config());
    world.start();
    assert_eq!(world.session().tls_least(), secs(8));
    world.silence_peer();
    world.end(Cause::Tls(TlsFailure::Timeout));
    assert_eq!(world.session().tls_least(), millis(21_500));
    world.answer();
    world.run_until("connected");
    assert_eq!(world.session().tls_least(), secs(8));
}

#[test]
fn tls_handshake_is_never_shorter_than_3_s_and_longer_than_5_times_what_tcp_took() {
    let impatient = Config { connect_per_address: Some(secs(1)), ..config() };
    let world = SimWorld::new(impatient);
    assert_eq!(world.session().tls_least(), TLS_LEAST);
    assert_eq!(tls_within(TLS_LEAST, millis(600)), secs(3));
    assert_eq!(tls_within(TLS_LEAST, millis(700)), millis(3_500));
    assert_eq!(tls_within(TLS_LEAST, Duration::MAX), Duration::MAX);
}

#[test]
fn tls_handshake_with_several_endpoints_gets_longer_only_when_each_of_them_has_kept_the_client_waiting() {
    let mut world = two_endpoints(1);
    world.start();
    world.silence_peer();
    let mut least = Vec::new();
    for _ in 0..8 {
        least.push(world.session().tls_least());
        world.end(Cause::Tls(TlsFailure::Timeout));
        world.run_until("connecting");
    }
    let [begun, second, third, patient] = [secs(3), secs(6), secs(12), millis(21_500)];
    assert_eq!(least, [begun, begun, second, second, third, third, patient, patient]);
    world.answer();
    world.run_until("connected");
    assert_eq!(world.session().tls_least(), begun);
}

fn two_endpoints(seed: u64) -> SimWorld {
    let mut world = SimWorld::with_seed(config(), seed);
    let list = ["one", "other"].iter().enumerate().map(|(id, name)| Candidate::new(EndpointId(id as u32), *name));
    let list = Candidates::new(list.collect()).unwrap();
    world.input(|session, now| session.handle_endpoints(now, list));
    world
}

fn config() -> Config {
    Config { framing: Framing::lines(), ..Config::default() }
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
