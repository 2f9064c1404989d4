//! The waiting operations of one event loop, or of one blocking thread.

use crate::client::{Client, Receipt};
use crate::data;
use crate::errors::raised;
use crate::hooks;
use crate::message::Received;
use crate::records;
use crate::seat::Seat;
use crate::streams::{self, Stream, Streams};
use crate::wake::Wake;
use bytes::Bytes;
use keepline_bridge::{
    self as bridge, BridgeClient, BridgeReceipt, BridgeStream, BridgeStreams, DiagnosisRecord, EndingRecord,
    EventRecord, Here, Progress, Question, WriteRecord,
};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What an operation gives, until it becomes a Python object on the caller's thread.
pub(crate) enum Value {
    Nothing,
    Client(BridgeClient),
    Receipt(BridgeReceipt),
    Bytes(Bytes),
    Outcome(String),
    Message(Option<bridge::message::Message>),
    Events(Vec<EventRecord>),
    Ending(EndingRecord),
    Diagnosis(DiagnosisRecord),
    Streams(BridgeStreams),
    Stream(BridgeStream),
    Connection(BridgeStreams, BridgeStream),
    Written(WriteRecord),
    Questions(Vec<Question>),
}

/// Operations wait here for their loop. `fileno()` becomes readable when `ready()` has something to tell.
#[pyclass(frozen, weakref, module = "keepline._core")]
pub(crate) struct Operations {
    inner: Here<bridge::Operations<Value>>,
    wake: Arc<Wake>,
    /// The loop itself makes a turn, and looks afterwards: nobody has to wake it.
    is_turning: Arc<AtomicBool>,
}

#[pymethods]
impl Operations {
    #[new]
    fn new() -> PyResult<Operations> {
        let wake = Arc::new(Wake::new()?);
        let waking = wake.clone();
        let is_turning = Arc::new(AtomicBool::new(false));
        let turning = is_turning.clone();
        let wake_loop = move || {
            if !turning.load(Ordering::SeqCst) {
                waking.wake();
            }
        };
        Ok(Operations { inner: Here::new(bridge::Operations::new(wake_loop)), wake, is_turning })
    }

    fn fileno(&self) -> RawFd {
        self.wake.fd()
    }

    /// Whether this process was forked from the one it was made in.
    #[getter]
    fn is_forked(&self) -> bool {
        self.inner.is_forked()
    }

    /// How many operations wait.
    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.inner(py)?.len())
    }

    /// The numbers of operations to poll.
    fn ready(&self, py: Python<'_>) -> PyResult<Vec<u64>> {
        let inner = self.inner(py)?;
        // Cleared first: a note that is left after this wakes anew.
        self.wake.clear();
        Ok(inner.ready())
    }

    /// Reads what has arrived for the client of a seat, on the loop's own thread; the numbers of operations to poll.
    #[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "nobody has a seat"))]
    fn turn(&self, py: Python<'_>, seat: &Seat) -> PyResult<Vec<u64>> {
        let inner = self.inner(py)?;
        self.is_turning.store(true, Ordering::SeqCst);
        #[cfg(target_os = "linux")]
        seat.seat.turn();
        // Before what was left is taken: a note that comes after that wakes as ever.
        self.is_turning.store(false, Ordering::SeqCst);
        Ok(inner.ready())
    }

    /// The value of an operation, or its number if it still waits.
    fn poll<'py>(&self, py: Python<'py>, number: u64) -> PyResult<Bound<'py, PyAny>> {
        told(py, self.inner(py)?.poll(number))
    }

    /// Gives an operation up.
    fn cancel(&self, number: u64) {
        if let Ok(inner) = self.inner.get() {
            inner.cancel(number);
        }
    }
}

impl Operations {
    /// Starts an operation: its value, or its number if it has to wait.
    pub(crate) fn start<'py>(
        &self,
        py: Python<'py>,
        operation: bridge::Operation<Value>,
    ) -> PyResult<Bound<'py, PyAny>> {
        told(py, self.inner(py)?.start(operation))
    }

    /// Keeps an operation without polling it: its number.
    pub(crate) fn keep(&self, py: Python<'_>, operation: bridge::Operation<Value>) -> PyResult<u64> {
        Ok(self.inner(py)?.keep(operation))
    }

    fn inner(&self, py: Python<'_>) -> PyResult<&bridge::Operations<Value>> {
        self.inner.get().map_err(|error| raised(py, &error))
    }
}

fn told(py: Python<'_>, progress: Progress<Value>) -> PyResult<Bound<'_, PyAny>> {
    match progress {
        Progress::Waiting(number) => number.into_bound_py_any(py),
        Progress::Done(Ok(value)) => value.into_python(py),
        Progress::Done(Err(error)) => Err(raised(py, &error)),
    }
}

impl Value {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        match self {
            Value::Nothing => Ok(py.None().into_bound(py)),
            Value::Client(client) => Client::new(client).into_bound_py_any(py),
            Value::Receipt(receipt) => Receipt::new(receipt).into_bound_py_any(py),
            Value::Bytes(bytes) => Ok(data::object(py, &bytes)?.into_any()),
            Value::Outcome(outcome) => outcome.into_bound_py_any(py),
            Value::Message(message) => message.as_ref().map(Received).into_bound_py_any(py),
            Value::Events(events) => records::to_python(py, &events),
            Value::Ending(ending) => records::to_python(py, &ending),
            Value::Diagnosis(diagnosis) => records::to_python(py, &diagnosis),
            Value::Streams(streams) => Streams::new(streams).into_bound_py_any(py),
            Value::Stream(stream) => Stream::new(stream).into_bound_py_any(py),
            Value::Connection(streams, stream) => (Streams::new(streams), Stream::new(stream)).into_bound_py_any(py),
            Value::Written(record) => streams::told(record).into_bound_py_any(py),
            Value::Questions(questions) => hooks::list(py, questions),
        }
    }
}
