//! The client as other languages hold it: plain calls return at once, waiting ones are operations.

mod first;
mod hooked;
mod login;
mod receive;
mod send_many;
mod steer;

use crate::config::{ClientConfig, ResolvedConfig, TlsRecord};
use crate::endpoints::{self, EndpointRecord};
use crate::error::{BridgeError, EndingRecord};
use crate::event::EventRecord;
use crate::events::BridgeEvents;
use crate::fork::Here;
use crate::guard::caught;
use crate::message::{MessageReader, Outgoing};
use crate::operation::Operation;
use crate::receipt::BridgeReceipt;
use crate::report::ReportRecord;
use crate::runtime;
use crate::stats::StatsRecord;
use bytes::Bytes;
use keepline::{Builder, Client, Idempotent, Payload};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// A client. Dropping it aborts the connection; operations under way then end with `closed`.
#[derive(Debug)]
pub struct BridgeClient {
    inner: Here<Inner>,
}

#[derive(Debug)]
struct Inner {
    client: Client,
    runtime: Handle,
    reader: Arc<MessageReader>,
    /// What was declared; the core keeps what follows from it. Boxed: most have none.
    tls: Option<Box<TlsRecord>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Operations under way hold handles of the client, which alone would keep it alive.
        self.client.abort();
    }
}

/// Making clients.
impl BridgeClient {
    /// Makes a client that dials for ever, and returns at once.
    ///
    /// # Errors
    /// `invalid_config` names the field; `closed` after the runtime was shut down.
    pub fn start(endpoints: &[EndpointRecord], config: ClientConfig) -> Result<BridgeClient, BridgeError> {
        caught(|| {
            let runtime = runtime::handle()?;
            let tls = config.tls.clone();
            Ok(BridgeClient::new(declare(endpoints, config, &runtime)?.start()?, runtime, tls))
        })
    }

    /// Makes a client and waits for its first connection, at most `connect_within_ms`.
    ///
    /// # Errors
    /// As [`BridgeClient::start`]; `unavailable` with the last cause when the time is over; `exhausted`.
    ///
    /// # Cancel safety
    /// Dropping the operation aborts the client.
    pub fn connect(endpoints: &[EndpointRecord], config: ClientConfig) -> Operation<BridgeClient> {
        let made = caught(|| {
            let runtime = runtime::handle()?;
            let tls = config.tls.clone();
            let builder = declare(endpoints, config, &runtime)?;
            Ok((runtime, builder, tls))
        });
        match made {
            Ok((runtime, builder, tls)) => Operation::new(runtime.clone(), async move {
                let client = builder.connect().await?;
                Ok(BridgeClient::new(client, runtime, tls))
            }),
            Err(error) => Operation::failed(error),
        }
    }

    pub(crate) fn new(client: Client, runtime: Handle, tls: Option<TlsRecord>) -> BridgeClient {
        BridgeClient { inner: Here::new(Inner { client, runtime, reader: Arc::default(), tls: tls.map(Box::new) }) }
    }
}

/// Calls that return at once.
impl BridgeClient {
    /// Accepts a message without waiting.
    ///
    /// # Errors
    /// `rejected` when the outbox is full or the message does not fit the framing; `unavailable` while there is no
    /// connection and the policy is to reject; `closed`; `forked`.
    pub fn try_send(&self, message: impl Payload, idempotent: bool) -> Result<(), BridgeError> {
        self.call(|client| match idempotent {
            false => Ok(client.try_send(message)?),
            true => Ok(client.try_send(Idempotent(message))?),
        })
    }

    /// Where the client stands: a name of the contract's `states`.
    ///
    /// # Errors
    /// `forked`.
    pub fn state(&self) -> Result<&'static str, BridgeError> {
        self.call(|client| Ok(client.state().as_str()))
    }

    /// The number of the last attempt.
    ///
    /// # Errors
    /// `forked`.
    pub fn epoch(&self) -> Result<u64, BridgeError> {
        self.call(|client| Ok(client.epoch().0))
    }

    /// The number of the last event.
    ///
    /// # Errors
    /// `forked`.
    pub fn last_event(&self) -> Result<u64, BridgeError> {
        self.call(|client| Ok(client.last_event()))
    }

    /// What the flight recorder tells of the connections and attempts that ended last: at most four, oldest first.
    ///
    /// # Errors
    /// `forked`.
    pub fn reports(&self) -> Result<Vec<ReportRecord>, BridgeError> {
        self.call(|client| Ok(client.reports().iter().map(|report| report.as_ref().into()).collect()))
    }

    /// Counters, and what the kernel says is in force.
    ///
    /// # Errors
    /// `forked`.
    pub fn stats(&self) -> Result<StatsRecord, BridgeError> {
        self.call(|client| Ok(client.stats().into()))
    }

    /// The configuration in force, with its notices and bounds.
    ///
    /// # Errors
    /// `forked`.
    pub fn config(&self) -> Result<ResolvedConfig, BridgeError> {
        let tls = self.inner.get()?.tls.as_deref().cloned();
        let mut resolved = self.call(|client| Ok(ResolvedConfig::of(client.config())))?;
        resolved.config.tls = tls;
        Ok(resolved)
    }

    /// Lets the event loop of this seat read by itself what arrives while it waits.
    ///
    /// # Errors
    /// `forked`.
    #[cfg(target_os = "linux")]
    pub fn read_inline(&self, seat: &Arc<keepline::LoopSeat>) -> Result<(), BridgeError> {
        self.call(|client| {
            client.read_inline(seat);
            Ok(())
        })
    }

    pub(crate) fn call<T>(&self, call: impl FnOnce(&Client) -> Result<T, BridgeError>) -> Result<T, BridgeError> {
        let inner = self.inner.get()?;
        caught(|| call(&inner.client))
    }
}

