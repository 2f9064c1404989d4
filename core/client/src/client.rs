//! The handle a user holds: it survives any number of connections, and never waits on the network itself.

use crate::error::Error;
use crate::events::Events;
use crate::greeting;
use crate::message::{Message, Payload};
use crate::receipt::Receipt;
use crate::shared::{Shared, Wish};
use crate::stats::Stats;
use crate::writer::{NotAccepted, Reply};
use bytes::{Bytes, BytesMut};
use keepline_proto::config::{DetectionBounds, Notice, Overflow, ValidConfig, WhileDown};
use keepline_proto::correlator::{Abandoned, ReserveError, Ticket};
use keepline_proto::outbox::{Gate, Meta};
use keepline_proto::session::{Command, NetworkPath};
use keepline_proto::{Ending, Epoch, ErrorKind, State};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// A client: one endpoint, any number of connections, one at a time. Cheap to clone; dropping the last clone aborts it.
///
/// ```
/// # use keepline::{Client, Framing};
/// # use keepline_testkit::servers::EchoServer;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = EchoServer::start().await?;
/// # let address = server.addr();
/// let client = Client::builder(address).framing(Framing::lines()).connect().await?;
/// client.send("hello").await?;
/// let message = client.recv().await.expect("the client is open");
/// assert_eq!(&message.payload[..], b"hello");
/// client.close(std::time::Duration::from_secs(1)).await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

/// Counted apart from what readers and receipts hold: the last one ends the client.
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.shared.closed_with().is_none() {
            self.shared.wish(Wish::Command(Command::Abort));
        }
    }
}

