//! What a program tells a client that runs: dial again, stay away, the network changed, end at once.

use super::BridgeClient;
use crate::error::BridgeError;
use crate::network::NetworkPathRecord;

impl BridgeClient {
    /// Ends the connection, if there is one, and dials at once.
    ///
    /// # Errors
    /// `forked`.
    pub fn reconnect(&self) -> Result<(), BridgeError> {
        self.call(|client| {
            client.reconnect();
            Ok(())
        })
    }

    /// Tells that the network changed: `None` if nothing is known of the new one.
    ///
    /// # Errors
    /// `invalid_config` for an unknown kind of network; `forked`.
    pub fn network_changed(&self, path: Option<NetworkPathRecord>) -> Result<(), BridgeError> {
        let path = path.map(NetworkPathRecord::parse).transpose()?;
        self.call(|client| {
            client.network_changed(path);
            Ok(())
        })
    }

    /// Ends the connection and stays away until [`BridgeClient::resume`].
    ///
    /// # Errors
    /// `forked`.
    pub fn pause(&self) -> Result<(), BridgeError> {
        self.call(|client| {
            client.pause();
            Ok(())
        })
    }

    /// Dials again after [`BridgeClient::pause`].
    ///
    /// # Errors
    /// `forked`.
    pub fn resume(&self) -> Result<(), BridgeError> {
        self.call(|client| {
            client.resume();
            Ok(())
        })
    }

    /// Closes at once: the connection is reset, what waits is `not_sent`.
    ///
    /// # Errors
    /// `forked`.
    pub fn abort(&self) -> Result<(), BridgeError> {
        self.call(|client| {
            client.abort();
            Ok(())
        })
    }
}
