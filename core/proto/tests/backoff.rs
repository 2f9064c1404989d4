//! The curve of waits: its bounds, its mean, its luck, and when it starts over.

use fastrand::Rng;
use keepline_proto::backoff::{BackoffEntry, FLOOR, RETRY_AFTER_MAX, floor, window};
use keepline_proto::cause::{DnsFailure, GreetingFailure, TlsFailure};
use keepline_proto::config::{Backoff, Config, Greeting, Jitter, Matcher, Script};
use keepline_proto::{Cause, Ending, State};
use keepline_testkit::SimWorld;
use proptest::prelude::*;
use std::time::Duration;

#[test]
fn windows_are_first_spread_and_then_grow_from_initial_to_max() {
    let curve = balanced();
    let windows: Vec<_> = (0..9).map(|step| window(&curve, step)).collect();
    assert_eq!(windows, [1000, 500, 1000, 2000, 4000, 8000, 8000, 8000, 8000].map(millis));
}

#[test]
fn mean_of_the_full_jitter_is_half_of_its_window_above_the_floor() {
    let curve = balanced();
    for step in [0, 1, 3, 20] {
        let drawn = window(&curve, step).min(curve.max - FLOOR);
        let expected = (FLOOR + drawn / 2).as_secs_f64();
        let mean = mean(&curve, step, 100_000);
        assert!((mean / expected - 1.0).abs() < 0.05, "step {step}: {mean} s instead of {expected} s");
    }
}

#[test]
fn mean_of_every_jitter_is_what_it_says() {
    // At the cap of 8 s, the floor included: full 0.1..8, equal 4.05..8, centred 2.73..8, none 8.
    for (jitter, expected) in
        [(Jitter::Full, 4.05), (Jitter::Equal, 6.025), (Jitter::Centred, 5.367), (Jitter::None, 8.0)]
    {
        let mean = mean(&Backoff { jitter, ..balanced() }, 20, 100_000);
        assert!((mean / expected - 1.0).abs() < 0.01, "{jitter}: {mean} s instead of {expected} s");
    }
}

#[test]
fn very_short_maximum_keeps_half_of_itself_for_luck() {
    let curve = Backoff { initial: millis(50), max: millis(50), ..balanced() };
    let mut rng = Rng::with_seed(7);
    let waits: Vec<_> = (0..1_000).map(|_| BackoffEntry::at_step(9).next_delay(&curve, &refused(), &mut rng)).collect();
    let (least, most) = (waits.iter().min().copied(), waits.iter().max().copied());
    assert!(least >= Some(FLOOR) && least < Some(FLOOR + millis(1)), "{least:?}");
    assert!(most <= Some(FLOOR + millis(25)) && most > Some(FLOOR + millis(24)), "{most:?}");
}

#[test]
fn decorrelated_jitter_grows_from_its_own_draws() {
    let curve = Backoff { jitter: Jitter::Decorrelated, ..balanced() };
    let mut entry = BackoffEntry::new();
    let mut rng = Rng::with_seed(5);
    let mut previous = entry.next_delay(&curve, &refused(), &mut rng) - FLOOR;
    for _ in 0..1000 {
        let drawn = entry.next_delay(&curve, &refused(), &mut rng) - FLOOR;
        assert!(drawn >= curve.initial.min(curve.max));
        assert!(drawn <= (previous.max(curve.initial) * 3).min(curve.max - FLOOR));
        previous = drawn;
    }
}

#[test]
fn no_jitter_is_exact() {
    let curve = Backoff { jitter: Jitter::None, ..balanced() };
    let mut entry = BackoffEntry::new();
    let mut rng = Rng::with_seed(1);
    let waits: Vec<_> = (0..8).map(|_| entry.next_delay(&curve, &refused(), &mut rng)).collect();
    assert_eq!(waits, [1100, 600, 1100, 2100, 4100, 8000, 8000, 8000].map(millis));
}

