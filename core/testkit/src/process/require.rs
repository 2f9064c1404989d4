//! Skipping tests whose server is not installed: loudly, and never in CI.

use super::ProcessError;
use std::io::Write;

/// Unwraps a started server, or tells the test to return because the server is not installed.
///
/// ```no_run
/// use keepline_testkit::process::{RedisServer, require};
///
/// # async fn example() {
/// let Some(redis) = require("values_survive_a_kill", RedisServer::start().await) else { return };
/// # }
/// ```
///
/// # Panics
/// Panics if the server is installed and does not start, and if it is not installed while the environment says
/// `CI=true`: there, a skipped test would look like a passed one.
pub fn require<T>(test: &str, started: Result<T, ProcessError>) -> Option<T> {
    match started {
        Ok(server) => Some(server),
        Err(ProcessError::Missing { what, install }) if !is_ci() => {
            // Written past the test runner's capture, which would hide it in a passing test.
            let _ = writeln!(std::io::stderr(), "SKIPPED: {test} needs {what} ({install})");
            None
        }
        Err(error) => panic!("{test}: {error}"),
    }
}

fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}
