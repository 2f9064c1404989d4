//! A place in the epoll of an event loop, for a client whose messages the loop reads by itself. Linux only.

use pyo3::prelude::*;
#[cfg(target_os = "linux")]
use std::os::fd::BorrowedFd;
use std::os::fd::RawFd;
#[cfg(target_os = "linux")]
use std::sync::Arc;

/// To be added to its loop once, with a callback that gives it its turns: `Operations.turn`.
#[pyclass(frozen, module = "keepline._core")]
pub(crate) struct Seat {
    #[cfg(target_os = "linux")]
    pub(crate) seat: Arc<keepline_bridge::LoopSeat>,
    #[cfg(not(target_os = "linux"))]
    never: std::convert::Infallible,
}

#[cfg(target_os = "linux")]
#[pymethods]
impl Seat {
    /// A seat in this epoll, lazy for a loop of libuv; `None` where the process has enough of them.
    #[staticmethod]
    fn make(epoll: RawFd, is_lazy: bool) -> PyResult<Option<Seat>> {
        if epoll < 0 {
            return Ok(None);
        }
        #[allow(unsafe_code)]
        // SAFETY: the descriptor is the selector's, which its loop keeps open while this call runs on the loop's thread.
        let epoll = unsafe { BorrowedFd::borrow_raw(epoll) };
        let seat = if is_lazy { keepline_bridge::LoopSeat::lazy(epoll) } else { keepline_bridge::LoopSeat::new(epoll) };
        Ok(seat?.map(|seat| Seat { seat }))
    }

    fn fileno(&self) -> RawFd {
        self.seat.fileno()
    }

    /// Whether no client sits here.
    #[getter]
    fn is_free(&self) -> bool {
        self.seat.is_free()
    }

    /// Lets a socket be put there, if the loop waits for the descriptor by now; whether it does.
    fn release(&self) -> bool {
        self.seat.release()
    }

    /// Whether it waits for a release.
    #[getter]
    fn is_held(&self) -> bool {
        self.seat.is_held()
    }

    /// Whether the socket of a client is behind the descriptor.
    #[getter]
    fn is_taken(&self) -> bool {
        self.seat.is_taken()
    }
}

#[cfg(not(target_os = "linux"))]
#[pymethods]
impl Seat {
    /// Nothing: no other system asks one after the other.
    #[staticmethod]
    fn make(_epoll: RawFd, _is_lazy: bool) -> Option<Seat> {
        None
    }

    fn fileno(&self) -> RawFd {
        match self.never {}
    }

    /// Whether no client sits here.
    #[getter]
    fn is_free(&self) -> bool {
        match self.never {}
    }

    /// Lets a socket be put there, if the loop waits for the descriptor by now; whether it does.
    fn release(&self) -> bool {
        match self.never {}
    }

    /// Whether it waits for a release.
    #[getter]
    fn is_held(&self) -> bool {
        match self.never {}
    }

    /// Whether the socket of a client is behind the descriptor.
    #[getter]
    fn is_taken(&self) -> bool {
        match self.never {}
    }
}
