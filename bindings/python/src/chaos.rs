//! The proxy of the testkit, for tests written in Python: records in, records out, nothing that waits.

use crate::errors::raised;
use crate::records::{from_python, to_python};
use keepline_bridge::{Here, runtime};
use keepline_testkit::chaos::{self, Command, Direction, End, Fault, IdleMode, Record, What};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A proxy in front of a server, on the runtime of the border. Its port and sockets go with it.
#[pyclass(frozen, module = "keepline._core")]
pub(crate) struct ChaosProxy {
    proxy: Here<Mutex<Option<chaos::ChaosProxy>>>,
    hanging: Arc<Mutex<Option<Result<(), String>>>>,
}

#[pymethods]
impl ChaosProxy {
    #[staticmethod]
    fn start(
        py: Python<'_>,
        upstream: &str,
        listen: &str,
        seed: u64,
        receive_buffer: Option<usize>,
    ) -> PyResult<ChaosProxy> {
        let (upstream, listen) = (address(upstream)?, address(listen)?);
        let handle = runtime::handle().map_err(|error| raised(py, &error))?;
        let mut builder = chaos::ChaosProxy::builder().listen(listen).seed(seed);
        if let Some(bytes) = receive_buffer {
            builder = builder.receive_buffer(bytes);
        }
        // Nothing in it waits for anybody: it binds, and is there.
        let proxy = py.detach(|| handle.block_on(builder.start(upstream)))?;
        Ok(ChaosProxy { proxy: Here::new(Mutex::new(Some(proxy))), hanging: Arc::default() })
    }

    /// Ends the proxy: its port, sockets and tasks. Idempotent.
    fn shut_down(&self, py: Python<'_>) -> PyResult<()> {
        let held = self.proxy.get().map_err(|error| raised(py, &error))?;
        let taken = held.lock().unwrap_or_else(PoisonError::into_inner).take();
        py.detach(|| drop(taken));
        Ok(())
    }

    fn address(&self, py: Python<'_>) -> PyResult<(String, u16)> {
        let addr = self.proxy(py)?.addr();
        Ok((addr.ip().to_string(), addr.port()))
    }

    /// Sets a fault for a direction.
    fn fault(&self, direction: &str, fault: &Bound<'_, PyDict>) -> PyResult<()> {
        let py = fault.py();
        let (direction, fault) = (direction_of(direction)?, Fault::from(from_python::<FaultRecord>(fault)?));
        let proxy = self.proxy(py)?;
        py.detach(|| proxy.apply(direction, fault));
        Ok(())
    }

    /// Tells the listener, or whole connections, what to do.
    fn command(&self, command: &Bound<'_, PyDict>) -> PyResult<()> {
        let py = command.py();
        let command: CommandRecord = from_python(command)?;
        let proxy = self.proxy(py)?;
        match command {
            CommandRecord::Upstream { address: upstream } => proxy.set_upstream(address(&upstream)?),
            CommandRecord::Refuse => proxy.refuse(),
            CommandRecord::AcceptAndSilence => proxy.accept_and_silence(),
            CommandRecord::AcceptThenFin => proxy.accept_then_fin(),
            CommandRecord::AcceptThenRst => proxy.accept_then_rst(),
            CommandRecord::AcceptAgain => proxy.accept_again(),
            CommandRecord::IdleCut { after_ms, mode } => proxy.idle_cut(Duration::from_millis(after_ms), mode.into()),
            CommandRecord::Reset => proxy.reset(),
            CommandRecord::Close => proxy.close(),
            CommandRecord::Clear => proxy.clear(),
        }
        Ok(())
    }

    /// Begins to let new connections hang in their SYN; `is_hanging` tells when they do.
    fn hang_syn(&self, py: Python<'_>) -> PyResult<()> {
        let proxy = self.proxy(py)?;
        let handle = runtime::handle().map_err(|error| raised(py, &error))?;
        let hanging = self.hanging.clone();
        *hanging.lock().unwrap_or_else(PoisonError::into_inner) = None;
        handle.spawn(async move {
            let result = proxy.hang_syn().await.map_err(|error| error.to_string());
            *hanging.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        });
        Ok(())
    }

    /// Whether they hang, and why not if this kernel cannot do it; `None` while it is being found out.
    fn is_hanging(&self) -> Option<(bool, String)> {
        let told = self.hanging.lock().unwrap_or_else(PoisonError::into_inner);
        told.as_ref().map(|result| match result {
            Ok(()) => (true, String::new()),
            Err(why) => (false, why.clone()),
        })
    }

