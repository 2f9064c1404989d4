//! Requests: a place among those in flight, a frame, and the reply that belongs to it.

use super::{Client, deadline_after};
use crate::error::Error;
use crate::greeting;
use crate::message::Payload;
use crate::shared::Shared;
use crate::writer::{NotAccepted, Reply};
use bytes::{Bytes, BytesMut};
use keepline_proto::ErrorKind;
use keepline_proto::config::WhileDown;
use keepline_proto::correlator::{Abandoned, ReserveError, Ticket};
use keepline_proto::outbox::{Gate, Meta};
use std::time::Duration;
use tokio::time::Instant;

impl Client {
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
                    let closed = Error::closed(ending).with_report_of(shared);
                    return Err(closed.with_maybe_executed(maybe_executed));
                }
                let lost = Error::new(ErrorKind::Unavailable, "the connection ended before the reply");
                Err(lost.with_ending(ending).with_report_of(shared).with_maybe_executed(maybe_executed))
            }
            Ok(Err(_gone)) => {
                guard.done = true;
                Err(Error::closed(shared.closed_with()).with_report_of(shared).with_maybe_executed(true))
            }
            Err(_elapsed) => {
                let executed = guard.abandon();
                Err(Error::timeout("reply").with_maybe_executed(executed))
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
        if let Some(reserved) = self.try_reserve(message)? {
            return Ok(reserved);
        }
        let bell = shared.writer().room.listen();
        loop {
            let room = bell.notified();
            if let Some(reserved) = self.try_reserve(message)? {
                return Ok(reserved);
            }
            if config.while_down == WhileDown::Reject && !shared.state().is_up() {
                return Err(Error::unavailable(shared.ending()).with_report_of(shared));
            }
            if tokio::time::timeout_at(deadline, room).await.is_err() {
                return Err(if shared.state().is_up() {
                    Error::timeout("free request slot (max_in_flight)")
                } else {
                    Error::timeout("connection").with_ending(shared.ending()).with_report_of(shared)
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
            Err(NotAccepted::Failed(error)) => return Err(error.with_ending(shared.ending()).with_report_of(shared)),
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
        let meta = Meta { ticket: Some(ticket), request: true, ..Meta::default() };
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
        let room = writer.room.rope();
        drop(guard);
        room.ring();
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
