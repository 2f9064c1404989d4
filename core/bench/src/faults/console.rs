//! The client's side of the conversation: words in, words out, a line each.

use crate::measure::Failure;
use std::future::Future;
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// 100 ms between exchanges: a client that works again is seen soon.
const PAUSE: Duration = Duration::from_millis(100);

/// What every measured library is put behind.
pub(super) trait Subject: Send + Sync + 'static {
    /// One question and its answer. Its error is what the library told.
    fn exchange(&self) -> impl Future<Output = Result<(), String>> + Send;

    /// Writes [`FLOOD`] bytes as this library writes them.
    fn flood(&self) -> impl Future<Output = Result<(), String>> + Send;

    /// What it promises about itself, as JSON.
    fn bounds(&self) -> String {
        String::new()
    }
}

/// 8 MiB: more than the kernels of both sides hold while the server does not read.
pub(super) const FLOOD: usize = 8 * 1024 * 1024;

/// Tells the harness a word and its text.
pub(super) fn tell(word: &str, text: &str) {
    let text = text.replace(['\n', '\r'], " ");
    let mut output = std::io::stdout().lock();
    // Without a harness there is nobody to tell.
    let _ = writeln!(output, "{word} {text}").and_then(|()| output.flush());
}

/// Does what it is told until standard input ends.
pub(super) async fn serve(subject: impl Subject) -> Result<(), Failure> {
    let subject = Arc::new(subject);
    let mut words = read_words();
    subject.exchange().await?;
    tell("ready", &subject.bounds());
    let mut asking = false;
    loop {
        let word = if asking { words.try_recv().ok() } else { words.recv().await };
        match word.as_deref() {
            Some("once") => exchange(&*subject).await,
            Some("ask") => asking = true,
            Some("flood") => drop(tokio::spawn(flood(subject.clone()))),
            Some(unknown) => return Err(format!("no such word: {unknown}").into()),
            None if !asking => return Ok(()),
            None => {
                exchange(&*subject).await;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn exchange(subject: &impl Subject) {
    match subject.exchange().await {
        Ok(()) => tell("ok", ""),
        Err(error) => tell("error", &error),
    }
}

async fn flood(subject: Arc<impl Subject>) {
    match subject.flood().await {
        Ok(()) => tell("flooded", ""),
        Err(error) => tell("error", &error),
    }
}

fn read_words() -> UnboundedReceiver<String> {
    let (sender, words) = unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    words
}
