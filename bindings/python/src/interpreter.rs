//! Sub-interpreters are refused at import: the types of this module, and the end of its runtime, belong to the main one.
//!
//! Newer Pythons refuse for isolated ones by themselves; those that share a lock, and all of 3.11, would let them in.

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;

/// The number of the main interpreter, in every version.
const MAIN: i64 = 0;

/// Refuses to be imported anywhere but in the main interpreter.
pub(crate) fn refuse_all_but_the_main() -> PyResult<()> {
    #[allow(unsafe_code)]
    // SAFETY: a module is initialised with an interpreter attached to this thread; the state is read, not kept.
    let number = unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) };
    if number == MAIN {
        return Ok(());
    }
    Err(PyImportError::new_err("keepline works in the main interpreter only, not in a sub-interpreter"))
}
