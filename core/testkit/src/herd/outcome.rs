//! What a run came to.

use std::time::Duration;

/// The width of the bins in which attempts are counted.
pub(super) const BIN: Duration = Duration::from_millis(100);

/// The figures of one policy in one scenario.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// How many connections were lost and had to come back: one for each client, more where nodes restart one by one.
    pub losses: u64,
    /// Attempts that began while the server was away.
    pub tries_before: u64,
    /// Attempts that began once it was back.
    pub tries_after: u64,
    /// Those of them that failed.
    pub wasted: u64,
    /// Accepts that the server spent on connections whose clients had gone.
    pub dead_accepts: u64,
    /// SYNs that found the queue full.
    pub dropped_syns: u64,
    /// The most attempts within 100 ms while the server was away.
    pub peak_before: u64,
    /// The most attempts within any second (in steps of 100 ms) once it was back.
    pub peak_after: u64,
    /// How long each of those that came back was kept waiting by a server that was there, shortest first.
    pub waits: Vec<Duration>,
    /// How long the run was watched once the server was back.
    pub watched: Duration,
}

impl Outcome {
    /// How long it took until this share of the clients was back; `None` if they were not by the end.
    pub fn back(&self, share: f64) -> Option<Duration> {
        let wanted = (self.losses as f64 * share).ceil().max(1.0) as usize;
        self.waits.get(wanted - 1).copied()
    }

    /// The share of the clients that came back.
    pub fn came_back(&self) -> f64 {
        self.waits.len() as f64 / self.losses.max(1) as f64
    }

    /// Failed attempts for each loss, once the server was there.
    pub fn wasted_each(&self) -> f64 {
        self.wasted as f64 / self.losses.max(1) as f64
    }

    /// The share that is back after each of these times.
    pub fn curve(&self, times: impl IntoIterator<Item = Duration>) -> Vec<f64> {
        let share = |time| self.waits.partition_point(|wait| *wait <= time) as f64 / self.losses.max(1) as f64;
        times.into_iter().map(share).collect()
    }

    /// The figures of several runs as one: peaks are the highest of any.
    pub fn join(mut self, other: Outcome) -> Outcome {
        self.losses += other.losses;
        self.tries_before += other.tries_before;
        self.tries_after += other.tries_after;
        self.wasted += other.wasted;
        self.dead_accepts += other.dead_accepts;
        self.dropped_syns += other.dropped_syns;
        self.peak_before = self.peak_before.max(other.peak_before);
        self.peak_after = self.peak_after.max(other.peak_after);
        self.waits.extend(other.waits);
        self.waits.sort_unstable();
        self.watched = self.watched.max(other.watched);
        self
    }
}

/// Counts attempts in bins.
#[derive(Debug, Default)]
pub(super) struct Bins(Vec<u32>);

impl Bins {
    pub(super) fn count(&mut self, at: Duration) {
        let bin = (at.as_nanos() / BIN.as_nanos()) as usize;
        if self.0.len() <= bin {
            self.0.resize(bin + 1, 0);
        }
        self.0[bin] += 1;
    }

    /// The most in so many bins in a row.
    pub(super) fn peak(&self, bins: usize) -> u64 {
        let mut sum = 0_u64;
        let mut highest = 0;
        for (index, count) in self.0.iter().enumerate() {
            sum += u64::from(*count);
            if let Some(left) = index.checked_sub(bins) {
                sum -= u64::from(self.0[left]);
            }
            highest = highest.max(sum);
        }
        highest
    }
}
