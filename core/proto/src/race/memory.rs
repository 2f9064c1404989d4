//! What earlier attempts taught about the addresses of one name: which one worked, which failed, which were the last good.

use super::order::MAX_ADDRESSES;
use std::net::SocketAddr;

/// Kept per name, as long as its client lives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// Answered last, and has not failed since.
    winner: Option<SocketAddr>,
    /// Failed since the last success, at most [`MAX_ADDRESSES`].
    failed: Vec<SocketAddr>,
    /// The last list of which one worked; before that, the first list.
    good: Box<[SocketAddr]>,
}

impl Memory {
    /// Puts the winner first and what failed lately last; the order is kept otherwise.
    ///
    /// So an attempt that had no time for all of them is continued by the next one. When all have failed, the resolver's
    /// order holds again.
    pub fn arrange(&mut self, addresses: &mut [SocketAddr]) {
        self.failed.retain(|failed| addresses.contains(failed));
        if self.failed.len() == addresses.len() {
            self.failed.clear();
        }
        addresses.sort_by_key(|address| (self.winner != Some(*address), self.failed.contains(address)));
    }

    /// Hears what a name resolved to.
    pub fn resolved(&mut self, addresses: &[SocketAddr]) {
        if self.good.is_empty() {
            self.good = addresses.into();
        }
    }

    /// Hears that `winner` of `addresses` answered.
    pub fn connected(&mut self, winner: SocketAddr, addresses: &[SocketAddr]) {
        self.winner = Some(winner);
        self.failed = Vec::new();
        if *self.good != *addresses {
            self.good = addresses.into();
        }
    }

    /// Hears that `address` failed: it did not answer, or what it answered was of no use.
    pub fn failed(&mut self, address: SocketAddr) {
        self.winner = self.winner.filter(|winner| *winner != address);
        if self.failed.len() < MAX_ADDRESSES && !self.failed.contains(&address) {
            self.failed.push(address);
        }
    }

    /// The addresses that the name had when it last worked, for the time while it cannot be resolved. Empty at first.
    pub fn good(&self) -> &[SocketAddr] {
        &self.good
    }
}