#[test]
fn a_million_failures_and_endless_durations_saturate() {
    let endless = Backoff {
        first_spread: Duration::MAX,
        initial: Duration::MAX,
        multiplier: f64::MAX,
        max: Duration::MAX,
        jitter: Jitter::Full,
    };
    for jitter in JITTERS {
        for curve in [balanced(), endless, Backoff { multiplier: f64::NAN, ..balanced() }] {
            let curve = Backoff { jitter, ..curve };
            let mut rng = Rng::with_seed(1);
            for step in [0, 1, 1_000_000, u32::MAX] {
                let mut entry = BackoffEntry::at_step(step);
                let wait = entry.next_delay(&curve, &refused(), &mut rng);
                assert!(wait >= FLOOR);
                assert!(wait <= FLOOR.saturating_add(curve.max.max(curve.first_spread)), "{jitter} {step}: {wait:?}");
            }
        }
    }
}

#[test]
fn each_class_of_failure_has_its_own_least_wait() {
    for (cause, least) in [
        (Cause::Refused, millis(100)),
        (Cause::Unreachable, millis(100)),
        (Cause::LocalResource, secs(1)),
        (Cause::Dns(DnsFailure::NotFound), secs(1)),
        (Cause::Dns(DnsFailure::Timeout), millis(100)),
        (Cause::Greeting(GreetingFailure::Auth), secs(10)),
        (Cause::Tls(TlsFailure::Expired), secs(30)),
    ] {
        assert_eq!(floor(cause), least);
        let mut rng = Rng::with_seed(3);
        for step in 0..10 {
            let wait = BackoffEntry::at_step(step).next_delay(&balanced(), &Ending::new(cause, None), &mut rng);
            assert!(wait >= least && wait <= least + window(&balanced(), step), "{cause} {step}: {wait:?}");
        }
    }
}

#[test]
fn request_to_stay_away_is_honoured_spread_and_capped() {
    let mut rng = Rng::with_seed(9);
    for (asked, honoured) in [(secs(30), secs(30)), (Duration::MAX, RETRY_AFTER_MAX)] {
        let ending = Ending { retry_after: Some(asked), ..refused() };
        let waits: Vec<_> = (0..1000).map(|_| BackoffEntry::new().next_delay(&balanced(), &ending, &mut rng)).collect();
        assert!(waits.iter().all(|wait| *wait >= honoured && *wait <= honoured + balanced().first_spread));
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }
}

#[test]
fn short_request_to_stay_away_does_not_shorten_the_curve() {
    let curve = Backoff { jitter: Jitter::None, ..balanced() };
    let ending = Ending { retry_after: Some(Duration::ZERO), ..refused() };
    let wait = BackoffEntry::at_step(10).next_delay(&curve, &ending, &mut Rng::with_seed(1));
    assert_eq!(wait, secs(8));
}

#[test]
fn waits_of_a_refused_client_follow_the_curve_and_start_when_the_attempt_failed() {
    let mut world = SimWorld::new(Config::default());
    world.refuse();
    world.start();
    for step in 0..20 {
        world.run_until("disconnected");
        let failed_at = world.now();
        let wait = world.last_end().retry_in.unwrap_or_default();
        assert!(wait >= FLOOR && wait <= FLOOR + window(&balanced(), step), "wait {step}: {wait:?}");
        assert_eq!(world.run_until("connecting"), wait);
        assert_eq!(world.now(), failed_at + wait);
    }
}

#[test]
fn server_that_closes_after_accepting_does_not_reset_the_curve() {
    let mut world = SimWorld::new(exact_curve());
    world.accept_and_close();
    world.start();
    let waits: Vec<_> = (0..8)
        .map(|_| {
            world.run_until("disconnected");
            world.last_end().retry_in.unwrap_or_default()
        })
        .collect();
    assert_eq!(waits, [1100, 600, 1100, 2100, 4100, 8100, 16_100, 24_000].map(millis));
}

