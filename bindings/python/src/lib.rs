//! The private `keepline._core` module: the border as Python sees it.
//!
//! No thread of the runtime ever enters Python: it leaves Rust values in a mailbox and wakes the loop by a file
//! descriptor. Every Python object is made here, on a thread that Python called from.

mod client;
mod data;
mod errors;
mod exit;
mod message;
mod operations;
mod records;
mod report;
mod wake;

use pyo3::prelude::*;

/// The border of the Python package; use `keepline` instead.
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::client::{Client, Events, Receipt};
    #[pymodule_export]
    use super::message::Message;
    #[pymodule_export]
    use super::operations::Operations;
    #[pymodule_export]
    use super::report::Report;

    use super::errors::raised;
    use super::records::{self, from_python};
    use keepline_bridge::config;
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

    /// The release of this build.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::exit::register();
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
