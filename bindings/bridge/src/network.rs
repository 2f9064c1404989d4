//! What the host's system tells of the network.

use crate::error::BridgeError;
use crate::names::NETWORK_KINDS;
use keepline::NetworkPath;

/// A way to the network, as the host's system tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct NetworkPathRecord {
    /// The same number means the same network.
    pub id: u64,
    /// Whether anything can be reached over it.
    pub available: bool,
    /// What it is: a name of the contract's `network_kinds`.
    pub kind: String,
    /// Whether bytes cost money.
    pub metered: bool,
}

impl NetworkPathRecord {
    pub(crate) fn parse(self) -> Result<NetworkPath, BridgeError> {
        let Some((_, kind)) = NETWORK_KINDS.iter().find(|(name, _)| *name == self.kind) else {
            let names: Vec<&str> = NETWORK_KINDS.iter().map(|(name, _)| *name).collect();
            let rule = format!("must be one of: {}", names.join(", "));
            return Err(BridgeError::invalid("network_path.kind", self.kind.escape_debug(), rule));
        };
        Ok(NetworkPath { id: self.id, available: self.available, kind: *kind, metered: self.metered })
    }
}
