//! One look at the network: is there a way to the peer, and with which address of ours does it begin?
//!
//! A datagram socket is connected, which sends nothing: it only asks the kernel for the route.

use crate::io::dial::bind_interface;
#[cfg(unix)]
use crate::io::os;
use keepline_proto::config::Settings;
use keepline_proto::session::{NetworkKind, NetworkPath};
use socket2::SockRef;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

/// Any port will do, but not none: some systems refuse to connect to port 0. This one is `discard`.
const SOME_PORT: u16 = 9;

/// Stands for a network that is known only to be there.
const SOMEWHERE: u64 = 1;

/// An address of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OwnAddress {
    pub(crate) ip: IpAddr,
    /// Its interface is switched on and has a carrier.
    pub(crate) is_alive: bool,
}

/// What a client wants to reach, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    /// An address of the peer; `None` while none is known.
    peer: Option<SocketAddr>,
    /// There is no other address to try: without a way to this one there is nothing to dial.
    is_only: bool,
    /// Where connections are to begin, if that is not the route's to choose. Boxed: few clients say so.
    from: Option<Box<From>>,
}

/// Where connections begin.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct From {
    address: Option<IpAddr>,
    interface: Option<Arc<str>>,
}

impl Target {
    /// `None` for an address of this host itself, which no network leads to.
    pub(crate) fn of(mut peer: SocketAddr, is_only: bool, config: &Settings) -> Option<Target> {
        if peer.ip().to_canonical().is_loopback() {
            return None;
        }
        peer.set_port(SOME_PORT);
        Some(Target { peer: Some(peer), is_only, from: From::of(config) })
    }

    /// The target of a client whose endpoint was never resolved: any network will do, unless its own is declared.
    pub(crate) fn unknown(config: &Settings) -> Target {
        Target { peer: None, is_only: false, from: From::of(config) }
    }
}

impl From {
    fn of(config: &Settings) -> Option<Box<From>> {
        let (address, interface) = (config.bind_address, config.bind_interface.as_deref().map(Arc::from));
        (address.is_some() || interface.is_some()).then(|| Box::new(From { address, interface }))
    }

    /// The address of ours with which packets to the peer would leave.
    fn towards(from: Option<&From>, peer: SocketAddr) -> io::Result<IpAddr> {
        let any: IpAddr = if peer.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let probe = UdpSocket::bind((from.and_then(|from| from.address).unwrap_or(any), 0))?;
        if let Some(interface) = from.and_then(|from| from.interface.as_deref()) {
            bind_interface(&SockRef::from(&probe), interface, peer)?;
        }
        probe.connect(peer)?;
        Ok(probe.local_addr()?.ip().to_canonical())
    }
}

/// What is looked at, read once for any number of targets.
pub(crate) struct Look {
    /// `None` where the system does not tell.
    own: Option<Vec<OwnAddress>>,
}

impl Look {
    pub(crate) fn now() -> Look {
        #[cfg(unix)]
        let own = os::own_addresses().ok();
        #[cfg(not(unix))]
        let own = None;
        Look { own }
    }

    #[cfg(test)]
    pub(crate) fn of(own: Vec<OwnAddress>) -> Look {
        Look { own: Some(own) }
    }

    /// The path to the target; `None` if nothing can be said of it.
    pub(crate) fn at(&self, target: &Target) -> Option<NetworkPath> {
        let from = target.from.as_deref();
        let source = match target.peer.map(|peer| From::towards(from, peer)) {
            Some(Ok(source)) if self.is_alive(source) != Some(false) => Some(source),
            Some(Ok(_)) | None => None,
            Some(Err(error)) if is_without_a_route(&error) => None,
            Some(Err(_cannot_ask)) => return None,
        };
        let own = from.and_then(|from| from.address);
        Some(match source {
            Some(source) => path(number_of(source), true),
            // Another network is of no use to a client that connects from an address of this one.
            None if !target.is_only && own.map_or_else(|| self.has_network(), |own| self.keeps(own)) => {
                path(SOMEWHERE, true)
            }
            None => path(0, false),
        })
    }

