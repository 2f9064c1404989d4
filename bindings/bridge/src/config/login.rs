//! The declared login: the steps of a greeting, the credentials in it, and the words by which a server sends a client away.

use super::declare::MatcherRecord;
use super::resolve::millis;
use crate::error::BridgeError;
use bytes::Bytes;
use keepline::proto::config::Greeting;
use keepline::{Credentials, RetryAfter, Script, Secret, Step};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Bytes that are not shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretRecord(pub Vec<u8>);

/// One step of a greeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are those of the core's step")]
pub enum StepRecord {
    /// Send this message.
    Send { bytes: Vec<u8> },
    /// Send the credentials between these bytes.
    SendCredentials { prefix: Vec<u8>, suffix: Vec<u8> },
    /// The next frame must match.
    Expect { matcher: MatcherRecord },
    /// From here on a frame that matches means that the credentials are refused.
    Refused { matcher: MatcherRecord },
    /// From here on such a frame means that the peer wants the client to come back later.
    RetryAfter { when: RetryAfterRecord },
}

/// A frame that asks the client to come back later, and the time that it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct RetryAfterRecord {
    /// The frame that asks.
    pub when: MatcherRecord,
    /// The bytes after which the frame names whole seconds.
    pub marker: Option<Vec<u8>>,
    /// The time if the frame names none.
    pub otherwise_ms: u64,
}

impl fmt::Debug for SecretRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

impl From<SecretRecord> for Credentials {
    fn from(record: SecretRecord) -> Credentials {
        Credentials::Static(Secret::from(record.0))
    }
}

impl SecretRecord {
    /// The record of declared credentials; a provider's are not known.
    pub(super) fn of(credentials: &Credentials) -> Option<SecretRecord> {
        match credentials {
            Credentials::Static(secret) => Some(SecretRecord(secret.expose().to_vec())),
            Credentials::Provider => None,
        }
    }
}

impl From<RetryAfterRecord> for RetryAfter {
    fn from(record: RetryAfterRecord) -> RetryAfter {
        RetryAfter {
            when: record.when.into(),
            marker: record.marker.map(Bytes::from),
            otherwise: Duration::from_millis(record.otherwise_ms),
        }
    }
}

impl From<&RetryAfter> for RetryAfterRecord {
    fn from(declared: &RetryAfter) -> RetryAfterRecord {
        RetryAfterRecord {
            when: (&declared.when).into(),
            marker: declared.marker.as_ref().map(|marker| marker.to_vec()),
            otherwise_ms: millis(declared.otherwise),
        }
    }
}

/// A script, or a hook, which shows only when the client is made.
pub(super) fn declared_greeting(
    script: Option<Vec<StepRecord>>,
    is_hook: bool,
) -> Result<Option<Greeting>, BridgeError> {
    match (script, is_hook) {
        (Some(_), true) => Err(both("greeting", "a script and a hook")),
        (Some(steps), false) => Ok(Some(parse_greeting(steps))),
        (None, true) => Ok(Some(Greeting::Hook)),
        (None, false) => Ok(None),
    }
}

pub(super) fn declared_credentials(
    given: Option<SecretRecord>,
    is_hook: bool,
) -> Result<Option<Credentials>, BridgeError> {
    match (given, is_hook) {
        (Some(_), true) => Err(both("credentials", "bytes and a hook")),
        (Some(secret), false) => Ok(Some(secret.into())),
        (None, true) => Ok(Some(Credentials::Provider)),
        (None, false) => Ok(None),
    }
}

fn both(field: &'static str, given: &str) -> BridgeError {
    BridgeError::invalid(field, given, "must be one of the two")
}

fn parse_greeting(steps: Vec<StepRecord>) -> Greeting {
    let steps = steps.into_iter().map(|step| match step {
        StepRecord::Send { bytes } => Step::Send(bytes.into()),
        StepRecord::SendCredentials { prefix, suffix } => {
            Step::SendCredentials { prefix: prefix.into(), suffix: suffix.into() }
        }
        StepRecord::Expect { matcher } => Step::Expect(matcher.into()),
        StepRecord::Refused { matcher } => Step::Refused(matcher.into()),
        StepRecord::RetryAfter { when } => Step::RetryAfter(when.into()),
    });
    Greeting::Script(Script(steps.collect()))
}

/// The steps of a greeting; a hook has none.
pub(super) fn greeting_steps(greeting: &Greeting) -> Option<Vec<StepRecord>> {
    let Greeting::Script(script) = greeting else { return None };
    let steps = script.0.iter().map(|step| match step {
        Step::Send(bytes) => StepRecord::Send { bytes: bytes.to_vec() },
        Step::SendCredentials { prefix, suffix } => {
            StepRecord::SendCredentials { prefix: prefix.to_vec(), suffix: suffix.to_vec() }
        }
        Step::Expect(matcher) => StepRecord::Expect { matcher: matcher.into() },
        Step::Refused(matcher) => StepRecord::Refused { matcher: matcher.into() },
        Step::RetryAfter(retry_after) => StepRecord::RetryAfter { when: retry_after.into() },
    });
    Some(steps.collect())
}
