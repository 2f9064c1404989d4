//! The rules for the declared protocol: heartbeat, greeting, automatic answers and correlation fit the framing.

use crate::config::{AutoReply, Config, Credentials, Greeting, Matcher, RetryAfter, Script, Step};
use crate::correlator::Correlation;
use crate::error::ConfigError;
use crate::framing::Framing;
use bytes::BytesMut;

/// Refuses a declared protocol that could never work.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    check_heartbeat(config)?;
    check_correlation(config)?;
    if let Some(Greeting::Script(script)) = &config.greeting {
        check_script(&script.0, &config.framing)?;
    }
    check_credentials(config)?;
    if let Some(go_away) = &config.go_away {
        check_retry_after("go_away", go_away, &config.framing)?;
    }
    config.auto_replies.iter().try_for_each(|auto_reply| check_auto_reply(auto_reply, &config.framing))
}

fn check_heartbeat(config: &Config) -> Result<(), ConfigError> {
    let Some(heartbeat) = &config.heartbeat else { return Ok(()) };
    check_message("heartbeat.payload", &heartbeat.payload, &config.framing)?;
    if heartbeat.payload.is_empty() {
        return Err(ConfigError::new("heartbeat.payload", "0 bytes", "must not be empty"));
    }
    check_matcher("heartbeat.reply", &heartbeat.reply, &config.framing)?;
    if let Some(Correlation::Id(id)) = config.correlation {
        let end = id.offset.saturating_add(id.width);
        if heartbeat.payload.len() < end {
            let rule = format!("must hold the correlation id, which ends at byte {end}");
            return Err(ConfigError::new("heartbeat.payload", bytes(heartbeat.payload.len()), rule));
        }
    }
    Ok(())
}

fn check_correlation(config: &Config) -> Result<(), ConfigError> {
    let Some(correlation) = config.correlation else {
        return match config.push {
            Some(_) => {
                Err(ConfigError::new("push", "no correlation", "needs a correlation that it is an exception of"))
            }
            None => Ok(()),
        };
    };
    if is_raw(&config.framing) {
        return Err(ConfigError::new("correlation", "raw", "needs a framing: raw bytes have no replies to tell apart"));
    }
    if let Correlation::Id(id) = correlation {
        if ![1, 2, 4, 8].contains(&id.width) {
            return Err(ConfigError::new("correlation.width", id.width, "must be 1, 2, 4 or 8 bytes"));
        }
        let most = config.framing.max();
        if id.offset.checked_add(id.width).is_none_or(|end| end > most) {
            let rule = format!("must leave room for the id in a message of at most {most} bytes");
            return Err(ConfigError::new("correlation.offset", id.offset, rule));
        }
    }
    match &config.push {
        Some(push) => check_exact_or_prefix("push", push, &config.framing),
        None => Ok(()),
    }
}

fn check_script(steps: &[Step], framing: &Framing) -> Result<(), ConfigError> {
    if steps.is_empty() {
        return Err(ConfigError::new("greeting", "0 steps", "must have at least one step"));
    }
    steps.iter().try_for_each(|step| match step {
        Step::Send(message) => check_message("greeting", message, framing),
        // What a provider gives is checked when it does.
        Step::SendCredentials { .. } => Ok(()),
        Step::Refused(matcher) => check_exact_or_prefix("greeting", matcher, framing),
        Step::RetryAfter(retry_after) => check_retry_after("greeting", retry_after, framing),
        Step::Expect(Matcher::None) => {
            Err(ConfigError::new("greeting", "expect none", "must expect a frame: any, exact or prefix"))
        }
        Step::Expect(matcher @ (Matcher::Any | Matcher::Exact(_) | Matcher::Prefix(_))) => {
            check_matcher("greeting", matcher, framing)
        }
    })
}

/// Credentials are declared where they are sent, and nowhere else: a forgotten one of the two is a client without a login.
fn check_credentials(config: &Config) -> Result<(), ConfigError> {
    let script = match &config.greeting {
        Some(Greeting::Script(script)) => script,
        // What a hook does is its own.
        Some(Greeting::Hook) => return Ok(()),
        None => &Script(Vec::new()),
    };
    match (&config.credentials, script.sends_credentials()) {
        (None, false) => Ok(()),
        (None, true) => Err(ConfigError::new("credentials", "none", "must be given: the greeting sends them")),
        (Some(_), false) => Err(ConfigError::new("credentials", "given", "must be sent by the greeting, or left out")),
        (Some(Credentials::Provider), true) => Ok(()),
        (Some(Credentials::Static(secret)), true) => script.0.iter().try_for_each(|step| match step {
            Step::SendCredentials { prefix, suffix } => {
                check_message("credentials", &secret.between(prefix, suffix), &config.framing)
            }
            Step::Send(_) | Step::Expect(_) | Step::Refused(_) | Step::RetryAfter(_) => Ok(()),
        }),
    }
}

fn check_retry_after(field: &'static str, declared: &RetryAfter, framing: &Framing) -> Result<(), ConfigError> {
    check_exact_or_prefix(field, &declared.when, framing)?;
    match &declared.marker {
        Some(marker) if marker.is_empty() => {
            Err(ConfigError::new(field, "marker of 0 bytes", "must name the bytes before the seconds"))
        }
        Some(_) | None => Ok(()),
    }
}

fn check_auto_reply(auto_reply: &AutoReply, framing: &Framing) -> Result<(), ConfigError> {
    check_exact_or_prefix("auto_replies", &auto_reply.when, framing)?;
    check_message("auto_replies", &auto_reply.reply, framing)
}

fn check_exact_or_prefix(field: &'static str, matcher: &Matcher, framing: &Framing) -> Result<(), ConfigError> {
    match matcher {
        Matcher::Any => {
            Err(ConfigError::new(field, "any", "must match exactly or by prefix: it consumes what it matches"))
        }
        Matcher::None => Err(ConfigError::new(field, "none", "must match exactly or by prefix")),
        Matcher::Exact(_) | Matcher::Prefix(_) => check_matcher(field, matcher, framing),
    }
}

/// A matcher of bytes has bytes, and frames to compare them with.
fn check_matcher(field: &'static str, matcher: &Matcher, framing: &Framing) -> Result<(), ConfigError> {
    match matcher {
        Matcher::Any | Matcher::None => Ok(()),
        Matcher::Exact(pattern) | Matcher::Prefix(pattern) if pattern.is_empty() => {
            Err(ConfigError::new(field, "0 bytes", "must match at least one byte"))
        }
        Matcher::Exact(_) | Matcher::Prefix(_) if is_raw(framing) => {
            Err(ConfigError::new(field, "raw", "needs a framing: raw bytes have no frames to compare"))
        }
        Matcher::Exact(_) | Matcher::Prefix(_) => Ok(()),
    }
}

/// A message that the client sends by itself can be sent.
fn check_message(field: &'static str, message: &[u8], framing: &Framing) -> Result<(), ConfigError> {
    if message.is_empty() && is_raw(framing) {
        return Err(ConfigError::new(field, "0 bytes", "must not be empty"));
    }
    // Encoded and not only checked: a user's own framing tells what it refuses no earlier.
    let encoded = framing.encode(message, &mut BytesMut::new());
    // The reason is told, never the bytes: they may be a password.
    encoded.map_err(|refused| {
        ConfigError::new(field, bytes(message.len()), format!("must be a message of the framing: {refused}"))
    })
}

fn is_raw(framing: &Framing) -> bool {
    matches!(framing, Framing::Raw)
}

fn bytes(count: usize) -> String {
    format!("{count} bytes")
}
