//! The client and the receipt as Python holds them.

use crate::data::{self, Batch};
use crate::errors::raised;
use crate::hooks::Hooks;
use crate::message::Message;
use crate::operations::{Operations, Value};
use crate::records::{self, from_python};
use crate::seat::Seat;
use keepline_bridge::config::SecretRecord;
use keepline_bridge::{BridgeClient, BridgeError, BridgeEvents, BridgeReceipt, EndpointRecord, NetworkPathRecord};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

/// An endpoint and its weight, if one was given.
pub(crate) type Address = (String, Option<u64>);

/// A client. Waiting calls take the `Operations` of their loop and return a value, or the number it waits under.
#[pyclass(frozen, module = "keepline._core")]
pub(crate) struct Client {
    client: BridgeClient,
}

/// The receipt of a tracked message.
#[pyclass(frozen, module = "keepline._core")]
pub(crate) struct Receipt {
    receipt: BridgeReceipt,
}

/// A reader of events with its own cursor. It does not keep the client alive.
#[pyclass(frozen, module = "keepline._core")]
pub(crate) struct Events {
    events: BridgeEvents,
}

#[pymethods]
impl Client {
    #[staticmethod]
    fn start(endpoints: Vec<Address>, config: &Bound<'_, PyDict>) -> PyResult<Client> {
        let started = BridgeClient::start(&records_of(endpoints), from_python(config)?);
        Ok(Client::new(on(config.py(), started)?))
    }

    /// As `start`, with hooks that are asked.
    #[staticmethod]
    fn start_with(endpoints: Vec<Address>, config: &Bound<'_, PyDict>, hooks: &Hooks) -> PyResult<Client> {
        let asked = hooks.take(config.py())?;
        let started = BridgeClient::start_with(&records_of(endpoints), from_python(config)?, asked);
        Ok(Client::new(on(config.py(), started)?))
    }

