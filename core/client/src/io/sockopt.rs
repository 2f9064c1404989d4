//! The options of a connected socket: set, and read back, so that what is told is what is in force.

use crate::io::os;
use keepline_proto::config::{Keepalive, ValidConfig};
use socket2::{SockRef, Socket, TcpKeepalive};
use std::io;
use std::sync::Once;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};

/// Bytes that the kernel may hold unsent. 128 KiB: more adds no throughput on loopback or on a 100 ms path at
/// 10 MB/s, and everything beyond it can still expire and be overtaken in the outbox.
#[cfg(any(target_os = "linux", target_os = "android"))]
const NOT_SENT_LOW_WATER: u32 = 128 * 1024;

/// `BPF_RET | BPF_K`: a filter of one instruction, which answers how many bytes of a packet to keep.
#[cfg(any(target_os = "linux", target_os = "android"))]
const RETURN_CONSTANT: u16 = 0x06;

/// What is in force on a connection, as read back from the kernel. `None`: off, or not known on this system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SocketOptions {
    /// Kernel probes.
    pub keepalive: Option<Keepalive>,
    /// `TCP_USER_TIMEOUT`; on Apple `TCP_RXT_CONNDROPTIME`, on Windows `TCP_MAXRT`, both in whole seconds.
    pub user_timeout: Option<Duration>,
    /// `TCP_RTO_MAX_MS`; `None` before Linux 6.15.
    pub rto_max: Option<Duration>,
    /// `TCP_NODELAY`.
    pub nodelay: bool,
}

/// Sets what the configuration says and reads it back. What the system does not have, or a sandbox refuses, is left out: a
/// connection with fewer options is better than none.
pub(crate) fn apply(stream: &TcpStream, config: &ValidConfig) -> SocketOptions {
    let socket = SockRef::from(stream);
    optional("TCP_NODELAY", socket.set_tcp_nodelay(true));
    if let Some(keepalive) = config.keepalive {
        promised("SO_KEEPALIVE", apply_keepalive(&socket, keepalive));
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use std::os::fd::AsFd;
        let has_timeout = config.user_timeout.is_some()
            && promised("TCP_USER_TIMEOUT", socket.set_tcp_user_timeout(config.user_timeout));
        optional("TCP_NOTSENT_LOWAT", socket.set_tcp_notsent_lowat(NOT_SENT_LOW_WATER));
        // Only together with the user timeout: alone it shortens the kernel's whole patience to 15 s.
        if let (Some(limit), true) = (config.rto_max, has_timeout) {
            optional("TCP_RTO_MAX_MS", os::set_rto_max(stream.as_fd(), limit));
        }
    }
    #[cfg(any(target_vendor = "apple", windows))]
    if config.user_timeout.is_some() {
        promised("the user timeout", os::set_user_timeout(&socket, config.user_timeout));
    }
    read_back(stream)
}

/// Sets the user timeout of a living connection; `None` lifts it.
pub(crate) fn set_user_timeout(socket: &Socket, timeout: Option<Duration>) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    optional("TCP_USER_TIMEOUT", socket.set_tcp_user_timeout(Some(timeout.unwrap_or(Duration::ZERO))));
    #[cfg(any(target_vendor = "apple", windows))]
    optional("the user timeout", os::set_user_timeout(socket, timeout));
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple", windows)))]
    let _unused = (socket, timeout);
}

/// Sets the kernel's probes of a living connection; `None` switches them off.
pub(crate) fn set_keepalive(socket: &Socket, keepalive: Option<Keepalive>) {
    let result = match keepalive {
        Some(keepalive) => apply_keepalive(socket, keepalive),
        None => socket.set_keepalive(false),
    };
    optional("SO_KEEPALIVE", result);
}

fn apply_keepalive(socket: &Socket, keepalive: Keepalive) -> io::Result<()> {
    let mut pace = TcpKeepalive::new().with_interval(keepalive.interval);
    #[cfg(not(any(target_os = "openbsd", target_os = "haiku")))]
    {
        pace = pace.with_retries(keepalive.retries);
    }
    // Windows takes time and interval in one call only, and reads one that is left out as zero.
    #[cfg(windows)]
    {
        socket.set_tcp_keepalive(&pace.with_time(keepalive.idle))
    }
    #[cfg(not(windows))]
    {
        socket.set_tcp_keepalive(&pace)?;
        // Last: this is what restarts the kernel's timer, which then runs at the pace above.
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(keepalive.idle))
    }
}

