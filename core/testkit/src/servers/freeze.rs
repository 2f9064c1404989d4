//! Freezing of futures: while frozen they are not polled, as a stopped process is not scheduled.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{PoisonError, RwLock};
use std::task::{Poll, Waker};

/// Frozen or not, and who waits for the thaw. Polls hold the read side, so that after `freeze` has returned no poll
/// is still under way.
#[derive(Debug, Default)]
pub(super) struct Gate {
    frozen: RwLock<bool>,
    waiting: std::sync::Mutex<Vec<Waker>>,
}

impl Gate {
    pub(super) fn freeze(&self) {
        *self.frozen.write().unwrap_or_else(PoisonError::into_inner) = true;
    }

    pub(super) fn thaw(&self) {
        *self.frozen.write().unwrap_or_else(PoisonError::into_inner) = false;
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Runs `future` whenever the gate is not frozen.
    pub(super) async fn guard<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            let frozen = self.frozen.read().unwrap_or_else(PoisonError::into_inner);
            if *frozen {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                // Once per future: events that come while frozen poll it again and again.
                if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                    waiting.push(context.waker().clone());
                }
                return Poll::Pending;
            }
            future.as_mut().poll(context)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn frozen_future_runs_on_after_the_thaw() {
        let gate = Arc::new(Gate::default());
        let steps = Arc::new(AtomicU32::new(0));
        let (inner_gate, inner_steps) = (Arc::clone(&gate), Arc::clone(&steps));
        let task = tokio::spawn(async move {
            let counting = async {
                for _ in 0..10 {
                    inner_steps.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            };
            inner_gate.guard(counting).await;
        });
        gate.freeze();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(steps.load(Ordering::Relaxed), 0);
        gate.thaw();
        task.await.expect("the task ends");
        assert_eq!(steps.load(Ordering::Relaxed), 10);
    }
}
