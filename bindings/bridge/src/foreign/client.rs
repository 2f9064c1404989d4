//! The client and the receipt as other languages hold them.

use super::cancel::{CancelToken, finish};
use super::direct::Number;
use super::error::ForeignError;
use super::events::ForeignEvents;
use crate::client::BridgeClient;
use crate::config::{MatcherRecord, ResolvedConfig, SecretRecord};
use crate::endpoints::EndpointRecord;
use crate::error::EndingRecord;
use crate::event::EventRecord;
use crate::message::MessageRecord;
use crate::network::NetworkPathRecord;
use crate::receipt::BridgeReceipt;
use crate::report::ReportRecord;
use crate::stats::StatsRecord;
use bytes::Bytes;
use std::sync::Arc;

/// A client. Letting go of the last reference aborts the connection.
#[derive(Debug, uniffi::Object)]
pub struct ForeignClient {
    client: BridgeClient,
    number: Number,
}

/// Tells what became of one message. It does not keep the client alive.
#[derive(Debug, uniffi::Object)]
pub struct ForeignReceipt {
    receipt: BridgeReceipt,
}

impl ForeignClient {
    pub(super) fn new(client: BridgeClient) -> Arc<ForeignClient> {
        Arc::new_cyclic(|known| ForeignClient { client, number: Number::of(known.clone()) })
    }

    pub(super) fn bridge(&self) -> &BridgeClient {
        &self.client
    }
}

/// Calls that return at once.
#[uniffi::export]
impl ForeignClient {
    /// Accepts a message without waiting.
    pub fn try_send(&self, message: Vec<u8>, idempotent: bool) -> Result<(), ForeignError> {
        Ok(self.client.try_send(&message, idempotent)?)
    }

    /// Accepts a batch without waiting: all of it, in order and with nothing in between, or nothing.
    pub fn try_send_many(&self, messages: Vec<Vec<u8>>, idempotent: bool) -> Result<(), ForeignError> {
        let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        Ok(self.client.try_send_many(&messages, idempotent)?)
    }

    /// The number by which the short way of the Java virtual machine finds this client.
    pub fn number(&self) -> u64 {
        self.number.get()
    }

    /// Where the client stands: a name of the contract's `states`.
    pub fn state(&self) -> Result<String, ForeignError> {
        Ok(self.client.state()?.to_owned())
    }

    /// The number of the last attempt.
    pub fn epoch(&self) -> Result<u64, ForeignError> {
        Ok(self.client.epoch()?)
    }

    /// The number of the last event.
    pub fn last_event(&self) -> Result<u64, ForeignError> {
        Ok(self.client.last_event()?)
    }

    /// What the flight recorder tells of the connections and attempts that ended last: at most four, oldest first.
    pub fn reports(&self) -> Result<Vec<ReportRecord>, ForeignError> {
        Ok(self.client.reports()?)
    }

    /// Counters, and what the kernel says is in force.
    pub fn stats(&self) -> Result<StatsRecord, ForeignError> {
        Ok(self.client.stats()?)
    }

    /// The configuration in force, with its notices and bounds.
    pub fn config(&self) -> Result<ResolvedConfig, ForeignError> {
        Ok(self.client.config()?)
    }

    /// The endpoints, in the order given.
    pub fn endpoints(&self) -> Result<Vec<EndpointRecord>, ForeignError> {
        Ok(self.client.endpoints()?)
    }

    /// Takes another list of endpoints. A connection to one that is still in it stays, any other is left.
    pub fn set_endpoints(&self, endpoints: Vec<EndpointRecord>) -> Result<(), ForeignError> {
        Ok(self.client.set_endpoints(&endpoints)?)
    }

    /// Ends the connection, if there is one, and dials at once.
    pub fn reconnect(&self) -> Result<(), ForeignError> {
        Ok(self.client.reconnect()?)
    }

    /// Tells that the network changed: nothing if nothing is known of the new one.
    pub fn network_changed(&self, path: Option<NetworkPathRecord>) -> Result<(), ForeignError> {
        Ok(self.client.network_changed(path)?)
    }

    /// Subscribes: sends the frame at once if there is a connection, and begins each new one with it.
    pub fn subscribe(
        &self,
        key: String,
        frame: Vec<u8>,
        confirmed_by: Option<MatcherRecord>,
    ) -> Result<(), ForeignError> {
        Ok(self.client.subscribe(&key, frame.into(), confirmed_by)?)
    }

    /// Takes a subscription out, and sends `frame` if there is a connection to take it back on. Says whether there was one.
    pub fn unsubscribe(&self, key: String, frame: Option<Vec<u8>>) -> Result<bool, ForeignError> {
        Ok(self.client.unsubscribe(&key, frame.map(Bytes::from))?)
    }

    /// Replaces the declared credentials for the attempts to come.
    pub fn set_credentials(&self, secret: SecretRecord) -> Result<(), ForeignError> {
        Ok(self.client.set_credentials(secret)?)
    }

    /// Leaves because the server asked for it, and comes back no sooner than this, of which at most an hour is honoured.
    pub fn go_away(&self, retry_after_ms: u64) -> Result<(), ForeignError> {
        Ok(self.client.go_away(retry_after_ms)?)
    }

    /// Ends the connection and stays away until `resume`.
    pub fn pause(&self) -> Result<(), ForeignError> {
        Ok(self.client.pause()?)
    }

