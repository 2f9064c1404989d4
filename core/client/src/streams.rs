//! Stream clients: one connection at a time, as `AsyncRead + AsyncWrite`, for code that brings its own protocol.

use crate::clock;
use crate::driver::Connection;
use crate::error::Error;
use crate::io::ending_of;
use crate::io::transport::Socket;
use crate::shared::{Shared, Wish};
use bytes::{Buf, Bytes};
use keepline_proto::session::Command;
use keepline_proto::{Cause, Ending, Epoch, ErrorKind, Time};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

/// Why the connection of a stream is over, once it is.
type Revoked = Arc<OnceLock<Ending>>;

/// Where the driver lays a connection for the user to take.
#[derive(Debug, Default)]
pub(crate) struct StreamSlot {
    slot: Mutex<Slot>,
    offered: Notify,
    last_received: AtomicU64,
}

#[derive(Debug, Default)]
struct Slot {
    ready: Option<Ready>,
    /// The connection that was offered last, taken or not.
    current: Option<(Epoch, Revoked)>,
    ended: Option<Ending>,
}

#[derive(Debug)]
struct Ready {
    socket: Arc<Socket>,
    prefix: Bytes,
    epoch: Epoch,
    revoked: Revoked,
}

impl StreamSlot {
    /// Offers a connection; returns the socket, which the driver keeps to be able to end it.
    pub(crate) fn offer(&self, connection: Connection) -> Option<Arc<Socket>> {
        let (socket, prefix, epoch) = connection.into_socket();
        let socket = Arc::new(socket?);
        let revoked = Revoked::default();
        self.last_received.store(clock::now().as_nanos(), Ordering::Relaxed);
        let mut slot = self.slot();
        slot.current = Some((epoch, revoked.clone()));
        slot.ready = Some(Ready { socket: socket.clone(), prefix, epoch, revoked });
        drop(slot);
        self.offered.notify_one();
        Some(socket)
    }

    /// Ends the connection `epoch`, wherever it is.
    pub(crate) fn revoke(&self, epoch: Epoch, ending: Ending) {
        let mut slot = self.slot();
        if let Some((_, revoked)) = slot.current.take_if(|(current, _)| *current == epoch) {
            let _first_wins = revoked.set(ending);
        }
        slot.ready.take_if(|ready| ready.epoch == epoch);
    }

    /// No more connections will come.
    pub(crate) fn end(&self, ending: Ending) {
        let mut slot = self.slot();
        slot.ended = Some(ending);
        slot.ready = None;
        if let Some((_, revoked)) = slot.current.take() {
            let _first_wins = revoked.set(ending);
        }
        drop(slot);
        self.offered.notify_one();
    }

    pub(crate) fn last_received(&self) -> Time {
        Time::from_nanos(self.last_received.load(Ordering::Relaxed))
    }

    async fn take(&self) -> Result<Ready, Ending> {
        loop {
            let offered = self.offered.notified();
            {
                let mut slot = self.slot();
                if let Some(ready) = slot.ready.take() {
                    return Ok(ready);
                }
                if let Some(ending) = slot.ended {
                    self.offered.notify_one();
                    return Err(ending);
                }
            }
            offered.await;
        }
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that gives out connections instead of messages: kernel liveness, greeting and reconnect stay Keepline's,
/// the bytes are the user's.
///
/// Made by [`Builder::connect_streams`](crate::Builder::connect_streams). Dropping it ends the client.
pub struct Streams {
    client: crate::Client,
    slot: Arc<StreamSlot>,
}

impl Streams {
    pub(crate) fn new(client: crate::Client) -> Streams {
        let slot = client.shared().streams.clone().unwrap_or_default();
        Streams { client, slot }
    }

    /// Waits for the next connection.
    ///
    /// There is one at a time: while a [`Stream`] lives, this waits for its successor. A connection that nobody takes
    /// stays unread.
    ///
    /// # Errors
    /// `Closed` once the client is closed.
    ///
    /// # Cancel safety
    /// Cancel safe: the connection stays for the next call.
    pub async fn next(&self) -> Result<Stream, Error> {
        let ended = |ending| Error::closed(Some(ending)).with_report_of(self.client.shared());
        let ready = self.slot.take().await.map_err(ended)?;
        Ok(Stream {
            socket: ready.socket,
            prefix: ready.prefix,
            epoch: ready.epoch,
            revoked: ready.revoked,
            shared: self.client.shared().clone(),
            slot: self.slot.clone(),
            told: false,
        })
    }

    /// The client behind it: state, events, network changes, reconnect, close. Sending and receiving messages is
    /// refused there.
    pub fn client(&self) -> &crate::Client {
        &self.client
    }

    /// Closes the client and waits for the end.
    ///
    /// # Cancel safety
    /// The close goes on if the wait is cancelled.
    pub async fn close(&self, drain: Duration) -> Ending {
        self.client.close(drain).await
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").field("client", &self.client).finish()
    }
}

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
    told: bool,
}

impl Stream {
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

    fn revoked(&self) -> Option<io::Error> {
        let ending = self.revoked.get()?;
        let error = Error::new(ErrorKind::Unavailable, "this connection is over; take the next one");
        let error = error.with_ending(Some(*ending)).with_report_of(&self.shared);
        Some(io::Error::new(io::ErrorKind::ConnectionAborted, error))
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
                    stream.tell(Ending::os(Cause::PeerClosed, None));
                    return Poll::Ready(Ok(()));
                }
                Ok(count) => {
                    buffer.advance(count);
                    stream.slot.last_received.store(clock::now().as_nanos(), Ordering::Relaxed);
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
        if !self.told && self.revoked.get().is_none() && self.shared.epoch() == self.epoch {
            self.told = true;
            self.shared.wish(Wish::Command(Command::Reconnect));
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("epoch", &self.epoch).finish()
    }
}
