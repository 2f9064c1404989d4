//! The TCP sockets of one of the lab's networks, as its kernel lists them: which state each end is in.

use super::inside::enter;
use super::{Lab, LabError, Role};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{fmt, io};

/// 5 ms between looks at the table: some states last a round trip, and nobody waits for those.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// The kernel counts its timers in these tables in hundredths of a second, whatever its own tick is.
const TICK: Duration = Duration::from_millis(10);

/// Where a TCP connection stands at one of its ends (RFC 9293, section 3.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TcpState {
    /// Both sides may send.
    Established,
    /// The first packet is sent, or sent again.
    SynSent,
    /// The first packet was answered; the answer to that is outstanding.
    SynReceived,
    /// It has ended its direction; that is not acknowledged.
    FinWait1,
    /// It has ended its direction; the other one is open.
    FinWait2,
    /// Over. The one that closed first keeps the pair of addresses back for a minute.
    TimeWait,
    /// Over.
    Closed,
    /// The other side has ended its direction; here nobody has closed.
    CloseWait,
    /// Both have ended; the second end is not acknowledged.
    LastAck,
    /// Waits for connections.
    Listen,
    /// Both have ended at the same moment.
    Closing,
}

impl TcpState {
    /// `None` for a number that this table does not know.
    const fn of_number(number: u8) -> Option<TcpState> {
        Some(match number {
            1 => TcpState::Established,
            2 => TcpState::SynSent,
            // 12: a request that has no socket yet.
            3 | 12 => TcpState::SynReceived,
            4 => TcpState::FinWait1,
            5 => TcpState::FinWait2,
            6 => TcpState::TimeWait,
            7 => TcpState::Closed,
            8 => TcpState::CloseWait,
            9 => TcpState::LastAck,
            10 => TcpState::Listen,
            11 => TcpState::Closing,
            _ => return None,
        })
    }
}

/// What a socket waits for by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TcpTimer {
    /// To send again what was not acknowledged.
    Retransmit,
    /// To probe a silent connection, or to give up one that nobody owns any more.
    Keepalive,
    /// To forget the pair of addresses.
    TimeWait,
    /// To ask whether a shut window is open.
    WindowProbe,
}

/// One line of the kernel's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpSocketEntry {
    /// Its own address.
    pub local: SocketAddr,
    /// The other side's; unspecified while it listens.
    pub remote: SocketAddr,
    /// Where it stands.
    pub state: TcpState,
    /// Bytes that are not acknowledged.
    pub send_queue: u32,
    /// Bytes that the program has not read; of a listener, connections that it has not accepted.
    pub receive_queue: u32,
    /// What it waits for, and how long yet.
    pub timer: Option<(TcpTimer, Duration)>,
    /// How often the oldest bytes, or the first packet, were sent again.
    pub retransmits: u32,
}

impl Lab {
    /// Every TCP socket in the network of `role`, listeners and those that no program owns any more too.
    ///
    /// # Errors
    /// Fails if the network cannot be entered.
    pub fn sockets(&self, role: Role) -> Result<Vec<TcpSocketEntry>, LabError> {
        let namespace = self.namespace(role);
        let read = move || -> io::Result<String> {
            enter(&namespace)?;
            // A thread's own view: that of the process is the network it was started in.
            let old = std::fs::read_to_string("/proc/thread-self/net/tcp")?;
            Ok(old + &std::fs::read_to_string("/proc/thread-self/net/tcp6")?)
        };
        // The thread stays in the network, and ends there.
        let tables = std::thread::scope(|scope| scope.spawn(read).join());
        let tables = tables.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(tables.lines().filter_map(parse).collect())
    }

