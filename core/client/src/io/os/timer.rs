//! Linux and Android: a timer of the kernel's own (`timerfd`), exact, on the clock that counts suspend.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use tokio::io::{Interest, unix::AsyncFd};

const NANOS: u64 = 1_000_000_000;

/// Makes a timer that is not set. Must be called inside a tokio runtime.
pub(crate) fn timer() -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the call takes no pointers; what it answers is checked before use.
    let fd = unsafe { libc::timerfd_create(libc::CLOCK_BOOTTIME, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, open, and nobody else's.
    let timer = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: an OwnedFd stays the same open descriptor until it is dropped, which only its AsyncFd does.
    Ok(unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) }?)
}

/// Sets the timer to a moment on the clock of [`suspend_aware_nanos`](super::suspend_aware_nanos); it becomes readable
/// then, or at once if the moment has passed. Until then it is not readable, whatever it was before.
pub(crate) fn set_timer(timer: BorrowedFd<'_>, at_nanos: u64) -> io::Result<()> {
    let never = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // All zeros would switch it off.
    let at = at_nanos.max(1);
    let seconds = libc::time_t::try_from(at / NANOS).unwrap_or(libc::time_t::MAX);
    let value = libc::timespec { tv_sec: seconds, tv_nsec: (at % NANOS) as libc::c_long };
    let setting = libc::itimerspec { it_interval: never, it_value: value };
    // SAFETY: the descriptor is borrowed and open; the setting lives on this stack, and the old one is not asked for.
    let failed =
        unsafe { libc::timerfd_settime(timer.as_raw_fd(), libc::TFD_TIMER_ABSTIME, &setting, ptr::null_mut()) } != 0;
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}
