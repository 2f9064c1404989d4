//! Whatever numbers come in, parsing ends in a refusal or in a configuration that keeps every promise.

use bytes::Bytes;
use keepline_proto::config::{Choice, Config, Heartbeat, Keepalive, Matcher, Profile, ValidConfig};
use keepline_proto::correlator::{Correlation, IdField};
use keepline_proto::framing::{Endian, Framing};
use proptest::option;
use proptest::prelude::*;
use std::time::Duration;

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn parse_refuses_or_keeps_its_promises(config in any_config()) {
        let explicit = config.clone();
        if let Ok(config) = config.parse() {
            check_promises(&explicit, &config)?;
        }
    }

    #[test]
    fn ordinary_numbers_are_never_refused(
        profile in profiles(),
        detect_within in option::of(8_000..86_400_000u64),
        with_heartbeat in any::<bool>(),
        total in option::of(1_000..600_000u64),
    ) {
        let config = Config {
            profile,
            detect_within: detect_within.map(Duration::from_millis),
            heartbeat: with_heartbeat.then(|| Heartbeat::new("PING")),
            connect_total: total.map(Duration::from_millis),
            ..Config::default()
        };
        let explicit = config.clone();
        let config = config.parse().map_err(|error| TestCaseError::fail(error.to_string()))?;
        check_promises(&explicit, &config)?;
        if let (Some(detect_within), true) = (explicit.detect_within, with_heartbeat) {
            prop_assert!(config.detection_bound().is_some_and(|bound| bound <= detect_within));
        }
    }
}

fn check_promises(explicit: &Config, config: &ValidConfig) -> Result<(), TestCaseError> {
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    let durations = [
        Some(config.connect_per_address),
        Some(config.connect_total),
        Some(config.connect_within),
        Some(config.backoff.first_spread),
        Some(config.backoff.initial),
        Some(config.backoff.max),
        Some(config.stable_after),
        Some(config.stall_limit),
        config.outbox.age,
        config.frame_within,
        config.read_idle,
    ];
    for duration in durations.into_iter().flatten() {
        prop_assert!(duration >= Duration::from_millis(1) && duration <= year);
    }
    prop_assert!(config.connect_per_address <= config.connect_total);
    prop_assert!((100..=2_000).contains(&config.address_stagger.as_millis()));
    prop_assert!(config.backoff.initial <= config.backoff.max);
    prop_assert!((1.0..=100.0).contains(&config.backoff.multiplier));
    prop_assert!(config.outbox.messages > 0 && config.outbox.bytes > 0 && config.inbox_bytes > 0);
    prop_assert!(config.max_in_flight > 0 && config.max_attempts != Some(0));
    if let Some(keepalive) = config.keepalive {
        for duration in [keepalive.idle, keepalive.interval] {
            prop_assert!(duration.subsec_nanos() == 0 && (1..=32_767).contains(&duration.as_secs()));
        }
        prop_assert!((1..=127).contains(&keepalive.retries));
        prop_assert!(config.user_timeout.is_none_or(|user_timeout| user_timeout >= keepalive.total()));
    }
    if let Some(user_timeout) = config.user_timeout {
        prop_assert!(user_timeout.as_millis() <= i32::MAX as u128 && user_timeout.subsec_nanos() % 1_000_000 == 0);
    }
    if let Some(rto_max) = config.rto_max {
        prop_assert!(config.user_timeout.is_some());
        prop_assert!((1_000..=120_000).contains(&rto_max.as_millis()));
    }
    if let Some(heartbeat) = &config.heartbeat {
        let lowest = if config.profile == Profile::Mobile { 5 } else { 1 };
        prop_assert!(heartbeat.interval >= Duration::from_secs(lowest) && heartbeat.interval <= year);
        prop_assert!(!heartbeat.reply_within.is_zero() && heartbeat.reply_within <= year);
        if heartbeat.expects_reply() {
            prop_assert!(config.user_timeout.is_none_or(|user_timeout| user_timeout >= heartbeat.reply_within));
            let promised = heartbeat.interval + heartbeat.reply_within;
            prop_assert!(config.read_idle.is_none_or(|read_idle| read_idle >= promised));
            prop_assert!(config.detection_bound().is_some_and(|bound| bound <= promised));
        }
        let declared = explicit.heartbeat.as_ref().expect("a heartbeat comes from a declared one");
        prop_assert!(declared.interval.is_none_or(|interval| interval == heartbeat.interval));
        prop_assert!(declared.reply_within.is_none_or(|reply_within| reply_within == heartbeat.reply_within));
    }
    let bounds = config.detection_bounds();
    prop_assert_eq!(bounds.peer_stalled.within, Some(config.stall_limit));
    for bound in [&bounds.path_silent_idle, &bounds.path_silent_in_flight, &bounds.peer_frozen] {
        prop_assert!(!bound.formula.is_empty());
    }
    Ok(())
}

