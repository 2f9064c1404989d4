//! How `detect_within` sets the rest, and what the computed detection bounds promise.

use keepline_proto::config::{
    Addresses, Choice, Config, Heartbeat, Keepalive, Matcher, Profile, ValidConfig, WhileDown,
};
use std::time::Duration;

#[test]
fn detect_within_splits_into_interval_and_deadline() {
    for (detect_within, interval, reply_within) in [
        (secs(4), secs(2), secs(2)),
        (secs(6), secs(4), secs(2)),
        (secs(9), secs(6), secs(3)),
        (secs(60), secs(40), secs(20)),
    ] {
        let heartbeat = parse(Config { detect_within: Some(detect_within), ..pinging() }).heartbeat.clone().unwrap();
        assert_eq!((heartbeat.interval, heartbeat.reply_within), (interval, reply_within), "{detect_within:?}");
    }
}

#[test]
fn detect_within_is_kept_to_the_nanosecond_by_the_heartbeat() {
    for millis in [4_000, 4_001, 5_500, 7_777, 10_000, 60_000, 86_400_000] {
        let detect_within = Duration::from_millis(millis);
        let config = parse(Config { detect_within: Some(detect_within), ..pinging() });
        assert_eq!(config.detection_bounds().peer_frozen.within, Some(detect_within));
        assert!(config.detection_bound().unwrap() <= detect_within);
        let broken = config.notices.iter().find(|notice| notice.field == "detect_within");
        assert_eq!(broken, None);
    }
}

#[test]
fn detect_within_derives_whole_second_probes_that_end_with_it() {
    for (detect_within, idle, interval, retries) in [
        (4_000, 1, 1, 3),
        (4_900, 1, 1, 3),
        (5_000, 1, 1, 4),
        (7_000, 1, 1, 6),
        (10_000, 4, 1, 6),
        (25_000, 13, 2, 6),
        (60_000, 24, 6, 6),
    ] {
        let config = parse(Config { detect_within: Some(Duration::from_millis(detect_within)), ..Config::default() });
        let keepalive = Keepalive { idle: secs(idle), interval: secs(interval), retries };
        assert_eq!(config.keepalive, Some(keepalive), "{detect_within} ms");
        assert_eq!(config.user_timeout, Some(secs(detect_within / 1_000)));
        assert_eq!(config.detection_bounds().path_silent_idle.within, Some(secs(detect_within / 1_000)));
    }
}

#[test]
fn longest_detect_within_stays_inside_the_kernels_range() {
    let config = parse(Config { detect_within: Some(secs(86_400)), ..Config::default() });
    assert_eq!(config.keepalive, Some(Keepalive { idle: secs(32_767), interval: secs(8_640), retries: 6 }));
}

#[test]
fn detect_within_without_heartbeat_says_what_stays_blind_and_what_comes_later() {
    let config = parse(Config { detect_within: Some(secs(10)), ..Config::default() });
    assert_eq!(config.detection_bound(), None);
    assert_notice(&config, "heartbeat", "a frozen peer process cannot be noticed");
    assert_notice(&config, "detect_within", "a path that dies with data in flight is noticed after 14.5s, not 10s");
}

#[test]
fn explicit_values_beat_detect_within() {
    let heartbeat = Heartbeat::new("PING").every(secs(8)).reply_within(secs(3));
    let config = parse(Config {
        detect_within: Some(secs(60)),
        heartbeat: Some(heartbeat),
        keepalive: Choice::On(Keepalive { idle: secs(7), interval: secs(2), retries: 9 }),
        user_timeout: Choice::On(secs(33)),
        ..Config::default()
    });
    let heartbeat = config.heartbeat.as_ref().unwrap();
    assert_eq!((heartbeat.interval, heartbeat.reply_within), (secs(8), secs(3)));
    assert_eq!(config.keepalive, Some(Keepalive { idle: secs(7), interval: secs(2), retries: 9 }));
    assert_eq!(config.user_timeout, Some(secs(33)));
}

