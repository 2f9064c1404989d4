//! The times by which a dead peer is noticed: explicit values beat `detect_within`, which beats the profile.

use crate::config::{
    Choice, Config, Heartbeat, HeartbeatSettings, Keepalive, Matcher, Notice, Profile, ProfileValues, rules, short,
};
use crate::error::ConfigError;
use std::time::Duration;

/// 4 s: the kernel's smallest sensible keepalive (1 s + 3 × 1 s), and two round trips of a slow radio for the reply.
const DETECT_WITHIN_MIN: Duration = Duration::from_secs(4);
/// A day: the kernel's keepalive idle ends at 32,767 s, so more could not be kept where no heartbeat is declared.
const DETECT_WITHIN_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// 2 s: below that a lost segment and its retransmission already count as death.
const REPLY_MIN: Duration = Duration::from_secs(2);
/// 1 s: a faster heartbeat is traffic, not a question.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// 5 s: a radio that is woken more often never sleeps.
const INTERVAL_MIN_MOBILE: Duration = Duration::from_secs(5);
/// What `TCP_KEEPIDLE` and `TCP_KEEPINTVL` take, in seconds.
const KEEPALIVE_SECONDS_MAX: u64 = 32_767;
/// What `TCP_KEEPCNT` takes.
const KEEPALIVE_RETRIES_MAX: u32 = 127;
/// 6 probes: at 10 % loss three in a row are lost too often.
const DERIVED_RETRIES: u32 = 6;
/// 1 s: the first retransmission timeout of a new connection; less ends healthy ones.
const USER_TIMEOUT_MIN: Duration = Duration::from_secs(1);
/// What `TCP_USER_TIMEOUT` takes: 2^31 − 1 milliseconds.
const USER_TIMEOUT_MAX: Duration = Duration::from_millis(i32::MAX as u64);
/// What `TCP_RTO_MAX_MS` takes.
const RTO_MAX_MIN: Duration = Duration::from_secs(1);
const RTO_MAX_MAX: Duration = Duration::from_secs(120);

/// The decided times.
pub(super) struct Liveness {
    pub(super) heartbeat: Option<HeartbeatSettings>,
    pub(super) keepalive: Option<Keepalive>,
    pub(super) user_timeout: Option<Duration>,
    pub(super) rto_max: Option<Duration>,
}

impl Liveness {
    /// Decides and checks the times of `config`; what the user should know goes to `notices`.
    pub(super) fn decide(
        config: &Config,
        values: &ProfileValues,
        notices: &mut Vec<Notice>,
    ) -> Result<Liveness, ConfigError> {
        if let Some(detect_within) = config.detect_within {
            rules::between("detect_within", detect_within, DETECT_WITHIN_MIN, DETECT_WITHIN_MAX)?;
        }
        let heartbeat = match &config.heartbeat {
            Some(declared) => Some(decide_heartbeat(declared, config, values, notices)?),
            None => None,
        };
        let explicit_user_timeout = match config.user_timeout {
            Choice::On(given) => {
                rules::between("user_timeout", given, USER_TIMEOUT_MIN, USER_TIMEOUT_MAX)?;
                Some(whole_millis("user_timeout", given, notices))
            }
            Choice::Auto | Choice::Off => None,
        };
        let keepalive = decide_keepalive(config, values, explicit_user_timeout, notices)?;
        let user_timeout = match config.user_timeout {
            Choice::Off => None,
            Choice::Auto | Choice::On(_) => {
                let reply_within =
                    heartbeat.as_ref().filter(|heartbeat| heartbeat.expects_reply()).map(|it| it.reply_within);
                Some(decide_user_timeout(config, values, explicit_user_timeout, keepalive, reply_within)?)
            }
        };
        let rto_max = decide_rto_max(config, values, user_timeout.is_some(), notices)?;
        tell_ignored_probe_count(config, keepalive, user_timeout, notices);
        Ok(Liveness { heartbeat, keepalive, user_timeout, rto_max })
    }
}

