//! From addresses to one TCP connection: one after the other, each with its deadline.

use super::Order;
use crate::io::{dial_failure, sockopt};
use keepline_proto::cause::DnsFailure;
use keepline_proto::{Cause, Ending};
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpSocket, TcpStream};

/// Connects to the first of `addresses` that answers before the deadline.
pub(super) async fn connect(order: &Order, addresses: &[SocketAddr]) -> Result<TcpStream, Ending> {
    let mut last = Ending::new(Cause::Dns(DnsFailure::NoAddress), None);
    for &address in addresses {
        let limit = order.remaining().min(order.config.connect_per_address);
        if limit.is_zero() {
            return Err(Ending::new(Cause::ConnectTimeout, None));
        }
        match tokio::time::timeout(limit, connect_to(order, address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = dial_failure(&error),
            Err(_elapsed) => last = Ending::new(Cause::ConnectTimeout, None),
        }
        tracing::debug!(%address, cause = %last.cause, errno = last.errno, "address failed");
    }
    Err(last)
}

/// Makes one socket and connects it.
async fn connect_to(order: &Order, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(mss) = order.mss {
        sockopt::limit_segments(&socket, mss);
    }
    socket.connect(address).await
}
