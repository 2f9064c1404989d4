//! Linux and Android: `TCP_INFO`, `SIOCOUTQ`, `TCP_RTO_MAX_MS`.

use keepline_proto::KernelFigures;
use socket2::Socket;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

/// Since Linux 6.15; libc has no name for it yet.
const TCP_RTO_MAX_MS: libc::c_int = 44;

/// Since Linux 4.2; bionic has no name for it.
const IP_BIND_ADDRESS_NO_PORT: libc::c_int = 24;

/// The stable prefix of the kernel's `struct tcp_info` (include/uapi/linux/tcp.h). Own, because bionic has none; the
/// kernel fills as much as it knows and says how much that was.
#[repr(C)]
#[derive(Clone, Copy)]
struct TcpInfo {
    state: u8,
    ca_state: u8,
    retransmits: u8,
    probes: u8,
    backoff: u8,
    options: u8,
    window_scale: u8,
    flags: u8,
    rto: u32,
    ato: u32,
    snd_mss: u32,
    rcv_mss: u32,
    unacked: u32,
    sacked: u32,
    lost: u32,
    retrans: u32,
    fackets: u32,
    last_data_sent: u32,
    last_ack_sent: u32,
    last_data_recv: u32,
    last_ack_recv: u32,
    pmtu: u32,
    rcv_ssthresh: u32,
    rtt: u32,
    rttvar: u32,
    snd_ssthresh: u32,
    snd_cwnd: u32,
    advmss: u32,
    reordering: u32,
    rcv_rtt: u32,
    rcv_space: u32,
    total_retrans: u32,
    pacing_rate: u64,
    max_pacing_rate: u64,
    bytes_acked: u64,
    bytes_received: u64,
    segs_out: u32,
    segs_in: u32,
    notsent_bytes: u32,
    min_rtt: u32,
    data_segs_in: u32,
    data_segs_out: u32,
    delivery_rate: u64,
    busy_time: u64,
    rwnd_limited: u64,
    sndbuf_limited: u64,
    delivered: u32,
    delivered_ce: u32,
    bytes_sent: u64,
    bytes_retrans: u64,
    dsack_dups: u32,
    reord_seen: u32,
    rcv_ooopack: u32,
    snd_wnd: u32,
}

/// What the kernel knows about a TCP connection; every figure that it does not tell is `None`.
pub(crate) fn kernel_figures(stream: &Socket) -> KernelFigures {
    let socket = stream.as_fd();
    // SAFETY: TcpInfo is plain old data, for which all zeros are a value.
    let mut info: TcpInfo = unsafe { zeroed() };
    let mut length = size_of::<TcpInfo>() as libc::socklen_t;
    // SAFETY: the descriptor is borrowed and open; `info` has `length` bytes, and the kernel writes no more than that.
    let failed = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut info).cast(), &mut length)
    } != 0;
    if failed {
        return KernelFigures::default();
    }
    let known = length as usize;
    let has = |end: usize| known >= end;
    let mut figures = KernelFigures {
        unacked_segments: Some(info.unacked),
        retransmits: Some(u32::from(info.retransmits)),
        probes: Some(u32::from(info.probes)),
        backoff: Some(u32::from(info.backoff)),
        last_ack_received: Some(Duration::from_millis(u64::from(info.last_ack_recv))),
        segment_size: Some(info.snd_mss),
        last_data_received: Some(Duration::from_millis(u64::from(info.last_data_recv))),
        rtt: Some(Duration::from_micros(u64::from(info.rtt))),
        ..KernelFigures::default()
    };
    if has(std::mem::offset_of!(TcpInfo, bytes_received)) {
        figures.bytes_acked = Some(info.bytes_acked);
    }
    if has(std::mem::offset_of!(TcpInfo, min_rtt)) {
        figures.not_sent = Some(info.notsent_bytes);
    }
    if has(std::mem::offset_of!(TcpInfo, delivered_ce)) {
        figures.delivered_segments = Some(info.delivered);
    }
    if has(size_of::<TcpInfo>()) {
        figures.send_window = Some(info.snd_wnd);
    }
    figures.send_queue = send_queue(socket);
    figures
}

/// Bytes written and not acknowledged (`SIOCOUTQ`, which Linux gives the number of `TIOCOUTQ`).
fn send_queue(socket: BorrowedFd<'_>) -> Option<u32> {
    let mut queued: libc::c_int = 0;
    // SAFETY: the descriptor is borrowed and open; the request writes one int to `queued`.
    let failed = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &mut queued) } != 0;
    if failed { None } else { u32::try_from(queued).ok() }
}

/// Bounds the pause between retransmissions.
pub(crate) fn set_rto_max(socket: BorrowedFd<'_>, limit: Duration) -> io::Result<()> {
    let millis = libc::c_int::try_from(limit.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: the descriptor is borrowed and open; the value is one int on this stack.
    let failed = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            TCP_RTO_MAX_MS,
            (&raw const millis).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    } != 0;
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Reads back the bound of [`set_rto_max`].
pub(crate) fn rto_max(socket: BorrowedFd<'_>) -> io::Result<Duration> {
    let mut millis: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the descriptor is borrowed and open; the kernel writes one int to `millis`.
    let failed = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, TCP_RTO_MAX_MS, (&raw mut millis).cast(), &mut length)
    } != 0;
    if failed { Err(io::Error::last_os_error()) } else { Ok(Duration::from_millis(millis.unsigned_abs().into())) }
}

/// Leaves the choice of the port to the connect, which knows the peer: a local address then serves as many connections
/// as there are peers times ports.
pub(crate) fn bind_without_port(socket: BorrowedFd<'_>) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the descriptor is borrowed and open; the value is one int on this stack.
    let failed = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    } != 0;
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Ends a TCP connection with a reset, and leaves the socket open and unconnected.
pub(crate) fn disconnect(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: sockaddr is plain old data, for which all zeros are a value; its family is then AF_UNSPEC.
    let nowhere: libc::sockaddr = unsafe { zeroed() };
    let length = size_of::<libc::sockaddr>() as libc::socklen_t;
    // SAFETY: the descriptor is borrowed and open; the address is `length` bytes on this stack.
    let failed = unsafe { libc::connect(socket.as_raw_fd(), &nowhere, length) } != 0;
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}
