//! The connection as a hook of another language holds it, for the time of its greeting.

use super::cancel::{CancelToken, finish};
use super::error::ForeignError;
use crate::config::SecretRecord;
use crate::hooks::BridgeGreeting;
use std::sync::Arc;

/// Messages out and in, in the client's framing: nobody else reads or writes. When the greeting is over every call is
/// refused as `closed`.
#[derive(Debug, uniffi::Object)]
pub struct ForeignGreeting {
    greeting: BridgeGreeting,
}

impl ForeignGreeting {
    pub(super) fn new(greeting: BridgeGreeting) -> Arc<ForeignGreeting> {
        Arc::new(ForeignGreeting { greeting })
    }
}

#[uniffi::export]
impl ForeignGreeting {
    /// The number of the attempt.
    pub fn epoch(&self) -> Result<u64, ForeignError> {
        Ok(self.greeting.epoch()?)
    }

    /// Where it goes.
    pub fn endpoint(&self) -> Result<String, ForeignError> {
        Ok(self.greeting.endpoint()?)
    }

    /// Sends a message; it is written at once.
    pub fn send(&self, message: Vec<u8>) -> Result<(), ForeignError> {
        Ok(self.greeting.send(message.into())?)
    }

    /// Waits for the next message, at most `timeout_ms`. Given up, the message stays for the next call.
    pub async fn recv(
        &self,
        timeout_ms: Option<u64>,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<Vec<u8>, ForeignError> {
        Ok(finish(self.greeting.recv(timeout_ms), cancel).await?.to_vec())
    }

    /// The credentials of this attempt; the same as often as it is called.
    pub async fn credentials(&self, cancel: Option<Arc<CancelToken>>) -> Result<SecretRecord, ForeignError> {
        finish(self.greeting.credentials(), cancel).await
    }
}
