//! What a client says on each connection, and when a server has sent it away.

use super::BridgeClient;
use crate::config::{MatcherRecord, SecretRecord};
use crate::error::BridgeError;
use bytes::Bytes;
use keepline::Subscription;
use std::time::Duration;

impl BridgeClient {
    /// Subscribes: sends the frame at once if there is a connection, and begins each new one with it. With `confirmed_by`
    /// a new connection counts as connected only once such a frame has arrived.
    ///
    /// # Errors
    /// `rejected` when the list or the outbox is full, or the frame does not fit the framing; `closed`; `forked`.
    pub fn subscribe(&self, key: &str, frame: Bytes, confirmed_by: Option<MatcherRecord>) -> Result<(), BridgeError> {
        let mut subscription = Subscription::new(frame);
        if let Some(matcher) = confirmed_by {
            subscription = subscription.confirmed_by(matcher.into());
        }
        self.call(|client| Ok(client.subscribe(key, subscription)?))
    }

    /// Takes a subscription out, and sends `frame` if there is a connection to take it back on. Says whether there was one.
    ///
    /// # Errors
    /// As [`BridgeClient::subscribe`].
    pub fn unsubscribe(&self, key: &str, frame: Option<Bytes>) -> Result<bool, BridgeError> {
        self.call(|client| Ok(client.unsubscribe(key, frame)?))
    }

    /// Replaces the declared credentials for the attempts to come.
    ///
    /// # Errors
    /// `invalid_config` if none are declared; `forked`.
    pub fn set_credentials(&self, secret: SecretRecord) -> Result<(), BridgeError> {
        self.call(|client| Ok(client.set_credentials(secret.0)?))
    }

    /// Leaves because the server asked for it, and comes back no sooner than this, of which at most an hour is honoured.
    ///
    /// # Errors
    /// `forked`.
    pub fn go_away(&self, retry_after_ms: u64) -> Result<(), BridgeError> {
        self.call(|client| {
            client.go_away(Duration::from_millis(retry_after_ms));
            Ok(())
        })
    }
}
