//! A reader of events for another language.

use super::cancel::{CancelToken, finish};
use super::error::ForeignError;
use crate::event::EventRecord;
use crate::events::BridgeEvents;
use std::sync::Arc;

/// Reads the events of a client with a cursor of its own. It does not keep the client alive.
#[derive(Debug, uniffi::Object)]
pub struct ForeignEvents {
    events: BridgeEvents,
}

#[uniffi::export]
impl ForeignEvents {
    /// Waits for the next events, at most `timeout_ms` and at most `max` of them; an empty list after the last.
    pub async fn next(
        &self,
        max: u32,
        timeout_ms: Option<u64>,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<Vec<EventRecord>, ForeignError> {
        finish(self.events.next(max as usize, timeout_ms), cancel).await
    }

    /// Waits until the client's state is another than `known`, and tells it: a name of the contract's `states`. `closed`
    /// is the last one.
    pub async fn state_after(&self, known: String, cancel: Option<Arc<CancelToken>>) -> Result<String, ForeignError> {
        finish(self.events.state_after(&known), cancel).await
    }
}

impl ForeignEvents {
    pub(super) fn new(events: BridgeEvents) -> Arc<ForeignEvents> {
        Arc::new(ForeignEvents { events })
    }
}
