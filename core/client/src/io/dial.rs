//! From an endpoint to a connected socket, one address after the other, each with its deadline.

use crate::clock;
use crate::endpoint::Endpoint;
use crate::io::sockopt::{self, SocketOptions};
use crate::io::{dial_failure, resolve_failure};
use keepline_proto::cause::DnsFailure;
use keepline_proto::config::ValidConfig;
use keepline_proto::{Cause, Ending, Time};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};

/// A name that resolves to more is cut: nobody waits for the 33rd address.
const MAX_ADDRESSES: usize = 32;

/// How much earlier than the machine a dial gives up waiting for a name: it knows what it was waiting for, and says so. One
/// slot of the wheel. While it waits for an address both would say the same.
const SPEAKS_FIRST: Duration = Duration::from_millis(50);

/// A connected socket with its options set.
pub(crate) struct Dialed {
    pub(crate) stream: TcpStream,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) options: SocketOptions,
}

/// Connects to the first address of `endpoint` that answers before `deadline`.
///
/// `mss` bounds the segments of both directions.
pub(crate) async fn dial(
    endpoint: Endpoint,
    config: Arc<ValidConfig>,
    deadline: Time,
    mss: Option<u16>,
) -> Result<Dialed, Ending> {
    let addresses = resolve(&endpoint, remaining(deadline).saturating_sub(SPEAKS_FIRST)).await?;
    let mut last = Ending::new(Cause::Dns(DnsFailure::NoAddress), None);
    for address in addresses {
        let limit = remaining(deadline).min(config.connect_per_address);
        if limit.is_zero() {
            return Err(Ending::new(Cause::ConnectTimeout, None));
        }
        match tokio::time::timeout(limit, connect(address, mss)).await {
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

async fn connect(address: SocketAddr, mss: Option<u16>) -> io::Result<TcpStream> {
    let Some(mss) = mss else { return TcpStream::connect(address).await };
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    sockopt::limit_segments(&socket, mss);
    socket.connect(address).await
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