    /// Whether this host still has the address, and its interface a carrier.
    pub(crate) fn keeps(&self, ip: IpAddr) -> bool {
        self.is_alive(ip).unwrap_or_else(|| self.own.is_none() && UdpSocket::bind((ip, 0)).is_ok())
    }

    /// `None` if it is not known to be an address of this host.
    fn is_alive(&self, ip: IpAddr) -> Option<bool> {
        let ip = ip.to_canonical();
        let mut own = self.own.iter().flatten().filter(|own| own.ip == ip).peekable();
        own.peek()?;
        Some(own.any(|own| own.is_alive))
    }

    /// Whether there is any way out of this host.
    fn has_network(&self) -> bool {
        match &self.own {
            Some(own) => own.iter().any(|own| own.is_alive && leads_out(own.ip)),
            None => ["192.0.2.1:9", "[2001:db8::1]:9"].into_iter().any(|documentation| {
                let address = documentation.parse().ok();
                address
                    .is_some_and(|address| !From::towards(None, address).is_err_and(|error| is_without_a_route(&error)))
            }),
        }
    }
}

fn path(id: u64, available: bool) -> NetworkPath {
    NetworkPath { id, available, kind: NetworkKind::Unknown, metered: false }
}

/// The address of ours with which packets of this client to the peer would leave. Sends nothing.
pub(crate) fn source_towards(config: &Settings, peer: SocketAddr) -> io::Result<IpAddr> {
    From::towards(From::of(config).as_deref(), peer)
}

/// Whether this error says that there is no way, and not that one could not be asked for.
fn is_without_a_route(error: &io::Error) -> bool {
    // An interface that is gone.
    #[cfg(unix)]
    if matches!(error.raw_os_error(), Some(libc::ENODEV | libc::ENXIO)) {
        return true;
    }
    // The last: there is a route, and no address to use it with.
    matches!(
        error.kind(),
        io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable
    )
}

/// The same number means the same network. Of a v6 address only the network's half: the other one changes by itself, daily
/// where privacy extensions are on.
fn number_of(source: IpAddr) -> u64 {
    let mut hasher = DefaultHasher::new();
    match source {
        IpAddr::V4(ip) => ip.octets().hash(&mut hasher),
        IpAddr::V6(ip) => ip.segments()[..4].hash(&mut hasher),
    }
    // Above the numbers that mean something else.
    hasher.finish().max(SOMEWHERE + 1)
}

