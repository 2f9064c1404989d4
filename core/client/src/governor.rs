//! The budget of retries per endpoint, held for all clients of a process: a fleet in one process must not storm its server.

use crate::endpoint::Endpoint;
use keepline_proto::governor::{RetryBucket, RetryBudget};
use keepline_proto::{ConfigError, Time};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// 4,096 endpoints that are being retried at this very moment, some 200 KB. Beyond it nobody holds many clients per endpoint.
const MAX_ENDPOINTS: usize = 4096;

static OF_THE_PROCESS: LazyLock<Governor> = LazyLock::new(|| Governor::with(RetryBudget::default()));

/// Holds retries back so that an endpoint gets no more of them from one process than a budget allows.
///
/// All clients of a process share one governor of 100 retries at once and 50 a second for each endpoint. It holds what a
/// wait between attempts leads to, in the order in which the waits end. The first dial of a client is free. What leaves at
/// once (`reconnect()`, a new network, the second attempt of `concurrent_ok`) is never held; it only counts.
///
/// ```
/// use keepline::{Client, Governor, RetryBudget};
///
/// let governor = Governor::new(RetryBudget { burst: 10, per_second: 5 })?;
/// let gate = Client::builder("gate.example:7000").governor(governor.clone());
/// let door = Client::builder("door.example:7000").governor(governor);
/// # Ok::<(), keepline::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Governor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    budget: RetryBudget,
    /// Endpoints with a token missing; one that has them all is forgotten.
    buckets: Mutex<HashMap<Endpoint, RetryBucket>>,
}

impl Governor {
    /// Makes a governor of its own, for the clients that it is given to.
    ///
    /// # Errors
    /// [`ConfigError`] on `governor.burst` or `governor.per_second` if one is zero.
    pub fn new(budget: RetryBudget) -> Result<Governor, ConfigError> {
        budget.validate().map(Governor::with)
    }

    /// The governor of the process, which every client has that was given no other.
    pub fn of_process() -> Governor {
        OF_THE_PROCESS.clone()
    }

    /// The budget of each endpoint.
    pub fn budget(&self) -> RetryBudget {
        self.0.budget
    }

    fn with(budget: RetryBudget) -> Governor {
        Governor(Arc::new(Inner { budget, buckets: Mutex::default() }))
    }

    /// Takes a token for a retry that is due: from when on it may leave.
    pub(crate) fn reserve(&self, endpoint: &Endpoint, now: Time) -> Time {
        self.with_bucket(endpoint, now, |bucket, budget| bucket.reserve(budget, now)).unwrap_or(now)
    }

    /// Counts a dial that leaves now in any case.
    pub(crate) fn charge(&self, endpoint: &Endpoint, now: Time) {
        self.with_bucket(endpoint, now, |bucket, budget| bucket.charge(budget, now));
    }

    /// `None` if too many endpoints are being retried at once to remember another.
    fn with_bucket<T>(
        &self,
        endpoint: &Endpoint,
        now: Time,
        ask: impl FnOnce(&mut RetryBucket, &RetryBudget) -> T,
    ) -> Option<T> {
        let mut buckets = self.0.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(endpoint) {
            return Some(ask(bucket, &self.0.budget));
        }
        if buckets.len() >= MAX_ENDPOINTS {
            buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        if buckets.len() >= MAX_ENDPOINTS {
            return None;
        }
        Some(ask(buckets.entry(endpoint.clone()).or_default(), &self.0.budget))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn endpoints_with_a_full_budget_are_forgotten_and_no_more_than_the_most_are_kept() {
        let governor = Governor::with(RetryBudget { burst: 1, per_second: 1 });
        let endpoint = |number: usize| Endpoint::parse(&format!("host{number}:1")).unwrap();
        let now = Time::ZERO + Duration::from_secs(100);
        for number in 0..MAX_ENDPOINTS {
            assert_eq!(governor.reserve(&endpoint(number), now), now);
        }
        // One more is not remembered, so it is not held either.
        for _ in 0..3 {
            assert_eq!(governor.reserve(&endpoint(MAX_ENDPOINTS), now), now);
        }
        assert_eq!(governor.0.buckets.lock().unwrap().len(), MAX_ENDPOINTS);
        let later = now + Duration::from_secs(1);
        assert_eq!(governor.reserve(&endpoint(MAX_ENDPOINTS), later), later);
        assert_eq!(governor.reserve(&endpoint(MAX_ENDPOINTS), later), later + Duration::from_secs(1));
        assert_eq!(governor.0.buckets.lock().unwrap().len(), 1);
    }
}
