//! From a name to its addresses.

use super::Order;
use crate::io::resolve_failure;
use keepline_proto::cause::DnsFailure;
use keepline_proto::{Cause, Ending};
use std::net::SocketAddr;
use std::time::Duration;

/// A name that resolves to more is cut: nobody waits for the 33rd address.
const MAX_ADDRESSES: usize = 32;

/// How much earlier than the machine a dial gives up waiting for a name: it knows what it was waiting for, and says so. One
/// slot of the wheel. While it waits for an address both would say the same.
const SPEAKS_FIRST: Duration = Duration::from_millis(50);

/// The addresses of the endpoint, at least one.
pub(super) async fn resolve(order: &Order) -> Result<Vec<SocketAddr>, Ending> {
    let endpoint = &order.endpoint;
    if let Some(address) = endpoint.literal() {
        return Ok(vec![address]);
    }
    let limit = order.remaining().saturating_sub(SPEAKS_FIRST);
    match tokio::time::timeout(limit, tokio::net::lookup_host((endpoint.host(), endpoint.port()))).await {
        Ok(Ok(addresses)) => {
            let addresses: Vec<SocketAddr> = addresses.take(MAX_ADDRESSES).collect();
            if addresses.is_empty() {
                return Err(Ending::new(Cause::Dns(DnsFailure::NoAddress), None));
            }
            Ok(addresses)
        }
        Ok(Err(error)) => Err(resolve_failure(&error)),
        Err(_elapsed) => Err(Ending::new(Cause::Dns(DnsFailure::Timeout), None)),
    }
}
