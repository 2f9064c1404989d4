//! A local port that stays ours while servers on it come and go.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// A port that is kept although nobody may be listening on it.
///
/// A bound socket that never listens holds the port: whoever connects is refused, and no other program gets the
/// port in the meantime. A server that sets `SO_REUSEADDR` (nearly all do) can bind to it, be killed and bind again.
/// On Windows nothing can hold a port in this way; there the port is only remembered.
///
/// ```
/// use keepline_testkit::port::ReservedPort;
///
/// let port = ReservedPort::loopback()?;
/// let refused = std::net::TcpStream::connect(port.addr()).unwrap_err();
/// assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct ReservedPort {
    addr: SocketAddr,
    _anchor: Option<Socket>,
}

impl ReservedPort {
    /// Reserves a free port on 127.0.0.1.
    ///
    /// # Errors
    /// Fails if the system has no port or no descriptor left.
    pub fn loopback() -> io::Result<ReservedPort> {
        ReservedPort::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// Reserves `addr`; port 0 stands for any free port.
    ///
    /// # Errors
    /// Fails if the port is taken or the address is not one of this machine.
    pub fn at(addr: SocketAddr) -> io::Result<ReservedPort> {
        let anchor = bound(addr)?;
        let addr = anchor.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let anchor = if cfg!(windows) { None } else { Some(anchor) };
        Ok(ReservedPort { addr, _anchor: anchor })
    }

    /// The reserved address.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The reserved port.
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// Listens on the port, without blocking; `receive_buffer` is inherited by every accepted connection.
    pub(crate) fn listen(&self, backlog: i32, receive_buffer: Option<usize>) -> io::Result<TcpListener> {
        let socket = bound(self.addr)?;
        if let Some(bytes) = receive_buffer {
            // Before listen: afterwards the window scale of accepted connections is already decided.
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.listen(backlog)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    }
}

/// Finds a port on 127.0.0.1 that is free now.
///
/// Another program may take it before it is used; [`ReservedPort`] rules that out.
///
/// # Errors
/// Fails if the system has no port or no descriptor left.
pub fn free_port() -> io::Result<u16> {
    Ok(ReservedPort::loopback()?.port())
}

fn bound(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // On Windows the option means something else: it lets two programs listen on one port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    // The BSD kernels want this one as well before they let the anchor and a listener share the port.
    #[cfg(all(unix, not(target_os = "linux"), not(target_os = "android")))]
    socket.set_reuse_port(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}
