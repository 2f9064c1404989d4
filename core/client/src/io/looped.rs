//! A TCP socket that is read by whoever is there: an event loop that waits for it, or else the runtime.
//!
//! The kernel tells one of them of each arrival, the loop first, and only if its thread waits at that very moment. A loop that
//! computes is not waited for. Whoever is told reads by a turn of the driver, so there is one reader at a time.
//!
//! A loop that comes again and again within milliseconds is told alone, or each answer that is faster than its way back to the
//! kernel would wake the runtime as well. That ends with the first look that finds it was not here since the last.

use crate::inline_reads::LoopSeat;
use crate::io::os;
use keepline_proto::Time;
use socket2::SockRef;
use std::io::{self, IoSlice, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, ReadBuf};

#[derive(Debug)]
pub(crate) struct LoopedTcp {
    /// Tells the runtime of what arrives. An epoll of its own, since one of the runtime's would be told of everything.
    arrivals: AsyncFd<OwnedFd>,
    socket: AsyncFd<TcpStream>,
    seat: Arc<LoopSeat>,
    /// The loop is told as well, and first.
    is_lent: AtomicBool,
    /// Something may be there that the runtime was not told of.
    look: AtomicBool,
    pace: Mutex<Pace>,
}

/// How often the loop comes.
#[derive(Debug)]
struct Pace {
    last: Time,
    /// Turns in a row, each soon after the one before.
    quick: u8,
    /// When it is looked whether the loop still comes; [`Time::FAR_FUTURE`] while it is not told alone.
    look_at: Time,
}

/// Turns closer to each other than 5 ms, four times in a row, are a conversation: 200 messages a second.
const SOON: Duration = Duration::from_millis(5);
const QUICK: u8 = 4;

/// 50 ms, a slot of the wheel: so long, and at most twice that, something can lie unread for a loop that is stuck. A heartbeat's
/// deadline is seconds, and the socket is asked before it is judged.
const STUCK: Duration = Duration::from_millis(50);

impl LoopedTcp {
    /// Takes a socket over. Must be called inside a tokio runtime.
    pub(crate) fn new(socket: TcpStream, seat: Arc<LoopSeat>) -> io::Result<LoopedTcp> {
        let arrivals = os::readable(os::epoll()?)?;
        let socket = os::writable(socket)?;
        os::watch(arrivals.get_ref().as_fd(), socket.get_ref().as_fd())?;
        Ok(LoopedTcp {
            arrivals,
            socket,
            seat,
            is_lent: AtomicBool::new(false),
            look: AtomicBool::new(true),
            pace: Mutex::new(Pace::SLOW),
        })
    }

    pub(crate) fn socket(&self) -> SockRef<'_> {
        SockRef::from(self.socket.get_ref())
    }

    pub(crate) fn is_lent(&self) -> bool {
        self.is_lent.load(Ordering::Relaxed)
    }

    /// Has the next read ask the socket itself, whoever was told of what arrived.
    pub(crate) fn look(&self) {
        self.look.store(true, Ordering::Relaxed);
    }

    /// Lends the reading to the loop, or takes it back; whether that changed anything. Called in the driver's turn only.
    pub(crate) fn lend(&self, to_loop: bool) -> io::Result<bool> {
        if self.is_lent() == to_loop {
            return Ok(false);
        }
        let (arrivals, socket) = (self.arrivals.get_ref().as_fd(), self.socket.get_ref().as_fd());
        if to_loop {
            if !self.seat.take(socket)? {
                return Ok(false);
            }
            // Behind the loop: who was added first is asked first.
            os::unwatch(arrivals, socket);
            self.watch();
        } else {
            self.seat.leave();
            self.tell_runtime();
            // The loop may have been told of something that it did not read yet.
            self.look();
        }
        self.is_lent.store(to_loop, Ordering::Relaxed);
        Ok(true)
    }

    /// Notes a turn that the loop has made: one that comes often is told alone.
    pub(crate) fn came(&self, now: Time) {
        let mut pace = self.pace();
        pace.quick = if now.since(pace.last) < SOON { pace.quick.saturating_add(1) } else { 0 };
        pace.last = now;
        if pace.quick >= QUICK && pace.look_at == Time::FAR_FUTURE && self.is_lent() {
            pace.look_at = now + STUCK;
            os::unwatch(self.arrivals.get_ref().as_fd(), self.socket.get_ref().as_fd());
        }
    }

    /// When [`LoopedTcp::look_after`] has something to look at.
    pub(crate) fn look_at(&self) -> Time {
        self.pace().look_at
    }

    /// Has the runtime told again if the loop was not here since the last look.
    pub(crate) fn look_after(&self, now: Time) {
        let mut pace = self.pace();
        if pace.look_at > now {
            return;
        }
        if pace.last + STUCK > now {
            pace.look_at = now + STUCK;
            return;
        }
        drop(pace);
        self.tell_runtime();
    }

    /// The runtime is told of arrivals as well, if it was not.
    fn tell_runtime(&self) {
        let was_told = std::mem::replace(&mut *self.pace(), Pace::SLOW).look_at == Time::FAR_FUTURE;
        if !was_told {
            self.watch();
        }
    }

    fn watch(&self) {
        if let Err(error) = os::watch(self.arrivals.get_ref().as_fd(), self.socket.get_ref().as_fd()) {
            // Nobody but the loop would be told, and the room was there a moment ago.
            tracing::warn!(%error, "the socket can no longer be watched");
            let _is_read_as_ended = self.socket().shutdown(Shutdown::Both);
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn poll_read(&self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if !self.look.swap(false, Ordering::Relaxed) {
                // Taken back before the read: what arrives after it is told anew.
                ready!(self.arrivals.poll_read_ready(context))?.clear_ready();
            }
            let room = buffer.remaining();
            match os::receive(&self.socket(), buffer) {
                Ok(count) => {
                    if count == room {
                        self.look();
                    }
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => self.look(),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.try_io(Interest::WRITABLE, |mut socket| socket.write(bytes))
    }

    pub(crate) fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.socket.try_io(Interest::WRITABLE, |mut socket| socket.write_vectored(slices))
    }

    pub(crate) fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // As of a stream of tokio's: whoever finds it full then takes the readiness back.
        self.socket.poll_write_ready(context).map_ok(|_guard| ())
    }
}

impl Pace {
    const SLOW: Pace = Pace { last: Time::ZERO, quick: 0, look_at: Time::FAR_FUTURE };
}

impl Drop for LoopedTcp {
    fn drop(&mut self) {
        // First: the connection ends with its last descriptor, and the seat has one.
        let _is_taken_back = self.lend(false);
    }
}
