//! Every profile has the promised defaults, and what is explicit moves what is derived.

use keepline_proto::config::{
    Addresses, Choice, Config, Heartbeat, Jitter, Keepalive, Overflow, Profile, Unsolicited, WhileDown,
};
use keepline_proto::correlator::{Correlation, IdField};
use keepline_proto::framing::{Endian, Framing};
use std::time::Duration;

const MIB: usize = 1024 * 1024;

#[test]
fn profiles_have_the_promised_defaults() {
    struct Expected {
        heartbeat: (u64, u64),
        keepalive: Option<(u64, u64, u32)>,
        user_timeout: u64,
        rto_max: u64,
        connect: (u64, u64),
        first_spread: u64,
        backoff: (u64, u64),
        while_down: WhileDown,
        outbox: (usize, Option<Duration>),
        stall_limit: u64,
        max_in_flight: usize,
    }
    let balanced = Expected {
        heartbeat: (25, 10),
        keepalive: Some((20, 5, 6)),
        user_timeout: 50,
        rto_max: 2,
        connect: (8_000, 60),
        first_spread: 1_000,
        backoff: (250, 8),
        while_down: WhileDown::Queue,
        outbox: (MIB, None),
        stall_limit: 120,
        max_in_flight: 1024,
    };
    let mobile = Expected {
        heartbeat: (30, 10),
        keepalive: None,
        user_timeout: 270,
        rto_max: 2,
        connect: (10_000, 60),
        first_spread: 1_000,
        backoff: (500, 60),
        while_down: WhileDown::Queue,
        outbox: (MIB, Some(secs(60))),
        stall_limit: 120,
        max_in_flight: 1024,
    };
    let industrial = Expected {
        heartbeat: (10, 3),
        keepalive: Some((10, 5, 6)),
        user_timeout: 40,
        rto_max: 1,
        connect: (6_500, 10),
        first_spread: 1_000,
        backoff: (500, 10),
        while_down: WhileDown::Reject,
        outbox: (MIB, None),
        stall_limit: 60,
        max_in_flight: 1,
    };
    let datacenter = Expected {
        heartbeat: (5, 5),
        keepalive: Some((10, 2, 6)),
        user_timeout: 22,
        rto_max: 1,
        connect: (6_500, 15),
        first_spread: 250,
        backoff: (250, 5),
        while_down: WhileDown::Queue,
        outbox: (8 * MIB, None),
        stall_limit: 60,
        max_in_flight: 1024,
    };
    for (profile, expected) in [
        (Profile::Balanced, balanced),
        (Profile::Mobile, mobile),
        (Profile::Industrial, industrial),
        (Profile::Datacenter, datacenter),
    ] {
        let config = Config { profile, heartbeat: Some(ping()), ..Config::default() }.parse().unwrap();
        let heartbeat = config.heartbeat.as_ref().unwrap();
        assert_eq!(
            (heartbeat.interval, heartbeat.reply_within),
            (secs(expected.heartbeat.0), secs(expected.heartbeat.1))
        );
        let keepalive = expected.keepalive.map(|(idle, interval, retries)| Keepalive {
            idle: secs(idle),
            interval: secs(interval),
            retries,
        });
        assert_eq!(config.keepalive, keepalive, "{profile}");
        assert_eq!(config.user_timeout, Some(secs(expected.user_timeout)), "{profile}");
        assert_eq!(config.rto_max, Some(secs(expected.rto_max)), "{profile}");
        assert_eq!(config.connect_per_address, millis(expected.connect.0), "{profile}");
        let patient = if profile == Profile::Balanced { 21_500 } else { expected.connect.0 };
        assert_eq!(config.connect_patient, millis(patient), "{profile}");
        assert_eq!(config.connect_total, secs(expected.connect.1), "{profile}");
        assert_eq!(config.connect_within, config.connect_total, "{profile}");
        let one_at_a_time = config.addresses == Addresses::OneAtATime;
        assert_eq!(one_at_a_time, profile == Profile::Industrial, "{profile}");
        assert_eq!(config.backoff.first_spread, millis(expected.first_spread), "{profile}");
        assert_eq!(config.backoff.initial, millis(expected.backoff.0), "{profile}");
        assert_eq!(config.backoff.max, secs(expected.backoff.1), "{profile}");
        assert_eq!(config.backoff.multiplier, 2.0, "{profile}");
        assert_eq!(config.backoff.jitter, Jitter::Full, "{profile}");
        assert_eq!(config.while_down, expected.while_down, "{profile}");
        assert_eq!((config.outbox.bytes, config.outbox.age), expected.outbox, "{profile}");
        assert_eq!(config.stall_limit, secs(expected.stall_limit), "{profile}");
        assert_eq!(config.stable_after, secs(10), "{profile}");
        assert_eq!(config.max_in_flight, expected.max_in_flight, "{profile}");
    }
}

