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

    /// Dials again after [`BridgeClient::pause`], and after [`BridgeClient::enter_background`].
    ///
    /// # Errors
    /// `forked`.
    pub fn resume(&self) -> Result<(), BridgeError> {
        self.call(|client| {
            client.resume();
            Ok(())
        })
    }

    /// Tells that the program is out of its user's sight: ends the connection and stays away until
    /// [`BridgeClient::enter_foreground`].
    ///
    /// # Errors
    /// `forked`.
    pub fn enter_background(&self) -> Result<(), BridgeError> {
        self.call(|client| {
            client.enter_background();
            Ok(())
        })
    }

    /// Tells that the program is seen again: dials at once unless it was also paused, or asks a connection that was never left for a sign of life.
    ///
    /// # Errors
    /// `forked`.
    pub fn enter_foreground(&self) -> Result<(), BridgeError> {
        self.call(|client| {
            client.enter_foreground();
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
