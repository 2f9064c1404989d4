//! Classes of wait: each kind of failure has its own curve and its own memory, and a stable connection ends them all.

use fastrand::Rng;
use keepline_proto::backoff::{RETRY_AFTER_MAX, floor};
use keepline_proto::cause::{Detector, DnsFailure, GreetingFailure, TlsFailure};
use keepline_proto::config::{Choice, Config, Heartbeat, Jitter};
use keepline_proto::framing::Framing;
use keepline_proto::{Cause, Ending, NetworkChange, NetworkKind, NetworkPath, WaitBounds, WaitClass, Waits};
use keepline_testkit::SimWorld;
use proptest::prelude::*;
use std::time::Duration;

#[test]
fn each_failure_has_its_class() {
    for (cause, class) in [
        (Cause::PathSilent, WaitClass::Lost),
        (Cause::Refused, WaitClass::Refused),
        (Cause::Unreachable, WaitClass::Unreachable),
        (Cause::ConnectTimeout, WaitClass::Timeout),
        (Cause::Greeting(GreetingFailure::Timeout), WaitClass::Timeout),
        (Cause::Dns(DnsFailure::NotFound), WaitClass::Dns),
        (Cause::Tls(TlsFailure::Expired), WaitClass::Tls),
        (Cause::Greeting(GreetingFailure::Auth), WaitClass::Auth),
        (Cause::Greeting(GreetingFailure::Unexpected), WaitClass::Kicked),
        (Cause::LocalResource, WaitClass::LocalResource),
    ] {
        for stood in [true, false] {
            assert_eq!(WaitClass::of(&Ending::new(cause, None), stood), class, "{cause}");
        }
    }
    for cause in [Cause::PeerClosed, Cause::Reset] {
        assert_eq!(WaitClass::of(&Ending::new(cause, None), true), WaitClass::Lost);
        assert_eq!(WaitClass::of(&Ending::new(cause, None), false), WaitClass::Kicked);
    }
    let asked_away = |cause| Ending { retry_after: Some(secs(5)), ..Ending::new(cause, None) };
    assert_eq!(WaitClass::of(&asked_away(Cause::Greeting(GreetingFailure::Rejected)), false), WaitClass::Kicked);
    assert_eq!(WaitClass::of(&asked_away(Cause::Greeting(GreetingFailure::Auth)), false), WaitClass::Auth);
}

#[test]
fn each_class_stretches_the_declared_curve_and_keeps_its_measure() {
    let balanced = config().parse().unwrap().backoff;
    let told = |class: WaitClass| WaitBounds::all(&balanced).find(|waits| waits.class == class).unwrap();
    for (class, floor, second, max) in [
        (WaitClass::Lost, 100, 500, 8),
        (WaitClass::Refused, 100, 500, 8),
        (WaitClass::Unreachable, 100, 1_000, 8),
        (WaitClass::Timeout, 100, 4_000, 4),
        (WaitClass::Dns, 100, 2_000, 24),
        (WaitClass::Tls, 100, 2_000, 48),
        (WaitClass::Auth, 10_000, 4_000, 240),
        (WaitClass::Kicked, 100, 500, 24),
        (WaitClass::LocalResource, 1_000, 2_000, 8),
    ] {
        let waits = told(class);
        assert_eq!((waits.floor, waits.second, waits.max), (millis(floor), millis(second), secs(max)), "{class}");
        assert_eq!(waits.first, balanced.first_spread, "{class}");
    }
}

#[test]
fn run_of_name_failures_does_not_raise_the_curve_of_refusals() {
    let mut waits = Luckless::new();
    for _ in 0..20 {
        waits.draw(Cause::Dns(DnsFailure::Temporary));
    }
    assert_eq!(waits.draw(Cause::Dns(DnsFailure::Temporary)), millis(24_000));
    assert_eq!(waits.draw(Cause::Refused), millis(600));
    assert_eq!(waits.draw(Cause::Refused), millis(1_100));
    assert_eq!(waits.draw(Cause::Dns(DnsFailure::Temporary)), millis(24_000), "and the other way round");
}

