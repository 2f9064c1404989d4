//! What a client's process says, each line stamped as it comes.

use std::io::BufRead;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// One line and its moment.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) at: Instant,
    pub(super) word: String,
    pub(super) text: String,
}

/// Everything said so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Journal {
    said: Arc<Mutex<Vec<Said>>>,
}

impl Journal {
    /// Keeps what comes, on a thread of its own, until the process closes its output.
    pub(super) fn keep(output: impl BufRead + Send + 'static) -> Journal {
        let journal = Journal::default();
        let kept = journal.clone();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let (word, text) = line.split_once(' ').unwrap_or((&line, ""));
                kept.lock().push(Said { at: Instant::now(), word: word.to_owned(), text: text.to_owned() });
            }
        });
        journal
    }

    /// The first line with one of these words, not before `since`.
    pub(super) fn first(&self, words: &[&str], since: Instant) -> Option<Said> {
        self.lock().iter().find(|said| said.at >= since && words.contains(&said.word.as_str())).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Said>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
