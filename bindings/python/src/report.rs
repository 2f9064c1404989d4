//! A report of the flight recorder on its way to Python.

use crate::records;
use keepline_bridge::BridgeReport;
use pyo3::prelude::*;

/// What an exception holds: it becomes a record when somebody asks for it.
#[pyclass(frozen, module = "keepline._core")]
pub(crate) struct Report {
    report: BridgeReport,
}

#[pymethods]
impl Report {
    fn record<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        records::to_python(py, &self.report.record())
    }
}

impl Report {
    pub(crate) fn new(report: BridgeReport) -> Report {
        Report { report }
    }
}