/// Loopback leads nowhere, and a link-local v6 address is on every interface that was ever switched on.
fn leads_out(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_loopback(),
        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keepline_proto::config::{Config, ValidConfig};

    const PEER: &str = "203.0.113.7:502";

    #[test]
    fn peer_on_this_host_needs_no_network() {
        for peer in ["127.0.0.1:502", "127.8.8.8:502", "[::1]:502", "[::ffff:127.0.0.1]:502"] {
            assert_eq!(Target::of(peer.parse().unwrap(), true, &unbound()), None);
        }
    }

    #[test]
    fn clients_of_two_ports_of_a_host_share_a_target() {
        assert_eq!(target("192.0.2.1:502"), target("192.0.2.1:503"));
        assert_ne!(target("192.0.2.1:502"), target("192.0.2.2:502"));
    }

    #[test]
    fn source_whose_interface_has_no_carrier_is_no_path() {
        let Ok(source) = source_towards(&unbound(), PEER.parse().unwrap()) else { return };
        let dead = Look::of(vec![OwnAddress { ip: source, is_alive: false }]);
        assert_eq!(dead.at(&target(PEER)).map(|path| path.available), Some(false));
        assert!(!dead.keeps(source));
        let alive = Look::of(vec![OwnAddress { ip: source, is_alive: true }]);
        assert_eq!(alive.at(&target(PEER)).map(|path| path.available), Some(true));
        assert!(alive.keeps(source));
    }

    #[test]
    fn any_address_that_leads_out_is_a_network_for_a_peer_that_is_not_known() {
        let with = |ip: &str, is_alive| Look::of(vec![OwnAddress { ip: ip.parse().unwrap(), is_alive }]);
        for (ip, is_alive, leads_out) in [
            ("10.0.0.7", true, true),
            // Nobody gave it an address, but two machines on a cable can talk with it.
            ("169.254.7.7", true, true),
            ("2001:db8::7", true, true),
            ("10.0.0.7", false, false),
            ("127.0.0.1", true, false),
            ("::1", true, false),
            ("fe80::7", true, false),
        ] {
            let path = with(ip, is_alive).at(&Target::unknown(&unbound())).unwrap();
            assert_eq!(path.available, leads_out, "{ip}");
        }
    }

    #[test]
    fn number_is_that_of_the_network_and_not_of_a_passing_address() {
        let number = |ip: &str| number_of(ip.parse().unwrap());
        assert_eq!(number("2001:db8:1::1"), number("2001:db8:1::2"));
        assert_ne!(number("2001:db8:1::1"), number("2001:db8:2::1"));
        assert_ne!(number("192.0.2.1"), number("192.0.2.2"));
    }

    #[test]
    fn own_addresses_include_that_of_this_host_alone() {
        let look = Look::now();
        assert!(look.keeps(Ipv4Addr::LOCALHOST.into()));
        assert!(!look.keeps(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7))));
    }

    #[test]
    fn client_of_an_own_address_asks_for_the_way_from_there() {
        let from = |ip: Ipv4Addr| Config { bind_address: Some(ip.into()), ..Config::default() }.parse().unwrap();
        let here = from(Ipv4Addr::LOCALHOST);
        assert_eq!(source_towards(&here, "127.8.8.8:502".parse().unwrap()).ok(), Some(Ipv4Addr::LOCALHOST.into()));
        // Nobody on this host has it: whatever network there is, it is of no use.
        let gone = from(Ipv4Addr::new(203, 0, 113, 77));
        let alive = Look::of(vec![OwnAddress { ip: Ipv4Addr::new(10, 0, 0, 7).into(), is_alive: true }]);
        for target in [Target::of(PEER.parse().unwrap(), false, &gone).unwrap(), Target::unknown(&gone)] {
            assert_eq!(alive.at(&target).map(|path| path.available), Some(false), "{target:?}");
        }
        // Unless it is one of ours, with a carrier.
        let ours = Look::of(vec![OwnAddress { ip: Ipv4Addr::new(203, 0, 113, 77).into(), is_alive: true }]);
        assert_eq!(ours.at(&Target::unknown(&gone)).map(|path| path.available), Some(true));
    }

    #[test]
    fn clients_that_connect_from_different_places_share_no_target() {
        let from = |ip: [u8; 4]| Config { bind_address: Some(Ipv4Addr::from(ip).into()), ..Config::default() };
        let of = |config: Config| Target::of(PEER.parse().unwrap(), true, &config.parse().unwrap()).unwrap();
        assert_eq!(of(from([10, 0, 0, 7])), of(from([10, 0, 0, 7])));
        assert_ne!(of(from([10, 0, 0, 7])), of(from([10, 0, 0, 8])));
        assert_ne!(of(from([10, 0, 0, 7])), of(Config::default()));
        let through = Config { bind_interface: Some("eth1".into()), ..Config::default() };
        assert_ne!(of(through), of(Config::default()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn interface_that_is_gone_is_no_path() {
        let config = Config { bind_interface: Some("keepline-none".into()), ..Config::default() }.parse().unwrap();
        let target = Target::of(PEER.parse().unwrap(), true, &config).unwrap();
        let look = Look::of(vec![OwnAddress { ip: Ipv4Addr::new(10, 0, 0, 7).into(), is_alive: true }]);
        assert_eq!(look.at(&target).map(|path| path.available), Some(false));
    }

    fn unbound() -> ValidConfig {
        Config::default().parse().unwrap()
    }

    fn target(peer: &str) -> Target {
        Target::of(peer.parse().unwrap(), true, &unbound()).unwrap()
    }
}
