//! The one error of the border: a kind that says what to do, and the evidence as plain values.

use crate::report::BridgeReport;
use keepline::cause::GreetingFailure;
use keepline::{Cause, ConfigError, Ending, Error, ErrorKind};
use serde::Serialize;
use std::any::Any;
use std::error::Error as _;
use std::fmt;
use std::ops::Deref;

/// The kinds that only exist on this side of the border, beside those of [`ErrorKind`].
pub const BORDER_KINDS: &[&str] = &["forked"];

/// What went wrong, as advice. Boxed, so that the results it travels in stay small.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BridgeError(Box<ErrorRecord>);

/// The fields of a [`BridgeError`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorRecord {
    /// What to do about it: a name of [`ErrorKind`], or of [`BORDER_KINDS`].
    pub kind: String,
    /// Why there is no connection, if that is the reason.
    pub cause: Option<String>,
    /// Which evidence told.
    pub detector: Option<String>,
    /// The operating system's error number, if there was one.
    pub errno: Option<i32>,
    /// The other side's own number for it, if it told one: a SOCKS reply or the status of an HTTP proxy.
    pub code: Option<u16>,
    /// The configuration's field that breaks a rule.
    pub field: Option<String>,
    /// Whether the peer may have carried out the request all the same.
    pub maybe_executed: bool,
    /// Whether the same call can succeed later without any change.
    pub retryable: bool,
    /// The whole story in words.
    pub message: String,
    /// The flight recorder's report on the connection that ended, if that is the reason.
    #[serde(skip)]
    pub report: Option<BridgeReport>,
}

impl BridgeError {
    /// An error of one kind, with nothing but words.
    pub fn of_kind(kind: &str, message: impl Into<String>) -> BridgeError {
        BridgeError::new(kind, message)
    }

    fn new(kind: &str, message: impl Into<String>) -> BridgeError {
        BridgeError(Box::new(ErrorRecord {
            kind: kind.to_owned(),
            cause: None,
            detector: None,
            errno: None,
            code: None,
            field: None,
            maybe_executed: false,
            retryable: false,
            message: message.into(),
            report: None,
        }))
    }

    /// The handle was made before this process was forked.
    pub fn forked() -> BridgeError {
        BridgeError::new("forked", "made before this process was forked: make a new one in the child")
    }

    /// The runtime was shut down with the host program.
    pub(crate) fn shut_down() -> BridgeError {
        BridgeError::new(ErrorKind::Closed.as_str(), "the runtime was shut down with the program")
    }

    pub(crate) fn closed(message: &str) -> BridgeError {
        BridgeError::new(ErrorKind::Closed.as_str(), message)
    }

    pub(crate) fn rejected(message: &str) -> BridgeError {
        BridgeError::new(ErrorKind::Rejected.as_str(), message)
    }

    /// The hook uses the connection of a greeting that has ended.
    pub(crate) fn greeting_over() -> BridgeError {
        BridgeError::new(
            ErrorKind::Closed.as_str(),
            "this greeting is over: its connection belongs to the client now, or is gone",
        )
    }

    /// The greeting asks for credentials that nobody gives.
    pub(crate) fn no_credentials() -> BridgeError {
        let cause = Cause::Greeting(GreetingFailure::Credentials);
        let mut error = BridgeError::new(ErrorKind::Unavailable.as_str(), "there are no credentials to log in with");
        error.0.cause = Some(cause.as_str().to_owned());
        error.0.retryable = true;
        error
    }

    pub(crate) fn timed_out(what: &str) -> BridgeError {
        let mut error = BridgeError::new(ErrorKind::Timeout.as_str(), format!("no {what} within the time given"));
        error.0.retryable = true;
        error
    }

    /// Something that cannot be.
    pub fn internal(message: impl Into<String>) -> BridgeError {
        BridgeError::new(ErrorKind::Internal.as_str(), message)
    }

    pub(crate) fn panicked(panic: &(dyn Any + Send)) -> BridgeError {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
        BridgeError::internal(format!("a bug in Keepline, please report it: {text}"))
    }

    /// A field that breaks a rule.
    pub fn invalid(field: &'static str, value: impl fmt::Display, rule: impl Into<String>) -> BridgeError {
        ConfigError::new(field, value, rule).into()
    }
}

impl From<ConfigError> for BridgeError {
    fn from(error: ConfigError) -> BridgeError {
        let mut told = BridgeError::new(ErrorKind::InvalidConfig.as_str(), error.to_string());
        told.0.field = Some(error.field.to_owned());
        told
    }
}

impl From<Error> for BridgeError {
    fn from(error: Error) -> BridgeError {
        let ending = error.ending();
        let field = error.source().and_then(|source| source.downcast_ref::<ConfigError>());
        BridgeError(Box::new(ErrorRecord {
            kind: error.kind().as_str().to_owned(),
            cause: ending.map(|ending| ending.cause.as_str().to_owned()),
            detector: ending.and_then(|ending| ending.detector).map(|detector| detector.as_str().to_owned()),
            errno: ending.and_then(|ending| ending.errno),
            code: ending.and_then(|ending| ending.code),
            field: field.map(|error| error.field.to_owned()),
            maybe_executed: error.maybe_executed(),
            retryable: error.is_retryable(),
            message: error.to_string(),
            report: error.report().cloned().map(BridgeReport::new),
        }))
    }
}

impl Deref for BridgeError {
    type Target = ErrorRecord;

    fn deref(&self) -> &ErrorRecord {
        &self.0
    }
}

impl fmt::Display for BridgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BridgeError {}

/// Why a connection or a client ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct EndingRecord {
    /// Why.
    pub cause: String,
    /// Which evidence told.
    pub detector: Option<String>,
    /// The operating system's error number, if there was one.
    pub errno: Option<i32>,
    /// What may help: a name of the contract's `hints`.
    pub hint: Option<String>,
    /// The same as a sentence.
    pub advice: Option<String>,
    /// The other side's own number for it, if it told one: a SOCKS reply or the status of an HTTP proxy.
    pub code: Option<u16>,
}

impl From<Ending> for EndingRecord {
    fn from(ending: Ending) -> EndingRecord {
        EndingRecord {
            cause: ending.cause.as_str().to_owned(),
            detector: ending.detector.map(|detector| detector.as_str().to_owned()),
            errno: ending.errno,
            hint: ending.hint.map(|hint| hint.as_str().to_owned()),
            advice: ending.hint.map(|hint| hint.to_string()),
            code: ending.code,
        }
    }
}
