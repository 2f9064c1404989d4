//! Skipping tests that need a lab: loudly, and never in CI.

use super::{Lab, LabError};
use std::io::Write;

/// Unwraps a lab, or tells the test to return because this machine cannot have one.
///
/// # Panics
/// Panics if the lab could be had and did not come up, and if it could not while the environment says `CI=true`: there, a
/// skipped test would look like a passed one.
pub fn require(test: &str, lab: Result<Lab, LabError>) -> Option<Lab> {
    match lab {
        Ok(lab) => Some(lab),
        Err(LabError::Missing(why)) if std::env::var_os("CI").is_none_or(|value| value != "true") => {
            // Written past the test runner's capture, which would hide it in a passing test.
            let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: no network lab here: {why}");
            None
        }
        Err(error) => panic!("{test}: {error}"),
    }
}
