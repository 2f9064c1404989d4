//! From the endpoint to a TCP connection: names, route, each address.

use super::diagnosis::{Examined, Fact, StageName};
use super::{Reached, since};
use crate::clock;
use crate::endpoint::Endpoint;
use crate::io::dial::{bind, cause_at_the_proxy};
use crate::io::names::{Names, usable};
use crate::io::{dial_failure, sockopt};
use crate::network::source_towards;
use keepline_proto::cause::DnsFailure;
use keepline_proto::config::ValidConfig;
use keepline_proto::{Cause, Ending};
use socket2::SockRef;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;

/// More addresses of one name are not examined: eight tell the story, and each is a connection to somebody's server.
const ADDRESSES: usize = 8;

/// A first packet that was lost is sent again after 1 s: a handshake that lasted longer lost one.
const SENT_AGAIN: Duration = Duration::from_millis(950);

/// From the name to addresses.
pub(super) async fn names(
    endpoint: &Endpoint,
    names: &Names,
    config: &ValidConfig,
    patience: Duration,
    examined: &mut Examined,
) -> Option<Vec<SocketAddr>> {
    let begun = clock::now();
    if let Some(address) = endpoint.literal() {
        examined.passed(StageName::Names, begun, vec![Fact::new("address", address)]);
        return Some(vec![address]);
    }
    let looked_up = tokio::time::timeout(patience, names.look_up(endpoint)).await;
    let failure = match looked_up.map(|resolved| resolved.and_then(|resolved| usable(config, &resolved))) {
        Err(_elapsed) => (Cause::Dns(DnsFailure::Timeout), Fact::new("resolver", format!("no answer in {patience:?}"))),
        // A name server that cannot answer says so in a round trip; the resolver's own patience ends with the same words.
        Ok(Err(error)) if error.failure() == DnsFailure::Temporary && since(begun) >= SENT_AGAIN => {
            (Cause::Dns(DnsFailure::Timeout), Fact::new("resolver", error))
        }
        Ok(Err(error)) => (error.ending().cause, Fact::new("resolver", error)),
        Ok(Ok(mut addresses)) => {
            addresses.truncate(ADDRESSES);
            let facts = addresses.iter().map(|address| Fact::new(family(address), address.ip())).collect();
            if since(begun) >= SENT_AGAIN {
                examined.warned(StageName::Names, begun, None, facts);
            } else {
                examined.passed(StageName::Names, begun, facts);
            }
            return Some(addresses);
        }
    };
    examined.failed(StageName::Names, begun, Some(failure.0), vec![failure.1]);
    None
}

fn family(address: &SocketAddr) -> &'static str {
    match address {
        SocketAddr::V4(_) => "v4",
        SocketAddr::V6(_) => "v6",
    }
}

/// The first hop: the endpoint, or its proxy.
pub(super) struct Way<'a> {
    pub(super) addresses: &'a [SocketAddr],
    pub(super) config: &'a ValidConfig,
    pub(super) is_to_a_proxy: bool,
}

