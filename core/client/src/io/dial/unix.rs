//! From a path to a connected Unix socket.

use super::{Dialed, Order, local};
use crate::io::dial_failure;
use crate::io::sockopt::SocketOptions;
use crate::io::transport::Socket;
use keepline_proto::outbox::AckedBy;
use keepline_proto::{Cause, Ending};
use socket2::{Domain, SockAddr, SockRef, Type};
use std::io;
use std::os::unix::net::UnixStream as StdStream;
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;

/// 50 ms between tries at a full accept queue: the system does not let us wait for room in it, and a server that is busy
/// for longer is no further away.
const QUEUE_IS_FULL: Duration = Duration::from_millis(50);

/// Connects before the deadline.
pub(super) async fn connect(order: &Order, path: &Path) -> Result<Dialed, Ending> {
    let limit = order.remaining().min(order.per_address);
    let trying = async {
        loop {
            match try_connect(order, path)? {
                Some(stream) => return Ok(stream),
                None => tokio::time::sleep(QUEUE_IS_FULL).await,
            }
        }
    };
    match tokio::time::timeout(limit, trying).await {
        Ok(connected) => connected.map(|stream| Dialed {
            socket: Socket::Unix(stream),
            peer: None,
            options: SocketOptions::default(),
            #[cfg(feature = "tls")]
            tls: None,
            acked_by: AckedBy::Peer,
        }),
        Err(_elapsed) => Err(Ending::new(Cause::ConnectTimeout, None)),
    }
}

/// `None` while the accept queue is full.
fn try_connect(order: &Order, path: &Path) -> Result<Option<UnixStream>, Ending> {
    let failed = |error: io::Error| match error.kind() {
        // A server that is down has taken its path away, or left it without anybody behind it.
        io::ErrorKind::NotFound => Ending { errno: error.raw_os_error(), ..Ending::new(Cause::Refused, None) },
        _ => dial_failure(&error),
    };
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    local::ask(order, SockRef::from(&socket), None)?;
    match socket.connect(&SockAddr::unix(path).map_err(failed)?) {
        Ok(()) => UnixStream::from_std(StdStream::from(socket)).map(Some).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(failed(error)),
    }
}
