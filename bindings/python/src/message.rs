//! A received message as Python sees it.

use crate::data;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

/// A received message: its bytes without framing, and the number of the connection it came on.
///
/// Messages of different epochs never mix: what depended on an earlier connection ended with it.
#[pyclass(frozen, eq, hash, module = "keepline")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Message {
    payload: Payload,
    #[pyo3(get)]
    epoch: u64,
}

/// The bytes object. It is immutable, so its bytes can be compared and hashed without asking Python.
struct Payload(Py<PyBytes>);

#[pymethods]
impl Message {
    #[classattr]
    fn __match_args__() -> (&'static str, &'static str) {
        ("payload", "epoch")
    }

    #[new]
    #[pyo3(signature = (payload, epoch = 0))]
    fn new(payload: Py<PyBytes>, epoch: u64) -> Message {
        Message { payload: Payload(payload), epoch }
    }

    /// The message, without framing.
    #[getter]
    fn payload(&self, py: Python<'_>) -> Py<PyBytes> {
        self.payload.0.clone_ref(py)
    }

    /// What it is made from: messages may be pickled.
    fn __getnewargs__(&self, py: Python<'_>) -> (Py<PyBytes>, u64) {
        (self.payload.0.clone_ref(py), self.epoch)
    }

    fn __bytes__(&self, py: Python<'_>) -> Py<PyBytes> {
        self.payload.0.clone_ref(py)
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.payload.0.as_bytes(py).len()
    }

    // The bytes may be a secret: only their number is shown.
    fn __repr__(&self, py: Python<'_>) -> String {
        format!("Message({} bytes, epoch={})", self.payload.0.as_bytes(py).len(), self.epoch)
    }
}

impl Message {
    pub(crate) fn list<'py>(
        py: Python<'py>,
        messages: &[keepline_bridge::message::Message],
    ) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, messages.iter().map(Received))
    }
}

/// A message that has just come.
pub(crate) struct Received<'a>(pub(crate) &'a keepline_bridge::message::Message);

impl<'py> IntoPyObject<'py> for Received<'_> {
    type Target = Message;
    type Output = Bound<'py, Message>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, Message>> {
        let payload = Payload(data::object(py, &self.0.payload)?.unbind());
        let message = Bound::new(py, Message { payload, epoch: self.0.epoch.0 })?;
        #[allow(unsafe_code)]
        // SAFETY: a new object of a class with a garbage collector's header, which nobody else has seen.
        unsafe {
            // Bytes refer to nothing, so no message is ever part of a cycle: nothing for the collector to look at.
            ffi::PyObject_GC_UnTrack(message.as_ptr().cast());
        }
        Ok(message)
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Payload) -> bool {
        Python::attach(|py| self.0.as_bytes(py) == other.0.as_bytes(py))
    }
}

impl Eq for Payload {}

impl std::hash::Hash for Payload {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        Python::attach(|py| self.0.as_bytes(py).hash(state));
    }
}
