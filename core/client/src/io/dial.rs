//! From an endpoint to a connected socket, one address after the other, each with its deadline.

use crate::clock;
use crate::endpoint::Endpoint;
use crate::io::sockopt::{self, SocketOptions};
use crate::io::{dial_failure, resolve_failure};
use keepline_proto::cause::DnsFailure;
use keepline_proto::config::ValidConfig;
use keepline_proto::{Cause, Ending, Time};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// A name that resolves to more is cut: nobody waits for the 33rd address.
const MAX_ADDRESSES: usize = 32;

/// A connected socket with its options set.
pub(crate) struct Dialed {
    pub(crate) stream: TcpStream,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) options: SocketOptions,
}

/// Connects to the first address of `endpoint` that answers before `deadline`.
pub(crate) async fn dial(endpoint: Endpoint, config: Arc<ValidConfig>, deadline: Time) -> Result<Dialed, Ending> {
    let addresses = resolve(&endpoint, remaining(deadline)).await?;
    let mut last = Ending::new(Cause::Dns(DnsFailure::NoAddress), None);
    for address in addresses {
        let limit = remaining(deadline).min(config.connect_per_address);
        if limit.is_zero() {
            return Err(Ending::new(Cause::ConnectTimeout, None));
        }
        match tokio::time::timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let options = sockopt::apply(&stream, &config).map_err(|error| dial_failure(&error))?;
                let peer = stream.peer_addr().ok();
                return Ok(Dialed { stream, peer, options });
            }
            Ok(Err(error)) => last = dial_failure(&error),
            Err(_elapsed) => last = Ending::new(Cause::ConnectTimeout, None),
        }
        tracing::debug!(%address, cause = %last.cause, errno = last.errno, "address failed");
    }
    Err(last)
}

async fn resolve(endpoint: &Endpoint, limit: Duration) -> Result<Vec<SocketAddr>, Ending> {
    if let Some(address) = endpoint.literal() {
        return Ok(vec![address]);
    }
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

fn remaining(deadline: Time) -> Duration {
    deadline.since(clock::now())
}
