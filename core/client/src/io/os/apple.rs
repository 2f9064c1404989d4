//! Built elsewhere: type-checked only (`make check-platforms`). Apple: `TCP_CONNECTION_INFO`, `SO_NWRITE`, the drop time.

use keepline_proto::KernelFigures;
use socket2::Socket;
use std::ffi::CString;
use std::io;
use std::mem::{offset_of, size_of, zeroed};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// Whole seconds of retransmission after which the connection is dropped (xnu, bsd/netinet/tcp.h); libc has no name for
/// it yet.
const TCP_RXT_CONNDROPTIME: libc::c_int = 0x80;

/// The prefix of the kernel's `struct tcp_connection_info` (xnu, bsd/netinet/tcp.h) up to what is used. Own, because
/// libc spells the bit field behind it as one word for each bit, which moves what follows.
#[repr(C)]
#[derive(Clone, Copy)]
struct TcpConnectionInfo {
    state: u8,
    snd_wscale: u8,
    rcv_wscale: u8,
    padding: u8,
    options: u32,
    flags: u32,
    rto: u32,
    maxseg: u32,
    snd_ssthresh: u32,
    snd_cwnd: u32,
    snd_wnd: u32,
    snd_sbbytes: u32,
    rcv_wnd: u32,
    rttcur: u32,
    srtt: u32,
    rttvar: u32,
}

/// What the kernel knows about a TCP connection; every figure that it does not tell is `None`.
///
/// Retransmissions are told only as totals, and bytes never transmitted not at all.
pub(crate) fn kernel_figures(stream: &Socket) -> KernelFigures {
    // SAFETY: TcpConnectionInfo is plain old data, for which all zeros are a value.
    let mut info: TcpConnectionInfo = unsafe { zeroed() };
    let known = get(stream, libc::IPPROTO_TCP, libc::TCP_CONNECTION_INFO, &mut info).unwrap_or(0);
    let mut figures = KernelFigures { send_queue: send_queue(stream), ..KernelFigures::default() };
    if known >= offset_of!(TcpConnectionInfo, snd_sbbytes) {
        figures.send_window = Some(info.snd_wnd);
    }
    if known >= offset_of!(TcpConnectionInfo, rttvar) {
        figures.rtt = Some(Duration::from_millis(info.srtt.into()));
    }
    figures
}

/// Bytes written and not acknowledged.
fn send_queue(stream: &Socket) -> Option<u32> {
    let mut queued: libc::c_int = 0;
    get(stream, libc::SOL_SOCKET, libc::SO_NWRITE, &mut queued).ok()?;
    u32::try_from(queued).ok()
}

/// Ends the connection after so long a time of retransmission; `None` leaves it to the kernel's own patience. Window
/// probes do not count.
pub(crate) fn set_user_timeout(stream: &Socket, timeout: Option<Duration>) -> io::Result<()> {
    let seconds: libc::c_int = match timeout {
        Some(timeout) => libc::c_int::try_from(timeout.as_millis().div_ceil(1000)).unwrap_or(libc::c_int::MAX),
        None => 0,
    };
    // SAFETY: the stream's descriptor is open; the value is one int on this stack.
    let failed = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            TCP_RXT_CONNDROPTIME,
            (&raw const seconds).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    } != 0;
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Reads back the bound of [`set_user_timeout`].
pub(crate) fn user_timeout(stream: &Socket) -> io::Result<Duration> {
    let mut seconds: libc::c_int = 0;
    get(stream, libc::IPPROTO_TCP, TCP_RXT_CONNDROPTIME, &mut seconds)?;
    Ok(Duration::from_secs(seconds.unsigned_abs().into()))
}

/// Fills `value` and says how many bytes of it the kernel knew.
fn get<T: Copy>(stream: &Socket, level: libc::c_int, name: libc::c_int, value: &mut T) -> io::Result<usize> {
    let mut length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the stream's descriptor is open; `value` has `length` bytes, the kernel writes no more than that, and this
    // file asks only for integers and for structures of them.
    let failed =
        unsafe { libc::getsockopt(stream.as_raw_fd(), level, name, (&raw mut *value).cast(), &mut length) } != 0;
    if failed { Err(io::Error::last_os_error()) } else { Ok(length as usize) }
}

/// Makes a socket connect through the interface of this name (`IP_BOUND_IF`).
pub(crate) fn bind_interface(socket: &socket2::SockRef<'_>, interface: &str, address: SocketAddr) -> io::Result<()> {
    let name = CString::new(interface).map_err(|_zero| io::ErrorKind::InvalidInput)?;
    // SAFETY: the pointer is to a string that ends with a zero and lives through the call.
    let index = NonZeroU32::new(unsafe { libc::if_nametoindex(name.as_ptr()) });
    let index = Some(index.ok_or_else(io::Error::last_os_error)?);
    match address {
        SocketAddr::V4(_) => socket.bind_device_by_index_v4(index),
        SocketAddr::V6(_) => socket.bind_device_by_index_v6(index),
    }
}