impl Way<'_> {
    /// Whether this machine has a way to at least one of them, from where the client is to connect. Sends nothing: connecting
    /// a datagram socket only asks the table.
    pub(super) fn route(&self, examined: &mut Examined) -> bool {
        let begun = clock::now();
        let asked: Vec<_> = self.addresses.iter().map(|to| (*to, source_towards(self.config, *to))).collect();
        let facts = asked.iter().map(|(to, local)| match local {
            Ok(local) => Fact::new("route", format!("{} from {local}", to.ip())),
            Err(error) => Fact::new("no_route", format!("{}: {error}", to.ip())),
        });
        let facts = facts.collect();
        let failures: Vec<Cause> =
            asked.iter().filter_map(|(_, local)| local.as_ref().err()).map(|error| dial_failure(error).cause).collect();
        match failures.first() {
            None => examined.passed(StageName::Route, begun, facts),
            Some(cause) if failures.len() < self.addresses.len() => {
                examined.warned(StageName::Route, begun, Some(*cause), facts);
            }
            Some(cause) => {
                examined.failed(StageName::Route, begun, Some(*cause), facts);
                return false;
            }
        }
        true
    }

    /// TCP with each address, all at once. Whether one of them answers.
    pub(super) async fn tcp(&self, patience: Duration, examined: &mut Examined) -> bool {
        let begun = clock::now();
        let mut all = JoinSet::new();
        for address in self.addresses.iter().copied() {
            all.spawn(connect(prepared(self.config, address), address, patience));
        }
        let mut reached: Vec<(Reached, Option<Fact>)> = all.join_all().await;
        reached.sort_by_key(|(reached, _)| self.addresses.iter().position(|address| *address == reached.address));
        let mut facts = Vec::new();
        for (reached, detail) in &reached {
            let words = match reached.outcome {
                Ok(()) if reached.took >= SENT_AGAIN => "open, slow: its first packet had to be sent again".to_owned(),
                Ok(()) => "open".to_owned(),
                Err((Cause::ConnectTimeout, _)) => "no answer: filtered, switched off, or its queue is full".to_owned(),
                Err((cause, Some(errno))) => format!("{cause} (errno {errno})"),
                Err((cause, None)) => cause.to_string(),
            };
            facts.push(Fact::new("address", format!("{}: {words}, {:.1} ms", reached.address, millis(reached.took))));
            facts.extend(detail.clone());
        }
        let failure = reached.iter().find_map(|(reached, _)| reached.outcome.err()).map(|(cause, _)| cause);
        let is_open = reached.iter().any(|(reached, _)| reached.outcome.is_ok());
        let is_slow = reached.iter().any(|(reached, _)| reached.outcome.is_ok() && reached.took >= SENT_AGAIN);
        match failure {
            // Nothing is known of the endpoint: it is the proxy that is not there.
            Some(cause) if !is_open && self.is_to_a_proxy => {
                examined.failed(StageName::Proxy, begun, Some(cause_at_the_proxy(cause)), facts);
            }
            Some(cause) if !is_open => examined.failed(StageName::Tcp, begun, Some(cause), facts),
            Some(cause) => examined.warned(StageName::Tcp, begun, Some(cause), facts),
            None if is_slow => examined.warned(StageName::Tcp, begun, None, facts),
            None => examined.passed(StageName::Tcp, begun, facts),
        }
        is_open
    }
}

/// A socket as a client of this configuration would connect it.
fn prepared(config: &ValidConfig, address: SocketAddr) -> Result<TcpSocket, Ending> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = socket.map_err(|error| dial_failure(&error))?;
    bind(config, &SockRef::from(&socket), address)?;
    Ok(socket)
}

async fn connect(
    socket: Result<TcpSocket, Ending>,
    address: SocketAddr,
    patience: Duration,
) -> (Reached, Option<Fact>) {
    let begun = clock::now();
    let connecting = async { socket?.connect(address).await.map_err(|error| dial_failure(&error)) };
    let connected = tokio::time::timeout(patience, connecting).await;
    let took = since(begun);
    let (outcome, detail) = match connected {
        Err(_elapsed) => (Err((Cause::ConnectTimeout, None)), None),
        Ok(Err(ending)) => (Err((ending.cause, ending.errno)), None),
        Ok(Ok(stream)) => {
            let socket = SockRef::from(&stream);
            let figures = crate::io::os::kernel_figures(&socket);
            // A server with one slot has it back at once.
            sockopt::abort_on_close(&socket);
            let detail = figures.segment_size.zip(figures.rtt);
            let told = detail
                .map(|(size, rtt)| Fact::new("segment", format!("{size} bytes, round trip {:.1} ms", millis(rtt))));
            (Ok(()), told)
        }
    };
    (Reached { address, took, outcome }, detail)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
