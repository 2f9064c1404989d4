//! Linux and Android: a socket on which the kernel tells of links, addresses and routes.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::AsRawFd;
use tokio::io::{Interest, unix::AsyncFd};

/// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV4_ROUTE`, `RTMGRP_IPV6_IFADDR`, `RTMGRP_IPV6_ROUTE`.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

/// Opens the socket and subscribes. Must be called inside a tokio runtime; the news are those of the network namespace of
/// the calling thread.
///
/// # Errors
/// Android denies it to apps (from SDK 30 on), and so do some sandboxes.
pub(crate) fn network_news() -> io::Result<AsyncFd<Socket>> {
    let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, Some(Protocol::from(libc::NETLINK_ROUTE)))?;
    socket.set_nonblocking(true)?;
    // SAFETY: sockaddr_nl is plain old data, for which all zeros are a value.
    let mut address: libc::sockaddr_nl = unsafe { zeroed() };
    address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
    address.nl_groups = GROUPS;
    // SAFETY: the descriptor is open, and the address lives on this stack and is as long as is said.
    let failed = unsafe {
        libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size_of::<libc::sockaddr_nl>() as libc::socklen_t)
    } != 0;
    if failed {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a Socket stays the same open descriptor until it is dropped, which only its AsyncFd does.
    Ok(unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?)
}
