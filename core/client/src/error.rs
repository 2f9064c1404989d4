//! The one error of this crate: a kind that says what to do, and the detail behind it.

use crate::shared::Shared;
use keepline_proto::{Cause, ConfigError, Ending, ErrorKind, Report};
use std::fmt;
use std::io;
use std::sync::Arc;

/// What went wrong, as advice.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    ending: Option<Ending>,
    report: Option<Arc<Report>>,
    maybe_executed: bool,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Why there is no connection, if that is the reason.
    pub fn cause(&self) -> Option<Cause> {
        self.0.ending.map(|ending| ending.cause)
    }

    /// The cause with its evidence, if there is one.
    pub fn ending(&self) -> Option<Ending> {
        self.0.ending
    }

    /// The flight recorder's report on the connection that ended, if that is the reason.
    pub fn report(&self) -> Option<&Arc<Report>> {
        self.0.report.as_ref()
    }

    /// Whether the peer may have carried out the request all the same.
    pub fn maybe_executed(&self) -> bool {
        self.0.maybe_executed
    }

    /// Whether the same call can succeed later without any change.
    pub fn is_retryable(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Rejected)
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Box::new(Inner {
            kind,
            ending: None,
            report: None,
            maybe_executed: false,
            message: message.into(),
            source: None,
        }))
    }

    pub(crate) fn with_ending(mut self, ending: Option<Ending>) -> Error {
        self.0.ending = ending;
        self
    }

    /// Adds the report that belongs to the ending, if there is an ending.
    pub(crate) fn with_report_of(mut self, shared: &Shared) -> Error {
        self.0.report = self.0.ending.and_then(|ending| shared.events.report_of(ending));
        self
    }

    pub(crate) fn with_maybe_executed(mut self, maybe_executed: bool) -> Error {
        self.0.maybe_executed = maybe_executed;
        self
    }

    pub(crate) fn closed(ending: Option<Ending>) -> Error {
        Error::new(ErrorKind::Closed, "the client is closed").with_ending(ending)
    }

    pub(crate) fn unavailable(ending: Option<Ending>) -> Error {
        Error::new(ErrorKind::Unavailable, "there is no connection now; the client is retrying").with_ending(ending)
    }

    pub(crate) fn timeout(what: &str) -> Error {
        Error::new(ErrorKind::Timeout, format!("no {what} within the time given"))
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Error {
        let mut wrapped = Error::new(ErrorKind::InvalidConfig, error.to_string());
        wrapped.0.source = Some(Box::new(error));
        wrapped
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = match error.kind() {
            ErrorKind::InvalidConfig => io::ErrorKind::InvalidInput,
            ErrorKind::Unavailable | ErrorKind::Closed => io::ErrorKind::NotConnected,
            ErrorKind::Timeout => io::ErrorKind::TimedOut,
            ErrorKind::Exhausted | ErrorKind::Rejected | ErrorKind::Internal => io::ErrorKind::Other,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(ending) = self.0.ending {
            write!(f, ": {ending}")?;
        }
        if self.0.maybe_executed {
            f.write_str(" (the peer may have carried it out)")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("ending", &self.0.ending)
            .field("maybe_executed", &self.0.maybe_executed)
            .field("message", &self.0.message)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| source.as_ref() as &(dyn std::error::Error + 'static))
    }
}
