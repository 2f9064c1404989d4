//! What carries the bytes of a connection: one face over the kinds of socket.

use crate::io::inline_half::InlineHalf;
#[cfg(target_os = "linux")]
use crate::io::looped::LoopedTcp;
#[cfg(feature = "tls")]
use crate::io::tls::TlsSocket;
use crate::io::{os, sockopt};
use keepline_proto::KernelFigures;
use keepline_proto::outbox::Standing;
use socket2::SockRef;
use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
#[cfg(target_os = "linux")]
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::net::tcp::OwnedReadHalf;

/// A connected socket, whole: as it is dialled, and as a stream client's user has it.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<TlsSocket>),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Socket {
    /// The TCP socket, if it is one: only that has a keepalive, a user timeout and figures of the kernel.
    pub(crate) fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Socket::Tcp(stream) => Some(stream),
            #[cfg(feature = "tls")]
            Socket::Tls(socket) => Some(socket.tcp()),
            #[cfg(unix)]
            Socket::Unix(_) => None,
        }
    }

    /// The address on the other side; a Unix socket has none.
    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Socket::Tcp(stream) => stream.peer_addr(),
            #[cfg(feature = "tls")]
            Socket::Tls(socket) => socket.tcp().peer_addr(),
            #[cfg(unix)]
            Socket::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// The address on this side; a Unix socket has none.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Socket::Tcp(stream) => stream.local_addr(),
            #[cfg(feature = "tls")]
            Socket::Tls(socket) => socket.tcp().local_addr(),
            #[cfg(unix)]
            Socket::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.try_read(buffer),
            #[cfg(feature = "tls")]
            Socket::Tls(socket) => socket.try_read(buffer),
            #[cfg(unix)]
            Socket::Unix(stream) => stream.try_read(buffer),
        }
    }

    pub(crate) fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.try_write_vectored(slices),
            #[cfg(feature = "tls")]
            Socket::Tls(socket) => socket.try_write_vectored(slices),
            #[cfg(unix)]
            Socket::Unix(stream) => stream.try_write_vectored(slices),
        }
    }

    pub(crate) fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Tcp(stream) => stream.poll_read_ready(context),
            #[cfg(feature = "tls")]
            Socket::Tls(socket) => socket.poll_read_ready(context),
            #[cfg(unix)]
            Socket::Unix(stream) => stream.poll_read_ready(context),
        }
    }

    pub(crate) fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Tcp(stream) => stream.poll_write_ready(context),
            #[cfg(feature = "tls")]
            Socket::Tls(socket) => socket.poll_write_ready(context),
            #[cfg(unix)]
            Socket::Unix(stream) => stream.poll_write_ready(context),
        }
    }

    /// Hands to the kernel what is on its way there, as far as it takes it.
    pub(crate) fn try_flush(&self) -> io::Result<()> {
        match self {
            Socket::Tcp(_) => Ok(()),
            #[cfg(feature = "tls")]
            Socket::Tls(socket) => socket.try_flush(),
            #[cfg(unix)]
            Socket::Unix(_) => Ok(()),
        }
    }

    /// Hands to the kernel what is on its way there.
    #[cfg_attr(not(feature = "tls"), expect(unused_variables, reason = "only TLS has to wait"))]
    pub(crate) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Tcp(_) => Poll::Ready(Ok(())),
            #[cfg(feature = "tls")]
            Socket::Tls(socket) => socket.poll_flush(context),
            #[cfg(unix)]
            Socket::Unix(_) => Poll::Ready(Ok(())),
        }
    }

    /// Says to the peer that nothing more comes.
    #[cfg_attr(not(feature = "tls"), expect(unused_variables, reason = "only TLS has to wait"))]
    pub(crate) fn poll_end_writes(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            #[cfg(feature = "tls")]
            Socket::Tls(socket) => socket.poll_end_writes(context),
            Socket::Tcp(_) => Poll::Ready(self.shutdown(Shutdown::Write)),
            #[cfg(unix)]
            Socket::Unix(_) => Poll::Ready(self.shutdown(Shutdown::Write)),
        }
    }

    /// Ends one direction or both, for every holder of the socket.
    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => SockRef::from(stream).shutdown(how),
            #[cfg(feature = "tls")]
            Socket::Tls(socket) => SockRef::from(socket.tcp()).shutdown(how),
            #[cfg(unix)]
            Socket::Unix(stream) => SockRef::from(stream).shutdown(how),
        }
    }
}

