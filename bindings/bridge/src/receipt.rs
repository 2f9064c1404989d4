//! The receipt of a tracked message.

use crate::error::BridgeError;
use crate::fork::Here;
use crate::operation::Operation;
use crate::runtime;
use keepline::{AckedBy, Receipt};
use std::sync::{Arc, OnceLock};
use tokio::sync::Mutex;

/// Tells what became of one message: a name of the contract's `outcomes`. It does not keep the client alive.
#[derive(Debug)]
pub struct BridgeReceipt {
    // Several callers may wait; each gets the same answer.
    known: Here<Arc<Known>>,
}

#[derive(Debug)]
struct Known {
    receipt: Mutex<Receipt>,
    /// Whose kernel acknowledged it, once the outcome is known.
    acked_by: OnceLock<Option<AckedBy>>,
}

impl Known {
    /// Notes what the receipt tells now that its outcome is known.
    fn note(&self, receipt: &Receipt) {
        self.acked_by.get_or_init(|| receipt.acked_by());
    }
}

impl BridgeReceipt {
    pub(crate) fn new(receipt: Receipt) -> BridgeReceipt {
        let known = Known { receipt: Mutex::new(receipt), acked_by: OnceLock::new() };
        BridgeReceipt { known: Here::new(Arc::new(known)) }
    }

    /// Waits for the outcome, which is final.
    ///
    /// # Errors
    /// `internal` if the runtime ended before the outcome was known; `forked`.
    ///
    /// # Cancel safety
    /// Cancel safe: the outcome stays for the next call.
    pub fn outcome(&self) -> Operation<String> {
        let known = match self.known.get() {
            Ok(known) => known.clone(),
            Err(error) => return Operation::failed(error),
        };
        match runtime::handle() {
            Ok(runtime) => Operation::new(runtime, async move {
                let mut receipt = known.receipt.lock().await;
                let outcome = receipt.outcome().await?;
                known.note(&receipt);
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
        let known = self.known.get()?;
        let Ok(mut receipt) = known.receipt.try_lock() else { return Ok(None) };
        let outcome = receipt.try_outcome();
        if outcome.is_some() {
            known.note(&receipt);
        }
        Ok(outcome.map(|outcome| outcome.as_str().to_owned()))
    }

    /// Whose kernel acknowledged it, once its outcome was told and is `acked`: a name of the contract's `acked_by`.
    ///
    /// # Errors
    /// `forked`.
    pub fn acked_by(&self) -> Result<Option<String>, BridgeError> {
        let told = self.known.get()?.acked_by.get().copied().flatten();
        Ok(told.map(|by| by.as_str().to_owned()))
    }
}