fn decide_heartbeat(
    declared: &Heartbeat,
    config: &Config,
    values: &ProfileValues,
    notices: &mut Vec<Notice>,
) -> Result<HeartbeatSettings, ConfigError> {
    let lowest = match config.profile {
        Profile::Mobile => INTERVAL_MIN_MOBILE,
        Profile::Balanced | Profile::Industrial | Profile::Datacenter => INTERVAL_MIN,
    };
    rules::optional_duration("heartbeat.interval", declared.interval)?;
    rules::optional_duration("heartbeat.reply_within", declared.reply_within)?;
    if let Some(interval) = declared.interval.filter(|interval| *interval < lowest) {
        let rule = format!("must be at least {} in the {} profile", short(lowest), config.profile);
        return Err(ConfigError::new("heartbeat.interval", short(interval), rule));
    }
    if let Some(given) = declared.reply_within.filter(|given| *given < REPLY_MIN && declared.reply != Matcher::None) {
        let text = format!("{}: below 2s one lost segment can look like a dead peer", short(given));
        notices.push(Notice { field: "heartbeat.reply_within", text });
    }
    let (interval, reply_within) = match config.detect_within {
        Some(detect_within) => split(detect_within, declared, lowest),
        None => (
            declared.interval.unwrap_or(values.heartbeat_interval),
            declared.reply_within.unwrap_or(values.reply_within),
        ),
    };
    // Only the mobile floor can be missed here, and only by a split that nobody but detect_within decided.
    if let Some(detect_within) = config.detect_within.filter(|_| interval < lowest) {
        // The interval is two thirds of it.
        let needed = lowest * 3 / 2;
        let rule = format!("must be at least {} for a heartbeat in the {} profile", short(needed), config.profile);
        return Err(ConfigError::new("detect_within", short(detect_within), rule));
    }
    Ok(HeartbeatSettings { payload: declared.payload.clone(), reply: declared.reply.clone(), interval, reply_within })
}

/// Splits `detect_within` into interval and deadline; a declared half stays and the other gives way.
fn split(detect_within: Duration, declared: &Heartbeat, lowest: Duration) -> (Duration, Duration) {
    let share = (detect_within / 3).max(REPLY_MIN);
    match (declared.interval, declared.reply_within) {
        (Some(interval), Some(reply_within)) => (interval, reply_within),
        (Some(interval), None) => (interval, detect_within.saturating_sub(interval).clamp(REPLY_MIN, share)),
        (None, Some(reply_within)) => (detect_within.saturating_sub(reply_within).max(lowest), reply_within),
        (None, None) => (detect_within - share, share),
    }
}

fn decide_keepalive(
    config: &Config,
    values: &ProfileValues,
    explicit_user_timeout: Option<Duration>,
    notices: &mut Vec<Notice>,
) -> Result<Option<Keepalive>, ConfigError> {
    let derived = match config.keepalive {
        Choice::Off => return Ok(None),
        Choice::On(given) => return checked_keepalive(given, notices).map(Some),
        // Probes beside a heartbeat would only cost radio time.
        Choice::Auto if config.heartbeat.is_some() && !values.keepalive_beside_heartbeat => return Ok(None),
        Choice::Auto => config.detect_within.map_or(values.keepalive, spread_probes),
    };
    let Some(user_timeout) = explicit_user_timeout.filter(|given| *given < derived.total()) else {
        return Ok(Some(derived));
    };
    let fitted = spread_probes(user_timeout);
    let text = format!("probes follow user_timeout {}: {fitted}", short(user_timeout));
    notices.push(Notice { field: "keepalive", text });
    Ok(Some(fitted))
}

/// Probes that end within `total`: silence for two fifths of it, then six probes (fewer where seconds are scarce).
fn spread_probes(total: Duration) -> Keepalive {
    let seconds = total.as_secs().max(DETECT_WITHIN_MIN.as_secs());
    let interval = (seconds / 10).clamp(1, KEEPALIVE_SECONDS_MAX);
    let retries = u32::try_from(seconds - 1).map_or(DERIVED_RETRIES, |most| most.min(DERIVED_RETRIES));
    let idle = seconds.saturating_sub(interval * u64::from(retries)).clamp(1, KEEPALIVE_SECONDS_MAX);
    Keepalive { idle: Duration::from_secs(idle), interval: Duration::from_secs(interval), retries }
}

fn checked_keepalive(given: Keepalive, notices: &mut Vec<Notice>) -> Result<Keepalive, ConfigError> {
    let longest = Duration::from_secs(KEEPALIVE_SECONDS_MAX);
    for (field, value) in [("keepalive.idle", given.idle), ("keepalive.interval", given.interval)] {
        rules::duration(field, value)?;
        rules::between(field, value, Duration::ZERO, longest)?;
    }
    rules::count("keepalive.retries", given.retries as usize, KEEPALIVE_RETRIES_MAX as usize)?;
    Ok(Keepalive {
        idle: whole_seconds("keepalive.idle", given.idle, notices),
        interval: whole_seconds("keepalive.interval", given.interval, notices),
        retries: given.retries,
    })
}

