//! From what was declared to what is valid: derivation, then rules, each naming its field.

use crate::config::liveness::Liveness;
use crate::config::{
    Backoff, Choice, Config, OutboxLimits, ProfileValues, Settings, ValidConfig, endpoints, notice, protocol, rules,
    short,
};
use crate::correlator::Correlation;
use crate::error::ConfigError;
use crate::framing::Framing;
use std::time::Duration;

/// 1 GiB: a queue beyond it hides a peer that has stopped reading.
const QUEUE_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// 16 Mi messages: each costs a mark beside its bytes.
const QUEUE_MESSAGES_MAX: usize = 16 * 1024 * 1024;
/// 1 Mi requests: each waits for its reply in a table.
const IN_FLIGHT_MAX: usize = 1024 * 1024;
/// 1 MiB: the same as the outbox; a slow consumer holds the peer back by TCP soon.
const DEFAULT_INBOX_BYTES: usize = 1024 * 1024;
/// 65,536 messages: those of 16 bytes fill 1 MiB.
const DEFAULT_OUTBOX_MESSAGES: usize = 65_536;
/// 30 s: a frame that has started and stops is a fault of the sender, not of a slow path.
const DEFAULT_FRAME_WITHIN: Duration = Duration::from_secs(30);
/// 250 ms: the Connection Attempt Delay of RFC 8305, section 5; most paths of the world answer within it.
const DEFAULT_STAGGER: Duration = Duration::from_millis(250);
/// 100 ms and 2 s: the bounds of RFC 8305, section 8. With less, each attempt makes two connections on an ordinary path.
const STAGGER_MIN: Duration = Duration::from_millis(100);
const STAGGER_MAX: Duration = Duration::from_secs(2);
/// 5 s: a token from a service nearby takes a handshake and an answer; a lost SYN adds 1 s, a second one 2 s more.
const DEFAULT_CREDENTIALS_WITHIN: Duration = Duration::from_secs(5);
/// Twice: the second try is for a password that was changed on one side only, or a token that ran out on the way. A third
/// brings nothing but a locked account.
const DEFAULT_AUTH_ATTEMPTS: u32 = 2;
/// 255: servers lock accounts long before.
const AUTH_ATTEMPTS_MAX: usize = 255;
/// 100: with more, the first step already passes every sensible maximum.
const MULTIPLIER_MAX: f64 = 100.0;