/// Calls that may wait.
impl BridgeClient {
    /// Accepts a message, and waits for room in the outbox while the peer is only slow, at most `timeout_ms`. One that is
    /// `idempotent` is sent again where nobody knows what became of it.
    ///
    /// # Errors
    /// As [`BridgeClient::try_send`]; `timeout`.
    ///
    /// # Cancel safety
    /// An operation that is dropped before it has ended was not accepted.
    pub fn send(&self, message: Bytes, idempotent: bool, timeout_ms: Option<u64>) -> Operation<()> {
        let message = Outgoing { message, idempotent };
        self.operation(|client| async move {
            match timeout_ms {
                None => client.send(message).await?,
                Some(limit) => client.send_within(message, Duration::from_millis(limit)).await?,
            }
            Ok(())
        })
    }

    /// As [`BridgeClient::send`], with a receipt that tells what became of the message.
    ///
    /// # Errors
    /// As [`BridgeClient::send`].
    ///
    /// # Cancel safety
    /// As [`BridgeClient::send`].
    pub fn send_tracked(&self, message: Bytes, idempotent: bool, timeout_ms: Option<u64>) -> Operation<BridgeReceipt> {
        let message = Outgoing { message, idempotent };
        self.operation(|client| async move {
            let receipt = match timeout_ms {
                None => client.send_tracked(message).await?,
                Some(limit) => client.send_tracked_within(message, Duration::from_millis(limit)).await?,
            };
            Ok(BridgeReceipt::new(receipt))
        })
    }

    /// Sends a request and waits for its reply, both at most `timeout_ms`.
    ///
    /// # Errors
    /// `timeout`; `unavailable` when the connection ended first, with `maybe_executed`; `invalid_config` without a
    /// correlation; `rejected`; `closed`; `forked`.
    ///
    /// # Cancel safety
    /// Dropping it gives the reply up; the request may still be carried out.
    pub fn request(&self, message: Bytes, timeout_ms: u64) -> Operation<Bytes> {
        self.operation(|client| async move { Ok(client.request(message, Duration::from_millis(timeout_ms)).await?) })
    }

    /// Waits for events after number `after`, at most `timeout_ms` and at most `max` of them; an empty list after the
    /// last. Whoever falls more than 256 behind gets a `missed` first.
    ///
    /// # Errors
    /// `timeout`; `forked`.
    ///
    /// # Cancel safety
    /// Cancel safe: events stay until a later call passes their number.
    pub fn next_events(&self, after: u64, max: usize, timeout_ms: Option<u64>) -> Operation<Vec<EventRecord>> {
        match self.events(after) {
            Ok(events) => events.next(max, timeout_ms),
            Err(error) => Operation::failed(error),
        }
    }

    /// A reader of the events after number `after`, with a cursor of its own. It does not keep the client alive.
    ///
    /// # Errors
    /// `forked`.
    pub fn events(&self, after: u64) -> Result<BridgeEvents, BridgeError> {
        let inner = self.inner.get()?;
        Ok(BridgeEvents::new(inner.client.events_after(after), inner.runtime.clone()))
    }

    /// Closes: accepts nothing more, writes what waits and reads to the end if the connection is healthy, at most
    /// `drain_ms`. Idempotent.
    ///
    /// # Errors
    /// `forked`.
    ///
    /// # Cancel safety
    /// The close goes on if the operation is dropped after its first poll.
    pub fn close(&self, drain_ms: u64) -> Operation<EndingRecord> {
        self.operation(|client| async move { Ok(client.close(Duration::from_millis(drain_ms)).await.into()) })
    }

    /// Waits until the client is closed, by whoever, and tells why.
    ///
    /// # Errors
    /// `forked`.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub fn closed(&self) -> Operation<EndingRecord> {
        self.operation(|client| async move { Ok(client.closed().await.into()) })
    }

    pub(crate) fn operation<T, F>(&self, make: impl FnOnce(Client) -> F) -> Operation<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, BridgeError>> + Send + 'static,
    {
        match self.inner.get() {
            Ok(inner) => Operation::new(inner.runtime.clone(), make(inner.client.clone())),
            Err(error) => Operation::failed(error),
        }
    }
}

/// What a client is made from.
pub(crate) fn declare(
    endpoints: &[EndpointRecord],
    config: ClientConfig,
    runtime: &Handle,
) -> Result<Builder, BridgeError> {
    let tls = config.tls.as_ref().map(TlsRecord::declared);
    let builder = Client::builder(endpoints::parse(endpoints)?).config(config.into_config()?);
    let builder = builder.runtime(runtime.clone());
    #[cfg(target_os = "linux")]
    let builder = builder.inline_reads(true);
    Ok(match tls {
        Some(tls) => builder.tls(tls),
        None => builder,
    })
}
