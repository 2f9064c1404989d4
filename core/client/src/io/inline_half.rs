//! What callers write to by themselves, beside the driver that reads.

#[cfg(target_os = "linux")]
use crate::io::looped::LoopedTcp;
use std::io::{self, IoSlice};
#[cfg(target_os = "linux")]
use std::sync::Arc;
use tokio::net::tcp::OwnedWriteHalf;

#[derive(Debug)]
pub(crate) enum InlineHalf {
    Tcp(OwnedWriteHalf),
    #[cfg(target_os = "linux")]
    Looped(Arc<LoopedTcp>),
}

impl InlineHalf {
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            InlineHalf::Tcp(half) => half.try_write(bytes),
            #[cfg(target_os = "linux")]
            InlineHalf::Looped(socket) => socket.try_write(bytes),
        }
    }

    pub(crate) fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            InlineHalf::Tcp(half) => half.try_write_vectored(slices),
            #[cfg(target_os = "linux")]
            InlineHalf::Looped(socket) => socket.try_write_vectored(slices),
        }
    }

    /// Lets go of it: dropped, a half would end its direction.
    pub(crate) fn forget(self) {
        match self {
            InlineHalf::Tcp(half) => half.forget(),
            #[cfg(target_os = "linux")]
            InlineHalf::Looped(_) => {}
        }
    }
}