#[test]
fn classes_do_not_know_of_each_other() {
    let apart = [
        Cause::Refused,
        Cause::Unreachable,
        Cause::Dns(DnsFailure::Timeout),
        Cause::Tls(TlsFailure::Protocol),
        Cause::Greeting(GreetingFailure::Auth),
        Cause::LocalResource,
    ];
    for long in apart {
        for short in apart.into_iter().filter(|short| *short != long) {
            let mut waits = Luckless::new();
            for _ in 0..12 {
                waits.draw(long);
            }
            assert_eq!(waits.waits.step(short.wait_class()), 0, "{long} {short}");
            let second = Luckless::second(short);
            assert_eq!(waits.draw(short), second, "after {long}, {short} begins near the start of its curve");
        }
    }
}

#[test]
fn only_the_first_wait_since_the_last_reset_is_spread_by_its_own_window() {
    let mut waits = Luckless::with(Config { first_spread: Some(secs(7)), ..exact() });
    assert_eq!(waits.draw(Cause::PathSilent), millis(7_100));
    assert_eq!(waits.draw(Cause::Refused), millis(600), "the fleet is spread by now");
    waits.waits.reset();
    assert_eq!(waits.draw(Cause::Refused), millis(7_100));
}

#[test]
fn first_waits_of_ten_thousand_clients_fill_the_first_spread_evenly() {
    const CLIENTS: u64 = 10_000;
    let declared = config().parse().unwrap().backoff;
    let mut bins = [0; 10];
    for seed in 0..CLIENTS {
        let ending = Ending::new(Cause::Reset, Some(Detector::OsError));
        let wait = Waits::new().draw(&declared, &ending, true, &mut Rng::with_seed(seed));
        let share = (wait - floor(Cause::Reset)).as_secs_f64() / declared.first_spread.as_secs_f64();
        bins[((share * 10.0) as usize).min(9)] += 1;
    }
    // A thousand each; six standard deviations are 180.
    assert!(bins.iter().all(|bin| (820..=1_180).contains(bin)), "{bins:?}");
}

#[test]
fn server_that_refused_and_then_says_nothing_is_not_asked_more_often() {
    let mut waits = Luckless::new();
    for _ in 0..6 {
        waits.draw(Cause::Refused);
    }
    // Half of what a refusal would wait, after an attempt that took at least as long.
    assert_eq!(waits.draw(Cause::ConnectTimeout), secs(4));
}

#[test]
fn connection_that_ends_before_it_stood_restores_what_was_saved_in_a_class_of_its_own() {
    let mut world = SimWorld::new(exact());
    world.refuse();
    world.start();
    for _ in 0..4 {
        world.run_until("disconnected");
    }
    world.answer();
    world.run_until("connected");
    world.receive();
    world.run_for(secs(3));
    world.end(Cause::PeerClosed);
    // Four waits were drawn: 4 s is the fifth. It is a kick now, and the refusals stay where they were.
    assert_eq!(world.last_end().retry_in, Some(millis(4_100)));
    assert_eq!(world.session().waits().step(WaitClass::Kicked), 5);
    assert_eq!(world.session().waits().step(WaitClass::Refused), 4);
    world.refuse();
    world.run_until("disconnected");
    assert_eq!(world.last_end().retry_in, Some(millis(4_100)));
}

#[test]
fn long_outage_before_it_does_not_make_the_first_kick_a_long_wait() {
    let mut waits = Luckless::new();
    for _ in 0..30 {
        waits.draw(Cause::Refused);
    }
    let kicks: Vec<_> = (0..4).map(|_| waits.draw(Cause::PeerClosed)).collect();
    assert_eq!(kicks, [8_100, 16_100, 24_000, 24_000].map(millis), "the declared 8 s first, its own longer end later");
}

