//! Scenarios drawn at random, and the budgets that hold on them.

use super::{Down, Outcome, Scenario};
use fastrand::Rng;
use std::fmt;
use std::time::Duration;

/// What a herd may cost on its way back: the time until 99 % are back, over the ideal.
pub const T99_OVER_IDEAL: f64 = 1.2;

/// Attempts that a client may waste on average once its server is there.
pub const WASTED_EACH: f64 = 1.5;

/// A small fleet waits for its own backoff, not for the server: 99 % are back within this, whatever the ideal.
pub const SMALL_FLEET: Duration = Duration::from_secs(9);

/// Budgets are stated where the server could take everybody within a minute.
pub const IDEAL_MAX: Duration = Duration::from_secs(60);

/// Backlogs are not scaled below this: a queue of a few places makes a server idle by chance.
const BACKLOG_MIN: f64 = 16.0;

/// Nor rates: the last one in a hundred of a fleet must not be a matter of one accept.
const RATE_MIN: f64 = 1.0;

/// Percentiles of a hundred clients are luck: a small fleet is run with as many seeds as make so many clients.
const POOLED: u32 = 10_000;

impl Scenario {
    /// So many scenarios: outage 0.2 to 600 s, 100 to 1,000,000 clients, 100 to 20,000 accepts a second, backlog 128 to
    /// 65,535, each as likely to be ten times larger as smaller; refused or black-holed.
    pub fn draws(count: usize, seed: u64) -> Vec<Scenario> {
        let mut rng = Rng::with_seed(seed);
        (0..count).map(|_| Scenario::draw(&mut rng)).collect()
    }

    fn draw(rng: &mut Rng) -> Scenario {
        let mut between = |low: f64, high: f64| low * (high / low).powf(rng.f64());
        Scenario {
            outage: Duration::from_millis((between(0.2, 600.0) * 1_000.0).round() as u64),
            clients: between(100.0, 1_000_000.0).round() as u32,
            accept_rate: between(100.0, 20_000.0).round() as u32,
            backlog: between(128.0, 65_535.0).round() as u32,
            down: if rng.bool() { Down::Refused } else { Down::BlackHoled },
            seed: rng.u64(..),
            ..Scenario::default()
        }
    }

    /// Whether the budgets are stated for it: the server could take everybody within a minute.
    pub fn is_budgeted(&self) -> bool {
        self.ideal(1.0) <= IDEAL_MAX
    }

    /// The same at a smaller scale: clients, rate and backlog divided by one number, and a TLS handshake costs as much more,
    /// so that every time stays what it was.
    pub fn scaled(&self, clients: u32) -> Scenario {
        let factor = (f64::from(self.clients) / f64::from(clients.max(1)))
            .min(f64::from(self.backlog) / BACKLOG_MIN)
            .min(f64::from(self.accept_rate) / RATE_MIN);
        if factor <= 1.0 {
            return self.clone();
        }
        let divided = |number: u32| (f64::from(number) / factor).round().max(1.0) as u32;
        // Clients make up for what is lost by rounding the rate.
        let accept_rate = divided(self.accept_rate);
        let clients = f64::from(self.clients) / f64::from(self.accept_rate) * f64::from(accept_rate);
        Scenario {
            clients: clients.round().max(1.0) as u32,
            accept_rate,
            backlog: divided(self.backlog),
            tls: self.tls.mul_f64(f64::from(self.accept_rate) / f64::from(accept_rate)),
            ..self.clone()
        }
    }

    /// The seeds with which it is run: more than one where one would say little.
    pub fn seeds(&self) -> u64 {
        u64::from((POOLED / self.clients.max(1)).clamp(1, 100))
    }

    /// Within which 99 % have to be back.
    pub fn t99_budget(&self) -> Duration {
        self.ideal(0.99).mul_f64(T99_OVER_IDEAL).max(SMALL_FLEET)
    }

    /// What of the budgets does not hold.
    pub fn violations(&self, outcome: &Outcome) -> Vec<Violation> {
        let budget = self.t99_budget();
        let late = outcome.back(0.99).is_none_or(|t99| t99 > budget);
        let wasteful = outcome.wasted_each() > WASTED_EACH;
        [
            (late, Violation::Late { budget, t99: outcome.back(0.99) }),
            (wasteful, Violation::Wasteful { each: outcome.wasted_each() }),
            (outcome.dead_accepts > 0, Violation::DeadAccepts { count: outcome.dead_accepts }),
        ]
        .into_iter()
        .filter_map(|(broken, violation)| broken.then_some(violation))
        .collect()
    }
}

/// A budget that does not hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Violation {
    /// 99 % were not back in time.
    Late {
        /// The time.
        budget: Duration,
        /// When they were.
        t99: Option<Duration>,
    },
    /// Too many attempts failed though the server was there.
    Wasteful {
        /// For each client.
        each: f64,
    },
    /// The server accepted clients that had gone.
    DeadAccepts {
        /// How many.
        count: u64,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::Late { budget, t99: Some(t99) } => {
                write!(f, "99 % after {:.1} s, not {:.1} s", t99.as_secs_f64(), budget.as_secs_f64())
            }
            Violation::Late { budget, t99: None } => write!(f, "99 % never, not {:.1} s", budget.as_secs_f64()),
            Violation::Wasteful { each } => write!(f, "{each:.2} wasted tries, not {WASTED_EACH}"),
            Violation::DeadAccepts { count } => write!(f, "{count} dead accepts"),
        }
    }
}
