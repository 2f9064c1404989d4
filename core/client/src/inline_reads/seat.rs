//! A descriptor in the epoll of an event loop that stands for the socket of one client after the other.

use crate::io::os;
use crate::shared::Shared;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

/// 32 in a process: each takes two descriptors, and a third while its client talks; of 1,024 that a process usually may have.
const MOST_SEATS: usize = 32;

static SEATS: AtomicUsize = AtomicUsize::new(0);

/// A place in an event loop's epoll for the socket of a client whose messages that loop reads by itself.
///
/// Its descriptor is the loop's to keep: added for reading, as any other, with a callback that calls [`LoopSeat::turn`], and then
/// [released](LoopSeat::release). The socket of the client is put behind it and taken away again without a word to the loop; meanwhile it
/// is never readable.
#[derive(Debug)]
pub struct LoopSeat {
    epoll: OwnedFd,
    slot: OwnedFd,
    is_lazy: bool,
    behind: Mutex<Behind>,
    guest: Mutex<Weak<Shared>>,
}

/// What is behind the descriptor of a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    /// Nothing, and so it stays until the loop says that it waits.
    Held,
    /// Nothing: a socket may be put there.
    Nothing,
    Socket,
}

impl LoopSeat {
    /// Makes a seat in the epoll that a loop waits in. `None` where a process has 32 already: other readers are woken by the runtime.
    ///
    /// # Errors
    /// That of the system, where it has no descriptor left.
    pub fn new(epoll: BorrowedFd<'_>) -> io::Result<Option<Arc<LoopSeat>>> {
        LoopSeat::counted(epoll, false)
    }

    /// As [`LoopSeat::new`], for a loop of libuv. That adds a descriptor in its next turn only, ends the process where it then finds a
    /// socket there, and drops one whose connection was reset, in a later turn than the kernel told it: so this seat is held after each
    /// socket, until the loop has added it anew and releases it.
    ///
    /// # Errors
    /// That of the system, where it has no descriptor left.
    pub fn lazy(epoll: BorrowedFd<'_>) -> io::Result<Option<Arc<LoopSeat>>> {
        LoopSeat::counted(epoll, true)
    }

    fn counted(epoll: BorrowedFd<'_>, is_lazy: bool) -> io::Result<Option<Arc<LoopSeat>>> {
        if SEATS.fetch_add(1, Ordering::Relaxed) >= MOST_SEATS {
            SEATS.fetch_sub(1, Ordering::Relaxed);
            return Ok(None);
        }
        LoopSeat::made(epoll, is_lazy).map(|seat| Some(Arc::new(seat))).inspect_err(|_error| {
            SEATS.fetch_sub(1, Ordering::Relaxed);
        })
    }

    fn made(epoll: BorrowedFd<'_>, is_lazy: bool) -> io::Result<LoopSeat> {
        // Its own: a loop that is closed gives the number of its descriptor away.
        let epoll = epoll.try_clone_to_owned()?;
        let slot = silent()?.try_clone_to_owned()?;
        Ok(LoopSeat { epoll, slot, is_lazy, behind: Mutex::new(Behind::Held), guest: Mutex::default() })
    }

    /// The descriptor to add to the loop.
    pub fn fileno(&self) -> RawFd {
        self.slot.as_raw_fd()
    }

    /// Whether no client sits here.
    pub fn is_free(&self) -> bool {
        self.guest().strong_count() == 0
    }

    /// Lets sockets be put behind the descriptor, if the loop waits for it by now; says whether it does. A seat that is new, or that its
    /// loop has dropped, gets none before.
    pub fn release(&self) -> bool {
        let mut behind = self.behind();
        if *behind == Behind::Held && os::is_watched(self.epoll.as_fd(), self.slot.as_fd()) {
            *behind = Behind::Nothing;
        }
        *behind != Behind::Held
    }

    /// Whether it waits for a [release](LoopSeat::release).
    pub fn is_held(&self) -> bool {
        *self.behind() == Behind::Held
    }

    /// Whether the socket of a client is behind the descriptor.
    pub fn is_taken(&self) -> bool {
        *self.behind() == Behind::Socket
    }

    /// Reads what has arrived for the client that sits here, as the runtime would. Never waits for the network; for the loop's own thread.
    pub fn turn(&self) {
        let guest = self.guest().upgrade();
        if let Some(shared) = guest
            && let Some(reads) = shared.extras.inline_reads()
        {
            reads.turn();
        }
    }

    pub(super) fn seat(&self, shared: &Arc<Shared>) {
        *self.guest() = Arc::downgrade(shared);
    }

    /// Puts a socket behind the descriptor; `false` where none may be put there now.
    pub(crate) fn take(&self, socket: BorrowedFd<'_>) -> io::Result<bool> {
        let mut behind = self.behind();
        if *behind != Behind::Nothing {
            return Ok(false);
        }
        if !os::is_watched(self.epoll.as_fd(), self.slot.as_fd()) {
            *behind = Behind::Held;
            return Ok(false);
        }
        let taken =
            os::make_same(self.slot.as_fd(), socket).and_then(|()| os::watch(self.epoll.as_fd(), self.slot.as_fd()));
        match taken {
            Ok(()) => *behind = Behind::Socket,
            Err(_) => self.silence(),
        }
        taken.map(|()| true)
    }

    /// Takes the socket away again.
    pub(crate) fn leave(&self) {
        let mut behind = self.behind();
        os::unwatch(self.epoll.as_fd(), self.slot.as_fd());
        self.silence();
        *behind = if self.is_lazy { Behind::Held } else { Behind::Nothing };
    }

    fn silence(&self) {
        // Onto an open descriptor, from an open one: nothing is left that could fail.
        let _cannot_fail = silent().and_then(|silent| os::make_same(self.slot.as_fd(), silent));
    }

    fn behind(&self) -> MutexGuard<'_, Behind> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn guest(&self) -> MutexGuard<'_, Weak<Shared>> {
        self.guest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for LoopSeat {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.slot.as_fd()
    }
}

/// What is never readable: behind the seats that are not used.
fn silent() -> io::Result<BorrowedFd<'static>> {
    static SILENT: OnceLock<OwnedFd> = OnceLock::new();
    if SILENT.get().is_none() {
        let _another_was_first = SILENT.set(os::silent()?);
    }
    SILENT.get().map(AsFd::as_fd).ok_or_else(|| io::ErrorKind::NotFound.into())
}

impl Drop for LoopSeat {
    fn drop(&mut self) {
        SEATS.fetch_sub(1, Ordering::Relaxed);
    }
}
