//! Where there is no `getaddrinfo` of libc: the standard library's lookup, and what its errors mean.

use crate::resolver::ResolveError;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

/// Asks the system for the addresses of `host`, all with port 0.
pub(crate) fn look_up(host: &str) -> Result<Vec<SocketAddr>, ResolveError> {
    match (host, 0).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) => Err(meaning(&error)),
    }
}

/// Windows tells Winsock's numbers; elsewhere there is only the text.
fn meaning(error: &io::Error) -> ResolveError {
    const WSAHOST_NOT_FOUND: i32 = 11_001;
    const WSANO_DATA: i32 = 11_004;
    let text = error.to_string();
    match error.raw_os_error() {
        Some(WSAHOST_NOT_FOUND) => ResolveError::not_found(text),
        Some(WSANO_DATA) => ResolveError::no_address(text),
        Some(_) => ResolveError::temporary(text),
        None if text.contains("not known") || text.contains("not exist") => ResolveError::not_found(text),
        None if text.contains("No address") => ResolveError::no_address(text),
        None => ResolveError::temporary(text),
    }
}