#[test]
fn derived_half_of_a_heartbeat_gives_way_to_the_explicit_one() {
    let times = |heartbeat: Heartbeat| {
        let config = parse(Config { detect_within: Some(secs(30)), heartbeat: Some(heartbeat), ..Config::default() });
        let heartbeat = config.heartbeat.as_ref().unwrap();
        (heartbeat.interval, heartbeat.reply_within)
    };
    assert_eq!(times(Heartbeat::new("PING").every(secs(25))), (secs(25), secs(5)));
    assert_eq!(times(Heartbeat::new("PING").every(secs(5))), (secs(5), secs(10)));
    assert_eq!(times(Heartbeat::new("PING").reply_within(secs(4))), (secs(26), secs(4)));
}

#[test]
fn explicit_value_that_breaks_detect_within_is_told() {
    let heartbeat = Heartbeat::new("PING").every(secs(40));
    let config = parse(Config { detect_within: Some(secs(30)), heartbeat: Some(heartbeat), ..Config::default() });
    assert_notice(&config, "detect_within", "a frozen peer is noticed after 42s, not 30s");
}

#[test]
fn user_timeout_follows_explicit_keepalive_and_never_ends_before_the_reply() {
    let timeout = |heartbeat: Option<Heartbeat>, idle: u64| {
        let keepalive = Choice::On(Keepalive { idle: secs(idle), interval: secs(2), retries: 6 });
        parse(Config { keepalive, heartbeat, ..Config::default() }).user_timeout
    };
    assert_eq!(timeout(None, 1), Some(secs(13)));
    assert_eq!(timeout(Some(Heartbeat::new("PING").reply_within(secs(20))), 1), Some(secs(20)));
    assert_eq!(timeout(Some(Heartbeat::new("PING").reply_within(secs(20))), 30), Some(secs(42)));
}

#[test]
fn derived_keepalive_fits_into_an_explicit_user_timeout() {
    let config = parse(Config { user_timeout: Choice::On(secs(20)), ..Config::default() });
    assert_eq!(config.keepalive, Some(Keepalive { idle: secs(8), interval: secs(2), retries: 6 }));
    assert_notice(&config, "keepalive", "probes follow user_timeout 20s: 8s + 2s × 6");
}

#[test]
fn kernel_units_are_rounded_up_and_told() {
    let config = parse(Config {
        keepalive: Choice::On(Keepalive { idle: millis(1_500), interval: millis(200), retries: 9 }),
        user_timeout: Choice::On(Duration::from_micros(20_000_001)),
        rto_max: Choice::On(Duration::from_micros(1_000_500)),
        ..Config::default()
    });
    assert_eq!(config.keepalive, Some(Keepalive { idle: secs(2), interval: secs(1), retries: 9 }));
    assert_eq!((config.user_timeout, config.rto_max), (Some(millis(20_001)), Some(millis(1_001))));
    assert_notice(&config, "keepalive.idle", "1.5s is rounded up to 2s");
    assert_notice(&config, "keepalive.interval", "200ms is rounded up to 1s");
    assert_notice(&config, "keepalive.retries", "9 retries are ignored by the kernel while user_timeout is 20.001s");
    assert_notice(&config, "user_timeout", "rounded up to 20.001s");
    assert_notice(&config, "rto_max", "1s is rounded up to 1.001s");
}

#[test]
fn profiles_with_a_heartbeat_promise_interval_plus_deadline() {
    for (profile, bound) in
        [(Profile::Balanced, 35), (Profile::Mobile, 40), (Profile::Industrial, 13), (Profile::Datacenter, 10)]
    {
        let config = parse(Config { profile, ..pinging() });
        assert_eq!(config.detection_bound(), Some(secs(bound)));
        assert_eq!(config.detection_bounds().peer_frozen.within, Some(secs(bound)));
        assert!(config.notices.is_empty(), "{profile}: {:?}", config.notices);
    }
}

