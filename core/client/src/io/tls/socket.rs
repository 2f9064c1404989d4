//! A TCP socket that speaks TLS: the face of a socket, with plaintext.

use super::session::Session;
use keepline_proto::KernelFigures;
use keepline_proto::outbox::Standing;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

/// Held by the driver, or by it and the user of a stream: hence the lock, which nobody waits for.
#[derive(Debug)]
pub(crate) struct TlsSocket {
    tcp: TcpStream,
    session: Mutex<Session>,
}

impl TlsSocket {
    pub(super) fn new(tcp: TcpStream, session: Session) -> TlsSocket {
        TlsSocket { tcp, session: Mutex::new(session) }
    }

    pub(crate) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.session().read(&self.tcp, buffer)
    }

    pub(crate) fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.session().write(&self.tcp, slices)
    }

    pub(crate) fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp.poll_read_ready(context)
    }

    pub(crate) fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp.poll_write_ready(context)
    }

    pub(crate) fn poll_read(&self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.try_read(buffer.initialize_unfilled()) {
                Ok(count) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.tcp.poll_read_ready(context))?,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Hands to the kernel what is sealed, as far as it takes it.
    pub(crate) fn try_flush(&self) -> io::Result<()> {
        self.session().flush(&self.tcp)
    }

    /// Hands to the kernel what is sealed.
    pub(crate) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let flushed = self.try_flush();
            match flushed {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.tcp.poll_write_ready(context))?,
                Ok(()) | Err(_) => return Poll::Ready(flushed),
            }
        }
    }

    /// Says to the peer that nothing more comes, by TLS and by TCP.
    pub(crate) fn poll_end_writes(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.session().finish();
        ready!(self.poll_flush(context))?;
        Poll::Ready(socket2::SockRef::from(&self.tcp).shutdown(Shutdown::Write))
    }

    /// Whether something is sealed that the kernel has not.
    pub(crate) fn is_unsent(&self) -> bool {
        self.session().is_unsent()
    }

    /// Whether anything arrived since the last question, if only a part of a record.
    pub(crate) fn take_arrived(&self) -> bool {
        self.session().take_arrived()
    }

    /// What the kernel's figures say of the plaintext.
    pub(crate) fn standing(&self, figures: &KernelFigures, ended: bool) -> Standing {
        self.session().standing(|handed_over| Standing::of(handed_over, figures, ended))
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
