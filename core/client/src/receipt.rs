//! The receipt of a tracked message.

use crate::error::Error;
use keepline_proto::ErrorKind;
use keepline_proto::outbox::{AckedBy, Outcome};
use tokio::sync::oneshot;

/// Tells what became of one message. It does not keep the client alive.
#[derive(Debug)]
pub struct Receipt {
    receiver: oneshot::Receiver<(Outcome, AckedBy)>,
    known: Option<(Outcome, AckedBy)>,
}

impl Receipt {
    pub(crate) fn new(receiver: oneshot::Receiver<(Outcome, AckedBy)>) -> Receipt {
        Receipt { receiver, known: None }
    }

    /// Waits for the outcome. It is final: later calls give the same.
    ///
    /// # Errors
    /// `Internal` if the driver's task was killed with its runtime before it could tell.
    ///
    /// # Cancel safety
    /// Cancel safe: the outcome stays for the next call.
    pub async fn outcome(&mut self) -> Result<Outcome, Error> {
        if let Some((outcome, _)) = self.known {
            return Ok(outcome);
        }
        match (&mut self.receiver).await {
            Ok(known) => {
                self.known = Some(known);
                Ok(known.0)
            }
            Err(_closed) => {
                Err(Error::new(ErrorKind::Internal, "the runtime of the client ended before the outcome was known"))
            }
        }
    }

    /// The outcome, if it is known already.
    pub fn try_outcome(&mut self) -> Option<Outcome> {
        if self.known.is_none() {
            self.known = self.receiver.try_recv().ok();
        }
        self.known.map(|(outcome, _)| outcome)
    }

    /// Whose kernel acknowledged it, once the outcome is known to be [`Outcome::Acked`]: behind a proxy it is the proxy's,
    /// and whether the endpoint has the message is not known.
    pub fn acked_by(&self) -> Option<AckedBy> {
        self.known.and_then(|(outcome, by)| (outcome == Outcome::Acked).then_some(by))
    }
}
