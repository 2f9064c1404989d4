//! What the user has done to a socket before it connects.

use crate::endpoint::Endpoint;
use keepline_proto::{Cause, Ending};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

type Configure = dyn Fn(&DialSocket<'_>) -> io::Result<()> + Send + Sync;

/// Configures a socket before it connects.
#[derive(Clone)]
pub(crate) struct SocketHook(pub(crate) Arc<Configure>);

impl SocketHook {
    /// Asks the user's code. Its error is one of this machine, not of the peer; so is its panic, which goes no further.
    pub(crate) fn run(&self, socket: &DialSocket<'_>) -> Result<(), Ending> {
        match catch_unwind(AssertUnwindSafe(|| (self.0)(socket))) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the socket hook refused a socket");
                Err(Ending { errno: error.raw_os_error(), ..Ending::new(Cause::LocalResource, None) })
            }
            Err(_panic) => {
                tracing::error!("the socket hook panicked");
                Err(Ending::new(Cause::LocalResource, None))
            }
        }
    }
}

impl fmt::Debug for SocketHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SocketHook")
    }
}

/// A socket that is about to connect: not connected yet, non-blocking, bound where that was asked for.
///
/// It lends its descriptor (`AsFd`, on Windows `AsSocket`), which `socket2::SockRef::from` takes.
#[derive(Debug)]
pub struct DialSocket<'a> {
    pub(crate) socket: socket2::SockRef<'a>,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) endpoint: &'a Endpoint,
}

impl DialSocket<'_> {
    /// The address it will connect to; `None` for a Unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The endpoint that the address belongs to.
    pub fn endpoint(&self) -> &Endpoint {
        self.endpoint
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for DialSocket<'_> {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsSocket for DialSocket<'_> {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.socket.as_socket()
    }
}
