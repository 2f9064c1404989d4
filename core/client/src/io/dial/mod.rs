//! From an endpoint to a connected socket, stage by stage: names, addresses, TCP, proxy, TLS.

mod connect;
mod local;
mod proxy;
mod race;
mod resolve;
#[cfg(unix)]
mod unix;

pub(crate) use local::{bind, bind_interface};
pub(crate) use proxy::cause_at_the_proxy;

use crate::clock;
use crate::endpoint::Endpoint;
use crate::hooks::SocketHook;
use crate::io::names::Names;
use crate::io::sockopt::SocketOptions;
#[cfg(feature = "tls")]
use crate::io::tls::{Handshake, shake_hands};
use crate::io::transport::Socket;
use crate::proxy::{ProxyLogin, proxy_of};
#[cfg(feature = "tls")]
use crate::tls::Connector;
use connect::Reached;
use keepline_proto::config::ValidConfig;
use keepline_proto::outbox::AckedBy;
use keepline_proto::race::Rules;
use keepline_proto::{Ending, Epoch, Time};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

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
    /// How long the handshake with one address may take.
    pub(crate) per_address: Duration,
    /// The least that a TLS handshake is given.
    #[cfg(feature = "tls")]
    pub(crate) tls_least: Duration,
    /// Bounds the segments of both directions.
    pub(crate) mss: Option<u16>,
    /// How the connection is encrypted, if it is.
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Arc<Connector>>,
    /// Where the proxy's credentials come from, if not from its declaration.
    pub(crate) proxy_login: Option<ProxyLogin>,
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
    let proxy = proxy_of(&order.endpoint, &order.config);
    #[cfg(feature = "tls")]
    if let (Some(connector), None, true) = (&order.tls, proxy, order.config.race_through_tls) {
        return race_through_tls(&order, connector).await;
    }
    let (reached, acked_by) = match proxy {
        Some(proxy) => (proxy::through(&order, proxy).await?, AckedBy::Proxy),
        None => (direct(&order).await?, AckedBy::Peer),
    };
    #[cfg(feature = "tls")]
    if let Some(connector) = &order.tls {
        return encrypt(&order, connector, reached, acked_by).await;
    }
    let peer = reached.stream.peer_addr().ok();
    Ok(Dialed {
        socket: Socket::Tcp(reached.stream),
        peer,
        options: reached.options,
        #[cfg(feature = "tls")]
        tls: None,
        acked_by,
    })
}

/// A TCP connection to the endpoint of the order itself.
async fn direct(order: &Order) -> Result<Reached, Ending> {
    let found = resolve::resolve(order).await?;
    let rules = Rules { per_address: order.per_address, ..order.config.race() };
    connect::first_of(order, found, rules, |address| connect::connect_to(order, address)).await
}

/// Has the addresses race until TLS stands with one of them: one that connects and then says nothing holds nobody up.
#[cfg(feature = "tls")]
async fn race_through_tls(order: &Order, connector: &Connector) -> Result<Dialed, Ending> {
    let found = resolve::resolve(order).await?;
    // TCP and TLS have a deadline each for an address; nothing else bounds them but that of the attempt.
    let rules = Rules { per_address: order.config.connect_total, ..order.config.race() };
    let establish = |address| async move {
        let reached = connect::connect_in_time(order, address).await?;
        encrypt(order, connector, reached, AckedBy::Peer).await
    };
    connect::first_of(order, found, rules, establish).await
}

/// Shakes hands over a TCP connection.
#[cfg(feature = "tls")]
async fn encrypt(order: &Order, connector: &Connector, reached: Reached, acked_by: AckedBy) -> Result<Dialed, Ending> {
    let Reached { stream, options, took } = reached;
    let peer = stream.peer_addr().ok();
    // The machine would only know that the attempt took too long.
    let remaining = order.remaining().saturating_sub(SPEAKS_FIRST);
    let plan =
        Handshake { connector, host: order.endpoint.host(), least: order.tls_least, connected_in: took, remaining };
    let (socket, facts) = shake_hands(stream, plan).await?;
    Ok(Dialed { socket: Socket::Tls(Box::new(socket)), peer, options, tls: Some(facts), acked_by })
}