impl Client {
    pub(crate) fn new(shared: Arc<Shared>) -> Client {
        Client { handle: Arc::new(Handle { shared }) }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// Accepts a message without waiting: it is written at once, or lies in the outbox when this returns.
    ///
    /// # Errors
    /// `Rejected` when the outbox is full or the message does not fit the framing; `Unavailable` while there is no
    /// connection and the policy is `while_down: reject`; `Closed` after close.
    pub fn try_send(&self, message: impl Payload) -> Result<(), Error> {
        if self.append(message.as_slice()) {
            return Ok(());
        }
        self.accept(&mut Some(message), false).map(|_none| ()).map_err(|refused| match refused {
            NotAccepted::Full => full(self.shared().ending()),
            NotAccepted::Failed(error) => error,
        })
    }

    /// Accepts a message, and waits for room in the outbox while the peer is only slow.
    ///
    /// Returning means accepted, not delivered: [`Client::send_tracked`] tells what became of it.
    ///
    /// # Errors
    /// As [`Client::try_send`]; `Rejected` only where `overflow` does not wait.
    ///
    /// # Cancel safety
    /// Cancel safe: a cancelled send was not accepted.
    pub async fn send(&self, message: impl Payload) -> Result<(), Error> {
        if self.append(message.as_slice()) {
            return Ok(());
        }
        self.enter(message, false, None).await.map(|_none| ())
    }

    /// As [`Client::send`], waiting at most `timeout` for room.
    ///
    /// # Errors
    /// As [`Client::send`]; `Timeout` when there was no room in time.
    ///
    /// # Cancel safety
    /// As [`Client::send`].
    pub async fn send_within(&self, message: impl Payload, timeout: Duration) -> Result<(), Error> {
        self.enter(message, false, Some(timeout)).await.map(|_none| ())
    }

    /// As [`Client::send`], with a receipt that tells what became of the message.
    ///
    /// # Errors
    /// As [`Client::send`].
    ///
    /// # Cancel safety
    /// As [`Client::send`]. Dropping the receipt does not take the message back.
    pub async fn send_tracked(&self, message: impl Payload) -> Result<Receipt, Error> {
        self.enter(message, true, None).await?.ok_or_else(|| Error::new(ErrorKind::Internal, "a receipt is missing"))
    }

    /// As [`Client::send_tracked`], waiting at most `timeout` for room.
    ///
    /// # Errors
    /// As [`Client::send_within`].
    ///
    /// # Cancel safety
    /// As [`Client::send_tracked`].
    pub async fn send_tracked_within(&self, message: impl Payload, timeout: Duration) -> Result<Receipt, Error> {
        let receipt = self.enter(message, true, Some(timeout)).await?;
        receipt.ok_or_else(|| Error::new(ErrorKind::Internal, "a receipt is missing"))
    }

    /// Sends a request and waits for its reply, both at most `timeout`.
    ///
    /// The reply is found by the declared correlation. With an id, Keepline writes its own and puts the caller's back.
    ///
    /// # Errors
    /// `Timeout` when no reply came in time: a late one is swallowed. `Unavailable` when the connection ended first;
    /// [`Error::maybe_executed`] tells whether the peer may have got it. `InvalidConfig` without a correlation.
    /// `Rejected` inside a greeting hook, where it would wait for itself.
    ///
    /// # Cancel safety
    /// Cancelling gives the reply up; the request may still be carried out.
    pub async fn request(&self, message: impl Payload, timeout: Duration) -> Result<Bytes, Error> {
        let shared = self.shared();
        if shared.config.correlation.is_none() {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                "correlation: must be declared to use request (got none)",
            ));
        }
        if greeting::is_inside() {
            return Err(Error::new(ErrorKind::Rejected, "a request inside the greeting would wait for the greeting"));
        }
        let deadline = deadline_after(timeout);
        let (ticket, reply) = self.reserve(message.as_slice(), deadline).await?;
        let mut guard = Pending { shared, ticket, timeout, done: false };
        let reply = tokio::time::timeout_at(deadline, reply).await;
        match reply {
            Ok(Ok(Reply::Frame(frame))) => {
                guard.done = true;
                Ok(frame)
            }
            Ok(Ok(Reply::Lost { ending, maybe_executed })) => {
                guard.done = true;
                if shared.closed_with().is_some() {
                    return Err(Error::closed(ending).with_maybe_executed(maybe_executed));
                }
                let lost = Error::new(ErrorKind::Unavailable, "the connection ended before the reply");
                Err(lost.with_ending(ending).with_maybe_executed(maybe_executed))
            }
            Ok(Err(_gone)) => {
                guard.done = true;
                Err(Error::closed(shared.closed_with()).with_maybe_executed(true))
            }
            Err(_elapsed) => {
                let executed = guard.abandon();
                Err(Error::timeout("reply").with_maybe_executed(executed))
            }
        }
    }

    /// Waits for the next message; `None` after close, when the inbox is empty.
    ///
    /// Concurrent calls share one cursor: each message goes to one of them.
    ///
    /// # Cancel safety
    /// Cancel safe: the message stays for the next call.
    pub async fn recv(&self) -> Option<Message> {
        let mut received = None;
        let (_more, wake) = self.shared().inbox.pull(1, |message| received = Some(message)).await;
        self.wake_if(wake);
        received
    }

    /// As [`Client::recv`], waiting at most `timeout`.
    ///
    /// # Errors
    /// `Timeout` when nothing came in time.
    ///
    /// # Cancel safety
    /// As [`Client::recv`].
    pub async fn recv_within(&self, timeout: Duration) -> Result<Option<Message>, Error> {
        tokio::time::timeout(timeout, self.recv()).await.map_err(|_elapsed| Error::timeout("message"))
    }

    /// The next message, if one waits.
    pub fn try_recv(&self) -> Option<Message> {
        let mut received = None;
        let wake = self.shared().inbox.pull_now(1, |message| received = Some(message));
        self.wake_if(wake);
        received
    }

    /// Waits for messages and appends up to `max` of them to `messages`; returns how many, 0 after close.
    ///
    /// # Cancel safety
    /// Cancel safe: nothing is taken before it returns.
    pub async fn recv_many(&self, messages: &mut Vec<Message>, max: usize) -> usize {
        let before = messages.len();
        let (_more, wake) = self.shared().inbox.pull(max, |message| messages.push(message)).await;
        self.wake_if(wake);
        messages.len() - before
    }

    /// A reader of events from the first one kept.
    pub fn events(&self) -> Events {
        Events::new(self.shared().clone(), 0)
    }

    /// A reader of the events after number `seq`.
    pub fn events_after(&self, seq: u64) -> Events {
        Events::new(self.shared().clone(), seq)
    }

    /// The number of the last event.
    pub fn last_event(&self) -> u64 {
        self.shared().events.last()
    }

    /// Where the client stands.
    pub fn state(&self) -> State {
        self.shared().state()
    }

    /// The number of the last attempt.
    pub fn epoch(&self) -> Epoch {
        self.shared().epoch()
    }

    /// Counters, and what the kernel says is in force.
    pub fn stats(&self) -> Stats {
        let shared = self.shared();
        let counters = &shared.counters;
        let (messages, requests_in_flight, inline_bytes) = {
            let writer = shared.writer();
            let in_flight = writer.correlator.as_ref().map_or(0, |correlator| correlator.in_flight());
            (writer.outbox.counts(), in_flight, writer.inline_bytes)
        };
        Stats {
            state: shared.state(),
            epoch: shared.epoch(),
            attempts: counters.attempts.load(Ordering::Relaxed),
            connections: counters.connections.load(Ordering::Relaxed),
            failures: counters.failures.load(Ordering::Relaxed),
            messages,
            received: counters.received.load(Ordering::Relaxed),
            discarded: counters.discarded.load(Ordering::Relaxed),
            inbox: shared.inbox.len(),
            bytes_out: counters.bytes_out.load(Ordering::Relaxed) + inline_bytes,
            bytes_in: counters.bytes_in.load(Ordering::Relaxed),
            heartbeats: counters.heartbeats.load(Ordering::Relaxed),
            heartbeat_rtt: counters.heartbeat_rtt(),
            requests_in_flight,
            options: counters.options(),
        }
    }

    /// The configuration in force, every value decided.
    pub fn config(&self) -> &ValidConfig {
        &self.shared().config
    }

    /// What the user should know about this configuration.
    pub fn notices(&self) -> &[Notice] {
        &self.shared().config.notices
    }

    /// The longest time until a dead peer is noticed, whatever the fault; `None` if this configuration is blind to one.
    pub fn detection_bound(&self) -> Option<Duration> {
        self.shared().config.detection_bound()
    }

    /// The worst case of each fault, with its formula.
    pub fn detection_bounds(&self) -> DetectionBounds {
        self.shared().config.detection_bounds()
    }

    /// Ends the connection, if there is one, and dials at once.
    pub fn reconnect(&self) {
        self.shared().wish(Wish::Command(Command::Reconnect));
    }

    /// Tells that the network changed: `None` if nothing is known of the new one.
    pub fn network_changed(&self, path: Option<NetworkPath>) {
        self.shared().wish(Wish::Network(path));
    }

    /// Ends the connection and stays away until [`Client::resume`].
    pub fn pause(&self) {
        self.shared().wish(Wish::Command(Command::Pause));
    }

    /// Dials again after [`Client::pause`].
    pub fn resume(&self) {
        self.shared().wish(Wish::Command(Command::Resume));
    }

    /// Closes: accepts nothing more, writes what waits and reads to the end if the connection is healthy, at most
    /// `drain`. Returns why the client is closed. Idempotent.
    ///
    /// # Cancel safety
    /// The close goes on if the wait is cancelled.
    pub async fn close(&self, drain: Duration) -> Ending {
        if self.shared().closed_with().is_none() {
            self.shared().wish(Wish::Command(Command::Close { drain }));
        }
        self.shared().closed().await
    }

    /// Closes at once: the connection is reset, what waits is `NotSent`.
    pub fn abort(&self) {
        self.shared().wish(Wish::Command(Command::Abort));
    }

    /// Waits until the client is closed, by whoever, and tells why.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub fn closed(&self) -> impl Future<Output = Ending> + Send + use<> {
        let shared = self.shared().clone();
        async move { shared.closed().await }
    }

    pub(crate) async fn connected(&self) -> Result<(), Error> {
        let shared = self.shared();
        let limit = shared.config.connect_within;
        if let Ok(result) = tokio::time::timeout(limit, shared.connected()).await {
            return result;
        }
        shared.wish(Wish::GiveUp);
        let ending = shared.closed().await;
        let text = "no connection within connect.within";
        Err(Error::new(ErrorKind::Unavailable, text).with_ending(Some(ending)))
    }

    /// The short way of a small message behind others; `false` leaves it to [`Client::accept`].
    #[inline]
    fn append(&self, message: &[u8]) -> bool {
        let shared = self.shared();
        let framing = &shared.config.framing;
        let size = framing.encoded_len_hint(message.len());
        let mut writer = shared.writer();
        !message.is_empty()
            && !writer.ended
            && writer.outbox.append(size, |buffer| framing.encode(message, buffer)).is_some_and(|result| result.is_ok())
    }

    /// Accepts the message, or leaves it where it is.
    fn accept<P: Payload>(&self, message: &mut Option<P>, tracked: bool) -> Result<Option<Receipt>, NotAccepted> {
        let shared = self.shared();
        let config = &shared.config;
        let size = config.framing.encoded_len_hint(message.as_ref().map_or(0, |message| message.as_slice().len()));
        let mut writer = shared.writer();
        if let Err(refused) = writer.admit(config, size) {
            writer.wanted = true;
            drop(writer);
            return Err(match refused {
                NotAccepted::Failed(error) => NotAccepted::Failed(error.with_ending(shared.ending())),
                NotAccepted::Full => NotAccepted::Full,
            });
        }
        let Some(message) = message.take() else { return Ok(None) };
        let expires = config.outbox.age.map(|age| crate::clock::now() + age);
        let ticket = tracked.then(|| writer.ticket());
        let receipt = ticket.map(|ticket| Receipt::new(writer.await_outcome(ticket)));
        match writer.accept(config, Meta { ticket, request: false, expires }, message) {
            Ok(wake) => {
                drop(writer);
                self.wake_if(wake);
                Ok(receipt)
            }
            Err(error) => {
                if let Some(ticket) = ticket {
                    writer.forget(ticket);
                }
                Err(NotAccepted::Failed(error))
            }
        }
    }

    async fn enter<P: Payload>(
        &self,
        message: P,
        tracked: bool,
        timeout: Option<Duration>,
    ) -> Result<Option<Receipt>, Error> {
        let mut message = Some(message);
        match self.accept(&mut message, tracked) {
            Ok(receipt) => return Ok(receipt),
            Err(NotAccepted::Failed(error)) => return Err(error),
            Err(NotAccepted::Full) => {}
        }
        let deadline = timeout.map(deadline_after);
        loop {
            // Made before the second look, so that room made in between is not missed.
            let room = self.shared().room.notified();
            match self.accept(&mut message, tracked) {
                Ok(receipt) => return Ok(receipt),
                Err(NotAccepted::Failed(error)) => return Err(error),
                Err(NotAccepted::Full) => {}
            }
            let waits = match self.shared().config.overflow {
                Overflow::Wait => true,
                Overflow::Reject => false,
                Overflow::Auto => self.state().is_up(),
            };
            if !waits {
                return Err(full(self.shared().ending()));
            }
            match deadline {
                None => room.await,
                Some(deadline) => {
                    let waited = tokio::time::timeout_at(deadline, room).await;
                    waited.map_err(|_elapsed| Error::timeout("room in the outbox"))?;
                }
            }
        }
    }

    /// Finds a place for a request: an open gate, a free slot, room in the outbox.
    async fn reserve(
        &self,
        message: &[u8],
        deadline: Instant,
    ) -> Result<(Ticket, tokio::sync::oneshot::Receiver<Reply>), Error> {
        let shared = self.shared();
        let config = &shared.config;
        loop {
            let room = shared.room.notified();
            if let Some(reserved) = self.try_reserve(message)? {
                return Ok(reserved);
            }
            if config.while_down == WhileDown::Reject && !shared.state().is_up() {
                return Err(Error::unavailable(shared.ending()));
            }
            if tokio::time::timeout_at(deadline, room).await.is_err() {
                return Err(if shared.state().is_up() {
                    Error::timeout("free request slot (max_in_flight)")
                } else {
                    Error::timeout("connection").with_ending(shared.ending())
                });
            }
        }
    }

    fn try_reserve(&self, message: &[u8]) -> Result<Option<(Ticket, tokio::sync::oneshot::Receiver<Reply>)>, Error> {
        let shared = self.shared();
        let config = &shared.config;
        let size = config.framing.encoded_len_hint(message.len());
        let mut guard = shared.writer();
        let writer = &mut *guard;
        match writer.admit(config, size) {
            Ok(()) => {}
            Err(NotAccepted::Full) => {
                writer.wanted = true;
                return Ok(None);
            }
            Err(NotAccepted::Failed(error)) => return Err(error.with_ending(shared.ending())),
        }
        // A request belongs to one connection: it never waits in the outbox for the next.
        if writer.outbox.gate() == Gate::Shut {
            return Ok(None);
        }
        let ticket = writer.ticket();
        let Some(correlator) = &mut writer.correlator else { return Ok(None) };
        let mut frame = BytesMut::from(message);
        match correlator.reserve(ticket, &mut frame) {
            Ok(()) => {}
            Err(ReserveError::Full) => return Ok(None),
            Err(error @ ReserveError::TooShort { .. }) => {
                return Err(Error::new(ErrorKind::Rejected, error.to_string()));
            }
        }
        let reply = writer.await_reply(ticket);
        let meta = Meta { ticket: Some(ticket), request: true, expires: None };
        match writer.accept(config, meta, frame.freeze()) {
            Ok(wake) => {
                drop(guard);
                self.wake_if(wake);
                Ok(Some((ticket, reply)))
            }
            Err(error) => {
                writer.forget(ticket);
                if let Some(correlator) = &mut writer.correlator {
                    correlator.abandon(ticket, crate::clock::now(), Duration::ZERO);
                }
                Err(error)
            }
        }
    }

    fn wake_if(&self, wake: bool) {
        if wake {
            self.shared().wake_driver();
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.shared().endpoint)
            .field("state", &self.state())
            .field("epoch", &self.epoch())
            .finish()
    }
}