#[test]
fn greeting_alone_does_not_reset_the_curve_before_it_stayed_up() {
    let script = Script::default().send("HELLO").expect(Matcher::Exact("WELCOME".into()));
    let mut world = SimWorld::new(Config { greeting: Some(Greeting::Script(script)), ..exact_curve() });
    world.start();
    for wait in [1100, 600, 1100, 2100, 4100, 8100, 16_100, 24_000] {
        world.run_until("connected");
        world.run_for(millis(9_999));
        world.end(Cause::Reset);
        assert_eq!(world.last_end().retry_in, Some(millis(wait)));
    }
    world.run_until("connected");
    world.run_for(secs(10));
    world.end(Cause::Reset);
    assert_eq!(world.last_end().retry_in, Some(millis(1100)));
}

#[test]
fn unverified_connection_resets_the_curve_only_after_a_minute() {
    for (up_for, spoken, wait) in
        [(secs(59), false, 2100), (secs(60), false, 1100), (secs(9), true, 2100), (secs(10), true, 1100)]
    {
        let mut world = SimWorld::new(exact_curve());
        world.refuse();
        world.start();
        for _ in 0..3 {
            world.run_until("disconnected");
        }
        world.answer();
        world.run_until("connected");
        if spoken {
            world.receive();
        }
        world.run_for(up_for);
        world.end(Cause::PeerClosed);
        assert_eq!(world.last_end().retry_in, Some(millis(wait)), "{up_for:?} {spoken}");
    }
}

#[test]
fn first_dial_is_free() {
    let mut world = SimWorld::new(Config::default());
    let start = world.now();
    world.start();
    assert_eq!(world.dials(), [start]);
    assert_eq!(world.state(), State::Connecting);
}

proptest! {
    #[test]
    fn every_wait_lies_between_its_floor_and_its_window(
        seed: u64,
        step in 0_u32..100,
        first in 0_u64..5_000,
        initial in 1_u64..5_000,
        more in 0_u64..100_000,
        multiplier in 1.0_f64..10.0,
        jitter in prop::sample::select(JITTERS.to_vec()),
    ) {
        let curve = Backoff {
            first_spread: millis(first),
            initial: millis(initial),
            multiplier,
            max: millis(initial + more),
            jitter,
        };
        let wait = BackoffEntry::at_step(step).next_delay(&curve, &refused(), &mut Rng::with_seed(seed));
        prop_assert!(wait >= FLOOR);
        prop_assert!(wait <= FLOOR + curve.max.max(curve.first_spread), "{wait:?}");
        if jitter == Jitter::Full {
            prop_assert!(wait <= FLOOR + window(&curve, step), "{wait:?}");
        }
        if step > 0 && curve.max >= FLOOR * 2 {
            prop_assert!(wait <= curve.max, "{wait:?}");
        }
    }

    #[test]
    fn same_seed_draws_the_same_waits_and_another_seed_draws_others(seed: u64, other: u64) {
        prop_assume!(seed != other);
        prop_assert_eq!(draws(seed), draws(seed));
        prop_assert_ne!(draws(seed), draws(other));
    }
}

const JITTERS: [Jitter; 5] = [Jitter::Full, Jitter::Equal, Jitter::Centred, Jitter::Decorrelated, Jitter::None];

fn draws(seed: u64) -> Vec<Duration> {
    let mut rng = Rng::with_seed(seed);
    let mut entry = BackoffEntry::new();
    (0..16).map(|_| entry.next_delay(&balanced(), &refused(), &mut rng)).collect()
}

fn mean(curve: &Backoff, step: u32, count: u32) -> f64 {
    let mut rng = Rng::with_seed(42);
    let draw = |_| BackoffEntry::at_step(step).next_delay(curve, &refused(), &mut rng).as_secs_f64();
    (0..count).map(draw).sum::<f64>() / f64::from(count)
}

/// The curve as the balanced profile ships it.
fn balanced() -> Backoff {
    Config { framing: keepline_proto::framing::Framing::lines(), ..Config::default() }.parse().unwrap().backoff
}

/// Balanced, with luck switched off.
fn exact_curve() -> Config {
    Config {
        backoff_jitter: Some(Jitter::None),
        framing: keepline_proto::framing::Framing::lines(),
        ..Config::default()
    }
}

const fn refused() -> Ending {
    Ending::new(Cause::Refused, None)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