    fn accepted(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.proxy(py)?.accepted())
    }

    fn received(&self, py: Python<'_>, direction: &str) -> PyResult<u64> {
        Ok(self.proxy(py)?.received(direction_of(direction)?))
    }

    fn forwarded(&self, py: Python<'_>, direction: &str) -> PyResult<u64> {
        Ok(self.proxy(py)?.forwarded(direction_of(direction)?))
    }

    fn connections<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let living: Vec<ConnectionRecord> = self.proxy(py)?.connections().into_iter().map(Into::into).collect();
        to_python(py, &living)
    }

    fn history<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let history: Vec<HistoryRecord> = self.proxy(py)?.history().iter().map(HistoryRecord::of).collect();
        to_python(py, &history)
    }

    /// The first record of this name, of this connection if one is named.
    fn find<'py>(&self, py: Python<'py>, what: &str, connection: Option<u64>) -> PyResult<Bound<'py, PyAny>> {
        let is_it = |record: &Record| {
            name_of(&record.what) == what && (connection.is_none() || record.connection == connection)
        };
        let found = self.proxy(py)?.find_record(is_it);
        to_python(py, &found.as_ref().map(HistoryRecord::of))
    }
}

impl ChaosProxy {
    fn proxy(&self, py: Python<'_>) -> PyResult<chaos::ChaosProxy> {
        let held = self.proxy.get().map_err(|error| raised(py, &error))?;
        let held = held.lock().unwrap_or_else(PoisonError::into_inner);
        held.clone().ok_or_else(|| PyValueError::new_err("the proxy was shut down"))
    }
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum FaultRecord {
    Pass,
    Latency { delay_ms: u64, jitter_ms: u64 },
    Rate { bytes_per_second: u64 },
    Slice { size: usize, gap_ms: u64 },
    Limit { bytes: u64, end: EndName },
    Stall,
    Hold,
    Release,
    DropAfter { bytes: u64 },
    Corrupt { offset: u64, mask: u8 },
    Inject { data: Vec<u8> },
    Duplicate,
    HalfClose,
}

impl From<FaultRecord> for Fault {
    fn from(record: FaultRecord) -> Fault {
        let millis = Duration::from_millis;
        match record {
            FaultRecord::Pass => Fault::Pass,
            FaultRecord::Latency { delay_ms, jitter_ms } => {
                Fault::Latency { delay: millis(delay_ms), jitter: millis(jitter_ms) }
            }
            FaultRecord::Rate { bytes_per_second } => Fault::Rate { bytes_per_second },
            FaultRecord::Slice { size, gap_ms } => Fault::Slice { size, gap: millis(gap_ms) },
            FaultRecord::Limit { bytes, end } => Fault::Limit { bytes, end: end.into() },
            FaultRecord::Stall => Fault::Stall,
            FaultRecord::Hold => Fault::Hold,
            FaultRecord::Release => Fault::Release,
            FaultRecord::DropAfter { bytes } => Fault::DropAfter { bytes },
            FaultRecord::Corrupt { offset, mask } => Fault::Corrupt { offset, mask },
            FaultRecord::Inject { data } => Fault::Inject { bytes: data },
            FaultRecord::Duplicate => Fault::Duplicate,
            FaultRecord::HalfClose => Fault::HalfClose,
        }
    }
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum CommandRecord {
    Upstream { address: String },
    Refuse,
    AcceptAndSilence,
    AcceptThenFin,
    AcceptThenRst,
    AcceptAgain,
    IdleCut { after_ms: u64, mode: IdleName },
    Reset,
    Close,
    Clear,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum EndName {
    Fin,
    Rst,
}

impl From<EndName> for End {
    fn from(name: EndName) -> End {
        match name {
            EndName::Fin => End::Fin,
            EndName::Rst => End::Rst,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum IdleName {
    Silent,
    Rst,
}

impl From<IdleName> for IdleMode {
    fn from(name: IdleName) -> IdleMode {
        match name {
            IdleName::Silent => IdleMode::Silent,
            IdleName::Rst => IdleMode::Rst,
        }
    }
}

#[derive(Serialize)]
struct ConnectionRecord {
    number: u64,
    peer_host: String,
    peer_port: u16,
    received_up: u64,
    forwarded_up: u64,
    received_down: u64,
    forwarded_down: u64,
    forgotten: bool,
}

impl From<chaos::ConnectionView> for ConnectionRecord {
    fn from(view: chaos::ConnectionView) -> ConnectionRecord {
        ConnectionRecord {
            number: view.number,
            peer_host: view.peer.ip().to_string(),
            peer_port: view.peer.port(),
            received_up: view.received_up,
            forwarded_up: view.forwarded_up,
            received_down: view.received_down,
            forwarded_down: view.forwarded_down,
            forgotten: view.forgotten,
        }
    }
}

/// One thing that happened; what does not apply is `None`.
#[derive(Serialize)]
struct HistoryRecord {
    at: f64,
    connection: Option<u64>,
    what: &'static str,
    direction: Option<&'static str>,
    offset: Option<u64>,
    bytes: Option<u64>,
    detail: Option<String>,
}

impl HistoryRecord {
    fn of(record: &Record) -> HistoryRecord {
        let mut made = HistoryRecord {
            at: record.at.as_secs_f64(),
            connection: record.connection,
            what: name_of(&record.what),
            direction: None,
            offset: None,
            bytes: None,
            detail: None,
        };
        match &record.what {
            What::Faulted { direction, fault } => {
                made.direction = Some(name_of_direction(*direction));
                made.detail = Some(format!("{fault:?}"));
            }
            What::Commanded(command) => made.detail = Some(words_of(command)),
            What::Accepted { peer: address } | What::Connected { upstream: address } => {
                made.detail = Some(address.to_string());
            }
            What::ConnectFailed { upstream, error } => made.detail = Some(format!("{upstream}: {error}")),
            What::Received { direction, offset, bytes }
            | What::Forwarded { direction, offset, bytes }
            | What::Dropped { direction, offset, bytes }
            | What::Injected { direction, offset, bytes }
            | What::Duplicated { direction, offset, bytes } => {
                made.direction = Some(name_of_direction(*direction));
                (made.offset, made.bytes) = (Some(*offset), Some(*bytes));
            }
            What::Corrupted { direction, offset, mask } => {
                made.direction = Some(name_of_direction(*direction));
                (made.offset, made.bytes) = (Some(*offset), Some(1));
                made.detail = Some(format!("mask {mask:#04x}"));
            }
            What::Finished { direction } | What::Swallowed { direction } => {
                made.direction = Some(name_of_direction(*direction));
            }
            What::ListenFailed { error } => made.detail = Some(error.to_string()),
            What::Forgotten | What::Reset | What::Closed | What::Ended => {}
            // The list may grow.
            _ => {}
        }
        made
    }
}

fn name_of(what: &What) -> &'static str {
    match what {
        What::Faulted { .. } => "faulted",
        What::Commanded(_) => "commanded",
        What::Accepted { .. } => "accepted",
        What::Connected { .. } => "connected",
        What::ConnectFailed { .. } => "connect_failed",
        What::Received { .. } => "received",
        What::Forwarded { .. } => "forwarded",
        What::Dropped { .. } => "dropped",
        What::Corrupted { .. } => "corrupted",
        What::Injected { .. } => "injected",
        What::Duplicated { .. } => "duplicated",
        What::Finished { .. } => "finished",
        What::Swallowed { .. } => "swallowed",
        What::Forgotten => "forgotten",
        What::Reset => "reset",
        What::Closed => "closed",
        What::Ended => "ended",
        What::ListenFailed { .. } => "listen_failed",
        // The list may grow.
        _ => "unknown",
    }
}

fn words_of(command: &Command) -> String {
    match command {
        Command::End(End::Fin) => "Close".to_owned(),
        Command::End(End::Rst) => "Reset".to_owned(),
        other => format!("{other:?}"),
    }
}

fn name_of_direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "up",
        Direction::Down => "down",
        Direction::Both => "both",
    }
}

fn direction_of(name: &str) -> PyResult<Direction> {
    match name {
        "up" => Ok(Direction::Up),
        "down" => Ok(Direction::Down),
        "both" => Ok(Direction::Both),
        _ => Err(PyValueError::new_err(format!("direction: must be up, down or both (got {name})"))),
    }
}

fn address(text: &str) -> PyResult<SocketAddr> {
    text.parse().map_err(|_| PyValueError::new_err(format!("must be an address and a port (got {text})")))
}
