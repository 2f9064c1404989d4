//! Messages across the border. Received ones are pulled by sequence number: a pull that is repeated gives the same again.

use crate::error::BridgeError;
use bytes::Bytes;
use keepline::Client;
pub use keepline::{Message, Payload};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// The most messages of one pull: more do not amortise the border any better.
const MOST: usize = 1024;

/// A message to be sent.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) message: Bytes,
    /// Whether it may arrive twice.
    pub(crate) idempotent: bool,
}

impl Payload for Outgoing {
    fn as_slice(&self) -> &[u8] {
        &self.message
    }

    fn into_bytes(self) -> Bytes {
        self.message
    }

    fn is_idempotent(&self) -> bool {
        self.idempotent
    }
}

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct MessageRecord {
    /// The number: each message of a client has the next one, from 1.
    pub seq: u64,
    /// The connection it came on.
    pub epoch: u64,
    /// The message, without framing.
    pub payload: Vec<u8>,
}

/// The cursor of one client's messages. What was pulled stays here until a later pull names it as taken.
#[derive(Debug, Default)]
pub struct MessageReader {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The number of the first message kept, less one.
    taken: u64,
    messages: VecDeque<Message>,
}

impl MessageReader {
    /// Waits for messages after number `after`; an empty list after close.
    pub(crate) async fn next(
        self: Arc<MessageReader>,
        client: Client,
        after: u64,
        max: usize,
        timeout: Option<Duration>,
    ) -> Result<Vec<MessageRecord>, BridgeError> {
        let max = max.clamp(1, MOST);
        let pull = async {
            let mut kept = self.kept.lock().await;
            kept.drop_taken(after);
            if kept.messages.is_empty() {
                let mut messages = Vec::new();
                client.recv_many(&mut messages, max).await;
                kept.messages.extend(messages);
            }
            kept.records(max)
        };
        match timeout {
            None => Ok(pull.await),
            Some(timeout) => {
                tokio::time::timeout(timeout, pull).await.map_err(|_elapsed| BridgeError::timed_out("message"))
            }
        }
    }

    /// The same without waiting; `receive` takes what is there. `None` after close, and while somebody waits.
    pub(crate) fn pull(
        &self,
        after: u64,
        max: usize,
        receive: impl FnOnce(usize) -> Result<Option<Vec<Message>>, BridgeError>,
    ) -> Result<Option<Vec<Message>>, BridgeError> {
        let max = max.clamp(1, MOST);
        let Ok(mut kept) = self.kept.try_lock() else { return Ok(None) };
        kept.drop_taken(after);
        if kept.messages.is_empty() {
            let Some(messages) = receive(max)? else { return Ok(None) };
            kept.messages.extend(messages);
        }
        Ok(Some(kept.messages.iter().take(max).cloned().collect()))
    }
}

impl Kept {
    fn drop_taken(&mut self, after: u64) {
        let count = usize::try_from(after.saturating_sub(self.taken)).unwrap_or(usize::MAX).min(self.messages.len());
        self.messages.drain(..count);
        self.taken += count as u64;
    }

    fn records(&self, max: usize) -> Vec<MessageRecord> {
        let numbered = (self.taken + 1..).zip(self.messages.iter().take(max));
        numbered
            .map(|(seq, message)| MessageRecord { seq, epoch: message.epoch.0, payload: message.payload.to_vec() })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keepline::Epoch;

    #[test]
    fn repeated_pull_gives_the_same_messages_and_a_later_one_passes_them() {
        let message = |text: &'static str| Message { epoch: Epoch(1), payload: text.as_bytes().into() };
        let mut kept = Kept { taken: 0, messages: ["a", "b", "c"].map(message).into() };
        let seqs = |kept: &Kept| kept.records(2).iter().map(|record| record.seq).collect::<Vec<_>>();
        kept.drop_taken(0);
        assert_eq!(seqs(&kept), [1, 2]);
        kept.drop_taken(0);
        assert_eq!(seqs(&kept), [1, 2]);
        kept.drop_taken(2);
        assert_eq!(seqs(&kept), [3]);
        kept.drop_taken(99);
        assert_eq!((seqs(&kept), kept.taken), (vec![], 3));
    }
}
