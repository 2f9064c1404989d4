//! Errors as exceptions of the other languages: one case for each kind, all with the same detail.

use crate::error::BridgeError;
use crate::report::{BridgeReport, ReportRecord};
use std::sync::Arc;

/// What went wrong, as advice.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum ForeignError {
    /// Fix the option or the argument that `field` names.
    #[error("{}", detail.text)]
    InvalidConfig {
        /// The evidence.
        detail: ErrorDetail,
    },
    /// There is no connection now; the client is retrying.
    #[error("{}", detail.text)]
    Unavailable {
        /// The evidence.
        detail: ErrorDetail,
    },
    /// The client gave up.
    #[error("{}", detail.text)]
    Exhausted {
        /// The evidence.
        detail: ErrorDetail,
    },
    /// The caller's deadline passed.
    #[error("{}", detail.text)]
    Timeout {
        /// The evidence.
        detail: ErrorDetail,
    },
    /// A queue or a policy said no.
    #[error("{}", detail.text)]
    Rejected {
        /// The evidence.
        detail: ErrorDetail,
    },
    /// The client is closed; make a new one.
    #[error("{}", detail.text)]
    Closed {
        /// The evidence.
        detail: ErrorDetail,
    },
    /// Made before this process was forked; make a new one in the child.
    #[error("{}", detail.text)]
    Forked {
        /// The evidence.
        detail: ErrorDetail,
    },
    /// The call was given up by its token.
    #[error("the call was given up")]
    Cancelled,
    /// A bug of Keepline; please report it.
    #[error("{}", detail.text)]
    Internal {
        /// The evidence.
        detail: ErrorDetail,
    },
}

/// The evidence of an error.
#[derive(Debug, Clone, uniffi::Record)]
pub struct ErrorDetail {
    /// The whole story in words.
    pub text: String,
    /// Why there is no connection, if that is the reason: a name of the contract's `causes`.
    pub cause: Option<String>,
    /// Which evidence told: a name of the contract's `detectors`.
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
    /// The flight recorder's report on the connection that ended, if that is the reason.
    pub report: Option<Arc<BridgeReport>>,
}

#[uniffi::export]
impl BridgeReport {
    /// The report as a flat record.
    pub fn read(&self) -> ReportRecord {
        self.record()
    }
}

impl ForeignError {
    pub(super) fn cancelled() -> ForeignError {
        ForeignError::Cancelled
    }
}

impl From<BridgeError> for ForeignError {
    fn from(error: BridgeError) -> ForeignError {
        let detail = ErrorDetail {
            text: error.message.clone(),
            cause: error.cause.clone(),
            detector: error.detector.clone(),
            errno: error.errno,
            code: error.code,
            field: error.field.clone(),
            maybe_executed: error.maybe_executed,
            retryable: error.retryable,
            report: error.report.clone().map(Arc::new),
        };
        // The kinds are strings on this side of the border; a test walks through all of the contract's.
        match error.kind.as_str() {
            "invalid_config" => ForeignError::InvalidConfig { detail },
            "unavailable" => ForeignError::Unavailable { detail },
            "exhausted" => ForeignError::Exhausted { detail },
            "timeout" => ForeignError::Timeout { detail },
            "rejected" => ForeignError::Rejected { detail },
            "closed" => ForeignError::Closed { detail },
            "forked" => ForeignError::Forked { detail },
            _internal => ForeignError::Internal { detail },
        }
    }
}