fn decide_user_timeout(
    config: &Config,
    values: &ProfileValues,
    explicit: Option<Duration>,
    keepalive: Option<Keepalive>,
    reply_within: Option<Duration>,
) -> Result<Duration, ConfigError> {
    if let Some(given) = explicit {
        if let Some(keepalive) = keepalive {
            let sum = "keepalive.idle + keepalive.interval × keepalive.retries";
            rules::not_below("user_timeout", given, sum, keepalive.total())?;
        }
        if let Some(reply_within) = reply_within {
            rules::not_below("user_timeout", given, "heartbeat.reply_within", reply_within)?;
        }
        return Ok(given);
    }
    let room = format!("must be at most {}, the longest user_timeout", short(USER_TIMEOUT_MAX));
    if let Some(keepalive) = keepalive.filter(|keepalive| keepalive.total() > USER_TIMEOUT_MAX) {
        return Err(ConfigError::new("keepalive.idle", keepalive, format!("idle + interval × retries {room}")));
    }
    if let Some(reply_within) = reply_within.filter(|reply_within| *reply_within > USER_TIMEOUT_MAX) {
        return Err(ConfigError::new("heartbeat.reply_within", short(reply_within), room));
    }
    let backstop = match (config.keepalive, config.detect_within) {
        (Choice::On(_), _) => Duration::ZERO,
        (Choice::Auto | Choice::Off, Some(detect_within)) => spread_probes(detect_within).total(),
        (Choice::Auto | Choice::Off, None) => values.user_timeout,
    };
    let backstop = backstop.max(keepalive.map_or(Duration::ZERO, |keepalive| keepalive.total()));
    Ok(rounded_up_to_millis(backstop.max(reply_within.unwrap_or_default())))
}

fn decide_rto_max(
    config: &Config,
    values: &ProfileValues,
    has_user_timeout: bool,
    notices: &mut Vec<Notice>,
) -> Result<Option<Duration>, ConfigError> {
    match config.rto_max {
        Choice::Off => Ok(None),
        // Alone it would make the kernel give up sooner: its retries are counted, not timed.
        Choice::Auto => Ok(has_user_timeout.then_some(values.rto_max)),
        Choice::On(given) => {
            rules::between("rto_max", given, RTO_MAX_MIN, RTO_MAX_MAX)?;
            if !has_user_timeout {
                return Err(ConfigError::new("rto_max", short(given), "must be off while user_timeout is off"));
            }
            Ok(Some(whole_millis("rto_max", given, notices)))
        }
    }
}

fn tell_ignored_probe_count(
    config: &Config,
    keepalive: Option<Keepalive>,
    user_timeout: Option<Duration>,
    notices: &mut Vec<Notice>,
) {
    let (Choice::On(_), Some(keepalive), Some(user_timeout)) = (config.keepalive, keepalive, user_timeout) else {
        return;
    };
    // One interval more is the same number of probes: the kernel compares at each probe.
    if user_timeout >= keepalive.total() + keepalive.interval {
        let text = format!(
            "{} retries are ignored by the kernel while user_timeout is {}",
            keepalive.retries,
            short(user_timeout)
        );
        notices.push(Notice { field: "keepalive.retries", text });
    }
}

/// The kernel counts keepalive in seconds. Up, so that no probe comes earlier than asked for.
fn whole_seconds(field: &'static str, given: Duration, notices: &mut Vec<Notice>) -> Duration {
    let whole = if given.subsec_nanos() == 0 { given } else { Duration::from_secs(given.as_secs().saturating_add(1)) };
    tell_rounding(field, given, whole, notices);
    whole
}

/// The kernel counts timeouts in milliseconds.
fn whole_millis(field: &'static str, given: Duration, notices: &mut Vec<Notice>) -> Duration {
    let whole = rounded_up_to_millis(given);
    tell_rounding(field, given, whole, notices);
    whole
}

fn rounded_up_to_millis(given: Duration) -> Duration {
    let millis = given.as_nanos().div_ceil(1_000_000);
    u64::try_from(millis).map_or(given, Duration::from_millis)
}

fn tell_rounding(field: &'static str, given: Duration, whole: Duration, notices: &mut Vec<Notice>) {
    if given != whole {
        let text = format!("{} is rounded up to {}, the kernel's unit", short(given), short(whole));
        notices.push(Notice { field, text });
    }
}
