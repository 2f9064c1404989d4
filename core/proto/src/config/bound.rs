//! How long each fault can go unnoticed at worst, computed from the configuration. `None` where blind.
//!
//! The formulas are those of the Linux kernel, checked against measured times.

use crate::config::{HeartbeatSettings, Keepalive, Settings, ValidConfig, short};
use std::fmt;
use std::time::Duration;

/// 939 s: Linux gives up after 15 retransmissions (`tcp_retries2`), measured from a retransmission timeout of 200 ms.
pub(super) const KERNEL_DEFAULT: Duration = Duration::from_secs(939);
/// 1 s: the retransmission timeout taken where nothing limits it; paths of 200 ms have 0.9 s.
const ASSUMED_RTO: Duration = Duration::from_secs(1);
/// 0.5 s: the tail-loss probe before the clock of the user timeout starts, and the kernel's timer slack.
const TIMER_SLACK: Duration = Duration::from_millis(500);

/// One fault's worst case, with the formula it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The longest time from the fault to the verdict; `None` if this configuration never notices.
    pub within: Option<Duration>,
    /// The formula with its numbers, for people.
    pub formula: String,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.within {
            Some(within) => write!(f, "{} ({})", short(within), self.formula),
            None => write!(f, "never ({})", self.formula),
        }
    }
}

/// The worst case of each kind of fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectionBounds {
    /// The path goes silent while nothing is in flight.
    pub path_silent_idle: Bound,
    /// The path goes silent while data is in flight.
    pub path_silent_in_flight: Bound,
    /// The peer's process is frozen, its kernel answers.
    pub peer_frozen: Bound,
    /// The peer lives and does not read.
    pub peer_stalled: Bound,
    /// An attempt meets an endpoint that never answers.
    pub connect: Bound,
}

impl DetectionBounds {
    /// Computes the bounds of `settings`.
    pub(super) fn of(settings: &Settings) -> DetectionBounds {
        let heartbeat = settings.heartbeat.as_ref();
        let in_flight = Term::in_flight(settings.user_timeout, settings.rto_max);
        // Both watch the process at the other end, whatever the path and the kernels do.
        let watching = || {
            let answered = heartbeat.filter(|heartbeat| heartbeat.expects_reply()).map(Term::heartbeat);
            let talking = settings.read_idle.map(Term::read_idle);
            answered.into_iter().chain(talking)
        };
        DetectionBounds {
            path_silent_idle: soonest(
                watching().chain(Term::idle(settings.keepalive, settings.user_timeout, heartbeat, &in_flight)),
                "neither keepalive nor heartbeat nor read_idle: nothing is ever sent, so nothing is missed",
            ),
            path_silent_in_flight: soonest(watching().chain([in_flight]), ""),
            peer_frozen: soonest(
                watching(),
                "no heartbeat that expects a reply and no read_idle: the peer's kernel answers for its process",
            ),
            peer_stalled: soonest([Term::new(settings.stall_limit, "stall_limit")], ""),
            connect: soonest([Term::new(settings.connect_total, "connect.total")], ""),
        }
    }

    /// The longest of the bounds that concern an established connection's peer; `None` if one is blind.
    fn longest(&self) -> Option<Duration> {
        let bounds = [&self.path_silent_idle, &self.path_silent_in_flight, &self.peer_frozen];
        bounds
            .into_iter()
            .map(|bound| bound.within)
            .try_fold(Duration::ZERO, |longest, within| Some(longest.max(within?)))
    }
}

impl ValidConfig {
    /// Computes how long each fault can go unnoticed at worst.
    pub fn detection_bounds(&self) -> DetectionBounds {
        DetectionBounds::of(self)
    }

    /// The longest time until a dead peer is noticed whatever the fault; `None` if some fault goes unseen.
    pub fn detection_bound(&self) -> Option<Duration> {
        self.detection_bounds().longest()
    }
}

/// One detector's time with its formula.
struct Term {
    within: Duration,
    formula: String,
    /// Whether the formula adds something up, so that its sum is worth printing.
    is_sum: bool,
}

impl Term {
    fn new(within: Duration, name: &str) -> Term {
        Term { within, formula: format!("{name} {}", short(within)), is_sum: false }
    }

    fn sum(within: Duration, formula: String) -> Term {
        Term { within, formula, is_sum: true }
    }

    fn read_idle(within: Duration) -> Term {
        Term::new(within, "read_idle")
    }

    /// No inbound byte for the interval, a heartbeat, no inbound byte for the deadline.
    fn heartbeat(heartbeat: &HeartbeatSettings) -> Term {
        let (interval, reply_within) = (heartbeat.interval, heartbeat.reply_within);
        Term::sum(
            interval.saturating_add(reply_within),
            format!("heartbeat.interval {} + heartbeat.reply_within {}", short(interval), short(reply_within)),
        )
    }

