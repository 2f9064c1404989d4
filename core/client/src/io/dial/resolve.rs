//! From a name to its addresses, in the order in which they are dialled; the last good ones where it cannot be resolved.

use super::Order;
use crate::resolver::ResolveError;
use keepline_proto::Ending;
use keepline_proto::race::{interleaved, is_private};
use std::net::SocketAddr;
use std::time::Duration;

/// How much earlier than the machine a dial gives up where it knows better than "no connection within the deadline". One
/// slot of the wheel.
pub(super) const SPEAKS_FIRST: Duration = Duration::from_millis(50);

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
        Ok(Ok(addresses)) => usable(order, &addresses),
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

/// Those that are dialled, of those that the resolver knows.
fn usable(order: &Order, resolved: &[SocketAddr]) -> Result<Vec<SocketAddr>, ResolveError> {
    if !order.config.refuse_private_addresses {
        let addresses = interleaved(resolved);
        return if addresses.is_empty() { Err(ResolveError::no_address("none")) } else { Ok(addresses) };
    }
    let public: Vec<SocketAddr> = resolved.iter().copied().filter(|address| !is_private(address.ip())).collect();
    let refused = resolved.len() - public.len();
    if refused > 0 {
        tracing::warn!(refused, "the name leads to this machine or into a private network: refused");
    }
    let addresses = interleaved(&public);
    if addresses.is_empty() { Err(ResolveError::no_address("no public one")) } else { Ok(addresses) }
}
