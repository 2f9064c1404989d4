//! The options in force as rows: name, value with its unit, and where the value came from.

use crate::args::Tuning;
use crate::encoding::escape;
use crate::words;
use keepline::proto::config::{Credentials, Greeting, short};
use keepline::{Choice, Config, Matcher, ValidConfig};
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// One option.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) value: Shown,
    pub(super) source: Source,
}

/// Where a value came from. The first that applies wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Given,
    DetectWithin,
    Profile,
    /// Follows from other values.
    Derived,
    /// The same in every profile.
    Default,
    /// Has no effect on a Unix socket.
    UnixSocket,
}

impl Source {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Source::Given => "given",
            Source::DetectWithin => "detect_within",
            Source::Profile => "profile",
            Source::Derived => "derived",
            Source::Default => "default",
            Source::UnixSocket => "unix_socket",
        }
    }
}

/// A value with its unit.
pub(super) enum Shown {
    Off,
    Time(Duration),
    Count(u64),
    Bytes(u64),
    Factor(f64),
    Word(String),
}

impl Shown {
    /// The bare value and the name of its unit.
    pub(super) fn to_json(&self) -> (Value, Option<&'static str>) {
        match self {
            Shown::Off => (Value::Null, None),
            Shown::Time(time) => (words::millis(*time), Some("ms")),
            Shown::Count(count) => (json!(count), None),
            Shown::Bytes(bytes) => (json!(bytes), Some("bytes")),
            Shown::Factor(factor) => (json!(factor), None),
            Shown::Word(word) => (json!(word), None),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shown::Off => f.write_str("off"),
            Shown::Time(time) => f.write_str(&short(*time)),
            Shown::Count(count) => write!(f, "{count}"),
            Shown::Bytes(bytes) => write!(f, "{bytes} bytes"),
            Shown::Factor(factor) => write!(f, "{factor}"),
            Shown::Word(word) => f.write_str(word),
        }
    }
}

/// Switches off what a Unix socket does not have.
pub(super) fn leave_out_tcp(rows: &mut [Row]) {
    for row in rows {
        let is_of_tcp = row.name.starts_with("keepalive")
            || matches!(row.name, "user_timeout" | "rto_max" | "bind_address" | "bind_interface");
        if is_of_tcp {
            (row.value, row.source) = (Shown::Off, Source::UnixSocket);
        }
    }
}

