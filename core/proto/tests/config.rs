//! Every rule of the configuration refuses by naming the field, the value and the rule.

use bytes::Bytes;
use keepline_proto::config::{AutoReply, Choice, Config, Greeting, Heartbeat, Keepalive, Matcher, Profile, Script};
use keepline_proto::correlator::{Correlation, IdField};
use keepline_proto::framing::{Endian, Framing};
use std::time::Duration;

const YEARS: Duration = Duration::from_secs(2 * 365 * 24 * 60 * 60);

/// What a row changes in a valid configuration, and what the refusal must say.
type Row = (&'static str, fn(&mut Config), &'static str);

/// A field and how it is set.
type Setter = (&'static str, fn(&mut Config, Duration));

#[test]
fn every_duration_refuses_zero_and_more_than_a_year() {
    let fields: &[Setter] = &[
        ("read_idle", |config, value| config.read_idle = Some(value)),
        ("connect.per_address", |config, value| config.connect_per_address = Some(value)),
        ("connect.total", |config, value| config.connect_total = Some(value)),
        ("address_stagger", |config, value| config.address_stagger = Some(value)),
        ("connect.within", |config, value| config.connect_within = Some(value)),
        ("backoff.first_spread", |config, value| config.first_spread = Some(value)),
        ("backoff.initial", |config, value| config.backoff_initial = Some(value)),
        ("backoff.max", |config, value| config.backoff_max = Some(value)),
        ("stable_after", |config, value| config.stable_after = Some(value)),
        ("stall_limit", |config, value| config.stall_limit = Some(value)),
        ("outbox.age", |config, value| config.outbox_age = Choice::On(value)),
        ("frame_within", |config, value| config.frame_within = Choice::On(value)),
        ("heartbeat.interval", |config, value| config.heartbeat = Some(ping().every(value))),
        ("heartbeat.reply_within", |config, value| config.heartbeat = Some(ping().reply_within(value))),
        ("keepalive.idle", |config, value| config.keepalive = probes(value, secs(5), 6)),
        ("keepalive.interval", |config, value| config.keepalive = probes(secs(5), value, 6)),
        ("detect_within", |config, value| config.detect_within = Some(value)),
        ("user_timeout", |config, value| config.user_timeout = Choice::On(value)),
        ("rto_max", |config, value| config.rto_max = Choice::On(value)),
    ];
    for (field, set) in fields {
        for (value, got, rule) in [
            (Duration::ZERO, "(got 0s)", "must be at least"),
            (YEARS, "(got 730d)", "must be at most"),
            (Duration::MAX, "(got 18446744073709551615.999s)", "must be at most"),
        ] {
            let mut config = Config::default();
            set(&mut config, value);
            assert_refused(config, field, &[got, rule]);
        }
    }
}

#[test]
fn every_rule_names_field_value_and_rule() {
    let rows: &[Row] = &[
        ("address_stagger", |c| c.address_stagger = Some(millis(99)), "must be at least 100ms (got 99ms)"),
        ("address_stagger", |c| c.address_stagger = Some(millis(2_001)), "must be at most 2s (got 2.001s)"),
        ("detect_within", |c| c.detect_within = Some(millis(3_999)), "must be at least 4s (got 3.999s)"),
        ("detect_within", |c| c.detect_within = Some(secs(86_401)), "must be at most 1d (got 86401s)"),
        (
            "detect_within",
            |c| {
                (c.profile, c.detect_within, c.heartbeat) = (Profile::Mobile, Some(millis(7_499)), Some(ping()));
            },
            "must be at least 7.5s for a heartbeat in the mobile profile (got 7.499s)",
        ),
        (
            "heartbeat.interval",
            |c| c.heartbeat = Some(ping().every(millis(999))),
            "must be at least 1s in the balanced profile (got 999ms)",
        ),
        (
            "heartbeat.interval",
            |c| (c.profile, c.heartbeat) = (Profile::Mobile, Some(ping().every(millis(4_900)))),
            "must be at least 5s in the mobile profile (got 4.9s)",
        ),
        (
            "heartbeat.reply_within",
            |c| c.heartbeat = Some(ping().reply_within(secs(2_147_484))),
            "must be at most 2147483.647s, the longest user_timeout (got 2147484s)",
        ),
        ("heartbeat.payload", |c| c.heartbeat = Some(Heartbeat::new("")), "must not be empty (got 0 bytes)"),
        (
            "heartbeat.payload",
            |c| (c.framing, c.heartbeat) = (frames(), Some(Heartbeat::new(""))),
            "must not be empty (got 0 bytes)",
        ),
        (
            "heartbeat.reply",
            |c| (c.framing, c.heartbeat) = (frames(), Some(ping().reply(Matcher::Prefix(Bytes::new())))),
            "must match at least one byte (got 0 bytes)",
        ),
        ("heartbeat.reply", |c| c.heartbeat = Some(ping().reply(exact("PONG"))), "needs a framing"),
        ("keepalive.idle", |c| c.keepalive = probes(secs(32_768), secs(1), 1), "must be at most 32767s (got 32768s)"),
        ("keepalive.interval", |c| c.keepalive = probes(secs(1), millis(32_767_001), 1), "must be at most 32767s"),
        ("keepalive.retries", |c| c.keepalive = probes(secs(1), secs(1), 0), "must be at least 1 (got 0)"),
        ("keepalive.retries", |c| c.keepalive = probes(secs(1), secs(1), 128), "must be at most 127 (got 128)"),
        (
            "keepalive.idle",
            |c| c.keepalive = probes(secs(32_767), secs(32_767), 127),
            "idle + interval × retries must be at most 2147483.647s, the longest user_timeout (got 32767s + 32767s × 127)",
        ),
        (
            "user_timeout",
            |c| (c.keepalive, c.user_timeout) = (probes(secs(20), secs(5), 6), Choice::On(secs(49))),
            "must be at least keepalive.idle + keepalive.interval × keepalive.retries (got 49s < 50s)",
        ),
        ("user_timeout", |c| c.user_timeout = Choice::On(secs(3)), "(got 3s < 4s)"),
        (
            "user_timeout",
            |c| (c.keepalive, c.user_timeout) = (Choice::Off, Choice::On(millis(900))),
            "must be at least 1s (got 900ms)",
        ),
        (
            "user_timeout",
            |c| c.user_timeout = Choice::On(millis(2_147_483_648)),
            "must be at most 2147483.647s (got 2147483.648s)",
        ),
        (
            "user_timeout",
            |c| (c.heartbeat, c.user_timeout) = (Some(ping()), Choice::On(secs(6))),
            "must be at least heartbeat.reply_within (got 6s < 10s)",
        ),
        ("rto_max", |c| c.rto_max = Choice::On(millis(999)), "must be at least 1s (got 999ms)"),
        ("rto_max", |c| c.rto_max = Choice::On(secs(121)), "must be at most 120s (got 121s)"),
        (
            "rto_max",
            |c| (c.user_timeout, c.rto_max) = (Choice::Off, Choice::On(secs(2))),
            "must be off while user_timeout is off (got 2s)",
        ),
        (
            "read_idle",
            |c| (c.heartbeat, c.read_idle) = (Some(ping()), Some(secs(34))),
            "must be at least heartbeat.interval + heartbeat.reply_within (got 34s < 35s)",
        ),
        (
            "connect.total",
            |c| (c.connect_per_address, c.connect_total) = (Some(secs(6)), Some(secs(5))),
            "must be at least connect.per_address (got 5s < 6s)",
        ),
        (
            "backoff.max",
            |c| (c.backoff_initial, c.backoff_max) = (Some(secs(20)), Some(secs(5))),
            "must be at least backoff.initial (got 5s < 20s)",
        ),
        ("backoff.multiplier", |c| c.backoff_multiplier = Some(f64::NAN), "must be a number from 1 to 100 (got NaN)"),
        ("backoff.multiplier", |c| c.backoff_multiplier = Some(f64::INFINITY), "from 1 to 100 (got inf)"),
        ("backoff.multiplier", |c| c.backoff_multiplier = Some(-2.0), "from 1 to 100 (got -2)"),
        ("backoff.multiplier", |c| c.backoff_multiplier = Some(0.99), "from 1 to 100 (got 0.99)"),
        ("backoff.multiplier", |c| c.backoff_multiplier = Some(100.5), "from 1 to 100 (got 100.5)"),
        ("max_attempts", |c| c.max_attempts = Some(0), "must be at least 1 (got 0)"),
        ("outbox.messages", |c| c.outbox_messages = Some(0), "must be at least 1 (got 0)"),
        ("outbox.messages", |c| c.outbox_messages = Some(usize::MAX), "must be at most 16777216"),
        ("outbox.bytes", |c| c.outbox_bytes = Some(0), "must be at least 1 (got 0)"),
        ("outbox.bytes", |c| c.outbox_bytes = Some((1 << 30) + 1), "must be at most 1073741824 (got 1073741825)"),
        ("inbox.bytes", |c| c.inbox_bytes = Some(0), "must be at least 1 (got 0)"),
        ("inbox.bytes", |c| c.inbox_bytes = Some((1 << 30) + 1), "must be at most 1073741824 (got 1073741825)"),
        ("max_in_flight", |c| c.max_in_flight = Some(0), "must be at least 1 (got 0)"),
        ("max_in_flight", |c| c.max_in_flight = Some(usize::MAX), "must be at most 1048576"),
    ];
    for (field, change, text) in rows {
        let mut config = Config::default();
        change(&mut config);
        assert_refused(config, field, &[text]);
    }
}

#[test]
fn every_rule_of_the_declared_protocol_names_field_value_and_rule() {
    let rows: &[Row] = &[
        ("push", |c| c.push = Some(exact(">")), "needs a correlation"),
        ("push", |c| (c.correlation, c.push) = (Some(Correlation::Fifo), Some(Matcher::Any)), "(got any)"),
        ("push", |c| (c.correlation, c.push) = (Some(Correlation::Fifo), Some(Matcher::None)), "(got none)"),
        ("push", |c| (c.correlation, c.push) = (Some(Correlation::Fifo), Some(exact(""))), "at least one byte"),
        (
            "correlation",
            |c| (c.framing, c.correlation) = (Framing::Raw, Some(Correlation::Fifo)),
            "needs a framing: raw bytes have no replies to tell apart (got raw)",
        ),
        ("correlation.width", |c| c.correlation = id(0, 0), "must be 1, 2, 4 or 8 bytes (got 0)"),
        ("correlation.width", |c| c.correlation = id(0, 3), "must be 1, 2, 4 or 8 bytes (got 3)"),
        ("correlation.offset", |c| c.correlation = id(usize::MAX, 2), "must leave room for the id"),
        (
            "heartbeat.payload",
            |c| (c.correlation, c.heartbeat) = (id(3, 2), Some(ping())),
            "must hold the correlation id, which ends at byte 5 (got 4 bytes)",
        ),
        (
            "max_in_flight",
            |c| (c.correlation, c.max_in_flight) = (id(0, 1), Some(257)),
            "must be at most 256 (got 257)",
        ),
        (
            "heartbeat.payload",
            |c| (c.framing, c.heartbeat) = (Framing::modbus_tcp(), Some(ping())),
            "must be a message of the framing: malformed frame",
        ),
        (
            "auto_replies",
            |c| (c.framing, c.auto_replies) = (Framing::fixed(5), answer(exact("PING!"))),
            "must be a message of the framing: malformed frame at byte 4: the message is shorter",
        ),
        ("framing.size", |c| c.framing = Framing::fixed(0), "(got 0)"),
        ("greeting", |c| c.greeting = script(Script::default()), "must have at least one step (got 0 steps)"),
        ("greeting", |c| c.greeting = script(Script::default().expect(Matcher::None)), "(got expect none)"),
        ("greeting", |c| c.greeting = script(Script::default().expect(exact(""))), "at least one byte (got 0 bytes)"),
        (
            "greeting",
            |c| (c.framing, c.greeting) = (Framing::Raw, script(Script::default().expect(exact("OK")))),
            "needs a framing",
        ),
        (
            "greeting",
            |c| (c.framing, c.greeting) = (Framing::Raw, script(Script::default().send(""))),
            "must not be empty (got 0 bytes)",
        ),
        ("auto_replies", |c| c.auto_replies = answer(Matcher::Any), "(got any)"),
        ("auto_replies", |c| c.auto_replies = answer(Matcher::None), "(got none)"),
        ("auto_replies", |c| c.auto_replies = answer(exact("")), "at least one byte (got 0 bytes)"),
        (
            "auto_replies",
            |c| (c.framing, c.auto_replies) = (Framing::Raw, answer(exact("PING"))),
            "needs a framing: raw bytes have no frames to compare (got raw)",
        ),
    ];
    for (field, change, text) in rows {
        let mut config = Config { framing: frames(), ..Config::default() };
        change(&mut config);
        assert_refused(config, field, &[text]);
    }
}

#[test]
fn secrets_stay_out_of_refusals() {
    let secret = Script::default().send("PASSWORD hunter2\nEXTRA");
    let error = Config { framing: frames(), greeting: script(secret), ..Config::default() }.parse().unwrap_err();
    assert_eq!(error.field, "greeting");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[track_caller]
fn assert_refused(config: Config, field: &str, parts: &[&str]) {
    let error = config.parse().expect_err(field);
    let text = error.to_string();
    assert_eq!(error.field, field, "{text}");
    assert!(text.starts_with(&format!("{field}: ")), "{text}");
    for part in parts {
        assert!(text.contains(part), "{text:?} lacks {part:?}");
    }
}

fn frames() -> Framing {
    Framing::lines()
}

fn ping() -> Heartbeat {
    Heartbeat::new("PING")
}

fn exact(bytes: &'static str) -> Matcher {
    Matcher::Exact(Bytes::from_static(bytes.as_bytes()))
}

fn probes(idle: Duration, interval: Duration, retries: u32) -> Choice<Keepalive> {
    Choice::On(Keepalive { idle, interval, retries })
}

fn id(offset: usize, width: usize) -> Option<Correlation> {
    Some(Correlation::Id(IdField { offset, width, endian: Endian::Big }))
}

fn script(script: Script) -> Option<Greeting> {
    Some(Greeting::Script(script))
}

fn answer(when: Matcher) -> Vec<AutoReply> {
    vec![AutoReply { when, reply: Bytes::from_static(b"PONG") }]
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
