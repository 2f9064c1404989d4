//! A received message as Python sees it.

use crate::data;
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
    pub(crate) fn of(py: Python<'_>, message: &keepline_bridge::message::Message) -> PyResult<Message> {
        Ok(Message { payload: Payload(data::object(py, &message.payload)?.unbind()), epoch: message.epoch.0 })
    }

    pub(crate) fn list<'py>(
        py: Python<'py>,
        messages: &[keepline_bridge::message::Message],
    ) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for message in messages {
            list.append(Message::of(py, message)?)?;
        }
        Ok(list)
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
