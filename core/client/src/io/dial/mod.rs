//! From an endpoint to a connected socket, stage by stage: names, addresses, TCP, proxy, TLS.

mod connect;
mod local;
mod proxy;
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
#[cfg(feature = "tls")]
use crate::io::tls::{Handshake, shake_hands};
use crate::io::transport::Socket;
use crate::proxy::proxy_of;
use keepline_proto::config::ValidConfig;
use keepline_proto::outbox::AckedBy;
use keepline_proto::{Ending, Epoch, Time};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// How much earlier than the machine a dial gives up where it knows what it was waiting for, and says so. One slot of the
/// wheel. While it waits for an address both would say the same.
const SPEAKS_FIRST: Duration = Duration::from_millis(50);

/// What the machine asks for, with what the user declared.
#[derive(Clone)]
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
    /// How the connection is encrypted, if it is.
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Arc<crate::tls::Connector>>,
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
    /// What was agreed with the peer.
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crate::tls::TlsFacts>,
    /// Whose kernel it is that acknowledges.
    pub(crate) acked_by: AckedBy,
}

/// Connects as ordered, or says at which stage and why it failed.
pub(crate) async fn dial(order: Order) -> Result<Dialed, Ending> {
    #[cfg(unix)]
    if let Some(path) = order.endpoint.path() {
        return unix::connect(&order, path).await;
    }
    let begun = clock::now();
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
    let connected_in = clock::now().since(begun);
    let peer = stream.peer_addr().ok();
    #[cfg(feature = "tls")]
    if let Some(connector) = &order.tls {
        // The machine would only know that the attempt took too long.
        let remaining = order.remaining().saturating_sub(SPEAKS_FIRST);
        let plan = Handshake { connector, host: order.endpoint.host(), connected_in, remaining };
        let (socket, facts) = shake_hands(stream, plan).await?;
        return Ok(Dialed { socket: Socket::Tls(Box::new(socket)), peer, options, tls: Some(facts), acked_by });
    }
    #[cfg(not(feature = "tls"))]
    let _only_a_handshake_asks = connected_in;
    Ok(Dialed {
        socket: Socket::Tcp(stream),
        peer,
        options,
        #[cfg(feature = "tls")]
        tls: None,
        acked_by,
    })
}

/// A TCP connection to the endpoint of the order itself, with its options set.
async fn direct(order: &Order) -> Result<(TcpStream, SocketOptions), Ending> {
    let found = resolve::resolve(order).await?;
    let stream = connect::connect(order, found).await?;
    let options = sockopt::apply(&stream, &order.config).map_err(|error| dial_failure(&error))?;
    Ok((stream, options))
}
