//! From addresses to one TCP connection: the first that answers.

use super::race::{Course, race};
use super::resolve::Found;
use super::{Order, SPEAKS_FIRST, local};
use crate::io::{dial_failure, sockopt};
use keepline_proto::cause::DnsFailure;
use keepline_proto::{Cause, Ending};
use socket2::SockRef;
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpSocket, TcpStream};

/// Connects to the first of the addresses that answers before the deadline.
pub(super) async fn connect(order: &Order, found: Found) -> Result<TcpStream, Ending> {
    let Found { addresses, stale } = found;
    let mut arranged = addresses.clone();
    arranged.retain(|address| local::fits(order, address));
    if arranged.is_empty() && !addresses.is_empty() {
        return Err(local::no_address_fits());
    }
    if let Some(names) = &order.names {
        names.memory(&order.endpoint, |memory| memory.arrange(&mut arranged));
    }
    let course = Course {
        addresses: &arranged,
        rules: order.config.race(),
        deadline: if stale.is_some() { order.deadline - SPEAKS_FIRST } else { order.deadline },
        failed: |address, ending: &Ending| {
            tracing::debug!(%address, cause = %ending.cause, errno = ending.errno, "address failed");
            if let Some(names) = &order.names {
                names.failed(order.epoch, &order.endpoint, address, ending);
            }
        },
    };
    match race(course, |address| connect_to(order, address)).await {
        Ok((winner, stream)) => {
            if let Some(names) = &order.names {
                names.connected(order.epoch, &order.endpoint, winner, &addresses);
            }
            Ok(stream)
        }
        // That the name cannot be resolved is what somebody has to repair; its old addresses may be anybody's by now.
        Err(last) => Err(stale.or(last).unwrap_or(Ending::new(Cause::Dns(DnsFailure::NoAddress), None))),
    }
}

/// Makes one socket and connects it.
async fn connect_to(order: &Order, address: SocketAddr) -> Result<TcpStream, Ending> {
    let failed = |error: io::Error| dial_failure(&error);
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(failed)?;
    if let Some(mss) = order.mss {
        sockopt::limit_segments(&socket, mss);
    }
    local::prepare(order, SockRef::from(&socket), address)?;
    socket.connect(address).await.map_err(failed)
}