    #[staticmethod]
    fn connect<'py>(
        operations: &Operations,
        endpoints: Vec<Address>,
        config: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let connecting = BridgeClient::connect(&records_of(endpoints), from_python(config)?);
        operations.start(config.py(), connecting.map(Value::Client))
    }

    /// Waits for the first connection, at most `connect_within`; the client gives up when the time is over.
    fn connected<'py>(&self, py: Python<'py>, operations: &Operations) -> PyResult<Bound<'py, PyAny>> {
        operations.start(py, self.client.connected().map(|()| Value::Nothing))
    }

    /// Lets the event loop of a seat read by itself what arrives while it waits.
    #[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "nobody has a seat"))]
    fn read_inline(&self, py: Python<'_>, seat: &Seat) -> PyResult<()> {
        #[cfg(target_os = "linux")]
        on(py, self.client.read_inline(&seat.seat))?;
        Ok(())
    }

    /// Accepts a message without waiting: `keepline.Client.try_send` itself.
    #[pyo3(signature = (data, *, idempotent = false))]
    fn try_send(&self, data: &Bound<'_, PyAny>, idempotent: bool) -> PyResult<()> {
        on(data.py(), data::sent(data, |message| self.client.try_send(message, idempotent))?)
    }

    /// Whether the message was accepted at once; `send` finds out whether it can be later.
    fn accept(&self, data: &Bound<'_, PyAny>, idempotent: bool) -> PyResult<bool> {
        accepted(data.py(), data::sent(data, |message| self.client.try_send(message, idempotent))?)
    }

    fn send<'py>(
        &self,
        operations: &Operations,
        data: &Bound<'py, PyAny>,
        idempotent: bool,
        timeout_ms: Option<u64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let sending = self.client.send(data::owned(data)?, idempotent, timeout_ms);
        operations.start(data.py(), sending.map(|()| Value::Nothing))
    }

    /// All messages of a list or a tuple, or none.
    fn try_send_many(&self, messages: &Bound<'_, PyAny>, idempotent: bool) -> PyResult<()> {
        let py = messages.py();
        on(py, Batch::of(messages)?.sent(py, |messages| self.client.try_send_many(messages, idempotent))?)
    }

    /// Whether the batch was accepted at once; `send_many` finds out whether it can be later.
    fn accept_many(&self, messages: &Bound<'_, PyAny>, idempotent: bool) -> PyResult<bool> {
        let py = messages.py();
        accepted(py, Batch::of(messages)?.sent(py, |messages| self.client.try_send_many(messages, idempotent))?)
    }

    fn send_many<'py>(
        &self,
        operations: &Operations,
        messages: &Bound<'py, PyAny>,
        idempotent: bool,
        timeout_ms: Option<u64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let sending = self.client.send_many(Batch::of(messages)?.owned()?, idempotent, timeout_ms);
        operations.start(messages.py(), sending.map(|()| Value::Nothing))
    }

    fn send_tracked<'py>(
        &self,
        operations: &Operations,
        data: &Bound<'py, PyAny>,
        idempotent: bool,
        timeout_ms: Option<u64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let sending = self.client.send_tracked(data::owned(data)?, idempotent, timeout_ms);
        operations.start(data.py(), sending.map(Value::Receipt))
    }

    fn request<'py>(
        &self,
        operations: &Operations,
        data: &Bound<'py, PyAny>,
        timeout_ms: u64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let requesting = self.client.request(data::owned(data)?, timeout_ms);
        operations.start(data.py(), requesting.map(Value::Bytes))
    }

    /// Up to `max` messages that are there already; `None` after the end.
    fn try_receive<'py>(&self, py: Python<'py>, max: usize) -> PyResult<Option<Bound<'py, PyList>>> {
        let received = on(py, self.client.try_receive(max))?;
        received.map(|messages| Message::list(py, &messages)).transpose()
    }

    /// The number of an operation that ends each time that `try_receive` has something to tell, and begins anew.
    fn arrivals(&self, py: Python<'_>, operations: &Operations) -> PyResult<u64> {
        operations.keep(py, self.client.arrivals(|| Value::Nothing))
    }

    fn receive<'py>(
        &self,
        py: Python<'py>,
        operations: &Operations,
        timeout_ms: Option<u64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        operations.start(py, self.client.receive(timeout_ms).map(Value::Message))
    }

    fn events(&self, py: Python<'_>, after: u64) -> PyResult<Events> {
        Ok(Events { events: on(py, self.client.events(after))? })
    }

    fn close<'py>(&self, py: Python<'py>, operations: &Operations, drain_ms: u64) -> PyResult<Bound<'py, PyAny>> {
        operations.start(py, self.client.close(drain_ms).map(Value::Ending))
    }

    fn closed<'py>(&self, py: Python<'py>, operations: &Operations) -> PyResult<Bound<'py, PyAny>> {
        operations.start(py, self.client.closed().map(Value::Ending))
    }

    fn state(&self, py: Python<'_>) -> PyResult<&'static str> {
        on(py, self.client.state())
    }

    fn epoch(&self, py: Python<'_>) -> PyResult<u64> {
        on(py, self.client.epoch())
    }

    fn last_event(&self, py: Python<'_>) -> PyResult<u64> {
        on(py, self.client.last_event())
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        records::to_python(py, &on(py, self.client.stats())?)
    }

    fn reports<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        records::to_python(py, &on(py, self.client.reports())?)
    }

    fn config<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        records::to_python(py, &on(py, self.client.config())?)
    }

    fn endpoints(&self, py: Python<'_>) -> PyResult<Vec<Address>> {
        let records = on(py, self.client.endpoints())?;
        Ok(records.into_iter().map(|record| (record.address, record.weight)).collect())
    }

    fn set_endpoints(&self, py: Python<'_>, endpoints: Vec<Address>) -> PyResult<()> {
        on(py, self.client.set_endpoints(&records_of(endpoints)))
    }

    fn reconnect(&self, py: Python<'_>) -> PyResult<()> {
        on(py, self.client.reconnect())
    }

    /// `confirmed_by` is the record of a matcher.
    fn subscribe(&self, key: &str, frame: &Bound<'_, PyAny>, confirmed_by: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let confirmed_by = confirmed_by.map(from_python).transpose()?;
        on(frame.py(), self.client.subscribe(key, data::owned(frame)?, confirmed_by))
    }

    fn unsubscribe(&self, py: Python<'_>, key: &str, frame: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
        on(py, self.client.unsubscribe(key, frame.map(data::owned).transpose()?))
    }

    fn set_credentials(&self, secret: &Bound<'_, PyAny>) -> PyResult<()> {
        let copied = SecretRecord(data::owned(secret)?.into());
        on(secret.py(), self.client.set_credentials(copied))
    }

    fn go_away(&self, py: Python<'_>, retry_after_ms: u64) -> PyResult<()> {
        on(py, self.client.go_away(retry_after_ms))
    }

    /// `path` is `(id, available, kind, metered)`.
    fn network_changed(&self, py: Python<'_>, path: Option<(u64, bool, String, bool)>) -> PyResult<()> {
        let path = path.map(|(id, available, kind, metered)| NetworkPathRecord { id, available, kind, metered });
        on(py, self.client.network_changed(path))
    }

    fn pause(&self, py: Python<'_>) -> PyResult<()> {
        on(py, self.client.pause())
    }

    fn resume(&self, py: Python<'_>) -> PyResult<()> {
        on(py, self.client.resume())
    }

    fn enter_background(&self, py: Python<'_>) -> PyResult<()> {
        on(py, self.client.enter_background())
    }

    fn enter_foreground(&self, py: Python<'_>) -> PyResult<()> {
        on(py, self.client.enter_foreground())
    }

    fn abort(&self, py: Python<'_>) -> PyResult<()> {
        on(py, self.client.abort())
    }
}