#[test]
fn mobile_without_a_heartbeat_keeps_its_probes() {
    let config = Config { profile: Profile::Mobile, ..Config::default() }.parse().unwrap();
    assert_eq!(config.keepalive, Some(Keepalive { idle: secs(200), interval: secs(15), retries: 4 }));
}

#[test]
fn values_outside_the_profiles_have_one_default_each() {
    let config = Config::default().parse().unwrap();
    assert_eq!((config.address_stagger, config.refuse_private_addresses), (millis(250), false));
    assert_eq!((config.outbox.messages, config.inbox_bytes), (65_536, MIB));
    assert_eq!((config.overflow, config.unsolicited), (Overflow::Auto, Unsolicited::Deliver));
    assert_eq!((config.max_attempts, config.read_idle), (None, None));
    assert_eq!(config.frame_within, None, "raw bytes have no frames");
    let with_frames = |frame_within| Config { framing: frames(), frame_within, ..Config::default() }.parse().unwrap();
    assert_eq!(with_frames(Choice::Auto).frame_within, Some(secs(30)));
    assert_eq!(with_frames(Choice::On(secs(3))).frame_within, Some(secs(3)));
    assert_eq!(with_frames(Choice::Off).frame_within, None);
}

#[test]
fn switched_off_stays_off() {
    let config = Config {
        keepalive: Choice::Off,
        user_timeout: Choice::Off,
        rto_max: Choice::Off,
        outbox_age: Choice::Off,
        profile: Profile::Mobile,
        ..Config::default()
    };
    let config = config.parse().unwrap();
    assert_eq!((config.keepalive, config.user_timeout, config.rto_max, config.outbox.age), (None, None, None, None));
}

#[test]
fn one_explicit_limit_moves_the_derived_one_beside_it() {
    let parsed = |config: Config| config.parse().unwrap();
    let config = parsed(Config { connect_total: Some(secs(3)), ..Config::default() });
    assert_eq!((config.connect_per_address, config.connect_total), (secs(3), secs(3)));
    let config = parsed(Config { connect_per_address: Some(secs(40)), ..Config::default() });
    assert_eq!((config.connect_per_address, config.connect_total), (secs(40), secs(60)));
    assert_eq!(config.connect_patient, secs(40), "what was declared stays as declared");
    let config = parsed(Config { connect_per_address: Some(secs(70)), ..Config::default() });
    assert_eq!((config.connect_per_address, config.connect_total), (secs(70), secs(70)));
    let config = parsed(Config { connect_total: Some(secs(10)), ..Config::default() });
    assert_eq!((config.connect_per_address, config.connect_patient), (secs(8), secs(10)));
    let config = parsed(Config { backoff_max: Some(millis(100)), ..Config::default() });
    assert_eq!((config.backoff.initial, config.backoff.max), (millis(100), millis(100)));
    let config = parsed(Config { backoff_initial: Some(secs(20)), ..Config::default() });
    assert_eq!((config.backoff.initial, config.backoff.max), (secs(20), secs(20)));
    let config = parsed(Config { framing: frames(), correlation: id(0, 1), ..Config::default() });
    assert_eq!(config.max_in_flight, 256);
}

fn frames() -> Framing {
    Framing::lines()
}

fn ping() -> Heartbeat {
    Heartbeat::new("PING")
}

fn id(offset: usize, width: usize) -> Option<Correlation> {
    Some(Correlation::Id(IdField { offset, width, endian: Endian::Big }))
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