#[test]
fn profiles_without_a_heartbeat_lean_on_the_kernel() {
    // Idle: keepalive. In flight: user timeout + two retransmissions of at most rto_max + 0.5 s.
    for (profile, idle, in_flight) in [
        (Profile::Balanced, secs(50), millis(54_500)),
        (Profile::Mobile, secs(260), millis(274_500)),
        (Profile::Industrial, secs(40), millis(42_500)),
        (Profile::Datacenter, secs(22), millis(24_500)),
    ] {
        let config = parse(Config { profile, ..Config::default() });
        let bounds = config.detection_bounds();
        assert_eq!(bounds.path_silent_in_flight.within, Some(in_flight), "{profile}");
        assert_eq!(bounds.peer_frozen.within, None);
        assert_eq!(config.detection_bound(), None);
        assert_notice(&config, "heartbeat", "a frozen peer process cannot be noticed");
        // Mobile's user timeout is 10 s above the sum of its probes: one more probe is sent.
        let one_probe = if profile == Profile::Mobile { secs(15) } else { Duration::ZERO };
        assert_eq!(bounds.path_silent_idle.within, Some(idle + one_probe), "{profile}");
    }
}

#[test]
fn measured_keepalive_with_user_timeout_is_its_bound() {
    // Measured: 2/1/3 ends after 5.06 s, and after 20.4 s beside a user timeout of 20 s: the count is ignored.
    let within = |retries: u32, user_timeout: u64| {
        let keepalive = Choice::On(Keepalive { idle: secs(2), interval: secs(1), retries });
        let config = Config { keepalive, user_timeout: Choice::On(secs(user_timeout)), ..Config::default() };
        parse(config).detection_bounds().path_silent_idle.within
    };
    assert_eq!(within(3, 5), Some(secs(5)));
    assert_eq!(within(3, 20), Some(secs(20)));
}

#[test]
fn without_user_timeout_the_probe_count_decides_and_data_waits_for_the_kernels_default() {
    let keepalive = Choice::On(Keepalive { idle: secs(10), interval: secs(1), retries: 3 });
    let config = parse(Config { keepalive, user_timeout: Choice::Off, ..Config::default() });
    let bounds = config.detection_bounds();
    assert_eq!(config.rto_max, None);
    assert_eq!(bounds.path_silent_idle.within, Some(secs(13)));
    assert_eq!(bounds.path_silent_in_flight.within, Some(secs(939)));
    assert!(bounds.path_silent_in_flight.formula.contains("tcp_retries2: about 939s"));
    assert_notice(&config, "user_timeout", "about 939s");
}

#[test]
fn without_keepalive_and_heartbeat_an_idle_dead_path_is_never_noticed() {
    let config = parse(Config { keepalive: Choice::Off, ..Config::default() });
    assert_eq!(config.detection_bounds().path_silent_idle.within, None);
    assert_notice(&config, "keepalive", "never noticed");
}

#[test]
fn heartbeat_without_reply_puts_data_in_flight_but_proves_nothing_about_the_process() {
    let heartbeat = Heartbeat::new("PING").every(secs(15)).reply(Matcher::None);
    let config = parse(Config { heartbeat: Some(heartbeat), ..Config::default() });
    let bounds = config.detection_bounds();
    assert_eq!(bounds.peer_frozen.within, None);
    // Keepalive does not run while the heartbeat is in flight: 15 s + (50 s + 2 × 2 s + 0.5 s).
    assert_eq!(bounds.path_silent_idle.within, Some(millis(69_500)));
    assert_notice(&config, "heartbeat", "a frozen peer process cannot be noticed");
}

#[test]
fn read_idle_notices_a_frozen_peer() {
    let config = parse(Config { read_idle: Some(secs(12)), ..Config::default() });
    assert_eq!(config.detection_bound(), Some(secs(12)));
    assert!(config.notices.is_empty(), "{:?}", config.notices);
}

