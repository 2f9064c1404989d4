//! Why a hook gave no answer, and what that means for the attempt.

use keepline::{GreetingError, ResolveError};
use std::fmt;
use std::time::Duration;

/// The kinds of a [`HookError`], by name. Whatever is no kind counts as `failed`.
pub const HOOK_ERRORS: &[&str] =
    &["failed", "auth_refused", "no_credentials", "not_found", "no_address", "temporary", "timed_out"];

/// 256 characters of a text that others wrote are told, as everywhere.
const REASON_CHARS: usize = 256;

/// Why a hook gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookError {
    /// What it was: a name of [`HOOK_ERRORS`].
    pub kind: String,
    /// The reason in words, for the log only. It must not hold a secret.
    pub reason: String,
    /// How long the peer asked to stay away, in a greeting.
    pub retry_after_ms: Option<u64>,
}

impl HookError {
    /// Makes an error; the reason is cut where it is too long.
    pub fn new(kind: &str, reason: impl AsRef<str>) -> HookError {
        let reason = reason.as_ref().chars().take(REASON_CHARS).collect();
        HookError { kind: kind.to_owned(), reason, retry_after_ms: None }
    }

    /// Adds how long the peer asked to stay away.
    pub fn with_retry_after(mut self, retry_after_ms: Option<u64>) -> HookError {
        self.retry_after_ms = retry_after_ms;
        self
    }

    /// Whoever was asked is gone.
    pub(super) fn nobody() -> HookError {
        HookError::new("failed", "nobody is there to answer")
    }
}

impl From<HookError> for GreetingError {
    fn from(error: HookError) -> GreetingError {
        let told = match error.kind.as_str() {
            "auth_refused" => GreetingError::auth(error.reason),
            "no_credentials" => GreetingError::no_credentials(),
            _ => GreetingError::rejected(error.reason),
        };
        match error.retry_after_ms {
            Some(wait) => told.retry_after(Duration::from_millis(wait)),
            None => told,
        }
    }
}

impl From<HookError> for ResolveError {
    fn from(error: HookError) -> ResolveError {
        match error.kind.as_str() {
            "not_found" => ResolveError::not_found(error.reason),
            "no_address" => ResolveError::no_address(error.reason),
            "timed_out" => ResolveError::timed_out(error.reason),
            _ => ResolveError::temporary(error.reason),
        }
    }
}

impl fmt::Display for HookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.reason.escape_debug())
    }
}

impl std::error::Error for HookError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_is_cut_and_escaped_and_an_unknown_kind_is_a_failure() {
        let error = HookError::new("surprise", "\u{7}".repeat(10_000));
        assert_eq!(error.reason.chars().count(), 256);
        assert_eq!(GreetingError::from(error.clone()).to_string(), format!("rejected: {}", "\\u{7}".repeat(51) + "\\"));
        assert!(error.to_string().starts_with("surprise: \\u{7}"));
        assert!(GreetingError::from(HookError::new("auth_refused", "no")).to_string().starts_with("auth: "));
        assert!(ResolveError::from(HookError::new("not_found", "no")).to_string().starts_with("not_found: "));
    }
}
