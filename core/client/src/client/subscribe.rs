//! Subscriptions: sent now, and again at the beginning of each connection.

use super::Client;
use crate::error::Error;
use crate::writer::NotAccepted;
use bytes::{Bytes, BytesMut};
use keepline_proto::outbox::Gate;
use keepline_proto::subscriptions::Subscription;
use keepline_proto::{Epoch, ErrorKind};

impl Client {
    /// Subscribes: sends the frame at once if there is a connection, and begins each new connection with it, after the
    /// greeting and before anything else, in the order in which subscriptions were added.
    ///
    /// The same frame under the same key is sent once; another one takes its place in the order. A subscription is state, not
    /// traffic: it is kept without a connection, also under `while_down: reject`. The list holds 16,384 frames and 1 MiB.
    ///
    /// What answers the frame comes as a message if it is sent on a living connection. With a
    /// [confirmation](Subscription::confirmed_by) a new connection counts as `Connected` only once that has arrived, and it is
    /// consumed; a make-before-break connection has counted before, so there it comes as a message. Where replies are found in
    /// order, the answer takes a place if and only if a confirmation is declared.
    ///
    /// ```no_run
    /// # async fn example(client: keepline::Client) -> Result<(), keepline::Error> {
    /// use keepline::{Matcher, Subscription};
    ///
    /// let news = Subscription::new("SUBSCRIBE news\r\n").confirmed_by(Matcher::Prefix("*3\r\n$9\r\nsubscribe\r\n".into()));
    /// client.subscribe("news", news)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Rejected` when the list or the outbox is full, or the frame does not fit the framing; `Closed` after close. Nothing
    /// has changed then.
    pub fn subscribe(&self, key: &str, subscription: impl Into<Subscription>) -> Result<(), Error> {
        let subscription = subscription.into();
        self.check(&subscription.frame)?;
        let shared = self.shared();
        let mut guard = shared.writer();
        let writer = &mut *guard;
        if writer.ended {
            return Err(Error::closed(shared.closed_with()));
        }
        let list = writer.subscriptions_mut();
        if list.has(key, &subscription) {
            return Ok(());
        }
        list.admit(key, &subscription).map_err(|full| Error::new(ErrorKind::Rejected, full.to_string()))?;
        let (wake, sent) = match writer.outbox.gate() {
            Gate::Shut => (false, Epoch(0)),
            Gate::Open(epoch) => {
                let answered = subscription.confirmed_by.is_some();
                let accepted = writer.accept_for_now(&shared.config, subscription.frame.clone(), answered);
                (accepted.map_err(refused)?, epoch)
            }
        };
        writer.subscriptions_mut().put(key, subscription, sent);
        drop(guard);
        self.wake_if(wake);
        Ok(())
    }

    /// Takes a subscription out, and sends `frame` if there is a connection to take it back on. Says whether there was one
    /// with this key; without, nothing is sent.
    ///
    /// # Errors
    /// As [`Client::subscribe`].
    pub fn unsubscribe(&self, key: &str, frame: Option<Bytes>) -> Result<bool, Error> {
        if let Some(frame) = &frame {
            self.check(frame)?;
        }
        let shared = self.shared();
        let mut guard = shared.writer();
        let writer = &mut *guard;
        if writer.ended {
            return Err(Error::closed(shared.closed_with()));
        }
        let Some(answered) = writer.subscriptions().and_then(|list| list.is_answered(key)) else {
            return Ok(false);
        };
        let wake = match (frame, writer.outbox.gate()) {
            (Some(frame), Gate::Open(_)) => writer.accept_for_now(&shared.config, frame, answered).map_err(refused)?,
            (Some(_), Gate::Shut) | (None, _) => false,
        };
        writer.subscriptions_mut().remove(key);
        drop(guard);
        self.wake_if(wake);
        Ok(true)
    }

    /// How many subscriptions each new connection begins with.
    pub fn subscriptions(&self) -> usize {
        self.shared().writer().subscriptions().map_or(0, |list| list.len())
    }

    fn check(&self, frame: &[u8]) -> Result<(), Error> {
        let framing = &self.shared().config.framing;
        if frame.is_empty() && framing.is_reference_ok() {
            return Err(Error::new(ErrorKind::Rejected, "an empty message has no meaning in this framing"));
        }
        let encoded = framing.encode(frame, &mut BytesMut::new());
        encoded.map_err(|error| Error::new(ErrorKind::Rejected, error.to_string()))
    }
}

fn refused(refused: NotAccepted) -> Error {
    match refused {
        NotAccepted::Full => Error::new(ErrorKind::Rejected, "the outbox is full"),
        NotAccepted::Failed(error) => error,
    }
}