impl Config {
    /// Decides every value and checks it: explicit values beat [`detect_within`](Config::detect_within), which beats
    /// the profile. A derived value gives way to the explicit one beside it.
    ///
    /// # Errors
    /// [`ConfigError`] names the first field that breaks a rule, with the value and the rule.
    pub fn parse(self) -> Result<ValidConfig, ConfigError> {
        self.framing.validate()?;
        let values = self.profile.values();
        let mut notices = Vec::new();
        let liveness = Liveness::decide(&self, &values, &mut notices)?;
        protocol::check(&self)?;
        check_read_idle(&self, &liveness)?;
        let (connect_per_address, connect_total) = decide_connect(&self, &values)?;
        let patient = self.connect_per_address.unwrap_or(values.connect_patient);
        rules::optional_duration("connect.within", self.connect_within)?;
        rules::optional_duration("stable_after", self.stable_after)?;
        rules::optional_duration("stall_limit", self.stall_limit)?;
        if self.max_attempts == Some(0) {
            return Err(ConfigError::new("max_attempts", 0, "must be at least 1"));
        }
        let inbox_bytes = self.inbox_bytes.unwrap_or(DEFAULT_INBOX_BYTES);
        rules::count("inbox.bytes", inbox_bytes, QUEUE_BYTES_MAX)?;
        let (single_connection, addresses) = endpoints::decide_single_connection(&self, &values)?;
        let mut settings = Settings {
            profile: self.profile,
            heartbeat: liveness.heartbeat,
            keepalive: liveness.keepalive,
            user_timeout: liveness.user_timeout,
            rto_max: liveness.rto_max,
            read_idle: self.read_idle,
            connect_per_address,
            connect_patient: patient.min(connect_total),
            connect_total,
            addresses,
            address_stagger: decide_stagger(&self)?,
            race_through_tls: endpoints::decide_race_through_tls(&self, addresses)?,
            retry_tls_verdicts: self.retry_tls_verdicts,
            refuse_private_addresses: self.refuse_private_addresses,
            connect_within: self.connect_within.unwrap_or(connect_total),
            backoff: decide_backoff(&self, &values)?,
            stable_after: self.stable_after.unwrap_or(values.stable_after),
            max_attempts: self.max_attempts,
            while_down: self.while_down.unwrap_or(values.while_down),
            outbox: decide_outbox(&self, &values)?,
            overflow: self.overflow.unwrap_or_default(),
            inbox_bytes,
            unsolicited: self.unsolicited,
            framing: self.framing.clone(),
            frame_within: decide_frame_within(&self)?,
            correlation: self.correlation,
            push: self.push.clone(),
            max_in_flight: decide_max_in_flight(&self, &values)?,
            greeting: self.greeting.clone(),
            credentials: self.credentials.clone(),
            credentials_within: decide_credentials_within(&self, connect_total)?,
            auth_attempts: decide_auth_attempts(&self)?,
            go_away: self.go_away.clone(),
            auto_replies: self.auto_replies.clone(),
            stall_limit: self.stall_limit.unwrap_or(values.stall_limit),
            concurrent_ok: self.concurrent_ok,
            // A fleet must not hurt its server, and one death says much of its siblings: on unless somebody objects.
            governed: self.governed.unwrap_or(true),
            sibling_probes: self.sibling_probes.unwrap_or(true),
            // A change that nobody sees costs a whole detection time, and watching costs an idle client nothing.
            network_monitor: self.network_monitor.unwrap_or(true),
            proxy: self.proxy.clone(),
            proxy_credentials: endpoints::decide_proxy_credentials(&self)?,
            single_connection,
            endpoint_order: self.endpoint_order,
            return_to_preferred: endpoints::decide_return(&self)?,
            bind_address: self.bind_address,
            bind_interface: endpoints::decide_interface(&self)?,
            notices,
        };
        settings.notices = notice::tell(&self, &settings);
        Ok(ValidConfig::new(settings))
    }
}

/// A peer that answers heartbeats may be silent until the next one is answered.
fn check_read_idle(config: &Config, liveness: &Liveness) -> Result<(), ConfigError> {
    rules::optional_duration("read_idle", config.read_idle)?;
    match (config.read_idle, liveness.heartbeat.as_ref().filter(|heartbeat| heartbeat.expects_reply())) {
        (Some(read_idle), Some(heartbeat)) => rules::not_below(
            "read_idle",
            read_idle,
            "heartbeat.interval + heartbeat.reply_within",
            heartbeat.interval.saturating_add(heartbeat.reply_within),
        ),
        (Some(_) | None, None) | (None, Some(_)) => Ok(()),
    }
}

fn decide_connect(config: &Config, values: &ProfileValues) -> Result<(Duration, Duration), ConfigError> {
    rules::optional_duration("connect.per_address", config.connect_per_address)?;
    rules::optional_duration("connect.total", config.connect_total)?;
    match (config.connect_per_address, config.connect_total) {
        (Some(per_address), Some(total)) => {
            rules::not_below("connect.total", total, "connect.per_address", per_address)?;
            Ok((per_address, total))
        }
        (Some(per_address), None) => Ok((per_address, values.connect_total.max(per_address))),
        (None, Some(total)) => Ok((values.connect_per_address.min(total), total)),
        (None, None) => Ok((values.connect_per_address, values.connect_total)),
    }
}

fn decide_stagger(config: &Config) -> Result<Duration, ConfigError> {
    let Some(given) = config.address_stagger else { return Ok(DEFAULT_STAGGER) };
    rules::between("address_stagger", given, STAGGER_MIN, STAGGER_MAX)?;
    Ok(given)
}