#[pymethods]
impl Events {
    /// The next events; an empty list after the last. Without `reports` they come without those of the flight recorder.
    #[pyo3(signature = (operations, reports = true))]
    fn next<'py>(&self, py: Python<'py>, operations: &Operations, reports: bool) -> PyResult<Bound<'py, PyAny>> {
        let next = self.events.next(usize::MAX, None);
        operations.start(
            py,
            next.map(move |mut events| {
                if !reports {
                    events.iter_mut().for_each(|event| event.report = None);
                }
                Value::Events(events)
            }),
        )
    }
}

#[pymethods]
impl Receipt {
    fn outcome<'py>(&self, py: Python<'py>, operations: &Operations) -> PyResult<Bound<'py, PyAny>> {
        operations.start(py, self.receipt.outcome().map(Value::Outcome))
    }

    fn try_outcome(&self, py: Python<'_>) -> PyResult<Option<String>> {
        on(py, self.receipt.try_outcome())
    }

    fn acked_by(&self, py: Python<'_>) -> PyResult<Option<String>> {
        on(py, self.receipt.acked_by())
    }
}

impl Client {
    pub(crate) fn new(client: BridgeClient) -> Client {
        Client { client }
    }
}

impl Receipt {
    pub(crate) fn new(receipt: BridgeReceipt) -> Receipt {
        Receipt { receipt }
    }
}

/// A refusal for want of room is no error yet.
fn accepted(py: Python<'_>, result: Result<(), BridgeError>) -> PyResult<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(refused) if refused.kind == "rejected" => Ok(false),
        Err(error) => Err(raised(py, &error)),
    }
}

pub(crate) fn records_of(endpoints: Vec<Address>) -> Vec<EndpointRecord> {
    endpoints.into_iter().map(|(address, weight)| EndpointRecord { address, weight }).collect()
}

fn on<T>(py: Python<'_>, result: Result<T, BridgeError>) -> PyResult<T> {
    result.map_err(|error| raised(py, &error))
}
