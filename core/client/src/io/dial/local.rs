//! Where a socket connects from, and what the user does to it before it connects.

use super::Order;
use crate::hooks::DialSocket;
use crate::io::dial_failure;
use keepline_proto::config::Settings;
use keepline_proto::{Cause, Ending};
use socket2::SockRef;
use std::io;
use std::net::SocketAddr;

/// Whether a socket that is bound as declared can reach the address at all: both must be of one family.
pub(super) fn fits(order: &Order, address: &SocketAddr) -> bool {
    order.config.bind_address.is_none_or(|from| from.is_ipv4() == address.is_ipv4())
}

/// What is told when no address fits.
pub(super) fn no_address_fits() -> Ending {
    dial_failure(&io::ErrorKind::AddrNotAvailable.into())
}

/// Binds a socket as declared, then asks the user's hook.
pub(super) fn prepare(order: &Order, socket: SockRef<'_>, address: SocketAddr) -> Result<(), Ending> {
    bind(&order.config, &socket, address)?;
    ask(order, socket, Some(address))
}

/// Binds a socket that will connect to `address` as declared.
pub(crate) fn bind(config: &Settings, socket: &SockRef<'_>, address: SocketAddr) -> Result<(), Ending> {
    if let Some(interface) = config.bind_interface.as_deref() {
        bind_interface(socket, interface, address).map_err(|error| {
            tracing::debug!(interface, %error, "cannot connect through the interface");
            no_interface(&error)
        })?;
    }
    if let Some(from) = config.bind_address {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use std::os::fd::AsFd;
            if let Err(error) = crate::io::os::bind_without_port(socket.as_fd()) {
                tracing::debug!(%error, "the port is chosen before the peer is known");
            }
        }
        socket.bind(&SocketAddr::new(from, 0).into()).map_err(|error| dial_failure(&error))?;
    }
    Ok(())
}

/// Asks the user's hook, if there is one.
pub(super) fn ask(order: &Order, socket: SockRef<'_>, address: Option<SocketAddr>) -> Result<(), Ending> {
    match &order.socket_hook {
        None => Ok(()),
        Some(hook) => hook.run(&DialSocket { socket, address, endpoint: &order.endpoint }),
    }
}

/// An interface that is gone is the own network down; one that may not be used is a lack of this process.
fn no_interface(error: &io::Error) -> Ending {
    let cause = match error.kind() {
        io::ErrorKind::PermissionDenied => Cause::LocalResource,
        _ => Cause::LocalNetworkDown,
    };
    Ending { errno: error.raw_os_error(), ..Ending::new(cause, None) }
}

/// Has a socket that will connect to `_address` go through this interface alone.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn bind_interface(socket: &SockRef<'_>, interface: &str, _address: SocketAddr) -> io::Result<()> {
    socket.bind_device(Some(interface.as_bytes()))
}

/// Has a socket that will connect to `address` go through this interface alone.
#[cfg(target_vendor = "apple")]
pub(crate) fn bind_interface(socket: &SockRef<'_>, interface: &str, address: SocketAddr) -> io::Result<()> {
    crate::io::os::bind_interface(socket, interface, address)
}

/// The builder refuses an interface on such a system.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(crate) fn bind_interface(_socket: &SockRef<'_>, _interface: &str, _address: SocketAddr) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