/// Bounds the segments of both directions; before the connect, because the handshake tells the peer.
pub(crate) fn limit_segments(socket: &TcpSocket, mss: u16) {
    #[cfg(unix)]
    optional("TCP_MAXSEG", SockRef::from(socket).set_tcp_mss(u32::from(mss)));
    #[cfg(not(unix))]
    let _unused = (socket, mss);
}

/// Makes the close of this socket a reset: a dead peer is not waited for.
pub(crate) fn abort_on_close(socket: &Socket) {
    // Zero seconds only: a linger with a time would block a worker thread in close().
    optional("SO_LINGER", socket.set_linger(Some(Duration::ZERO)));
}

/// Resets the connection now, whoever holds the socket.
pub(crate) fn reset(socket: &Socket) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use std::os::fd::AsFd;
        optional("a reset", os::disconnect(socket.as_fd()));
    }
    // Elsewhere the reset comes when the last holder lets go of it.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _unused = socket;
}

/// Keeps the socket from transmitting anything more, so that what its figures say of unsent bytes stays true until it is
/// dropped.
///
/// A filter that drops whatever comes in: without acknowledgements and window updates the kernel sends nothing new. What is
/// left are its own timers, for the microseconds until the socket is reset.
pub(crate) fn silence(socket: &Socket) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let drop_everything = [socket2::SockFilter::new(RETURN_CONSTANT, 0, 0, 0)];
        optional("SO_ATTACH_FILTER", socket.attach_filter(&drop_everything));
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _unused = socket;
}

fn read_back(stream: &TcpStream) -> SocketOptions {
    let socket = SockRef::from(stream);
    let nodelay = socket.tcp_nodelay().unwrap_or(false);
    let mut options = SocketOptions { nodelay, ..SocketOptions::default() };
    if socket.keepalive().unwrap_or(false) {
        options.keepalive = keepalive_in_force(&socket).ok();
    }
    #[cfg(any(target_vendor = "apple", windows))]
    {
        options.user_timeout = os::user_timeout(&socket).ok().filter(|timeout| !timeout.is_zero());
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use std::os::fd::AsFd;
        options.user_timeout = socket.tcp_user_timeout().ok().flatten().filter(|timeout| !timeout.is_zero());
        options.rto_max = os::rto_max(stream.as_fd()).ok();
    }
    options
}

fn keepalive_in_force(socket: &Socket) -> io::Result<Keepalive> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    return Ok(Keepalive {
        idle: socket.tcp_keepalive_time()?,
        interval: socket.tcp_keepalive_interval()?,
        retries: socket.tcp_keepalive_retries()?,
    });
    // Windows 10 1709 is the first that tells them.
    #[cfg(windows)]
    return os::keepalive(socket);
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple", windows)))]
    {
        let _unused = socket;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// What a bound on the time to notice a dead peer rests on: whether it is in force. Without it the bound does not hold, which
/// is told once in a process.
fn promised(name: &'static str, result: io::Result<()>) -> bool {
    static TOLD: Once = Once::new();
    let Err(error) = result else { return true };
    TOLD.call_once(|| {
        tracing::warn!(option = name, %error, "the system refuses a socket option: a dead peer may be noticed later");
    });
    false
}

fn optional(name: &'static str, result: io::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(option = name, %error, "socket option not available");
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn probes_are_set_on_a_living_socket_and_taken_back() {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let configured = Keepalive { idle: Duration::from_secs(20), interval: Duration::from_secs(5), retries: 6 };
        for keepalive in [Some(configured), Some(keepline_proto::kernel::KERNEL_PROBE), Some(configured), None] {
            set_keepalive(&SockRef::from(&stream), keepalive);
            assert_eq!(read_back(&stream).keepalive, keepalive);
        }
    }
}
