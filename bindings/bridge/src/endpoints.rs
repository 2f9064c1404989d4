//! The endpoints of a client, as flat records.

use crate::client::BridgeClient;
use crate::error::BridgeError;
use keepline::Endpoint;
use serde::{Deserialize, Serialize};

/// One endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct EndpointRecord {
    /// `host:port`, `[v6]:port`, `unix:/path`.
    pub address: String,
    /// How often it is drawn beside others: from 1 to 10,000, and 1 unless given.
    pub weight: Option<u64>,
}

impl EndpointRecord {
    fn parse(&self) -> Result<Endpoint, BridgeError> {
        let Some(weight) = self.weight else { return Ok(Endpoint::parse(&self.address)?) };
        // What does not fit is too much all the more.
        Ok(Endpoint::weighted(self.address.as_str(), u32::try_from(weight).unwrap_or(u32::MAX))?)
    }
}

impl From<&str> for EndpointRecord {
    fn from(address: &str) -> EndpointRecord {
        EndpointRecord { address: address.to_owned(), weight: None }
    }
}

impl From<&Endpoint> for EndpointRecord {
    fn from(endpoint: &Endpoint) -> EndpointRecord {
        EndpointRecord { address: endpoint.to_string(), weight: Some(endpoint.weight().into()) }
    }
}

pub(crate) fn parse(endpoints: &[EndpointRecord]) -> Result<Vec<Endpoint>, BridgeError> {
    endpoints.iter().map(EndpointRecord::parse).collect()
}

/// The endpoints of a client that runs.
impl BridgeClient {
    /// The endpoints, in the order given.
    ///
    /// # Errors
    /// `forked`.
    pub fn endpoints(&self) -> Result<Vec<EndpointRecord>, BridgeError> {
        self.call(|client| Ok(client.endpoints().iter().map(Into::into).collect()))
    }

    /// Takes another list of endpoints. A connection to one that is still in it stays, any other is left.
    ///
    /// # Errors
    /// `invalid_config` for a bad endpoint, the same one twice, none, or more than 64; `forked`.
    pub fn set_endpoints(&self, endpoints: &[EndpointRecord]) -> Result<(), BridgeError> {
        let endpoints = parse(endpoints)?;
        self.call(|client| Ok(client.set_endpoints(endpoints)?))
    }
}
