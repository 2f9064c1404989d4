//! No panic crosses the border: each exported call runs in here.

use crate::error::BridgeError;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `call`; a panic becomes an `internal` error.
pub(crate) fn caught<T>(call: impl FnOnce() -> Result<T, BridgeError>) -> Result<T, BridgeError> {
    // Whatever the panic left half done is behind locks that are recovered when poisoned.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(BridgeError::panicked(panic.as_ref())))
}