/// A provider has to answer within the attempt that it is asked for.
fn decide_credentials_within(config: &Config, connect_total: Duration) -> Result<Duration, ConfigError> {
    rules::optional_duration("credentials_within", config.credentials_within)?;
    match config.credentials_within {
        Some(within) if within > connect_total => {
            let comparison = format!("{} > {}", short(within), short(connect_total));
            Err(ConfigError::new("credentials_within", comparison, "must be at most connect.total"))
        }
        Some(within) => Ok(within),
        None => Ok(DEFAULT_CREDENTIALS_WITHIN.min(connect_total)),
    }
}

fn decide_auth_attempts(config: &Config) -> Result<Option<u32>, ConfigError> {
    match config.auth_attempts {
        Choice::Auto => Ok(Some(DEFAULT_AUTH_ATTEMPTS)),
        Choice::Off => Ok(None),
        Choice::On(attempts) => {
            rules::count("auth_attempts", usize::try_from(attempts).unwrap_or(usize::MAX), AUTH_ATTEMPTS_MAX)?;
            Ok(Some(attempts))
        }
    }
}

fn decide_backoff(config: &Config, values: &ProfileValues) -> Result<Backoff, ConfigError> {
    rules::optional_duration("backoff.first_spread", config.first_spread)?;
    rules::optional_duration("backoff.initial", config.backoff_initial)?;
    rules::optional_duration("backoff.max", config.backoff_max)?;
    let (initial, max) = match (config.backoff_initial, config.backoff_max) {
        (Some(initial), Some(max)) => {
            rules::not_below("backoff.max", max, "backoff.initial", initial)?;
            (initial, max)
        }
        (Some(initial), None) => (initial, values.backoff_max.max(initial)),
        (None, Some(max)) => (values.backoff_initial.min(max), max),
        (None, None) => (values.backoff_initial, values.backoff_max),
    };
    let multiplier = config.backoff_multiplier.unwrap_or(values.backoff_multiplier);
    // NaN is in no range.
    if !(1.0..=MULTIPLIER_MAX).contains(&multiplier) {
        let rule = format!("must be a number from 1 to {MULTIPLIER_MAX}");
        return Err(ConfigError::new("backoff.multiplier", multiplier, rule));
    }
    Ok(Backoff {
        first_spread: config.first_spread.unwrap_or(values.first_spread),
        initial,
        multiplier,
        max,
        jitter: config.backoff_jitter.unwrap_or_default(),
    })
}

fn decide_outbox(config: &Config, values: &ProfileValues) -> Result<OutboxLimits, ConfigError> {
    let messages = config.outbox_messages.unwrap_or(DEFAULT_OUTBOX_MESSAGES);
    let bytes = config.outbox_bytes.unwrap_or(values.outbox_bytes);
    rules::count("outbox.messages", messages, QUEUE_MESSAGES_MAX)?;
    rules::count("outbox.bytes", bytes, QUEUE_BYTES_MAX)?;
    let age = match config.outbox_age {
        Choice::Auto => values.outbox_age,
        Choice::Off => None,
        Choice::On(age) => {
            rules::duration("outbox.age", age)?;
            Some(age)
        }
    };
    Ok(OutboxLimits { messages, bytes, age })
}

fn decide_frame_within(config: &Config) -> Result<Option<Duration>, ConfigError> {
    let deadline = match config.frame_within {
        Choice::Auto => Some(DEFAULT_FRAME_WITHIN),
        Choice::Off => None,
        Choice::On(deadline) => {
            rules::duration("frame_within", deadline)?;
            Some(deadline)
        }
    };
    Ok(deadline.filter(|_| !matches!(config.framing, Framing::Raw)))
}

fn decide_max_in_flight(config: &Config, values: &ProfileValues) -> Result<usize, ConfigError> {
    let ids = match config.correlation {
        // Every request in flight needs an id of its own.
        Some(Correlation::Id(id)) => 1usize.checked_shl(8 * id.width as u32).unwrap_or(usize::MAX),
        Some(Correlation::Fifo) | None => usize::MAX,
    };
    let most = IN_FLIGHT_MAX.min(ids);
    let Some(given) = config.max_in_flight else { return Ok(values.max_in_flight.min(most)) };
    rules::count("max_in_flight", given, most)?;
    Ok(given)
}
