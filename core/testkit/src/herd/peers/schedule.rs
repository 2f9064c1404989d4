//! The waits of other clients, re-implemented from where they are written down.

use fastrand::Rng;
use std::time::Duration;

/// How a client waits between attempts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Schedule {
    /// gRPC, `doc/connection-backoff.md`; jitter on the first wait too, as its C core has it and the document has not.
    Grpc,
    /// nats.go, `nats.go`: at once, then `ReconnectWait` + up to `ReconnectJitter`.
    Nats,
    /// async-nats, `reconnect_delay_callback_default`.
    AsyncNats,
    /// Socket.IO, the package `backo2`: the cap cuts the jitter off.
    SocketIo,
    /// "Exponential Backoff And Jitter", AWS Architecture Blog: up to `base` · 2ⁿ.
    FullJitter {
        /// The first window.
        base: Duration,
        /// The largest window.
        cap: Duration,
    },
    /// The same article: between `base` and three times the last wait.
    Decorrelated {
        /// The shortest wait.
        base: Duration,
        /// The longest.
        cap: Duration,
    },
    /// The crate `backon`, `ExponentialBuilder::default()`: the call is made at once, then 1 s × 2 up to 60 s. Its jitter is
    /// added to the capped wait.
    Backon {
        /// `with_jitter()`.
        jitter: bool,
        /// Tries after the first; then it gives up. `without_max_times()` is `None`.
        times: Option<u32>,
    },
    /// Always the same.
    Fixed(Duration),
}

const GRPC_FIRST: f64 = 1.0;
const GRPC_FACTOR: f64 = 1.6;
const GRPC_MAX: f64 = 120.0;
const GRPC_JITTER: f64 = 0.2;

impl Schedule {
    /// The wait before the next attempt, after `tries` since the connection was lost; `None` if there is no next one.
    pub fn wait(self, tries: u32, last: Duration, rng: &mut Rng) -> Option<Duration> {
        let seconds = match self {
            // The connection is made again at once; from then on each failure waits.
            Schedule::Grpc | Schedule::Nats | Schedule::Backon { .. } if tries == 0 => 0.0,
            Schedule::Grpc => grpc_window(tries) * (1.0 + GRPC_JITTER * (2.0 * rng.f64() - 1.0)),
            Schedule::Nats => 2.0 + 0.1 * rng.f64(),
            // Attempt 1 is made at once, attempt n after 2ⁿ⁻¹ ms.
            Schedule::AsyncNats if tries == 0 => 0.0,
            Schedule::AsyncNats => (0.001 * power(2.0, tries)).min(4.0),
            Schedule::SocketIo => {
                let window = power(2.0, tries);
                (window * (0.5 + rng.f64())).min(5.0)
            }
            Schedule::FullJitter { base, cap } => {
                rng.f64() * (base.as_secs_f64() * power(2.0, tries)).min(cap.as_secs_f64())
            }
            Schedule::Decorrelated { base, cap } => {
                let low = base.as_secs_f64();
                let high = 3.0 * last.max(base).as_secs_f64();
                (low + (high - low) * rng.f64()).min(cap.as_secs_f64())
            }
            Schedule::Backon { times: Some(times), .. } if tries > times => return None,
            Schedule::Backon { jitter, .. } => {
                let wait = power(2.0, tries - 1).min(60.0);
                if jitter { wait + wait * f64::from(rng.f32()) } else { wait }
            }
            Schedule::Fixed(wait) => return Some(wait),
        };
        Some(Duration::from_secs_f64(seconds))
    }

    /// Whether a wait counts from the start of the attempt that failed, not from its end.
    pub(super) const fn counts_from_start(self) -> bool {
        matches!(self, Schedule::Grpc)
    }

    /// How long an attempt may take. gRPC lets it run until the next one would be due.
    pub(super) fn patience(self, connect: Duration, tries: u32) -> Duration {
        match self {
            Schedule::Grpc => connect.max(Duration::from_secs_f64(grpc_window(tries + 1))),
            Schedule::Nats
            | Schedule::AsyncNats
            | Schedule::SocketIo
            | Schedule::FullJitter { .. }
            | Schedule::Decorrelated { .. }
            | Schedule::Backon { .. }
            | Schedule::Fixed(_) => connect,
        }
    }
}

/// The window after so many tries, counted from 1.
fn grpc_window(tries: u32) -> f64 {
    (GRPC_FIRST * power(GRPC_FACTOR, tries.saturating_sub(1))).min(GRPC_MAX)
}

/// Large powers are infinite, and end at the cap.
fn power(base: f64, exponent: u32) -> f64 {
    base.powi(i32::try_from(exponent).unwrap_or(i32::MAX))
}
