//! How long a handshake may take: longer with a server that is busy, and not with every client the same.

use super::Session;
use crate::race::{TLS_LEAST, tls_least_after};
use crate::wait::WaitClass;
use std::time::Duration;

/// Of an outage's first attempts, one in so many leaves early.
const EARLY_ONE_IN: u32 = 4;

/// How many those are: later ones are spread by their waits, and each that leaves is one more try.
const EARLY_ATTEMPTS: u32 = 2;

/// What those have of the time: so much less that their next attempt asks while everybody else's kernels pause.
const EARLY: f64 = 9.0 / 16.0;

impl Session {
    /// How long the TCP handshake with one address may take in the attempt that was asked for last.
    ///
    /// Longer once one has timed out: a server that drops SYNs has too much to do, and each attempt that is thrown away is
    /// work for it. Not with several endpoints, where somebody else may have time. One client in four is out of step: kernels
    /// send SYNs at the same times after the start of each attempt, and a server that is free between them would find nobody.
    pub fn connect_per_address(&self) -> Duration {
        let whole = self.whole_handshake();
        if self.known.leaves_early { whole.mul_f64(EARLY) } else { whole }
    }

    /// The least that a TLS handshake is given in the attempt that was asked for last; [`tls_within`](crate::race::tls_within)
    /// makes the deadline of it.
    ///
    /// The kernel of a busy server answers at once, but its process comes to a handshake only when it has accepted everybody
    /// who came before, and accepts whoever has left meanwhile for nothing. So with one endpoint it is as long as TCP has
    /// with an address, and longer once an attempt has timed out; nobody leaves early. With several endpoints somebody else may
    /// have time: it is [`TLS_LEAST`] at first, and grows with each round of all of them that ended with a timeout.
    pub fn tls_least(&self) -> Duration {
        if self.has_nobody_else() {
            return TLS_LEAST.max(self.whole_handshake());
        }
        // With several endpoints a wait, and so a failure, is counted once for each round of all of them.
        tls_least_after(self.timeouts(), self.config.connect_patient)
    }

    /// Decides for the attempt that starts now. Only where the deadlines are ours: a declared one is kept by everybody.
    pub(super) fn draw_patience(&mut self) {
        let ours = self.config.connect_patient > self.config.connect_per_address;
        let first = self.has_nobody_else() && self.timeouts() < EARLY_ATTEMPTS;
        let leaves_early = ours && first && self.rng.u32(..EARLY_ONE_IN) == 0;
        // What is known takes room with its first change.
        if leaves_early != self.known.leaves_early {
            self.known.leaves_early = leaves_early;
        }
    }

    fn whole_handshake(&self) -> Duration {
        let patient = self.has_nobody_else() && self.timeouts() > 0;
        if patient { self.config.connect_patient } else { self.config.connect_per_address }
    }

    fn has_nobody_else(&self) -> bool {
        self.known.pool.count() < 2
    }

    /// Attempts that have timed out since one succeeded.
    fn timeouts(&self) -> u32 {
        self.known.waits.failures(WaitClass::Timeout)
    }
}
