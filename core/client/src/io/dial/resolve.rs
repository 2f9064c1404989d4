//! From a name to its addresses, in the order in which they are dialled; the last good ones where it cannot be resolved.

use super::{Order, SPEAKS_FIRST};
use crate::io::names::usable;
use crate::resolver::ResolveError;
use keepline_proto::Ending;
use std::net::SocketAddr;

/// The addresses of an endpoint, at least one.
pub(super) struct Found {
    /// As the resolver preferred them, the families taking turns.
    pub(super) addresses: Vec<SocketAddr>,
    /// Why they are only the last good ones.
    pub(super) stale: Option<Ending>,
}

/// Finds the addresses of the endpoint.
pub(super) async fn resolve(order: &Order) -> Result<Found, Ending> {
    let endpoint = &order.endpoint;
    let (None, Some(names)) = (endpoint.literal(), &order.names) else {
        return Ok(Found { addresses: endpoint.literal().into_iter().collect(), stale: None });
    };
    let limit = order.config.name_within().min(order.remaining().saturating_sub(SPEAKS_FIRST));
    let looked_up = match tokio::time::timeout(limit, names.look_up(endpoint)).await {
        Ok(Ok(addresses)) => usable(&order.config, &addresses),
        Ok(Err(error)) => Err(error),
        Err(_elapsed) => Err(ResolveError::timed_out(format!("no answer within {limit:?}"))),
    };
    match looked_up {
        Ok(addresses) => {
            names.memory(endpoint, |memory| memory.resolved(&addresses));
            Ok(Found { addresses, stale: None })
        }
        Err(error) => {
            let addresses = names.memory(endpoint, |memory| memory.good().to_vec());
            if addresses.is_empty() {
                tracing::debug!(%error, "the name cannot be resolved");
                return Err(error.ending());
            }
            tracing::info!(%error, "the name cannot be resolved: dialling its last good addresses");
            Ok(Found { addresses, stale: Some(error.ending()) })
        }
    }
}
