//! A reader of events with its own cursor.

use crate::config::named;
use crate::error::BridgeError;
use crate::event::EventRecord;
use crate::fork::Here;
use crate::operation::Operation;
use keepline::{Events, State};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

/// The most events of one pull: as many as a client keeps.
const MOST: usize = 256;

/// Reads the events of a client. It does not keep the client alive.
#[derive(Debug)]
pub struct BridgeEvents {
    events: Here<Arc<Mutex<Events>>>,
    runtime: Handle,
}

impl BridgeEvents {
    pub(crate) fn new(events: Events, runtime: Handle) -> BridgeEvents {
        BridgeEvents { events: Here::new(Arc::new(Mutex::new(events))), runtime }
    }

    /// Waits for the next events, at most `timeout_ms` and at most `max` of them; an empty list after the last.
    ///
    /// # Errors
    /// `timeout`; `forked`.
    ///
    /// # Cancel safety
    /// Cancel safe: the events stay for the next call.
    pub fn next(&self, max: usize, timeout_ms: Option<u64>) -> Operation<Vec<EventRecord>> {
        let events = match self.events.get() {
            Ok(events) => events.clone(),
            Err(error) => return Operation::failed(error),
        };
        let max = max.clamp(1, MOST);
        Operation::new(self.runtime.clone(), async move {
            let pulled = pull(&events, max);
            match timeout_ms {
                None => Ok(pulled.await),
                Some(limit) => tokio::time::timeout(Duration::from_millis(limit), pulled)
                    .await
                    .map_err(|_elapsed| BridgeError::timed_out("event")),
            }
        })
    }
}

/// Waits for a change of the client's state.
impl BridgeEvents {
    /// Waits until the state is another than `known`, and tells it: a name of the contract's `states`. `closed` is the
    /// last one.
    ///
    /// # Errors
    /// `invalid_config` for a name that is none; `forked`.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub fn state_after(&self, known: &str) -> Operation<String> {
        let events = match self.events.get() {
            Ok(events) => events.clone(),
            Err(error) => return Operation::failed(error),
        };
        let known = match named("state", Some(known), State::ALL) {
            // A name was given, so a state was found.
            Ok(known) => known.unwrap_or(State::Idle),
            Err(error) => return Operation::failed(error),
        };
        Operation::new(self.runtime.clone(), async move {
            let state = events.lock().await.state_after(known).await;
            Ok(state.as_str().to_owned())
        })
    }
}

async fn pull(events: &Mutex<Events>, max: usize) -> Vec<EventRecord> {
    let mut events = events.lock().await;
    let mut records: Vec<EventRecord> = events.recv().await.into_iter().map(Into::into).collect();
    while !records.is_empty() && records.len() < max {
        let Some(event) = events.try_recv() else { break };
        records.push(event.into());
    }
    records
}