#[test]
fn server_that_closes_a_second_after_each_handshake_is_left_alone_longer_and_longer() {
    let mut world = SimWorld::new(exact());
    world.start();
    for wait in [1_100, 600, 1_100, 2_100, 4_100, 8_100, 16_100, 24_000, 24_000] {
        world.run_until("connected");
        world.receive();
        world.run_for(secs(1));
        world.end(Cause::PeerClosed);
        assert_eq!(world.last_end().retry_in, Some(millis(wait)));
    }
    world.run_until("connected");
    world.receive();
    world.run_for(secs(10));
    assert_eq!(world.session().waits().step(WaitClass::Kicked), 9);
    world.end(Cause::PeerClosed);
    assert_eq!(world.last_end().retry_in, Some(millis(1_100)), "it stood: everything starts over");
}

#[test]
fn stable_connection_forgets_every_class_and_keeps_no_memory_of_them() {
    let heartbeat = Heartbeat::new("PING").every(secs(20)).reply_within(secs(10));
    let mut world = SimWorld::new(Config { heartbeat: Some(heartbeat), ..exact() });
    world.refuse();
    world.start();
    world.run_until("disconnected");
    world.run_until("connecting");
    world.end(Cause::Dns(DnsFailure::Temporary));
    world.answer();
    world.run_until("connected");
    assert!(!world.session().waits().is_empty());
    world.run_for(secs(25));
    assert!(world.session().waits().is_empty(), "nothing is kept while it lives");
    world.end(Cause::Reset);
    assert_eq!(world.last_end().retry_in, Some(millis(1_100)));
}

#[test]
fn request_to_stay_away_for_half_a_minute_is_honoured_with_jitter_and_an_hour_is_the_most() {
    let mut first = None;
    for (asked, honoured) in [(secs(30), secs(30)), (secs(86_400), RETRY_AFTER_MAX), (secs(3_600), secs(3_600))] {
        for seed in 0..20 {
            let mut world = SimWorld::with_seed(Config::default(), seed);
            world.refuse();
            world.start();
            let cause = Cause::Greeting(GreetingFailure::Rejected);
            world.end_with(Ending { retry_after: Some(asked), ..Ending::new(cause, None) });
            let wait = world.last_end().retry_in.unwrap();
            assert!(wait >= honoured && wait <= honoured + secs(1), "{asked:?}: {wait:?}");
            assert_eq!(world.session().waits().step(WaitClass::Kicked), 1);
            let begun = world.now();
            assert_eq!(world.run_until("connecting"), wait);
            assert_eq!(world.now(), begun + wait);
            if asked == secs(30) {
                first.get_or_insert_with(Vec::new).push(wait);
            }
        }
    }
    let spread = first.unwrap();
    assert!(spread.iter().any(|wait| *wait != spread[0]), "a fleet that was sent away comes back spread out");
}

#[test]
fn local_resource_waits_at_least_a_second_and_its_own_curve() {
    let mut waits = Luckless::new();
    let drawn: Vec<_> = (0..6).map(|_| waits.draw(Cause::LocalResource)).collect();
    assert_eq!(drawn, [2_000, 3_000, 5_000, 8_900, 8_900, 8_900].map(millis));
}

#[test]
fn new_network_forgives_what_the_network_did_and_nothing_else() {
    let of_the_network = [Cause::Unreachable, Cause::ConnectTimeout, Cause::Dns(DnsFailure::Timeout)];
    let of_the_service = [
        Cause::Refused,
        Cause::Tls(TlsFailure::Protocol),
        Cause::Greeting(GreetingFailure::Auth),
        Cause::Greeting(GreetingFailure::Unexpected),
        Cause::LocalResource,
    ];
    for (causes, kept) in [(&of_the_network[..], 0), (&of_the_service[..], 3)] {
        for cause in causes {
            let mut world = SimWorld::new(exact());
            world.change_network(path(1));
            world.run_for(secs(1));
            world.start();
            for failure in 0..3 {
                if failure > 0 {
                    world.run_until("connecting");
                }
                world.end(*cause);
            }
            let step = |world: &SimWorld| world.session().waits().step(cause.wait_class());
            assert_eq!(step(&world), 3, "{cause}");
            // Nobody says which network it is: nothing is forgiven.
            world.silence_peer();
            world.change_network(NetworkChange::default());
            world.run_for(secs(1));
            assert_eq!(step(&world), 3, "{cause}");
            world.change_network(path(2));
            world.run_for(secs(1));
            assert_eq!(step(&world), kept, "{cause}");
        }
    }
}

