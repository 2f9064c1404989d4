//! From an endpoint to a connected socket, stage by stage: names, addresses, TCP.

mod connect;
mod local;
mod race;
mod resolve;
#[cfg(unix)]
mod unix;

use crate::clock;
use crate::endpoint::Endpoint;
use crate::hooks::SocketHook;
use crate::io::dial_failure;
use crate::io::names::Names;
use crate::io::sockopt::{self, SocketOptions};
use crate::io::transport::Socket;
use keepline_proto::config::ValidConfig;
use keepline_proto::{Ending, Epoch, Time};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What the machine asks for, with what the user declared.
pub(crate) struct Order {
    /// The attempt's number.
    pub(crate) epoch: Epoch,
    pub(crate) endpoint: Endpoint,
    /// What the client knows of names; `None` where there is none to resolve.
    pub(crate) names: Option<Arc<Names>>,
    pub(crate) config: Arc<ValidConfig>,
    /// What the user does to each socket before it connects.
    pub(crate) socket_hook: Option<SocketHook>,
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
}

/// Connects as ordered, or says at which stage and why it failed.
pub(crate) async fn dial(order: Order) -> Result<Dialed, Ending> {
    #[cfg(unix)]
    if let Some(path) = order.endpoint.path() {
        return unix::connect(&order, path).await;
    }
    let found = resolve::resolve(&order).await?;
    let stream = connect::connect(&order, found).await?;
    let options = sockopt::apply(&stream, &order.config).map_err(|error| dial_failure(&error))?;
    let peer = stream.peer_addr().ok();
    Ok(Dialed { socket: Socket::Tcp(stream), peer, options })
}