/// Every option in force.
pub(super) fn of(tuning: &Tuning, config: &Config, valid: &ValidConfig) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = |name, value, source| rows.push(Row { name, value, source });
    let word = |word: &str| Shown::Word(word.to_owned());
    let values = valid.profile.values();
    let by_profile = |given: bool| if given { Source::Given } else { Source::Profile };
    let by_default = |given: bool| if given { Source::Given } else { Source::Default };
    // Decided from the profile's number, unless something given beside it moved it.
    let near_profile = |given: bool, as_profile: bool| match (given, as_profile) {
        (true, _) => Source::Given,
        (false, true) => Source::Profile,
        (false, false) => Source::Derived,
    };

    row("profile", word(valid.profile.as_str()), by_default(tuning.profile.is_some()));
    row("detect_within", time_or_off(config.detect_within), by_default(config.detect_within.is_some()));

    let detects = |given: bool, as_profile: bool| match (given, config.detect_within) {
        (true, _) => Source::Given,
        (false, Some(_)) => Source::DetectWithin,
        (false, None) => near_profile(false, as_profile),
    };
    match (&valid.heartbeat, &config.heartbeat) {
        (Some(heartbeat), Some(given)) => {
            row("heartbeat.payload", Shown::Word(escape(&heartbeat.payload)), Source::Given);
            row("heartbeat.reply", matcher(&heartbeat.reply), by_default(tuning.heartbeat_reply.is_some()));
            row("heartbeat.interval", Shown::Time(heartbeat.interval), detects(given.interval.is_some(), true));
            let source = detects(given.reply_within.is_some(), true);
            row("heartbeat.reply_within", Shown::Time(heartbeat.reply_within), source);
        }
        (Some(_) | None, _) => row("heartbeat", Shown::Off, Source::Default),
    }

    let source = detects(config.keepalive != Choice::Auto, valid.keepalive == Some(values.keepalive));
    match valid.keepalive {
        Some(keepalive) => {
            row("keepalive.idle", Shown::Time(keepalive.idle), source);
            row("keepalive.interval", Shown::Time(keepalive.interval), source);
            row("keepalive.retries", Shown::Count(keepalive.retries.into()), source);
        }
        // Off beside a heartbeat is the profile's choice.
        None => row("keepalive", Shown::Off, by_profile(config.keepalive == Choice::Off)),
    }
    let source = match config.keepalive {
        Choice::On(_) if config.user_timeout == Choice::Auto => Source::Derived,
        Choice::On(_) | Choice::Off | Choice::Auto => {
            detects(config.user_timeout != Choice::Auto, valid.user_timeout == Some(values.user_timeout))
        }
    };
    row("user_timeout", time_or_off(valid.user_timeout), source);
    let source = near_profile(config.rto_max != Choice::Auto, valid.rto_max == Some(values.rto_max));
    row("rto_max", time_or_off(valid.rto_max), source);
    row("read_idle", time_or_off(valid.read_idle), by_default(valid.read_idle.is_some()));
    row("sibling_probes", on_or_off(valid.sibling_probes), by_default(config.sibling_probes.is_some()));
    row("concurrent_ok", on_or_off(valid.concurrent_ok), by_default(tuning.concurrent_ok));
    row("stall_limit", Shown::Time(valid.stall_limit), by_profile(config.stall_limit.is_some()));

    let as_profile = valid.connect_per_address == values.connect_per_address;
    let source = near_profile(config.connect_per_address.is_some(), as_profile);
    row("connect.per_address", Shown::Time(valid.connect_per_address), source);
    let source = near_profile(config.connect_per_address.is_some(), valid.connect_patient == values.connect_patient);
    row("connect.patient", Shown::Time(valid.connect_patient), source);
    let source = near_profile(config.connect_total.is_some(), valid.connect_total == values.connect_total);
    row("connect.total", Shown::Time(valid.connect_total), source);
    let source = near_profile(config.connect_within.is_some(), false);
    row("connect.within", Shown::Time(valid.connect_within), source);
    row("addresses", word(valid.addresses.as_str()), by_profile(config.addresses.is_some()));
    row("address_stagger", Shown::Time(valid.address_stagger), by_default(config.address_stagger.is_some()));
    row("race_through_tls", on_or_off(valid.race_through_tls), by_default(tuning.race_through_tls));
    row("retry_tls_verdicts", on_or_off(valid.retry_tls_verdicts), by_default(tuning.retry_tls_verdicts));
    let refuses = word(if valid.refuse_private_addresses { "on" } else { "off" });
    row("refuse_private_addresses", refuses, by_default(config.refuse_private_addresses));

    row("endpoint_order", word(valid.endpoint_order.as_str()), by_default(tuning.endpoint_order.is_some()));
    let source = by_default(valid.return_to_preferred.is_some());
    row("return_to_preferred", time_or_off(valid.return_to_preferred), source);
    row("single_connection", on_or_off(valid.single_connection), by_profile(config.single_connection.is_some()));
    let from = valid.bind_address.map_or(Shown::Off, |address| Shown::Word(address.to_string()));
    row("bind_address", from, by_default(valid.bind_address.is_some()));
    let interface = valid.bind_interface.as_deref().map_or(Shown::Off, word);
    row("bind_interface", interface, by_default(valid.bind_interface.is_some()));

    let backoff = &valid.backoff;
    row("backoff.first_spread", Shown::Time(backoff.first_spread), by_profile(config.first_spread.is_some()));
    let source = near_profile(config.backoff_initial.is_some(), backoff.initial == values.backoff_initial);
    row("backoff.initial", Shown::Time(backoff.initial), source);
    row("backoff.multiplier", Shown::Factor(backoff.multiplier), by_profile(config.backoff_multiplier.is_some()));
    let source = near_profile(config.backoff_max.is_some(), backoff.max == values.backoff_max);
    row("backoff.max", Shown::Time(backoff.max), source);
    row("backoff.jitter", word(backoff.jitter.as_str()), by_default(config.backoff_jitter.is_some()));
    row("stable_after", Shown::Time(valid.stable_after), by_profile(config.stable_after.is_some()));
    let attempts = valid.max_attempts.map_or(Shown::Off, |most| Shown::Count(most.into()));
    row("max_attempts", attempts, by_default(valid.max_attempts.is_some()));

    row("governed", on_or_off(valid.governed), by_default(config.governed.is_some()));

    row("while_down", word(valid.while_down.as_str()), by_profile(config.while_down.is_some()));
    row("outbox.messages", count(valid.outbox.messages), by_default(config.outbox_messages.is_some()));
    row("outbox.bytes", bytes(valid.outbox.bytes), by_profile(config.outbox_bytes.is_some()));
    row("outbox.age", time_or_off(valid.outbox.age), by_profile(config.outbox_age != Choice::Auto));
    row("overflow", word(valid.overflow.as_str()), by_default(config.overflow.is_some()));
    row("inbox.bytes", bytes(valid.inbox_bytes), by_default(config.inbox_bytes.is_some()));
    row("unsolicited", word(valid.unsolicited.as_str()), by_default(config.unsolicited != Default::default()));

    row("framing", word(valid.framing.name()), by_default(tuning.framing.is_some()));
    let frame = if valid.framing.max() == usize::MAX { Shown::Off } else { bytes(valid.framing.max()) };
    row("framing.max", frame, Source::Default);
    row("frame_within", time_or_off(valid.frame_within), by_default(config.frame_within != Choice::Auto));
    let correlation = valid.correlation.map_or(Shown::Off, |correlation| Shown::Word(format!("{correlation:?}")));
    row("correlation", correlation, by_default(valid.correlation.is_some()));
    row("push", valid.push.as_ref().map_or(Shown::Off, matcher), by_default(valid.push.is_some()));
    row("max_in_flight", count(valid.max_in_flight), by_profile(config.max_in_flight.is_some()));
    let greeting = match &valid.greeting {
        None => Shown::Off,
        Some(Greeting::Hook) => word("hook"),
        Some(Greeting::Script(script)) => Shown::Word(format!("{} steps", script.0.len())),
    };
    row("greeting", greeting, by_default(valid.greeting.is_some()));
    let monitor = if valid.network_monitor { word("on") } else { Shown::Off };
    row("network_monitor", monitor, by_default(config.network_monitor.is_some()));
    let proxy = valid.proxy.as_ref().map_or(Shown::Off, |proxy| Shown::Word(proxy.to_string()));
    row("proxy", proxy, by_default(valid.proxy.is_some()));
    row("proxy_credentials", on_or_off(valid.proxy_credentials), by_default(config.proxy_credentials));
    let credentials = match &valid.credentials {
        None => Shown::Off,
        Some(Credentials::Static(_)) => word("given"),
        Some(Credentials::Provider) => word("provider"),
    };
    row("credentials", credentials, by_default(valid.credentials.is_some()));
    let within = Shown::Time(valid.credentials_within);
    row("credentials_within", within, by_default(config.credentials_within.is_some()));
    let attempts = valid.auth_attempts.map_or(Shown::Off, |most| Shown::Count(most.into()));
    row("auth_attempts", attempts, by_default(config.auth_attempts != Choice::Auto));
    let go_away = valid.go_away.as_ref().map_or(Shown::Off, |go_away| matcher(&go_away.when));
    row("go_away", go_away, by_default(valid.go_away.is_some()));
    row("auto_replies", count(valid.auto_replies.len()), by_default(!valid.auto_replies.is_empty()));
    rows
}

fn on_or_off(is_on: bool) -> Shown {
    if is_on { Shown::Word("on".to_owned()) } else { Shown::Off }
}

fn time_or_off(time: Option<Duration>) -> Shown {
    time.map_or(Shown::Off, Shown::Time)
}

fn count(count: usize) -> Shown {
    Shown::Count(count as u64)
}

fn bytes(count: usize) -> Shown {
    Shown::Bytes(count as u64)
}

fn matcher(matcher: &Matcher) -> Shown {
    Shown::Word(match matcher {
        Matcher::Any => "any".to_owned(),
        Matcher::None => "none".to_owned(),
        Matcher::Exact(bytes) => format!("exact {}", escape(bytes)),
        Matcher::Prefix(bytes) => format!("prefix {}", escape(bytes)),
    })
}