#[test]
fn failures_are_counted_by_class_until_an_attempt_succeeds() {
    let mut world = SimWorld::new(exact());
    let auth = Cause::Greeting(GreetingFailure::Auth);
    let failures = |world: &SimWorld, cause: Cause| world.session().waits().failures(cause.wait_class());
    world.start();
    for (cause, expected) in [(auth, 1), (Cause::Refused, 1), (auth, 2), (Cause::Refused, 2), (auth, 3)] {
        world.end(cause);
        assert_eq!(failures(&world, cause), expected);
        world.silence_peer();
        world.run_until("connecting");
    }
    world.end(Cause::ConnectTimeout);
    world.answer();
    world.run_until("connected");
    assert_eq!(failures(&world, auth), 0);
    assert_eq!(world.session().waits().step(WaitClass::Auth), 3, "the curve stays until the connection has stood");
}

proptest! {
    #[test]
    fn no_order_of_failures_leaves_the_bounds_of_its_classes(
        failures in prop::collection::vec((0..CAUSES.len(), any::<bool>()), 1..60),
        seed: u64,
    ) {
        let declared = config().parse().unwrap().backoff;
        let (mut waits, mut rng) = (Waits::new(), Rng::with_seed(seed));
        for (cause, stood) in failures {
            let ending = Ending::new(CAUSES[cause], None);
            let class = WaitClass::of(&ending, stood);
            let before = waits.step(class);
            let wait = waits.draw(&declared, &ending, stood, &mut rng);
            let least = floor(ending.cause);
            let most = least + class.curve(&declared).max.max(declared.first_spread);
            prop_assert!(wait >= least && wait <= most, "{class}: {wait:?}");
            prop_assert!(waits.step(class) > before, "each wait moves its class on");
        }
    }
}

const CAUSES: [Cause; 10] = [
    Cause::PeerClosed,
    Cause::PathSilent,
    Cause::Refused,
    Cause::Unreachable,
    Cause::ConnectTimeout,
    Cause::Dns(DnsFailure::NotFound),
    Cause::Tls(TlsFailure::Expired),
    Cause::Greeting(GreetingFailure::Auth),
    Cause::Greeting(GreetingFailure::Rejected),
    Cause::LocalResource,
];

/// The waits of a client whose windows are taken whole.
struct Luckless {
    waits: Waits,
    config: Config,
}

impl Luckless {
    fn new() -> Luckless {
        Luckless::with(exact())
    }

    fn with(config: Config) -> Luckless {
        Luckless { waits: Waits::new(), config }
    }

    fn draw(&mut self, cause: Cause) -> Duration {
        let declared = self.config.clone().parse().unwrap().backoff;
        self.waits.draw(&declared, &Ending::new(cause, None), false, &mut Rng::with_seed(1))
    }

    /// The second wait of a class.
    fn second(cause: Cause) -> Duration {
        let declared = exact().parse().unwrap().backoff;
        let bounds = WaitBounds::all(&declared).find(|waits| waits.class == cause.wait_class()).unwrap();
        floor(cause) + bounds.second
    }
}

fn config() -> Config {
    Config { framing: Framing::lines(), ..Config::default() }
}

/// Balanced, with luck switched off.
fn exact() -> Config {
    Config { backoff_jitter: Some(Jitter::None), auth_attempts: Choice::Off, ..config() }
}

fn path(id: u64) -> NetworkChange {
    let path = NetworkPath { id, available: true, kind: NetworkKind::Wifi, metered: false };
    NetworkChange { path: Some(path), route_intact: None }
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
