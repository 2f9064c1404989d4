//! The receipt of a tracked message.

use crate::error::BridgeError;
use crate::fork::Here;
use crate::operation::Operation;
use crate::runtime;
use keepline::Receipt;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Tells what became of one message: a name of the contract's `outcomes`. It does not keep the client alive.
#[derive(Debug)]
pub struct BridgeReceipt {
    // Several callers may wait; each gets the same answer.
    receipt: Here<Arc<Mutex<Receipt>>>,
}

impl BridgeReceipt {
    pub(crate) fn new(receipt: Receipt) -> BridgeReceipt {
        BridgeReceipt { receipt: Here::new(Arc::new(Mutex::new(receipt))) }
    }

    /// Waits for the outcome, which is final.
    ///
    /// # Errors
    /// `internal` if the runtime ended before the outcome was known; `forked`.
    ///
    /// # Cancel safety
    /// Cancel safe: the outcome stays for the next call.
    pub fn outcome(&self) -> Operation<String> {
        let receipt = match self.receipt.get() {
            Ok(receipt) => receipt.clone(),
            Err(error) => return Operation::failed(error),
        };
        match runtime::handle() {
            Ok(runtime) => Operation::new(runtime, async move {
                let outcome = receipt.lock().await.outcome().await?;
                Ok(outcome.as_str().to_owned())
            }),
            Err(error) => Operation::failed(error),
        }
    }

    /// The outcome, if it is known already.
    ///
    /// # Errors
    /// `forked`.
    pub fn try_outcome(&self) -> Result<Option<String>, BridgeError> {
        // Somebody who waits holds the lock only while nothing is known, or for the moment it becomes so.
        let Ok(mut receipt) = self.receipt.get()?.try_lock() else { return Ok(None) };
        Ok(receipt.try_outcome().map(|outcome| outcome.as_str().to_owned()))
    }
}
