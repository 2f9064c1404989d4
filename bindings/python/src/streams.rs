//! Stream clients and their connections as Python holds them.

use crate::client::{Address, Client, records_of};
use crate::data::Data;
use crate::errors::raised;
use crate::operations::{Operations, Value};
use crate::records::from_python;
use keepline_bridge::{BridgeError, BridgeStream, BridgeStreams, WriteRecord};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::net::SocketAddr;

/// A stream client.
#[pyclass(frozen, module = "keepline._core")]
pub(crate) struct Streams {
    streams: BridgeStreams,
}

/// The bytes of one connection. Dropping it ends the connection.
#[pyclass(frozen, module = "keepline._core")]
pub(crate) struct Stream {
    stream: BridgeStream,
}

#[pymethods]
impl Streams {
    #[staticmethod]
    fn start(endpoints: Vec<Address>, config: &Bound<'_, PyDict>) -> PyResult<Streams> {
        let started = BridgeStreams::start(&records_of(endpoints), from_python(config)?);
        Ok(Streams::new(on(config.py(), started)?))
    }

    #[staticmethod]
    fn connect<'py>(
        operations: &Operations,
        endpoints: Vec<Address>,
        config: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let connecting = BridgeStreams::connect(&records_of(endpoints), from_python(config)?);
        operations.start(config.py(), connecting.map(Value::Streams))
    }

    /// A client of one connection, and that connection.
    #[staticmethod]
    fn connect_one<'py>(
        operations: &Operations,
        endpoints: Vec<Address>,
        config: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let connecting = BridgeStreams::connect_one(&records_of(endpoints), from_python(config)?);
        operations.start(config.py(), connecting.map(|(streams, stream)| Value::Connection(streams, stream)))
    }

    /// The client behind it. To be asked for once: letting go of it ends the streams.
    fn client(&self, py: Python<'_>) -> PyResult<Client> {
        Ok(Client::new(on(py, self.streams.client())?))
    }

    fn next<'py>(
        &self,
        py: Python<'py>,
        operations: &Operations,
        timeout_ms: Option<u64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        operations.start(py, self.streams.next(timeout_ms).map(Value::Stream))
    }
}

#[pymethods]
impl Stream {
    fn epoch(&self) -> u64 {
        self.stream.epoch()
    }

    /// The other side's address as Python's sockets tell it.
    fn peer<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        self.stream.peer().map(|address| socket_name(py, address)).transpose()
    }

    /// This side's address as Python's sockets tell it.
    fn local<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        self.stream.local().map(|address| socket_name(py, address)).transpose()
    }

    /// Bytes; none at the end.
    fn read<'py>(&self, py: Python<'py>, operations: &Operations, max: usize) -> PyResult<Bound<'py, PyAny>> {
        operations.start(py, self.stream.read(max).map(Value::Bytes))
    }

    /// How many bytes wait now, and whether nothing has to be flushed.
    fn write(&self, data: &Bound<'_, PyAny>) -> PyResult<(u64, bool)> {
        on(data.py(), self.stream.write(Data::of(data)?.as_slice())).map(told)
    }

    fn end_writes(&self, py: Python<'_>) -> PyResult<(u64, bool)> {
        on(py, self.stream.end_writes()).map(told)
    }

    /// As `write`, once some of it was written.
    fn flush<'py>(&self, py: Python<'py>, operations: &Operations) -> PyResult<Bound<'py, PyAny>> {
        operations.start(py, self.stream.flush().map(Value::Written))
    }

    fn abandon(&self) {
        self.stream.abandon();
    }
}

impl Streams {
    pub(crate) fn new(streams: BridgeStreams) -> Streams {
        Streams { streams }
    }
}

impl Stream {
    pub(crate) fn new(stream: BridgeStream) -> Stream {
        Stream { stream }
    }
}

/// A record as a tuple: no value of an operation is ever a number.
pub(crate) fn told(record: WriteRecord) -> (u64, bool) {
    (record.queued, record.idle)
}

fn socket_name(py: Python<'_>, address: SocketAddr) -> PyResult<Bound<'_, PyTuple>> {
    match address {
        SocketAddr::V4(address) => (address.ip().to_string(), address.port()).into_pyobject(py),
        SocketAddr::V6(address) => {
            (address.ip().to_string(), address.port(), address.flowinfo(), address.scope_id()).into_pyobject(py)
        }
    }
}

fn on<T>(py: Python<'_>, result: Result<T, BridgeError>) -> PyResult<T> {
    result.map_err(|error| raised(py, &error))
}
