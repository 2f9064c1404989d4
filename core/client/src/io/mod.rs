//! The seam to the operating system: dialling, socket options, the kernel's figures. Nothing here decides.

pub(crate) mod dial;
pub(crate) mod inline_half;
#[cfg(target_os = "linux")]
pub(crate) mod looped;
pub(crate) mod names;
pub(crate) mod os;
pub(crate) mod sockopt;
#[cfg(feature = "tls")]
pub(crate) mod tls;
pub(crate) mod transport;

use keepline_proto::{Cause, Detector, Ending};
use std::io;

/// What an error of an established connection means.
pub(crate) fn ending_of(error: &io::Error) -> Ending {
    #[cfg(feature = "tls")]
    if let Some(broken) = tls::Broken::inside(error) {
        tracing::debug!(error = %broken, "TLS session over");
        return broken.ending();
    }
    let cause = match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => Cause::Reset,
        io::ErrorKind::TimedOut => Cause::PathSilent,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Cause::Unreachable,
        io::ErrorKind::NetworkDown => Cause::LocalNetworkDown,
        io::ErrorKind::UnexpectedEof | io::ErrorKind::NotConnected => Cause::PeerClosed,
        io::ErrorKind::OutOfMemory => Cause::LocalResource,
        _ => error.raw_os_error().and_then(of_errno).unwrap_or(Cause::Reset),
    };
    let mut ending = Ending::os(cause, error.raw_os_error());
    // ETIMEDOUT on an established socket is the kernel's own verdict: probes or user timeout.
    if cause == Cause::PathSilent {
        ending.detector = Some(Detector::UserTimeout);
    }
    ending
}

/// What an error of a dial means.
pub(crate) fn dial_failure(error: &io::Error) -> Ending {
    let cause = match error.kind() {
        io::ErrorKind::ConnectionRefused => Cause::Refused,
        io::ErrorKind::TimedOut => Cause::ConnectTimeout,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Cause::Unreachable,
        io::ErrorKind::NetworkDown => Cause::LocalNetworkDown,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Cause::Reset,
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::OutOfMemory => Cause::LocalResource,
        _ => error.raw_os_error().and_then(of_errno).unwrap_or(Cause::Unreachable),
    };
    Ending { cause, detector: None, errno: error.raw_os_error(), code: None, retry_after: None, hint: None }
}

/// What an error number means where its kind says too little.
#[cfg(unix)]
pub(crate) fn of_errno(errno: i32) -> Option<Cause> {
    match errno {
        libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM | libc::EADDRNOTAVAIL => Some(Cause::LocalResource),
        libc::EPERM | libc::EACCES => Some(Cause::Unreachable),
        libc::ENETDOWN => Some(Cause::LocalNetworkDown),
        libc::EPROTO | libc::EHOSTDOWN => Some(Cause::Unreachable),
        _ => None,
    }
}

/// What a number of Winsock means where its kind says too little.
#[cfg(windows)]
pub(crate) fn of_errno(errno: i32) -> Option<Cause> {
    use windows_sys::Win32::Networking::WinSock as numbers;
    match errno {
        numbers::WSAEMFILE | numbers::WSAENOBUFS | numbers::WSAEPROVIDERFAILEDINIT => Some(Cause::LocalResource),
        numbers::WSAEACCES | numbers::WSAEHOSTDOWN => Some(Cause::Unreachable),
        // The verdict of the kernel's own probes.
        numbers::WSAENETRESET => Some(Cause::PathSilent),
        _ => None,
    }
}

/// The numbers are another system's.
#[cfg(not(any(unix, windows)))]
pub(crate) fn of_errno(_errno: i32) -> Option<Cause> {
    None
}

#[cfg(all(test, windows))]
mod tests {
    use super::*;
    use windows_sys::Win32::Networking::WinSock as numbers;

    #[test]
    fn a_number_of_winsock_says_what_its_kind_does_not() {
        let dial = |number| dial_failure(&io::Error::from_raw_os_error(number)).cause;
        assert_eq!(dial(numbers::WSAECONNREFUSED), Cause::Refused);
        assert_eq!(dial(numbers::WSAETIMEDOUT), Cause::ConnectTimeout);
        assert_eq!(dial(numbers::WSAENETUNREACH), Cause::Unreachable);
        assert_eq!(dial(numbers::WSAEHOSTUNREACH), Cause::Unreachable);
        assert_eq!(dial(numbers::WSAENETDOWN), Cause::LocalNetworkDown);
        assert_eq!(dial(numbers::WSAENOBUFS), Cause::LocalResource);
        assert_eq!(dial(numbers::WSAEMFILE), Cause::LocalResource);
        let established = |number| ending_of(&io::Error::from_raw_os_error(number));
        assert_eq!(established(numbers::WSAECONNRESET).cause, Cause::Reset);
        assert_eq!(established(numbers::WSAECONNABORTED).cause, Cause::Reset);
        let probed = established(numbers::WSAENETRESET);
        assert_eq!((probed.cause, probed.detector), (Cause::PathSilent, Some(Detector::UserTimeout)));
    }
}
