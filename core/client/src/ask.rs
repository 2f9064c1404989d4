//! One question to a provider of the user: asked in a task of its own, answered in time or not at all.

use keepline_proto::Epoch;
use std::future::Future;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The provider failed, was late or panicked. Which of them is in the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoAnswer;

/// What a provider gives. The text of an error goes to the log at DEBUG.
pub(crate) type Given<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The answer, once it is there. Whoever has a clone gets the same.
#[derive(Debug, Clone)]
pub(crate) struct Answer<T>(watch::Receiver<Option<Result<T, NoAnswer>>>);

impl<T: Clone> Answer<T> {
    /// Waits for the answer.
    pub(crate) async fn get(&self) -> Result<T, NoAnswer> {
        match self.0.clone().wait_for(Option::is_some).await {
            Ok(answer) => answer.clone().unwrap_or(Err(NoAnswer)),
            // The provider panicked.
            Err(_gone) => Err(NoAnswer),
        }
    }
}

/// A question that was asked; dropped, it is withdrawn.
#[derive(Debug)]
pub(crate) struct Asked<T> {
    pub(crate) answer: Answer<T>,
    task: Option<JoinHandle<()>>,
}

impl<T> Asked<T> {
    /// Nobody had to be asked.
    pub(crate) fn known(value: T) -> Asked<T> {
        let (_teller, answer) = watch::channel(Some(Ok(value)));
        Asked { answer: Answer(answer), task: None }
    }
}

impl<T> Drop for Asked<T> {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Asks for what an attempt needs.
pub(crate) fn ask<T, F>(epoch: Epoch, within: Duration, provider: impl FnOnce() -> F + Send + 'static) -> Asked<T>
where
    T: Send + Sync + 'static,
    F: Future<Output = Given<T>> + Send,
{
    let (teller, answer) = watch::channel(None);
    let task = tokio::spawn(async move {
        // Called inside of the task, so that its panic is the task's.
        let answer = match tokio::time::timeout(within, async { provider().await }).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                let text: String = error.to_string().escape_debug().take(256).collect();
                tracing::info!(%epoch, "no credentials: the provider failed");
                tracing::debug!(%epoch, error = text, "the provider's error");
                Err(NoAnswer)
            }
            Err(_elapsed) => {
                tracing::info!(%epoch, ?within, "no credentials: the provider is late");
                Err(NoAnswer)
            }
        };
        teller.send_replace(Some(answer));
    });
    Asked { answer: Answer(answer), task: Some(task) }
}