    /// Keepalive alone, or the heartbeat's own bytes: keepalive does not run while they are in flight.
    fn idle(
        keepalive: Option<Keepalive>,
        user_timeout: Option<Duration>,
        heartbeat: Option<&HeartbeatSettings>,
        in_flight: &Term,
    ) -> Option<Term> {
        let probes = keepalive.map(|keepalive| {
            let probes = probes_until_dead(keepalive, user_timeout);
            let (idle, interval) = (keepalive.idle, keepalive.interval);
            Term::sum(
                idle.saturating_add(interval.saturating_mul(probes)),
                format!("keepalive.idle {} + keepalive.interval {} × {probes} probes", short(idle), short(interval)),
            )
        });
        let Some(interval) = heartbeat.map(|heartbeat| heartbeat.interval) else { return probes };
        if probes.as_ref().is_some_and(|probes| probes.within <= interval) {
            return probes;
        }
        Some(Term::sum(
            interval.saturating_add(in_flight.within),
            format!("heartbeat.interval {} + {}", short(interval), in_flight.formula),
        ))
    }

    fn in_flight(user_timeout: Option<Duration>, rto_max: Option<Duration>) -> Term {
        let Some(user_timeout) = user_timeout else {
            let formula = format!("Linux default tcp_retries2: about {}", short(KERNEL_DEFAULT));
            return Term { within: KERNEL_DEFAULT, formula, is_sum: false };
        };
        let rto = rto_max.unwrap_or(ASSUMED_RTO);
        Term::sum(
            data_in_flight(user_timeout, rto),
            format!(
                "user_timeout {} + 2 × retransmission timeout (at most {}{}) + {}",
                short(user_timeout),
                if rto_max.is_some() { "rto_max " } else { "an assumed " },
                short(rto),
                short(TIMER_SLACK)
            ),
        )
    }
}

/// How many probes go unanswered before the kernel gives up. With a user timeout it compares the time at each probe
/// and ignores the count.
fn probes_until_dead(keepalive: Keepalive, user_timeout: Option<Duration>) -> u32 {
    let Some(user_timeout) = user_timeout else { return keepalive.retries };
    let left = user_timeout.saturating_sub(keepalive.idle).as_nanos();
    u32::try_from(left.div_ceil(keepalive.interval.as_nanos().max(1))).unwrap_or(u32::MAX).max(1)
}

/// The user timeout's clock starts at the first retransmission and is read at the last.
fn data_in_flight(user_timeout: Duration, rto: Duration) -> Duration {
    user_timeout.saturating_add(rto.saturating_mul(2)).saturating_add(TIMER_SLACK)
}

fn soonest(terms: impl IntoIterator<Item = Term>, blind: &str) -> Bound {
    let terms: Vec<Term> = terms.into_iter().collect();
    let within = terms.iter().map(|term| term.within).min();
    let formula = match &terms[..] {
        [] => blind.to_owned(),
        [only] => only.formula.clone(),
        several => {
            let listed: Vec<String> = several
                .iter()
                .map(|term| match term.is_sum {
                    true => format!("{} = {}", term.formula, short(term.within)),
                    false => term.formula.clone(),
                })
                .collect();
            format!("the sooner of: {}", listed.join("; "))
        }
    };
    Bound { within, formula }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keepalive_formula_gives_the_measured_times() {
        // idle, interval, retries, user timeout, measured seconds (the kernel may take 2 % and 0.5 s more).
        for (idle, interval, retries, user_timeout, measured) in [
            (2, 1, 3, None, 5.06),
            (10, 1, 3, None, 13.2),
            (2, 1, 9, Some(5), 5.08),
            (2, 1, 3, Some(20), 20.4),
            (10, 1, 3, Some(3), 11.04),
            (10, 5, 3, Some(3), 15.15),
        ] {
            let keepalive =
                Keepalive { idle: Duration::from_secs(idle), interval: Duration::from_secs(interval), retries };
            let user_timeout = user_timeout.map(Duration::from_secs);
            let in_flight = Term::in_flight(user_timeout, None);
            let within = Term::idle(Some(keepalive), user_timeout, None, &in_flight).unwrap().within.as_secs_f64();
            assert!(within <= measured && measured <= within * 1.02 + 0.5, "{keepalive:?}: {within} and {measured}");
        }
    }

    #[test]
    fn user_timeout_formula_covers_the_measured_times() {
        // user timeout, retransmission timeout of the path in milliseconds, measured seconds.
        for (user_timeout, rto, measured) in
            [(1, 200, 1.44), (3, 200, 3.42), (5, 200, 5.57), (10, 200, 10.46), (5, 876, 6.83)]
        {
            let within = data_in_flight(Duration::from_secs(user_timeout), Duration::from_millis(rto)).as_secs_f64();
            assert!(measured <= within && within <= measured + 0.6, "{user_timeout} s: {within} and {measured}");
        }
    }

    #[test]
    fn huge_times_saturate_instead_of_overflowing() {
        let keepalive = Keepalive { idle: Duration::MAX, interval: Duration::from_nanos(1), retries: u32::MAX };
        assert_eq!(probes_until_dead(keepalive, Some(Duration::MAX)), 1);
        assert_eq!(data_in_flight(Duration::MAX, Duration::MAX), Duration::MAX);
    }
}
