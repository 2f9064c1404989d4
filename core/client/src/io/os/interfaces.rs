//! Unix: the addresses of this host, and whether their interfaces carry anything.

use crate::network::OwnAddress;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr::{self, null_mut};

/// `IFF_UP` says that somebody switched it on, `IFF_RUNNING` that there is a carrier.
const ALIVE: u32 = (libc::IFF_UP | libc::IFF_RUNNING) as u32;

/// Every address of every interface.
pub(crate) fn own_addresses() -> io::Result<Vec<OwnAddress>> {
    let mut first: *mut libc::ifaddrs = null_mut();
    // SAFETY: the call writes one pointer to this stack: to a list that is ours until it is freed below.
    if unsafe { libc::getifaddrs(&mut first) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut addresses = Vec::new();
    let mut next = first;
    // SAFETY: each entry of the list is valid until the list is freed, and the last one points to none.
    while let Some(entry) = unsafe { next.as_ref() } {
        // SAFETY: the address of an entry is null or belongs to the list.
        if let Some(ip) = unsafe { ip(entry.ifa_addr) } {
            let is_alive = entry.ifa_flags & ALIVE == ALIVE;
            addresses.push(OwnAddress { ip, is_alive });
        }
        next = entry.ifa_next;
    }
    // SAFETY: the list came from getifaddrs, is freed once, and nothing taken from it is kept.
    unsafe { libc::freeifaddrs(first) };
    Ok(addresses)
}

/// # Safety
/// `address` is null, or points to a socket address that is as long as its family says.
unsafe fn ip(address: *const libc::sockaddr) -> Option<IpAddr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: by the caller's promise. Copies are read, for nobody promises an alignment.
    let family = unsafe { ptr::read_unaligned(&raw const (*address).sa_family) };
    match i32::from(family) {
        libc::AF_INET => {
            // SAFETY: the family says what it is.
            let address = unsafe { ptr::read_unaligned(address.cast::<libc::sockaddr_in>()) };
            Some(IpAddr::V4(Ipv4Addr::from(address.sin_addr.s_addr.to_ne_bytes())))
        }
        libc::AF_INET6 => {
            // SAFETY: the family says what it is.
            let address = unsafe { ptr::read_unaligned(address.cast::<libc::sockaddr_in6>()) };
            Some(IpAddr::V6(Ipv6Addr::from(address.sin6_addr.s6_addr)))
        }
        _ => None,
    }
}
