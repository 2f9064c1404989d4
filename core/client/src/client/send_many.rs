//! Sending batches: all of a batch is accepted, in one piece, or none of it.

use super::Client;
use super::send::full;
use crate::error::Error;
use crate::message::Payload;
use crate::writer::{self, NotAccepted};
use keepline_proto::outbox::Meta;
use std::time::Duration;

impl Client {
    /// Accepts a batch without waiting: all of it, in order and with nothing in between, or nothing.
    ///
    /// That is one look at the outbox, one wake-up and few writes, however many messages there are. Each has its own
    /// fate afterwards, as if it had been sent alone.
    ///
    /// # Errors
    /// As [`Client::try_send`], and then none was accepted; `Rejected` also if the batch has no room as a whole.
    pub fn try_send_many<P: Payload>(&self, messages: impl IntoIterator<Item = P>) -> Result<(), Error> {
        let mut batch = Batch::check(self, messages)?;
        self.accept_many(&mut batch).map_err(|refused| match refused {
            NotAccepted::Full => full(self.shared()),
            NotAccepted::Failed(error) => error,
        })
    }

    /// Accepts a batch, and waits until all of it has room while the peer is only slow. Otherwise as
    /// [`Client::try_send_many`].
    ///
    /// # Errors
    /// As [`Client::try_send_many`]; a batch that would not fit into the empty outbox is `Rejected` at once.
    ///
    /// # Cancel safety
    /// Cancel safe: of a cancelled batch nothing was accepted.
    pub async fn send_many<P: Payload>(&self, messages: impl IntoIterator<Item = P>) -> Result<(), Error> {
        let mut batch = Batch::check(self, messages)?;
        self.until_accepted(None, || self.accept_many(&mut batch)).await
    }

    /// As [`Client::send_many`], waiting at most `timeout` for room.
    ///
    /// # Errors
    /// As [`Client::send_many`]; `Timeout` when there was no room in time.
    ///
    /// # Cancel safety
    /// As [`Client::send_many`].
    pub async fn send_many_within<P: Payload>(
        &self,
        messages: impl IntoIterator<Item = P>,
        timeout: Duration,
    ) -> Result<(), Error> {
        let mut batch = Batch::check(self, messages)?;
        self.until_accepted(Some(timeout), || self.accept_many(&mut batch)).await
    }

    /// Accepts the whole batch, or leaves it where it is.
    fn accept_many<P: Payload>(&self, batch: &mut Batch<P>) -> Result<(), NotAccepted> {
        let config = &self.shared().config;
        let mut writer = self.shared().writer();
        if let Err(refused) = writer.admit_many(config, batch.messages.len(), batch.size) {
            return Err(self.turned_away(writer, refused));
        }
        let expires = config.outbox.age.map(|age| crate::clock::now() + age);
        let mut wake = false;
        let mut queued = Ok(());
        for message in batch.messages.drain(..) {
            let meta = Meta { idempotent: message.is_idempotent(), expires, ..Meta::default() };
            match writer.queue(config, meta, message) {
                Ok(first) => wake |= first,
                // Only an own framing that takes a message once and refuses it the second time.
                Err(error) => {
                    queued = Err(NotAccepted::Failed(error));
                    break;
                }
            }
        }
        drop(writer);
        self.wake_if(wake);
        queued
    }
}

/// Messages of which each would be accepted, and the bytes of their frames together.
struct Batch<P> {
    messages: Vec<P>,
    size: usize,
}

impl<P: Payload> Batch<P> {
    fn check(client: &Client, messages: impl IntoIterator<Item = P>) -> Result<Batch<P>, Error> {
        let framing = &client.shared().config.framing;
        let mut batch = Batch { messages: messages.into_iter().collect(), size: 0 };
        for message in &batch.messages {
            writer::check(framing, message.as_slice())?;
            batch.size = batch.size.saturating_add(framing.encoded_len_hint(message.as_slice().len()));
        }
        Ok(batch)
    }
}
