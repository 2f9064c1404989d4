//! The private `keepline._core` module: the border as Python sees it.
//!
//! No thread of the runtime ever enters Python: it leaves Rust values in a mailbox and wakes the loop by a file
//! descriptor. Every Python object is made here, on a thread that Python called from.

mod chaos;
mod client;
mod data;
mod errors;
mod exit;
mod hooks;
mod interpreter;
mod message;
mod operations;
mod program;
mod records;
mod report;
mod seat;
mod streams;
mod wake;

use pyo3::prelude::*;

/// The border of the Python package; use `keepline` instead.
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::chaos::ChaosProxy;
    #[pymodule_export]
    use super::client::{Client, Events, Receipt};
    #[pymodule_export]
    use super::hooks::{Greeting, Hooks};
    #[pymodule_export]
    use super::message::Message;
    #[pymodule_export]
    use super::operations::Operations;
    #[pymodule_export]
    use super::program::program;
    #[pymodule_export]
    use super::report::Report;
    #[pymodule_export]
    use super::seat::Seat;
    #[pymodule_export]
    use super::streams::{Stream, Streams};

    use super::errors::raised;
    use super::operations::Value;
    use super::records::{self, from_python};
    use keepline_bridge::{ExaminationRecord, config};
    use pyo3::prelude::*;
    use pyo3::types::PyDict;

    /// Decides every value of a declaration; returns it with its notices and bounds.
    #[pyfunction]
    fn resolve<'py>(declared: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
        let py = declared.py();
        let resolved = config::resolve(from_python(declared)?).map_err(|error| raised(py, &error))?;
        records::to_python(py, &resolved)
    }

    /// Every value of a profile.
    #[pyfunction]
    fn default_config<'py>(py: Python<'py>, profile: &str) -> PyResult<Bound<'py, PyAny>> {
        let config = config::default_config(profile).map_err(|error| raised(py, &error))?;
        records::to_python(py, &config)
    }

    /// Examines why a client does not connect; its diagnosis, or the number it waits under.
    #[pyfunction]
    fn doctor<'py>(
        operations: &Operations,
        address: &str,
        declared: &Bound<'py, PyDict>,
        patience_ms: Option<u64>,
        path_mtu: bool,
        idle_ms: Vec<u64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let asked = ExaminationRecord { patience_ms, path_mtu, idle_ms };
        let examining = keepline_bridge::examine(address, from_python(declared)?, &asked);
        operations.start(declared.py(), examining.map(Value::Diagnosis))
    }

    /// The release of this build.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::interpreter::refuse_all_but_the_main()?;
        super::exit::register();
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
