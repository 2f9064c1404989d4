//! Linux: who is told that a socket is readable, and in which order (`epoll` with `EPOLLEXCLUSIVE`, since Linux 4.5).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, ReadBuf};

/// Each arrival is told once, to the first that waits for it at that moment. (`EPOLLRDHUP` may not stand beside: a peer that
/// leaves makes the socket readable, and is told to everybody.)
const ONCE_TO_ONE: u32 = (libc::EPOLLIN | libc::EPOLLET | libc::EPOLLEXCLUSIVE) as u32;

/// Makes an epoll of its own.
pub(crate) fn epoll() -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointers; what it answers is checked before use.
    owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
}

/// Makes a descriptor that never becomes readable.
pub(crate) fn silent() -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointers; what it answers is checked before use.
    owned(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })
}

/// Has `epoll` told of what arrives on `socket`, unless one that was added before it waits at that moment.
pub(crate) fn watch(epoll: BorrowedFd<'_>, socket: BorrowedFd<'_>) -> io::Result<()> {
    let number = socket.as_raw_fd();
    // The number of the descriptor is what loops of other languages find in there.
    let mut event = libc::epoll_event { events: ONCE_TO_ONE, u64: u64::from(number.unsigned_abs()) };
    // SAFETY: both descriptors are borrowed and open; the event lives on this stack.
    let failed = unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, number, &mut event) } != 0;
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whether `epoll` is told of what arrives on `fd` by a plain registration, as a loop makes it: not by [`watch`].
pub(crate) fn is_watched(epoll: BorrowedFd<'_>, fd: BorrowedFd<'_>) -> bool {
    let number = fd.as_raw_fd();
    // Asked by saying again what the loop has said: the kernel has no other way to ask.
    let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: u64::from(number.unsigned_abs()) };
    // SAFETY: both descriptors are borrowed and open; the event lives on this stack.
    unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_MOD, number, &mut event) == 0 }
}

/// Has `epoll` no longer told; nothing if it was not.
pub(crate) fn unwatch(epoll: BorrowedFd<'_>, socket: BorrowedFd<'_>) {
    // SAFETY: both descriptors are borrowed and open; a removal reads no event.
    let _not_there =
        unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_DEL, socket.as_raw_fd(), ptr::null_mut()) };
}

/// Makes the descriptor `at` another one of what `of` is, in one step: its number is nobody else's meanwhile.
pub(crate) fn make_same(at: BorrowedFd<'_>, of: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: both descriptors are borrowed and open, and `at` stays open: it only stands for something else.
    let failed = unsafe { libc::dup3(of.as_raw_fd(), at.as_raw_fd(), libc::O_CLOEXEC) } < 0;
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Has the runtime tell when the descriptor is readable. Must be called inside a tokio runtime.
pub(crate) fn readable(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd stays the same open descriptor until it is dropped, which only its AsyncFd does.
    Ok(unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?)
}

/// Has the runtime tell when the socket is writable, and nothing else. Must be called inside a tokio runtime.
pub(crate) fn writable(socket: std::net::TcpStream) -> io::Result<AsyncFd<std::net::TcpStream>> {
    // SAFETY: a TcpStream stays the same open descriptor until it is dropped, which only its AsyncFd does.
    Ok(unsafe { AsyncFd::register_with_interest(socket, Interest::WRITABLE) }?)
}

/// Receives what is there, behind what the buffer has; says how much, 0 at the end of the stream.
pub(crate) fn receive(socket: &socket2::Socket, buffer: &mut ReadBuf<'_>) -> io::Result<usize> {
    // SAFETY: nothing that was initialised becomes uninitialised: `recv` only writes.
    let room: &mut [MaybeUninit<u8>] = unsafe { buffer.unfilled_mut() };
    let count = socket.recv(room)?;
    // SAFETY: the kernel has filled as many bytes as it says.
    unsafe { buffer.assume_init(count) };
    buffer.advance(count);
    Ok(count)
}

fn owned(fd: libc::c_int) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, open, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
