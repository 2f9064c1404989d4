//! Built elsewhere: type-checked only (`make check-platforms`). Windows: clocks, `SIO_TCP_INFO`, `TCP_MAXRT`.

use keepline_proto::KernelFigures;
use keepline_proto::config::Keepalive;
use socket2::Socket;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::windows::io::AsRawSocket;
use std::ptr::null_mut;
use std::time::Duration;
use windows_sys::Win32::Networking::WinSock::{
    IPPROTO_TCP, SIO_TCP_INFO, SOCKET, TCP_INFO_v0, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_MAXRT, WSAIoctl,
    getsockopt, setsockopt,
};
use windows_sys::Win32::System::WindowsProgramming::{QueryInterruptTimePrecise, QueryUnbiasedInterruptTimePrecise};

/// Both clocks count in steps of 100 ns.
const NANOS_PER_STEP: u64 = 100;

/// `SIO_TCP_INFO` takes the version of the structure that it is to fill: the first one, of Windows 10 1703.
const INFO_VERSION: u32 = 0;

/// The value of `TCP_MAXRT` that stands for no limit.
const WITHOUT_LIMIT: u32 = u32::MAX;

/// Nanoseconds on the clock that counts suspend.
pub(crate) fn suspend_aware_nanos() -> u64 {
    let mut steps = 0;
    // SAFETY: the call writes one u64 to this stack.
    unsafe { QueryInterruptTimePrecise(&mut steps) };
    steps.saturating_mul(NANOS_PER_STEP)
}

/// Nanoseconds on the clock that stops during suspend.
pub(crate) fn awake_nanos() -> u64 {
    let mut steps = 0;
    // SAFETY: the call writes one u64 to this stack.
    unsafe { QueryUnbiasedInterruptTimePrecise(&mut steps) };
    steps.saturating_mul(NANOS_PER_STEP)
}

/// What the kernel knows about a TCP connection; every figure that it does not tell is `None`.
///
/// Only bytes in flight are told, not those that wait behind them, so nothing here proves an acknowledgement.
pub(crate) fn kernel_figures(stream: &Socket) -> KernelFigures {
    // SAFETY: TCP_INFO_v0 is plain old data, for which all zeros are a value.
    let mut info: TCP_INFO_v0 = unsafe { zeroed() };
    let (version, mut filled) = (INFO_VERSION, 0);
    // SAFETY: the stream's socket is open; the sizes are those of the values on this stack, and without an OVERLAPPED the
    // call is over when it returns.
    let failed = unsafe {
        WSAIoctl(
            socket(stream),
            SIO_TCP_INFO,
            (&raw const version).cast(),
            size_of::<u32>() as u32,
            (&raw mut info).cast(),
            size_of::<TCP_INFO_v0>() as u32,
            &mut filled,
            null_mut(),
            None,
        )
    } != 0;
    // A version is told whole or not at all.
    if failed || (filled as usize) < size_of::<TCP_INFO_v0>() {
        return KernelFigures::default();
    }
    KernelFigures {
        // The last segment may be a short one.
        unacked_segments: Some(info.BytesInFlight.div_ceil(info.Mss.max(1))),
        send_window: Some(info.SndWnd),
        rtt: Some(Duration::from_micros(info.RttUs.into())),
        ..KernelFigures::default()
    }
}

/// Ends the connection after so long a time of retransmission; `None` lifts the limit.
pub(crate) fn set_user_timeout(stream: &Socket, timeout: Option<Duration>) -> io::Result<()> {
    let seconds: u32 = match timeout {
        Some(timeout) => u32::try_from(timeout.as_millis().div_ceil(1000)).unwrap_or(WITHOUT_LIMIT),
        None => WITHOUT_LIMIT,
    };
    // SAFETY: the stream's socket is open; the value is one u32 on this stack.
    let failed = unsafe {
        setsockopt(socket(stream), IPPROTO_TCP, TCP_MAXRT, (&raw const seconds).cast(), size_of::<u32>() as i32)
    } != 0;
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Reads back the bound of [`set_user_timeout`]; zero if there is none.
pub(crate) fn user_timeout(stream: &Socket) -> io::Result<Duration> {
    let seconds = tcp_option(stream, TCP_MAXRT)?;
    Ok(Duration::from_secs(if seconds == WITHOUT_LIMIT { 0 } else { seconds.into() }))
}

/// Reads back the kernel's probes, in whole seconds; fails before Windows 10 1709.
pub(crate) fn keepalive(stream: &Socket) -> io::Result<Keepalive> {
    Ok(Keepalive {
        idle: Duration::from_secs(tcp_option(stream, TCP_KEEPIDLE)?.into()),
        interval: Duration::from_secs(tcp_option(stream, TCP_KEEPINTVL)?.into()),
        retries: tcp_option(stream, TCP_KEEPCNT)?,
    })
}

fn tcp_option(stream: &Socket, name: i32) -> io::Result<u32> {
    let mut value: u32 = 0;
    let mut length = size_of::<u32>() as i32;
    // SAFETY: the stream's socket is open; the system writes one u32 to this stack.
    let failed = unsafe { getsockopt(socket(stream), IPPROTO_TCP, name, (&raw mut value).cast(), &mut length) } != 0;
    if failed { Err(io::Error::last_os_error()) } else { Ok(value) }
}

fn socket(stream: &Socket) -> SOCKET {
    stream.as_raw_socket() as SOCKET
}
