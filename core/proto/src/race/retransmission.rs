//! When Linux sends a SYN again, and how a deadline keeps off those moments.

use std::time::Duration;

/// Linux sends a SYN again after so many seconds: five times linearly (`tcp_syn_linear_timeouts`), then doubling.
const SYN_SECONDS: [u64; 8] = [1, 2, 3, 4, 5, 7, 11, 19];

/// 500 ms: the kernel's timers are up to 12.5 % late, and a slow path takes a few hundred milliseconds to answer.
const ANSWER: Duration = Duration::from_millis(500);

/// 50 ms: what our own timers and the kernel's may differ by.
const CLEAR_OF: Duration = Duration::from_millis(50);

/// The SYN after which `deadline` leaves no time for its answer, if there is one.
pub fn retransmission_before(deadline: Duration) -> Option<Duration> {
    let sent = SYN_SECONDS.map(Duration::from_secs);
    sent.into_iter().find(|sent| *sent <= deadline && deadline < *sent + ANSWER)
}

/// `deadline`, or a moment before the SYN that it leaves no time for.
pub fn step_back(deadline: Duration) -> Duration {
    retransmission_before(deadline).map_or(deadline, |sent| sent - CLEAR_OF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_step_back_from_the_syns_they_would_waste() {
        for (deadline, stepped) in
            [(900, 900), (1_000, 950), (1_499, 950), (1_500, 1_500), (3_500, 3_500), (7_100, 6_950), (10_000, 10_000)]
        {
            assert_eq!(step_back(Duration::from_millis(deadline)), Duration::from_millis(stepped), "{deadline} ms");
        }
        assert_eq!(step_back(Duration::MAX), Duration::MAX);
    }
}
