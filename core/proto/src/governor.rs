//! The budget of retries that all clients of a process share for one endpoint: a bucket of tokens, in the order of asking.
//!
//! Pure: time is an argument, and the bucket is one number. Who asks gets the time from which it may go, never a refusal;
//! whoever asks later gets no earlier time.

use crate::error::ConfigError;
use crate::time::Time;
use std::time::Duration;

/// How many retries an endpoint gets from one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RetryBudget {
    /// So many may leave at once, after a pause.
    pub burst: u32,
    /// So many follow each second.
    pub per_second: u32,
}

impl Default for RetryBudget {
    /// 100 at once, then 50 a second.
    ///
    /// 100 fit the shortest listen queue in use (128), and nobody with fewer connections is ever held. 50 a second are a
    /// few per cent of the TLS handshakes that one core of a server does.
    fn default() -> RetryBudget {
        RetryBudget { burst: 100, per_second: 50 }
    }
}

impl RetryBudget {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`ConfigError`] on `governor.burst` or `governor.per_second` if one is zero: nothing would ever be retried.
    pub fn validate(self) -> Result<RetryBudget, ConfigError> {
        for (field, value) in [("governor.burst", self.burst), ("governor.per_second", self.per_second)] {
            if value == 0 {
                return Err(ConfigError::new(field, value, "must be at least 1"));
            }
        }
        Ok(self)
    }

    /// The time in which one token comes back.
    fn interval(&self) -> u64 {
        const SECOND: u64 = 1_000_000_000;
        SECOND / u64::from(self.per_second.clamp(1, 1_000_000_000))
    }

    /// The time in which an empty bucket fills.
    pub fn refill(&self) -> Duration {
        Duration::from_nanos(self.interval().saturating_mul(self.burst.into()))
    }
}

/// The tokens of one endpoint. A fresh one is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RetryBucket {
    /// When it will be full again. One token lies `interval` before it, another one before that.
    full_at: Time,
}

impl RetryBucket {
    /// Takes the next token: from when on the retry may leave. In the order of asking.
    pub fn reserve(&mut self, budget: &RetryBudget, now: Time) -> Time {
        let interval = Duration::from_nanos(budget.interval());
        let whole = budget.refill().saturating_sub(interval);
        let at = now.max(self.full_at - whole);
        self.full_at = self.full_at.max(now) + interval;
        at
    }

    /// Takes a token for what leaves now in any case, if there is one: it makes nobody owe more than an empty bucket.
    pub fn charge(&mut self, budget: &RetryBudget, now: Time) {
        let full_at = self.full_at.max(now) + Duration::from_nanos(budget.interval());
        if full_at <= now + budget.refill() {
            self.full_at = full_at;
        }
    }

    /// Whether it has every token, and so nothing to remember.
    pub fn is_full(&self, now: Time) -> bool {
        self.full_at <= now
    }
}