    /// Dials again after `pause`, and after `enter_background`.
    pub fn resume(&self) -> Result<(), ForeignError> {
        Ok(self.client.resume()?)
    }

    /// Ends the connection and stays away until `enter_foreground`: the program is out of its user's sight.
    pub fn enter_background(&self) -> Result<(), ForeignError> {
        Ok(self.client.enter_background()?)
    }

    /// Dials at once unless it was also paused, or asks a connection that was never left for a sign of life: the program is
    /// seen again.
    pub fn enter_foreground(&self) -> Result<(), ForeignError> {
        Ok(self.client.enter_foreground()?)
    }

    /// Closes at once: the connection is reset, what waits is `not_sent`.
    pub fn abort(&self) -> Result<(), ForeignError> {
        Ok(self.client.abort()?)
    }

    /// A reader of the events after number `after`, with a cursor of its own. It does not keep the client alive.
    pub fn events(&self, after: u64) -> Result<Arc<ForeignEvents>, ForeignError> {
        Ok(ForeignEvents::new(self.client.events(after)?))
    }
}

/// Calls that may wait.
#[uniffi::export]
impl ForeignClient {
    /// Accepts a message, and waits for room in the outbox while the peer is only slow, at most `timeout_ms`. Given up,
    /// it was not accepted.
    pub async fn send(
        &self,
        message: Vec<u8>,
        idempotent: bool,
        timeout_ms: Option<u64>,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<(), ForeignError> {
        finish(self.client.send(message.into(), idempotent, timeout_ms), cancel).await
    }

    /// Accepts a batch as `try_send_many` does, and waits until all of it has room while the peer is only slow, at most
    /// `timeout_ms`. Given up, nothing was accepted.
    pub async fn send_many(
        &self,
        messages: Vec<Vec<u8>>,
        idempotent: bool,
        timeout_ms: Option<u64>,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<(), ForeignError> {
        let messages = messages.into_iter().map(Bytes::from).collect();
        finish(self.client.send_many(messages, idempotent, timeout_ms), cancel).await
    }

    /// As `send`, with a receipt that tells what became of the message.
    pub async fn send_tracked(
        &self,
        message: Vec<u8>,
        idempotent: bool,
        timeout_ms: Option<u64>,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<Arc<ForeignReceipt>, ForeignError> {
        let receipt = finish(self.client.send_tracked(message.into(), idempotent, timeout_ms), cancel).await?;
        Ok(Arc::new(ForeignReceipt { receipt }))
    }

    /// Sends a request and waits for its reply, both at most `timeout_ms`. Given up, it may still be carried out.
    pub async fn request(
        &self,
        message: Vec<u8>,
        timeout_ms: u64,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<Vec<u8>, ForeignError> {
        Ok(finish(self.client.request(message.into(), timeout_ms), cancel).await?.to_vec())
    }

    /// Waits for messages after number `after`, at most `timeout_ms` and at most `max` of them; an empty list after
    /// close. What was pulled stays until a later call names it as taken, so a call that is given up loses nothing.
    pub async fn next_messages(
        &self,
        after: u64,
        max: u32,
        timeout_ms: Option<u64>,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<Vec<MessageRecord>, ForeignError> {
        finish(self.client.next_messages(after, max as usize, timeout_ms), cancel).await
    }

    /// Waits for events after number `after`, at most `timeout_ms` and at most `max` of them; an empty list after the
    /// last. Whoever falls more than 256 behind gets a `missed` first.
    pub async fn next_events(
        &self,
        after: u64,
        max: u32,
        timeout_ms: Option<u64>,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<Vec<EventRecord>, ForeignError> {
        finish(self.client.next_events(after, max as usize, timeout_ms), cancel).await
    }

    /// Closes: accepts nothing more, writes what waits and reads to the end if the connection is healthy, at most
    /// `drain_ms`. Idempotent; goes on if it is given up.
    pub async fn close_within(
        &self,
        drain_ms: u64,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<EndingRecord, ForeignError> {
        finish(self.client.close(drain_ms), cancel).await
    }

    /// Waits for the first connection as `connect` does. Given up, the client stays as it is: abort it.
    pub async fn connected(&self, cancel: Option<Arc<CancelToken>>) -> Result<(), ForeignError> {
        finish(self.client.connected(), cancel).await
    }

    /// Waits until the client is closed, by whoever, and tells why.
    pub async fn closed(&self, cancel: Option<Arc<CancelToken>>) -> Result<EndingRecord, ForeignError> {
        finish(self.client.closed(), cancel).await
    }
}

#[uniffi::export]
impl ForeignReceipt {
    /// Waits for the outcome, which is final: a name of the contract's `outcomes`.
    pub async fn outcome(&self, cancel: Option<Arc<CancelToken>>) -> Result<String, ForeignError> {
        finish(self.receipt.outcome(), cancel).await
    }

    /// The outcome, if it is known already.
    pub fn try_outcome(&self) -> Result<Option<String>, ForeignError> {
        Ok(self.receipt.try_outcome()?)
    }

    /// Whose kernel acknowledged it, once its outcome was told: a name of the contract's `acked_by`.
    pub fn acked_by(&self) -> Result<Option<String>, ForeignError> {
        Ok(self.receipt.acked_by()?)
    }
}
