//! Messages that were received: taken at once, waited for, or pulled by their numbers.

use super::BridgeClient;
use crate::error::BridgeError;
use crate::message::MessageRecord;
use crate::operation::Operation;
use keepline::Message;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

impl BridgeClient {
    /// Takes up to `max` messages that are there already; `None` after close, when all were taken.
    ///
    /// # Errors
    /// `forked`.
    pub fn try_receive(&self, max: usize) -> Result<Option<Vec<Message>>, BridgeError> {
        self.call(|client| {
            let mut messages = Vec::new();
            let polled = {
                let receiving = pin!(client.recv_many(&mut messages, max.max(1)));
                receiving.poll(&mut Context::from_waker(Waker::noop()))
            };
            Ok(match polled {
                Poll::Ready(0) => None,
                Poll::Ready(_) | Poll::Pending => Some(messages),
            })
        })
    }

    /// As [`BridgeClient::next_messages`], without waiting: what is there after number `after`, possibly nothing. `None`
    /// where only that call can tell: after close, and while it runs.
    ///
    /// # Errors
    /// `forked`.
    pub fn pull(&self, after: u64, max: usize) -> Result<Option<Vec<Message>>, BridgeError> {
        let reader = self.inner.get()?.reader.clone();
        reader.pull(after, max, |max| self.try_receive(max))
    }

    /// Waits for the next message, at most `timeout_ms`; `None` after close. It has no number: use either this or
    /// [`BridgeClient::next_messages`] on one client.
    ///
    /// # Errors
    /// `timeout`; `forked`.
    ///
    /// # Cancel safety
    /// Cancel safe: the message stays for the next call.
    pub fn receive(&self, timeout_ms: Option<u64>) -> Operation<Option<Message>> {
        self.operation(|client| async move {
            match timeout_ms {
                None => Ok(client.recv().await),
                Some(limit) => Ok(client.recv_within(Duration::from_millis(limit)).await?),
            }
        })
    }

    /// Waits until [`BridgeClient::try_receive`] has something to tell: a message, or the end.
    ///
    /// # Errors
    /// `forked`.
    ///
    /// # Cancel safety
    /// Cancel safe: it takes nothing.
    pub fn readable(&self) -> Operation<()> {
        self.readable_within(None)
    }

    /// As [`BridgeClient::readable`], again and again: an operation that begins anew when it has ended.
    ///
    /// # Errors
    /// `forked`.
    ///
    /// # Cancel safety
    /// Cancel safe: it takes nothing.
    pub fn arrivals<T: Send + 'static>(&self, told: fn() -> T) -> Operation<T> {
        match self.inner.get() {
            Ok(inner) => {
                let client = inner.client.clone();
                Operation::repeating(inner.runtime.clone(), move || {
                    let client = client.clone();
                    async move {
                        _ = client.recv_many(&mut Vec::new(), 0).await;
                        Ok(told())
                    }
                })
            }
            Err(error) => Operation::failed(error),
        }
    }

    /// As [`BridgeClient::readable`], at most this long: ended by the time, it has ended as well.
    ///
    /// # Errors
    /// `forked`.
    ///
    /// # Cancel safety
    /// Cancel safe: it takes nothing.
    pub fn readable_within(&self, timeout: Option<Duration>) -> Operation<()> {
        self.operation(|client| async move {
            let mut none = Vec::new();
            let readable = client.recv_many(&mut none, 0);
            match timeout {
                None => _ = readable.await,
                Some(timeout) => _ = tokio::time::timeout(timeout, readable).await,
            }
            Ok(())
        })
    }

    /// Waits for messages after number `after`, at most `timeout_ms` and at most `max` of them; an empty list after
    /// close. What was pulled stays until a later call names it as taken, so a repeated pull gives the same.
    ///
    /// # Errors
    /// `timeout`; `forked`.
    ///
    /// # Cancel safety
    /// Cancel safe: messages stay until a later call passes their number.
    pub fn next_messages(&self, after: u64, max: usize, timeout_ms: Option<u64>) -> Operation<Vec<MessageRecord>> {
        let reader = self.inner.get().map(|inner| inner.reader.clone()).unwrap_or_default();
        self.operation(|client| reader.next(client, after, max, timeout_ms.map(Duration::from_millis)))
    }
}
