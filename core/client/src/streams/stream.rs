//! The bytes of one connection in the user's hands.

use super::{Ready, Revoked, StreamSlot};
use crate::error::Error;
use crate::io::ending_of;
use crate::io::transport::Socket;
use crate::shared::{Shared, Wish};
use bytes::{Buf, Bytes};
use keepline_proto::{Cause, Ending, Epoch, ErrorKind};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The bytes of one connection. It ends with an error at the boundary and never continues on another connection.
///
/// Dropping it ends the connection; the client then dials the next. Over TLS, a write may hold back its last bytes until
/// the next write, read or flush: flush before a long pause.
pub struct Stream {
    socket: Arc<Socket>,
    prefix: Bytes,
    epoch: Epoch,
    revoked: Revoked,
    shared: Arc<Shared>,
    slot: Arc<StreamSlot>,
    /// The client was told how it ended.
    told: bool,
    /// The end of what the peer sends is not the end of the connection.
    half_open: bool,
    /// The peer sends nothing more.
    peer_closed: bool,
}

impl Stream {
    pub(super) fn new(ready: Ready, shared: Arc<Shared>, slot: Arc<StreamSlot>) -> Stream {
        let Ready { socket, prefix, epoch, revoked } = ready;
        Stream { socket, prefix, epoch, revoked, shared, slot, told: false, half_open: false, peer_closed: false }
    }

    /// The number of this connection.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The address on the other side.
    ///
    /// # Errors
    /// What the system says, after the connection has ended.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }

    /// The address on this side.
    ///
    /// # Errors
    /// What the system says, after the connection has ended.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Sets whether the connection outlives the end of what the peer sends, for protocols in which a peer that has
    /// nothing more to say still listens. Off unless given: then the end of a read is the end of the connection, and a
    /// peer that has gone altogether is noticed without a write.
    pub fn half_open(&mut self, allowed: bool) {
        self.half_open = allowed;
    }

    /// What an error of this stream means: why its connection is over.
    pub fn explain(&self, error: &io::Error) -> Error {
        let ending = self.revoked.get().copied().unwrap_or_else(|| ending_of(error));
        self.over(ending)
    }

    /// Whether the peer has left without a byte for us. What it sent otherwise is read as ever.
    pub(super) fn has_been_left(&mut self) -> bool {
        if self.prefix.has_remaining() {
            return false;
        }
        // Any size does: what comes is kept.
        let mut first = [0; 1024];
        match self.socket.try_read(&mut first) {
            Ok(0) => {
                self.peer_closed = true;
                self.tell(Ending::os(Cause::PeerClosed, None));
                true
            }
            Ok(count) => {
                self.prefix = Bytes::copy_from_slice(&first[..count]);
                self.slot.note_received();
                false
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => {
                self.failed(error);
                true
            }
        }
    }

    fn over(&self, ending: Ending) -> Error {
        let error = Error::new(ErrorKind::Unavailable, "this connection is over; take the next one");
        error.with_ending(Some(ending)).with_report_of(&self.shared)
    }

    fn revoked(&self) -> Option<io::Error> {
        let ending = self.revoked.get()?;
        Some(io::Error::new(io::ErrorKind::ConnectionAborted, self.over(*ending)))
    }

    fn tell(&mut self, ending: Ending) {
        if !self.told {
            self.told = true;
            self.shared.wish(Wish::StreamEnded(self.epoch, ending));
        }
    }

    fn failed(&mut self, error: io::Error) -> io::Error {
        if let Some(revoked) = self.revoked() {
            return revoked;
        }
        self.tell(ending_of(&error));
        error
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        if stream.prefix.has_remaining() {
            let count = buffer.remaining().min(stream.prefix.len());
            buffer.put_slice(&stream.prefix.split_to(count));
            return Poll::Ready(Ok(()));
        }
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        // Who writes and then reads may not know that a stream can hold bytes back. Only tried: to wait for it here would
        // take the place of another task that waits to write. An error is met again.
        let _later = stream.socket.try_flush();
        loop {
            if let Some(error) = stream.revoked() {
                return Poll::Ready(Err(error));
            }
            match stream.socket.try_read(buffer.initialize_unfilled()) {
                Ok(0) => {
                    if let Some(error) = stream.revoked() {
                        return Poll::Ready(Err(error));
                    }
                    stream.peer_closed = true;
                    if !stream.half_open {
                        stream.tell(Ending::os(Cause::PeerClosed, None));
                    }
                    return Poll::Ready(Ok(()));
                }
                Ok(count) => {
                    buffer.advance(count);
                    stream.slot.note_received();
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(stream.socket.poll_read_ready(context))?;
                }
                Err(error) => return Poll::Ready(Err(stream.failed(error))),
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[io::IoSlice::new(data)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        loop {
            if let Some(error) = stream.revoked() {
                return Poll::Ready(Err(error));
            }
            match stream.socket.try_write_vectored(slices) {
                Ok(count) => return Poll::Ready(Ok(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(stream.socket.poll_write_ready(context))?;
                }
                Err(error) => return Poll::Ready(Err(stream.failed(error))),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        if let Some(error) = stream.revoked() {
            return Poll::Ready(Err(error));
        }
        let flushed = ready!(stream.socket.poll_flush(context));
        Poll::Ready(flushed.map_err(|error| stream.failed(error)))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(self.socket.poll_end_writes(context)) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Poll::Ready(Err(error)),
            Ok(()) | Err(_) => Poll::Ready(Ok(())),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if !self.told && self.revoked.get().is_none() {
            self.shared.wish(Wish::StreamLeft { epoch: self.epoch, peer_closed: self.peer_closed });
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("epoch", &self.epoch).finish()
    }
}
