//! What a recording has to tell beside the usual: entries, the last 256 of them.

use super::beats::Beats;
use super::pairs::{Place, place};
use super::recording::Recording;
use super::transition::{Entry, Transition};
use std::collections::VecDeque;

/// 256 entries, 6 KiB: the whole story of most deaths, and no memory to speak of.
pub(super) const KEPT: usize = 256;

/// 4 entries: the usual beginning, as it is told once something else has happened, and that.
const FIRST_ROOM: usize = 4;

/// What follows the usual beginning.
#[derive(Debug, Clone)]
pub(super) struct More {
    pub(super) entries: VecDeque<Entry>,
    /// Entries that were given up for later ones.
    pub(super) overwritten: u32,
    /// What the kernel's figures came to when they were last weighed.
    pub(super) kernel: Transition,
    /// The recordings of attempts beside this one.
    pub(super) others: Vec<Recording>,
}

impl More {
    pub(super) fn after(beats: &Beats) -> More {
        let entries = beats.entries().collect();
        More { entries, overwritten: 0, kernel: Transition::KernelAnswers, others: Vec::new() }
    }

    pub(super) fn precede(&mut self, opening: impl Iterator<Item = Entry>) {
        let after = std::mem::take(&mut self.entries);
        self.entries = opening.chain(after).collect();
    }

    pub(super) fn push(&mut self, entry: Entry) {
        let length = self.entries.len();
        if length == KEPT {
            self.entries.pop_front();
            self.overwritten = self.overwritten.saturating_add(1);
        } else if length == self.entries.capacity() {
            // By half: a client that has trouble once does not pay for 256.
            self.entries.reserve_exact(FIRST_ROOM.max(length / 2).min(KEPT - length));
        }
        self.entries.push_back(entry);
    }
}

/// The last entries, as far back as nothing but pairs happened.
pub(super) fn usual(entries: &VecDeque<Entry>) -> std::ops::Range<usize> {
    let count = entries.iter().rev().take_while(|entry| !matches!(place(entry.what), Place::Alone)).count();
    entries.len() - count..entries.len()
}
