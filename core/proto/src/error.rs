//! Errors as advice: a small kind that says what to do, with the detail in the message.

use crate::cause::names;
use std::fmt;

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Fix the configuration or the argument.
    InvalidConfig,
    /// There is no connection now; the client is retrying.
    Unavailable,
    /// The client gave up.
    Exhausted,
    /// Your deadline passed.
    Timeout,
    /// A queue or a policy said no.
    Rejected,
    /// The client is closed; make a new one.
    Closed,
    /// A bug of ours; report it.
    Internal,
}

names!(ErrorKind {
    InvalidConfig => "invalid_config", Unavailable => "unavailable", Exhausted => "exhausted", Timeout => "timeout",
    Rejected => "rejected", Closed => "closed", Internal => "internal",
});

/// A configuration that cannot be: names the field, the value and the rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {rule} (got {value})")]
pub struct ConfigError {
    /// The field, as a dotted path: `backoff.max`.
    pub field: &'static str,
    /// The value that was given.
    pub value: String,
    /// The rule that it breaks: `must be at least backoff.initial`.
    pub rule: String,
}

impl ConfigError {
    /// Makes an error for `field`.
    pub fn new(field: &'static str, value: impl fmt::Display, rule: impl Into<String>) -> ConfigError {
        ConfigError { field, value: value.to_string(), rule: rule.into() }
    }
}
