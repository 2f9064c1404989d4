//! Giving a waiting call up from outside.

use super::dispatch;
use super::error::ForeignError;
use crate::operation::Operation;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::watch;

/// Gives calls up that wait with it: they end with `Cancelled`, and what they waited for stays for the next call.
///
/// One that is cancelled stays so. Each call does well to have its own.
#[derive(Debug, uniffi::Object)]
pub struct CancelToken {
    cancelled: watch::Sender<bool>,
}

#[uniffi::export]
impl CancelToken {
    /// Makes a token for one call, or for several that are given up together.
    #[uniffi::constructor]
    pub fn new() -> Arc<CancelToken> {
        Arc::new(CancelToken { cancelled: watch::Sender::new(false) })
    }

    /// Gives up every call that waits with this token, and every one to come. Idempotent.
    pub fn cancel(&self) {
        self.cancelled.send_replace(true);
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        *self.cancelled.borrow()
    }
}

/// Waits for an operation as the other language does: told on the dispatcher's thread, given up by the token.
pub(super) async fn finish<T: 'static>(
    operation: Operation<T>,
    token: Option<Arc<CancelToken>>,
) -> Result<T, ForeignError> {
    let mut operation = pin!(operation);
    let mut cancelled = pin!(cancelled(token));
    poll_fn(move |context| {
        let waker = dispatch::deferred(context.waker());
        let mut context = Context::from_waker(&waker);
        // First: what is there is not given up.
        if let Poll::Ready(result) = operation.as_mut().poll(&mut context) {
            return Poll::Ready(result.map_err(ForeignError::from));
        }
        cancelled.as_mut().poll(&mut context).map(|()| Err(ForeignError::cancelled()))
    })
    .await
}

async fn cancelled(token: Option<Arc<CancelToken>>) {
    let Some(token) = token else { return std::future::pending().await };
    let mut told = token.cancelled.subscribe();
    // The sender is the token's, which is held here.
    let _told = told.wait_for(|cancelled| *cancelled).await;
}