#[test]
fn formulas_show_their_numbers() {
    let config = parse(pinging());
    let bounds = config.detection_bounds();
    assert_eq!(bounds.peer_frozen.to_string(), "35s (heartbeat.interval 25s + heartbeat.reply_within 10s)");
    assert_eq!(bounds.peer_stalled.to_string(), "120s (stall_limit 120s)");
    assert_eq!(bounds.connect.to_string(), "60s (connect.total 60s)");
    assert_eq!(
        bounds.path_silent_in_flight.formula,
        "the sooner of: heartbeat.interval 25s + heartbeat.reply_within 10s = 35s; \
         user_timeout 50s + 2 × retransmission timeout (at most rto_max 2s) + 500ms = 54.5s"
    );
}

#[test]
fn choices_with_a_price_are_told() {
    use keepline_proto::config::{Greeting, Jitter, Script};
    let config = parse(Config {
        profile: Profile::Industrial,
        while_down: Some(WhileDown::Queue),
        backoff_jitter: Some(Jitter::None),
        connect_per_address: Some(millis(7_100)),
        addresses: Some(Addresses::HappyEyeballs),
        frame_within: Choice::On(secs(3)),
        greeting: Some(Greeting::Script(Script::default().send("HELLO"))),
        heartbeat: Some(Heartbeat::new("PING").reply_within(millis(800))),
        ..Config::default()
    });
    assert_notice(&config, "while_down", "queue: commands may reach the machine");
    assert_notice(&config, "backoff.jitter", "return in step");
    assert_notice(&config, "connect.per_address", "sent again at 7s");
    assert_notice(&config, "addresses", "two connections for a moment");
    assert_notice(&config, "frame_within", "has no effect");
    assert_notice(&config, "greeting", "expects nothing");
    assert_notice(&config, "heartbeat.reply_within", "800ms: below 2s");
    assert_eq!(config.notices.len(), 7, "{:?}", config.notices);
}

#[test]
fn stagger_between_addresses_that_are_dialled_one_at_a_time_is_told_to_be_idle() {
    let config =
        parse(Config { addresses: Some(Addresses::OneAtATime), address_stagger: Some(millis(300)), ..pinging() });
    assert_notice(&config, "address_stagger", "has no effect");
}

#[test]
fn user_timeout_that_a_slow_line_can_exceed_is_told() {
    let hasty = Config { detect_within: Some(secs(4)), ..pinging() };
    assert_notice(&parse(hasty), "user_timeout", "4s can end a healthy peer behind a slow line: below 8s");
    let explicit = Config { user_timeout: Choice::On(millis(7_999)), ..Config::default() };
    assert_notice(&parse(explicit), "user_timeout", "7.999s can end a healthy peer");
    for patient in [
        Config { detect_within: Some(secs(8)), ..pinging() },
        Config { user_timeout: Choice::On(secs(8)), ..Config::default() },
        Config { user_timeout: Choice::Off, keepalive: Choice::Off, ..pinging() },
    ] {
        let config = parse(patient);
        assert!(!config.notices.iter().any(|notice| notice.text.contains("slow line")), "{:?}", config.notices);
    }
}

#[test]
fn connection_that_is_quieter_than_common_nats_remember_is_told() {
    let slow = Keepalive { idle: secs(300), interval: secs(15), retries: 4 };
    let keepalive = Config { keepalive: Choice::On(slow), ..Config::default() };
    assert_notice(&parse(keepalive.clone()), "keepalive.idle", "300s without a packet: above 240s");
    let heartbeat = Heartbeat::new("PING").every(secs(280));
    let both = Config { heartbeat: Some(heartbeat), ..keepalive };
    assert_notice(&parse(both), "heartbeat.interval", "280s without a packet");
    let config = parse(Config { profile: Profile::Mobile, ..Config::default() });
    assert!(!config.notices.iter().any(|notice| notice.text.contains("NATs")), "{:?}", config.notices);
}

fn pinging() -> Config {
    Config { heartbeat: Some(Heartbeat::new("PING")), ..Config::default() }
}

fn parse(config: Config) -> ValidConfig {
    config.parse().expect("a valid configuration")
}

#[track_caller]
fn assert_notice(config: &ValidConfig, field: &str, part: &str) {
    let found = config.notices.iter().any(|notice| notice.field == field && notice.text.contains(part));
    assert!(found, "no notice on {field} says {part:?}: {:#?}", config.notices);
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
