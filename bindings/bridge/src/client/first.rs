//! The wait for the first connection of a client that was started, so that it can be watched meanwhile.

use super::BridgeClient;
use crate::operation::Operation;

impl BridgeClient {
    /// Waits as [`BridgeClient::connect`] does: at most `connect_within_ms`, and then the client gives up.
    ///
    /// # Errors
    /// `unavailable` with the last cause when the time is over; `exhausted`; `closed`; `forked`.
    ///
    /// # Cancel safety
    /// Dropping the operation leaves the client as it is: abort it.
    pub fn connected(&self) -> Operation<()> {
        self.operation(|client| async move { Ok(client.connected().await?) })
    }
}
