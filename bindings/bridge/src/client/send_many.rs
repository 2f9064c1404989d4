//! Batches of messages: one call across the border for all of them.

use super::BridgeClient;
use crate::error::BridgeError;
use crate::message::Outgoing;
use crate::operation::Operation;
use bytes::Bytes;
use keepline::Idempotent;
use std::time::Duration;

impl BridgeClient {
    /// Accepts a batch without waiting: all of it, in order and with nothing in between, or nothing.
    ///
    /// # Errors
    /// As [`BridgeClient::try_send`], and then none was accepted; `rejected` also if the batch has no room as a whole.
    pub fn try_send_many(&self, messages: &[&[u8]], idempotent: bool) -> Result<(), BridgeError> {
        self.call(|client| match idempotent {
            false => Ok(client.try_send_many(messages.iter().copied())?),
            true => Ok(client.try_send_many(messages.iter().copied().map(Idempotent))?),
        })
    }

    /// Accepts a batch, and waits until all of it has room while the peer is only slow, at most `timeout_ms`.
    ///
    /// # Errors
    /// As [`BridgeClient::try_send_many`]; `timeout`.
    ///
    /// # Cancel safety
    /// Of an operation that is dropped before it has ended nothing was accepted.
    pub fn send_many(&self, messages: Vec<Bytes>, idempotent: bool, timeout_ms: Option<u64>) -> Operation<()> {
        let messages = messages.into_iter().map(move |message| Outgoing { message, idempotent });
        self.operation(|client| async move {
            match timeout_ms {
                None => client.send_many(messages).await?,
                Some(limit) => client.send_many_within(messages, Duration::from_millis(limit)).await?,
            }
            Ok(())
        })
    }
}