/// A request whose reply is awaited. Dropped before the reply, it leaves a tombstone for the late one.
struct Pending<'a> {
    shared: &'a Shared,
    ticket: Ticket,
    timeout: Duration,
    done: bool,
}

impl Pending<'_> {
    /// Gives the reply up; says whether the request may be carried out all the same.
    fn abandon(&mut self) -> bool {
        self.done = true;
        let mut guard = self.shared.writer();
        let writer = &mut *guard;
        writer.forget(self.ticket);
        let taken_back = writer.outbox.cancel(self.ticket);
        let Some(correlator) = &mut writer.correlator else { return false };
        let now = crate::clock::now();
        let abandoned = if taken_back {
            correlator.abandon(self.ticket, now, self.timeout)
        } else {
            // Its frame is on the way to the kernel or beyond: a late reply has to be swallowed.
            correlator.abandon_begun(self.ticket, now, self.timeout)
        };
        drop(guard);
        self.shared.room.notify_waiters();
        // A tombstone may set a deadline: the driver has to look.
        self.shared.wake_driver();
        matches!(abandoned, Abandoned::Tombstone)
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.abandon();
        }
    }
}

/// A time that no user lives to see, for timeouts that overflow the clock.
fn deadline_after(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or(now + Duration::from_secs(86_400 * 365 * 30))
}

fn full(ending: Option<Ending>) -> Error {
    Error::new(ErrorKind::Rejected, "the outbox is full").with_ending(ending)
}
