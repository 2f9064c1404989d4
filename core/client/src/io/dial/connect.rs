//! From addresses to one connection: the first that answers, to the first packet or, where that was asked for, to TLS.

use super::race::{Course, race};
use super::resolve::Found;
use super::{Order, SPEAKS_FIRST, local};
use crate::clock;
use crate::io::dial_failure;
use crate::io::sockopt::{self, SocketOptions};
use keepline_proto::cause::DnsFailure;
use keepline_proto::race::Rules;
use keepline_proto::{Cause, Ending};
use socket2::SockRef;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};

/// A TCP connection with its options set.
pub(super) struct Reached {
    pub(super) stream: TcpStream,
    pub(super) options: SocketOptions,
    /// How long TCP took, for this address alone.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "only a handshake asks"))]
    pub(super) took: Duration,
}

/// Establishes a connection to the first of the addresses that answers before the deadline, whatever `establish` means by
/// an answer. It may take as long as the rules say for one address.
pub(super) async fn first_of<T, F>(
    order: &Order,
    found: Found,
    rules: Rules,
    establish: impl FnMut(SocketAddr) -> F,
) -> Result<T, Ending>
where
    F: Future<Output = Result<T, Ending>>,
{
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
        rules,
        deadline: if stale.is_some() { order.deadline - SPEAKS_FIRST } else { order.deadline },
        failed: |address, ending: &Ending| {
            tracing::debug!(%address, cause = %ending.cause, errno = ending.errno, "address failed");
            if let Some(names) = &order.names {
                names.failed(order.epoch, &order.endpoint, address, ending);
            }
        },
    };
    match race(course, establish).await {
        Ok((winner, established)) => {
            if let Some(names) = &order.names {
                names.connected(order.epoch, &order.endpoint, winner, &addresses);
            }
            Ok(established)
        }
        // That the name cannot be resolved is what somebody has to repair; its old addresses may be anybody's by now.
        Err(last) => Err(stale.or(last).unwrap_or(Ending::new(Cause::Dns(DnsFailure::NoAddress), None))),
    }
}

/// Makes one socket, connects it and sets its options.
pub(super) async fn connect_to(order: &Order, address: SocketAddr) -> Result<Reached, Ending> {
    let failed = |error: io::Error| dial_failure(&error);
    let begun = clock::now();
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(failed)?;
    if let Some(mss) = order.mss {
        sockopt::limit_segments(&socket, mss);
    }
    local::prepare(order, SockRef::from(&socket), address)?;
    let stream = socket.connect(address).await.map_err(failed)?;
    let took = clock::now().since(begun);
    let options = sockopt::apply(&stream, &order.config);
    Ok(Reached { stream, options, took })
}

/// The same, which an address is given up for that has not answered after its share of an attempt.
#[cfg(feature = "tls")]
pub(super) async fn connect_in_time(order: &Order, address: SocketAddr) -> Result<Reached, Ending> {
    let limit = order.per_address;
    let late = |_elapsed| Ending::new(Cause::ConnectTimeout, None);
    tokio::time::timeout(limit, connect_to(order, address)).await.map_err(late)?
}
