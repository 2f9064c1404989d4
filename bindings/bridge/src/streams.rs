//! Stream clients across the border: connections instead of messages, one at a time.

use crate::client::{BridgeClient, declare};
use crate::config::{ClientConfig, TlsRecord};
use crate::endpoints::EndpointRecord;
use crate::error::BridgeError;
use crate::fork::Here;
use crate::guard::caught;
use crate::operation::Operation;
use crate::runtime;
use crate::stream::BridgeStream;
use keepline::{Builder, Streams};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// A client that gives out connections: liveness of the kernel, greeting and reconnect are Keepline's, the bytes are the
/// user's. Dropping it ends the client and its connection.
#[derive(Debug)]
pub struct BridgeStreams {
    inner: Here<Inner>,
}

#[derive(Debug)]
struct Inner {
    streams: Arc<Streams>,
    runtime: Handle,
    tls: Option<TlsRecord>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // An operation under way holds the streams, which alone would keep the client alive.
        self.streams.client().abort();
    }
}

impl BridgeStreams {
    /// Makes a stream client that dials for ever, and returns at once.
    ///
    /// # Errors
    /// `invalid_config`, also for what only messages have: framing, heartbeat, correlation, outbox; `closed` after the
    /// runtime was shut down.
    pub fn start(endpoints: &[EndpointRecord], config: ClientConfig) -> Result<BridgeStreams, BridgeError> {
        let made = Declared::of(endpoints, config)?;
        caught(|| Ok(BridgeStreams::new(made.builder.start_streams()?, made.runtime, made.tls)))
    }

    /// Makes a stream client and waits for its first connection, at most `connect_within_ms`.
    ///
    /// # Errors
    /// As [`BridgeStreams::start`]; `unavailable` with the last cause when the time is over; `exhausted`.
    ///
    /// # Cancel safety
    /// Dropping the operation aborts the client.
    pub fn connect(endpoints: &[EndpointRecord], config: ClientConfig) -> Operation<BridgeStreams> {
        match Declared::of(endpoints, config) {
            Ok(made) => Operation::new(made.runtime.clone(), made.connect()),
            Err(error) => Operation::failed(error),
        }
    }

    /// Makes a client of one connection, retrying by policy at most `connect_within_ms`, and takes that connection. The
    /// client ends with it.
    ///
    /// # Errors
    /// As [`BridgeStreams::connect`].
    ///
    /// # Cancel safety
    /// Dropping the operation aborts the client.
    pub fn connect_one(endpoints: &[EndpointRecord], config: ClientConfig) -> Operation<(BridgeStreams, BridgeStream)> {
        match Declared::of(endpoints, config) {
            Ok(mut made) => {
                made.builder = made.builder.one_connection(true);
                Operation::new(made.runtime.clone(), async move {
                    let streams = made.connect().await?;
                    let stream = streams.next(None).await?;
                    Ok((streams, stream))
                })
            }
            Err(error) => Operation::failed(error),
        }
    }

    /// Waits for the next connection, at most `timeout_ms`. There is one at a time: while a stream lives, this waits for
    /// its successor.
    ///
    /// # Errors
    /// `unavailable` with the last cause when the time is over: the client goes on dialling; `closed`; `forked`.
    ///
    /// # Cancel safety
    /// Cancel safe: the connection stays for the next call.
    pub fn next(&self, timeout_ms: Option<u64>) -> Operation<BridgeStream> {
        let inner = match self.inner.get() {
            Ok(inner) => inner,
            Err(error) => return Operation::failed(error),
        };
        let (streams, runtime) = (inner.streams.clone(), inner.runtime.clone());
        Operation::new(inner.runtime.clone(), async move {
            let stream = match timeout_ms {
                None => streams.next().await?,
                Some(limit) => streams.next_within(Duration::from_millis(limit)).await?,
            };
            Ok(BridgeStream::new(stream, runtime))
        })
    }

    /// The client behind it: state, events, network changes, reconnect, close. Messages are refused there. Dropping it
    /// ends the streams, too.
    ///
    /// # Errors
    /// `forked`.
    pub fn client(&self) -> Result<BridgeClient, BridgeError> {
        let inner = self.inner.get()?;
        Ok(BridgeClient::new(inner.streams.client().clone(), inner.runtime.clone(), inner.tls.clone()))
    }

    fn new(streams: Streams, runtime: Handle, tls: Option<TlsRecord>) -> BridgeStreams {
        BridgeStreams { inner: Here::new(Inner { streams: Arc::new(streams), runtime, tls }) }
    }
}

/// What streams are made from.
struct Declared {
    builder: Builder,
    runtime: Handle,
    tls: Option<TlsRecord>,
}

impl Declared {
    fn of(endpoints: &[EndpointRecord], config: ClientConfig) -> Result<Declared, BridgeError> {
        caught(|| {
            let runtime = runtime::handle()?;
            let tls = config.tls.clone();
            Ok(Declared { builder: declare(endpoints, config, &runtime)?, runtime, tls })
        })
    }

    async fn connect(self) -> Result<BridgeStreams, BridgeError> {
        let streams = self.builder.connect_streams().await?;
        Ok(BridgeStreams::new(streams, self.runtime, self.tls))
    }
}