/// The socket of one connection in the driver's hands.
///
/// Of TCP a read half: callers may write by themselves through the other one. It stands for both directions.
#[derive(Debug)]
pub(crate) enum Transport {
    Tcp(OwnedReadHalf),
    /// Read by an event loop as well. Callers have it, too.
    #[cfg(target_os = "linux")]
    Looped(Arc<LoopedTcp>),
    #[cfg(feature = "tls")]
    Tls(Box<TlsSocket>),
    #[cfg(unix)]
    Unix(Box<UnixStream>),
}

impl Transport {
    /// Takes the socket over, and gives the half that callers may write to by themselves, if it has one.
    pub(crate) fn new(socket: Socket) -> (Transport, Option<InlineHalf>) {
        match socket {
            Socket::Tcp(stream) => {
                let (reader, writer) = stream.into_split();
                (Transport::Tcp(reader), Some(InlineHalf::Tcp(writer)))
            }
            // Its bytes are counted where they are sealed, by one writer.
            #[cfg(feature = "tls")]
            Socket::Tls(socket) => (Transport::Tls(socket), None),
            #[cfg(unix)]
            Socket::Unix(stream) => (Transport::Unix(Box::new(stream)), None),
        }
    }

    /// The TCP socket, if it is one.
    pub(crate) fn tcp(&self) -> Option<SockRef<'_>> {
        match self {
            Transport::Tcp(half) => Some(SockRef::from(half.as_ref())),
            #[cfg(target_os = "linux")]
            Transport::Looped(socket) => Some(socket.socket()),
            #[cfg(feature = "tls")]
            Transport::Tls(socket) => Some(SockRef::from(socket.tcp())),
            #[cfg(unix)]
            Transport::Unix(_) => None,
        }
    }

    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Transport::Tcp(half) => half.as_ref().try_write(bytes),
            #[cfg(target_os = "linux")]
            Transport::Looped(socket) => socket.try_write(bytes),
            #[cfg(feature = "tls")]
            Transport::Tls(socket) => socket.try_write_vectored(&[IoSlice::new(bytes)]),
            #[cfg(unix)]
            Transport::Unix(stream) => stream.try_write(bytes),
        }
    }

    pub(crate) fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Transport::Tcp(half) => half.as_ref().try_write_vectored(slices),
            #[cfg(target_os = "linux")]
            Transport::Looped(socket) => socket.try_write_vectored(slices),
            #[cfg(feature = "tls")]
            Transport::Tls(socket) => socket.try_write_vectored(slices),
            #[cfg(unix)]
            Transport::Unix(stream) => stream.try_write_vectored(slices),
        }
    }

    pub(crate) fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Transport::Tcp(half) => half.as_ref().poll_write_ready(context),
            #[cfg(target_os = "linux")]
            Transport::Looped(socket) => socket.poll_write_ready(context),
            #[cfg(feature = "tls")]
            Transport::Tls(socket) => socket.poll_write_ready(context),
            #[cfg(unix)]
            Transport::Unix(stream) => stream.poll_write_ready(context),
        }
    }

    /// What the kernel knows of it; nothing for a Unix socket.
    pub(crate) fn kernel_figures(&self) -> KernelFigures {
        self.tcp().map(|socket| os::kernel_figures(&socket)).unwrap_or_default()
    }

    /// Hands to the kernel what is on its way there.
    #[cfg_attr(not(feature = "tls"), expect(unused_variables, reason = "only TLS has to wait"))]
    pub(crate) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Transport::Tcp(_) => Poll::Ready(Ok(())),
            #[cfg(target_os = "linux")]
            Transport::Looped(_) => Poll::Ready(Ok(())),
            #[cfg(feature = "tls")]
            Transport::Tls(socket) => socket.poll_flush(context),
            #[cfg(unix)]
            Transport::Unix(_) => Poll::Ready(Ok(())),
        }
    }

    /// Whether bytes that were handed over are on their way to the kernel.
    pub(crate) fn is_unsent(&self) -> bool {
        match self {
            Transport::Tcp(_) => false,
            #[cfg(target_os = "linux")]
            Transport::Looped(_) => false,
            #[cfg(feature = "tls")]
            Transport::Tls(socket) => socket.is_unsent(),
            #[cfg(unix)]
            Transport::Unix(_) => false,
        }
    }

    /// Whether something arrived since the last question that a read did not bring: a part of a record.
    pub(crate) fn take_arrived(&self) -> bool {
        match self {
            Transport::Tcp(_) => false,
            #[cfg(target_os = "linux")]
            Transport::Looped(_) => false,
            #[cfg(feature = "tls")]
            Transport::Tls(socket) => socket.take_arrived(),
            #[cfg(unix)]
            Transport::Unix(_) => false,
        }
    }

    /// What the kernel's figures, read after `written` bytes were handed over, say of these bytes.
    pub(crate) fn standing(&self, written: u64, figures: &KernelFigures, ended: bool) -> Standing {
        match self {
            Transport::Tcp(_) => Standing::of(written, figures, ended),
            #[cfg(target_os = "linux")]
            Transport::Looped(_) => Standing::of(written, figures, ended),
            // The kernel counts ciphertext.
            #[cfg(feature = "tls")]
            Transport::Tls(socket) => socket.standing(figures, ended),
            #[cfg(unix)]
            Transport::Unix(_) => Standing::of(written, figures, ended),
        }
    }

    /// Says to the peer that nothing more comes.
    #[cfg_attr(not(feature = "tls"), expect(unused_variables, reason = "only TLS has to wait"))]
    pub(crate) fn poll_end_writes(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Transport::Tcp(half) => Poll::Ready(SockRef::from(half.as_ref()).shutdown(Shutdown::Write)),
            #[cfg(target_os = "linux")]
            Transport::Looped(socket) => Poll::Ready(socket.socket().shutdown(Shutdown::Write)),
            #[cfg(feature = "tls")]
            Transport::Tls(socket) => socket.poll_end_writes(context),
            #[cfg(unix)]
            Transport::Unix(stream) => Poll::Ready(SockRef::from(&**stream).shutdown(Shutdown::Write)),
        }
    }

    /// Whether an event loop is told of what arrives, and the runtime only while that does not wait.
    pub(crate) fn is_lent(&self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Transport::Looped(socket) => socket.is_lent(),
            Transport::Tcp(_) => false,
            #[cfg(feature = "tls")]
            Transport::Tls(_) => false,
            #[cfg(unix)]
            Transport::Unix(_) => false,
        }
    }

    /// Has the next read ask the socket itself, whoever was told.
    pub(crate) fn look(&self) {
        match self {
            #[cfg(target_os = "linux")]
            Transport::Looped(socket) => socket.look(),
            Transport::Tcp(_) => {}
            #[cfg(feature = "tls")]
            Transport::Tls(_) => {}
            #[cfg(unix)]
            Transport::Unix(_) => {}
        }
    }

    /// Makes its close a reset, where there is such a thing.
    pub(crate) fn abort_on_close(&self) {
        if let Some(socket) = self.tcp() {
            sockopt::abort_on_close(&socket);
        }
    }

    /// Keeps it from transmitting anything more.
    pub(crate) fn silence(&self) {
        if let Some(socket) = self.tcp() {
            sockopt::silence(&socket);
        }
    }

    /// The socket again, with the half that was given at the beginning if there was one.
    pub(crate) fn into_socket(self, writer: Option<InlineHalf>) -> Option<Socket> {
        match (self, writer) {
            (Transport::Tcp(reader), Some(InlineHalf::Tcp(writer))) => reader.reunite(writer).ok().map(Socket::Tcp),
            (Transport::Tcp(_), _) => None,
            // Of a client of messages, whose socket nobody else gets.
            #[cfg(target_os = "linux")]
            (Transport::Looped(_), _) => None,
            #[cfg(feature = "tls")]
            (Transport::Tls(socket), _) => Some(Socket::Tls(socket)),
            #[cfg(unix)]
            (Transport::Unix(stream), _) => Some(Socket::Unix(*stream)),
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Tcp(half) => Pin::new(half).poll_read(context, buffer),
            #[cfg(target_os = "linux")]
            Transport::Looped(socket) => socket.poll_read(context, buffer),
            #[cfg(feature = "tls")]
            Transport::Tls(socket) => socket.poll_read(context, buffer),
            #[cfg(unix)]
            Transport::Unix(stream) => Pin::new(&mut **stream).poll_read(context, buffer),
        }
    }
}