    /// Waits until the sockets in the network of `role` that speak with `port`, at either end, are in these states and
    /// no others; in any order, listeners left out.
    ///
    /// # Errors
    /// [`LabError::TimedOut`] with what they are in instead.
    pub fn await_states(&self, role: Role, port: u16, wanted: &[TcpState], within: Duration) -> Result<(), LabError> {
        let deadline = Instant::now() + within;
        loop {
            let sockets = self.connections_of(role, port)?;
            let mut left = wanted.to_vec();
            let are_wanted = sockets.iter().all(|socket| {
                let place = left.iter().position(|state| *state == socket.state);
                place.map(|place| left.swap_remove(place)).is_some()
            });
            if are_wanted && left.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let listed: Vec<String> = sockets.iter().map(ToString::to_string).collect();
                return Err(LabError::TimedOut(format!(
                    "{wanted:?} within {within:?}; there is: {}",
                    listed.join("; ")
                )));
            }
            sleep(LOOK_EVERY);
        }
    }

    /// The sockets in the network of `role` that speak with `port` at either end, without listeners.
    ///
    /// # Errors
    /// As [`sockets`](Self::sockets).
    pub fn connections_of(&self, role: Role, port: u16) -> Result<Vec<TcpSocketEntry>, LabError> {
        let speaks = |socket: &TcpSocketEntry| socket.local.port() == port || socket.remote.port() == port;
        let mut sockets = self.sockets(role)?;
        sockets.retain(|socket| speaks(socket) && socket.state != TcpState::Listen);
        Ok(sockets)
    }

    /// The listener on `port` in the network of `role`, if there is one.
    ///
    /// # Errors
    /// As [`sockets`](Self::sockets).
    pub fn listener(&self, role: Role, port: u16) -> Result<Option<TcpSocketEntry>, LabError> {
        let is_it = |socket: &TcpSocketEntry| socket.local.port() == port && socket.state == TcpState::Listen;
        Ok(self.sockets(role)?.into_iter().find(is_it))
    }
}

impl fmt::Display for TcpSocketEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {} {:?}", self.local, self.remote, self.state)?;
        if let Some((timer, left)) = self.timer {
            write!(f, " ({timer:?} in {left:?}, {} again)", self.retransmits)?;
        }
        Ok(())
    }
}

/// A line of `/proc/net/tcp` or `tcp6`; `None` for the heading and for what it does not understand.
fn parse(line: &str) -> Option<TcpSocketEntry> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, local, remote, state, queues, timer, retransmits, ..] = fields[..] else { return None };
    let (send_queue, receive_queue) = queues.split_once(':')?;
    let (kind, left) = timer.split_once(':')?;
    let left = TICK * u32::from_str_radix(left, 16).ok()?;
    let kind = match kind {
        "01" => Some(TcpTimer::Retransmit),
        "02" => Some(TcpTimer::Keepalive),
        "03" => Some(TcpTimer::TimeWait),
        "04" => Some(TcpTimer::WindowProbe),
        _ => None,
    };
    Some(TcpSocketEntry {
        local: address(local)?,
        remote: address(remote)?,
        state: TcpState::of_number(u8::from_str_radix(state, 16).ok()?)?,
        send_queue: u32::from_str_radix(send_queue, 16).ok()?,
        receive_queue: u32::from_str_radix(receive_queue, 16).ok()?,
        timer: kind.map(|kind| (kind, left)),
        retransmits: u32::from_str_radix(retransmits, 16).ok()?,
    })
}

/// An address in the table's hexadecimal words, each in the machine's byte order; one of IPv4 inside IPv6 becomes plain.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for at in (0..address.len()).step_by(8) {
        bytes.extend(u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    }
    let address = match bytes.len() {
        4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)).to_canonical(),
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernels_tables_are_understood() {
        let old = "   0: 0100007F:1B58 0200007F:C350 06 0000000A:00000002 03:000017A6 00000000     0        0 0 3 0000000000000000";
        let new = "   1: 0000000000000000FFFF00000A0212C6:1B58 0000000000000000FFFF0000020112C6:C350 01 00000000:00000000 02:000AFC80 00000001     0        0 9 1 0000000000000000 20";
        let entry = parse(old).unwrap();
        assert_eq!(
            (entry.local, entry.remote),
            ("127.0.0.1:7000".parse().unwrap(), "127.0.0.2:50000".parse().unwrap())
        );
        assert_eq!((entry.state, entry.send_queue, entry.receive_queue), (TcpState::TimeWait, 10, 2));
        assert_eq!(entry.timer, Some((TcpTimer::TimeWait, Duration::from_millis(60_540))));
        let entry = parse(new).unwrap();
        assert_eq!(entry.local, "198.18.2.10:7000".parse().unwrap());
        assert_eq!((entry.state, entry.retransmits), (TcpState::Established, 1));
        assert_eq!(entry.timer, Some((TcpTimer::Keepalive, Duration::from_secs(7_200))));
    }

    #[test]
    fn lines_that_are_no_sockets_are_passed_over() {
        let heading =
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
        for line in [heading, "", "0: x:y 1:2 01 0:0 0:0 0", "0: 0100007F:1B58 0100007F:1B58 63 0:0 00:0 0"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
