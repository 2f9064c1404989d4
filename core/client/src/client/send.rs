//! Sending: into the outbox, or straight to the kernel where nothing is before it.

use super::{Client, deadline_after};
use crate::error::Error;
use crate::message::Payload;
use crate::receipt::Receipt;
use crate::shared::Shared;
use crate::writer::{NotAccepted, Writer};
use keepline_proto::ErrorKind;
use keepline_proto::config::Overflow;
use keepline_proto::outbox::Meta;
use std::sync::MutexGuard;
use std::time::Duration;

impl Client {
    /// Accepts a message without waiting: it is written at once, or lies in the outbox when this returns.
    ///
    /// # Errors
    /// `Rejected` when the outbox is full or the message does not fit the framing; `Unavailable` while there is no
    /// connection and the policy is `while_down: reject`; `Closed` after close.
    pub fn try_send(&self, message: impl Payload) -> Result<(), Error> {
        if !message.is_idempotent() && self.append(message.as_slice()) {
            return Ok(());
        }
        self.accept(&mut Some(message), false).map(|_none| ()).map_err(|refused| match refused {
            NotAccepted::Full => full(self.shared()),
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
        if !message.is_idempotent() && self.append(message.as_slice()) {
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
            return Err(self.turned_away(writer, refused));
        }
        let Some(message) = message.take() else { return Ok(None) };
        let expires = config.outbox.age.map(|age| crate::clock::now() + age);
        let ticket = tracked.then(|| writer.ticket());
        let receipt = ticket.map(|ticket| Receipt::new(writer.await_outcome(ticket)));
        let meta = Meta { ticket, request: false, idempotent: message.is_idempotent(), expires };
        match writer.accept(config, meta, message) {
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
        self.until_accepted(timeout, || self.accept(&mut message, tracked)).await
    }

    /// Tries again at every sign of room, as long as the overflow policy waits.
    pub(super) async fn until_accepted<T>(
        &self,
        timeout: Option<Duration>,
        mut accept: impl FnMut() -> Result<T, NotAccepted>,
    ) -> Result<T, Error> {
        match accept() {
            Ok(accepted) => return Ok(accepted),
            Err(NotAccepted::Failed(error)) => return Err(error),
            Err(NotAccepted::Full) => {}
        }
        let deadline = timeout.map(deadline_after);
        let bell = self.shared().writer().room.listen();
        loop {
            // Made before the second look, so that room made in between is not missed.
            let room = bell.notified();
            match accept() {
                Ok(accepted) => return Ok(accepted),
                Err(NotAccepted::Failed(error)) => return Err(error),
                Err(NotAccepted::Full) => {}
            }
            let waits = match self.shared().config.overflow {
                Overflow::Wait => true,
                Overflow::Reject => false,
                Overflow::Auto => self.state().is_up(),
            };
            if !waits {
                return Err(full(self.shared()));
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

    /// Remembers that somebody wants room, and says what a refusal is for the caller.
    pub(super) fn turned_away(&self, mut writer: MutexGuard<'_, Writer>, refused: NotAccepted) -> NotAccepted {
        writer.wanted = true;
        drop(writer);
        match refused {
            NotAccepted::Failed(error) => {
                NotAccepted::Failed(error.with_ending(self.shared().ending()).with_report_of(self.shared()))
            }
            NotAccepted::Full => NotAccepted::Full,
        }
    }
}

pub(super) fn full(shared: &Shared) -> Error {
    Error::new(ErrorKind::Rejected, "the outbox is full").with_ending(shared.ending()).with_report_of(shared)
}