fn any_config() -> impl Strategy<Value = Config> {
    let liveness = (
        profiles(),
        option::of(durations()),
        option::of(heartbeats()),
        choice((durations(), durations(), counts()).prop_map(|(idle, interval, retries)| Keepalive {
            idle,
            interval,
            retries: retries as u32,
        })),
        choice(durations()),
        choice(durations()),
        option::weighted(0.1, durations()),
    );
    let policy = (
        prop::collection::vec(option::weighted(0.15, durations()), 9),
        option::weighted(0.3, floats()),
        prop::collection::vec(option::weighted(0.15, counts()), 5),
        choice(durations()),
        choice(durations()),
        option::weighted(0.2, (counts(), counts())),
    );
    (liveness, policy).prop_map(|(liveness, policy)| {
        let (profile, detect_within, heartbeat, keepalive, user_timeout, rto_max, read_idle) = liveness;
        let (durations, backoff_multiplier, counts, outbox_age, frame_within, id) = policy;
        Config {
            profile,
            detect_within,
            heartbeat,
            keepalive,
            user_timeout,
            rto_max,
            read_idle,
            connect_per_address: durations[0],
            connect_total: durations[1],
            connect_within: durations[2],
            first_spread: durations[3],
            backoff_initial: durations[4],
            backoff_max: durations[5],
            stable_after: durations[6],
            stall_limit: durations[7],
            address_stagger: durations[8],
            backoff_multiplier,
            max_attempts: counts[0].map(|count| count as u32),
            outbox_messages: counts[1],
            outbox_bytes: counts[2],
            inbox_bytes: counts[3],
            max_in_flight: counts[4],
            outbox_age,
            frame_within,
            framing: if id.is_some() { Framing::lines() } else { Framing::Raw },
            correlation: id.map(|(offset, width)| Correlation::Id(IdField { offset, width, endian: Endian::Big })),
            ..Config::default()
        }
    })
}

fn heartbeats() -> impl Strategy<Value = Heartbeat> {
    (option::of(durations()), option::of(durations()), any::<bool>(), 0..9usize).prop_map(
        |(interval, reply_within, answered, length)| Heartbeat {
            payload: Bytes::from(vec![b'p'; length]),
            reply: if answered { Matcher::Any } else { Matcher::None },
            interval,
            reply_within,
        },
    )
}

fn choice<T: Clone + std::fmt::Debug>(values: impl Strategy<Value = T>) -> impl Strategy<Value = Choice<T>> {
    option::of(option::of(values)).prop_map(|value| match value {
        None => Choice::Auto,
        Some(None) => Choice::Off,
        Some(Some(value)) => Choice::On(value),
    })
}

fn profiles() -> impl Strategy<Value = Profile> {
    prop::sample::select(Profile::ALL)
}

/// Mostly what people write, some of what breaks programs.
fn durations() -> impl Strategy<Value = Duration> {
    prop_oneof![
        8 => (1..120u64).prop_map(Duration::from_secs),
        3 => (0..200_000u64).prop_map(Duration::from_millis),
        1 => any::<Duration>(),
        1 => prop::sample::select(vec![Duration::ZERO, Duration::from_nanos(1), Duration::MAX]),
    ]
}

fn counts() -> impl Strategy<Value = usize> {
    prop_oneof![8 => 1..100usize, 1 => any::<usize>(), 1 => Just(0), 1 => Just(usize::MAX)]
}

fn floats() -> impl Strategy<Value = f64> {
    prop_oneof![4 => 1.0..10.0f64, 1 => any::<f64>(), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)]
}
