//! Stream clients: one connection at a time, as `AsyncRead + AsyncWrite`, for code that brings its own protocol.

mod stream;

pub use stream::Stream;

use crate::clock;
use crate::driver::Connection;
use crate::error::Error;
use crate::io::transport::Socket;
use bytes::Bytes;
use keepline_proto::{Ending, Epoch, ErrorKind, Time};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
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

    fn note_received(&self) {
        self.last_received.store(clock::now().as_nanos(), Ordering::Relaxed);
    }

    pub(crate) fn last_received(&self) -> Time {
        Time::from_nanos(self.last_received.load(Ordering::Relaxed))
    }

    /// The connection that is there, if there is one.
    fn take_now(&self) -> Option<Ready> {
        self.slot().ready.take()
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
        let slot = client.shared().extras.streams().cloned().unwrap_or_default();
        Streams { client, slot }
    }

    /// Waits for the next connection.
    ///
    /// There is one at a time: while a [`Stream`] lives, this waits for its successor. A connection that nobody takes
    /// stays unread; one that the peer has left meanwhile, without a byte, is passed over.
    ///
    /// # Errors
    /// `Closed` once the client is closed.
    ///
    /// # Cancel safety
    /// Cancel safe: the connection stays for the next call.
    pub async fn next(&self) -> Result<Stream, Error> {
        let shared = self.client.shared();
        if let Some(ready) = self.slot.take_now() {
            let mut stream = Stream::new(ready, shared.clone(), self.slot.clone());
            // The only connection of a client is its user's to judge.
            if shared.one_connection || !stream.has_been_left() {
                return Ok(stream);
            }
        }
        let ended = |ending| Error::closed(Some(ending)).with_report_of(shared);
        let ready = self.slot.take().await.map_err(ended)?;
        Ok(Stream::new(ready, shared.clone(), self.slot.clone()))
    }

    /// As [`Streams::next`], waiting at most `limit`.
    ///
    /// # Errors
    /// `Unavailable` with the last cause when the time is over; the client goes on dialling. `Closed`.
    ///
    /// # Cancel safety
    /// As [`Streams::next`].
    pub async fn next_within(&self, limit: Duration) -> Result<Stream, Error> {
        match tokio::time::timeout(limit, self.next()).await {
            Ok(next) => next,
            Err(_elapsed) => {
                let shared = self.client.shared();
                let error = Error::new(ErrorKind::Unavailable, "no connection within the time given");
                Err(error.with_ending(shared.ending()).with_report_of(shared))
            }
        }
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
