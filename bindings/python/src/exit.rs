//! The end of the program: the runtime ends after the interpreter, when no Python thread can miss it any more.
//!
//! Ended before, in `atexit`, it would fail the waits of daemon threads that are about to vanish silently.

use keepline_bridge::runtime;
use pyo3::ffi;
use std::panic::catch_unwind;
use std::sync::Once;
use std::time::Duration;

/// 900 ms: threads end at once, except one that hangs in a name server. A program that ends waits less than a second.
const LIMIT: Duration = Duration::from_millis(900);

/// Has the runtime ended with the interpreter.
pub(crate) fn register() {
    extern "C" fn at_exit() {
        let _panicked = catch_unwind(|| runtime::shutdown(LIMIT));
    }
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        #[allow(unsafe_code)]
        // SAFETY: called with the interpreter initialised; the handler lives as long as the program and calls no Python.
        let full = unsafe { ffi::Py_AtExit(Some(at_exit)) } != 0;
        // All 32 places are taken: the system ends the threads with the process, which is as well.
        let _ = full;
    });
}
