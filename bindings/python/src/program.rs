//! The `keepline` program inside an interpreter: what the console script of the wheel runs.

use pyo3::prelude::*;
use std::ffi::OsString;

/// Runs the program with its arguments, of which the first is its name; returns its exit code.
///
/// The interpreter lock is free meanwhile. Signals are the business of the program: the caller hands them over first.
#[pyfunction]
pub(crate) fn program(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| keepline_cli::run(arguments))
}
