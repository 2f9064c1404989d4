//! Unix: `getaddrinfo` itself, because its codes tell a name that does not exist from a name service that does not answer;
//! the standard library hands on only their text, which each system words and translates as it likes.

use crate::resolver::ResolveError;
use std::ffi::{CStr, CString};
use std::io;
use std::mem::{size_of, zeroed};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::ptr;

/// Asks the system for the addresses of `host`, all with port 0. Blocks.
pub(crate) fn look_up(host: &str) -> Result<Vec<SocketAddr>, ResolveError> {
    let Ok(host) = CString::new(host) else { return Err(ResolveError::not_found("a NUL in the name")) };
    // SAFETY: addrinfo is plain old data, for which all zeros are a value: no wishes.
    let mut hints: libc::addrinfo = unsafe { zeroed() };
    // Of one kind: else each address comes once for every kind of socket.
    hints.ai_socktype = libc::SOCK_STREAM;
    let mut found = ptr::null_mut();
    // SAFETY: the name ends with a NUL and no service is named; the hints live on this stack; on success `found` is a list
    // that we own.
    let code = unsafe { libc::getaddrinfo(host.as_ptr(), ptr::null(), &hints, &mut found) };
    if code == 0 { Ok(List(found).addresses()) } else { Err(meaning(code, io::Error::last_os_error())) }
}

/// What a code means.
fn meaning(code: libc::c_int, system: io::Error) -> ResolveError {
    // SAFETY: the function answers a constant string for every number.
    let text = unsafe { CStr::from_ptr(libc::gai_strerror(code)) }.to_string_lossy();
    let text = format!("{text} (getaddrinfo's code {code})");
    match code {
        libc::EAI_NONAME => ResolveError::not_found(text),
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        libc::EAI_NODATA => ResolveError::no_address(text),
        libc::EAI_MEMORY => ResolveError::temporary(text).with_errno(Some(libc::ENOMEM)),
        libc::EAI_SYSTEM => ResolveError::temporary(format!("{text}: {system}")).with_errno(system.raw_os_error()),
        // EAI_AGAIN, and EAI_FAIL: the answer of a broken or misled name server, which somebody will repair.
        _ => ResolveError::temporary(text),
    }
}

/// What getaddrinfo found. Given back when dropped.
struct List(*mut libc::addrinfo);

impl List {
    fn addresses(&self) -> Vec<SocketAddr> {
        let mut addresses = Vec::new();
        let mut next = self.0.cast_const();
        // SAFETY: each entry of the list, which we own, is valid, and the last one points nowhere.
        while let Some(entry) = unsafe { next.as_ref() } {
            addresses.extend(address(entry));
            next = entry.ai_next.cast_const();
        }
        addresses
    }
}

impl Drop for List {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: the list came from getaddrinfo and is given back once.
            unsafe { libc::freeaddrinfo(self.0) }
        }
    }
}

fn address(entry: &libc::addrinfo) -> Option<SocketAddr> {
    let holds = |size: usize| !entry.ai_addr.is_null() && entry.ai_addrlen as usize >= size;
    match entry.ai_family {
        libc::AF_INET if holds(size_of::<libc::sockaddr_in>()) => {
            // SAFETY: the family says what the pointer is to, and it was just checked that all of it is there.
            let found = unsafe { entry.ai_addr.cast::<libc::sockaddr_in>().read_unaligned() };
            let ip = Ipv4Addr::from(u32::from_be(found.sin_addr.s_addr));
            Some(SocketAddr::V4(SocketAddrV4::new(ip, 0)))
        }
        libc::AF_INET6 if holds(size_of::<libc::sockaddr_in6>()) => {
            // SAFETY: as above.
            let found = unsafe { entry.ai_addr.cast::<libc::sockaddr_in6>().read_unaligned() };
            let ip = Ipv6Addr::from(found.sin6_addr.s6_addr);
            Some(SocketAddr::V6(SocketAddrV6::new(ip, 0, 0, found.sin6_scope_id)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keepline_proto::cause::DnsFailure;

    #[test]
    fn literals_and_the_own_name_are_found_without_a_name_server() {
        assert_eq!(look_up("192.0.2.7").unwrap(), ["192.0.2.7:0".parse().unwrap()]);
        assert_eq!(look_up("2001:db8::7").unwrap(), ["[2001:db8::7]:0".parse().unwrap()]);
        assert!(look_up("localhost").unwrap().iter().all(|address| address.ip().is_loopback()));
    }

    #[test]
    fn codes_are_told_apart_whatever_the_language_of_their_texts() {
        let told = |code| meaning(code, io::Error::from_raw_os_error(libc::EMFILE)).failure();
        assert_eq!(told(libc::EAI_NONAME), DnsFailure::NotFound);
        assert_eq!(told(libc::EAI_AGAIN), DnsFailure::Temporary);
        assert_eq!(told(libc::EAI_FAIL), DnsFailure::Temporary);
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        assert_eq!(told(libc::EAI_NODATA), DnsFailure::NoAddress);
        let local = meaning(libc::EAI_SYSTEM, io::Error::from_raw_os_error(libc::EMFILE)).ending();
        assert_eq!((local.cause, local.errno), (keepline_proto::Cause::LocalResource, Some(libc::EMFILE)));
        assert_eq!(look_up("a\0b").unwrap_err().failure(), DnsFailure::NotFound);
    }
}
