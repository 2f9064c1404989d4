//! From an endpoint to a connected socket, stage by stage: names, addresses, TCP, proxy.

mod connect;
mod proxy;
mod race;
mod resolve;

use crate::clock;
use crate::endpoint::Endpoint;
use crate::io::dial_failure;
use crate::io::names::Names;
use crate::io::sockopt::{self, SocketOptions};
use crate::io::transport::Socket;
use crate::proxy::proxy_of;
use keepline_proto::config::ValidConfig;
use keepline_proto::outbox::AckedBy;
use keepline_proto::{Ending, Epoch, Time};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// What the machine asks for, with what the user declared.
#[derive(Clone)]
pub(crate) struct Order {
    /// The attempt's number.
    pub(crate) epoch: Epoch,
    pub(crate) endpoint: Endpoint,
    /// What the client knows of names; `None` where there is none to resolve.
    pub(crate) names: Option<Arc<Names>>,
    pub(crate) config: Arc<ValidConfig>,
    /// The end of the whole attempt.
    pub(crate) deadline: Time,
    /// Bounds the segments of both directions.
    pub(crate) mss: Option<u16>,
}

impl Order {
    fn remaining(&self) -> Duration {
        self.deadline.since(clock::now())
    }
}

/// A connected socket with its options set.
pub(crate) struct Dialed {
    pub(crate) socket: Socket,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) options: SocketOptions,
    /// Whose kernel it is that acknowledges.
    pub(crate) acked_by: AckedBy,
}

/// Connects as ordered, or says at which stage and why it failed.
pub(crate) async fn dial(order: Order) -> Result<Dialed, Ending> {
    let (stream, options, acked_by) = match proxy_of(&order.endpoint, &order.config) {
        Some(proxy) => {
            let (stream, options) = proxy::through(&order, proxy).await?;
            (stream, options, AckedBy::Proxy)
        }
        None => {
            let (stream, options) = direct(&order).await?;
            (stream, options, AckedBy::Peer)
        }
    };
    let peer = stream.peer_addr().ok();
    Ok(Dialed { socket: Socket::Tcp(stream), peer, options, acked_by })
}

/// A TCP connection to the endpoint of the order itself, with its options set.
async fn direct(order: &Order) -> Result<(TcpStream, SocketOptions), Ending> {
    let found = resolve::resolve(order).await?;
    let stream = connect::connect(order, found).await?;
    let options = sockopt::apply(&stream, &order.config).map_err(|error| dial_failure(&error))?;
    Ok((stream, options))
}
