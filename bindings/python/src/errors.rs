//! Errors of the border as exceptions of the package.

use crate::report::Report;
use keepline_bridge::BridgeError;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

/// The exception of an error. Its classes have no `__init__` of their own, so that no Python code runs in between.
pub(crate) fn raised(py: Python<'_>, error: &BridgeError) -> PyErr {
    exception(py, error).map_or_else(|broken| broken, PyErr::from_value)
}

fn exception<'py>(py: Python<'py>, error: &BridgeError) -> PyResult<Bound<'py, PyAny>> {
    static CLASSES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let classes = CLASSES.get_or_try_init(py, || {
        let classes = py.import("keepline._errors")?.getattr("BY_KIND")?;
        Ok::<_, PyErr>(classes.cast_into::<PyDict>()?.unbind())
    })?;
    let class =
        classes.bind(py).get_item(&error.kind)?.ok_or_else(|| PyRuntimeError::new_err(error.message.clone()))?;
    let exception = class.call1((&error.message,))?;
    exception.setattr("cause", &error.cause)?;
    exception.setattr("detector", &error.detector)?;
    exception.setattr("errno", error.errno)?;
    exception.setattr("code", error.code)?;
    exception.setattr("field", &error.field)?;
    exception.setattr("maybe_executed", error.maybe_executed)?;
    exception.setattr("retryable", error.retryable)?;
    if let Some(report) = &error.report {
        exception.setattr("_report", Bound::new(py, Report::new(report.clone()))?)?;
    }
    Ok(exception)
}
