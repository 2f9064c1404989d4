//! Delay between connection attempts: exponential, jittered, reset once a connection proves stable.

use crate::cause::{Cause, DnsFailure, Ending, GreetingFailure, ProxyFailure, TlsFailure};
use crate::config::{Backoff, Jitter};
use fastrand::Rng;
use std::time::Duration;

/// The shortest wait, added to every draw and never clamped into it: an instant refusal must not become a busy loop,
/// and a clamp would put a part of the fleet on the same instant.
pub const FLOOR: Duration = Duration::from_millis(100);

/// The shortest wait after a local resource ran out, or while a name does not exist: neither heals in less.
pub const PATIENT_FLOOR: Duration = Duration::from_secs(1);

/// The shortest wait after credentials were refused: servers lock accounts after a few tries a minute.
pub const AUTH_FLOOR: Duration = Duration::from_secs(10);

/// The shortest wait while a certificate is out of date or refused, or the rules of a proxy forbid the endpoint: somebody has
/// to replace it, set a clock, or change the rules.
pub const SLOW_FLOOR: Duration = Duration::from_secs(30);

/// The longest that a peer can send us away: a typing error in a server must not silence a fleet for a year.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// How far along the curve a client is. A connection that was verified and stayed up resets it; an earlier death
/// continues where it stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BackoffEntry {
    step: u32,
    /// The last draw in nanoseconds, which decorrelated jitter grows from.
    previous: u64,
}

impl BackoffEntry {
    /// An entry at the start of the curve.
    pub const fn new() -> BackoffEntry {
        BackoffEntry { step: 0, previous: 0 }
    }

    /// An entry after `step` waits.
    pub const fn at_step(step: u32) -> BackoffEntry {
        BackoffEntry { step, previous: 0 }
    }

    /// The number of waits since the last reset.
    pub const fn step(&self) -> u32 {
        self.step
    }

    /// Moves on to `step`, if it is not there yet.
    pub fn raise_to(&mut self, step: u32) {
        self.step = self.step.max(step);
    }

    /// Goes back to the start of the curve.
    pub fn reset(&mut self) {
        *self = BackoffEntry::new();
    }

    /// Draws the wait before the next attempt, from the moment the last one ended, and moves on along the curve.
    ///
    /// The first is the floor plus `uniform(0, first_spread)`, then the floor plus
    /// `uniform(0, min(max − FLOOR, initial · multiplier^n))` with n = 1, 2, …: with the usual floor no later wait is
    /// longer than `max`.
    pub fn next_delay(&mut self, curve: &Backoff, ending: &Ending, rng: &mut Rng) -> Duration {
        let drawn = self.draw(curve, rng);
        self.previous = drawn;
        self.step = self.step.saturating_add(1);
        let delay = floor(ending.cause).saturating_add(Duration::from_nanos(drawn));
        match ending.retry_after {
            Some(hint) => {
                let spread = rng.u64(0..=nanos(curve.first_spread));
                delay.max(hint.min(RETRY_AFTER_MAX).saturating_add(Duration::from_nanos(spread)))
            }
            None => delay,
        }
    }

    fn draw(&self, curve: &Backoff, rng: &mut Rng) -> u64 {
        let first = self.step == 0;
        let max = largest_draw(curve);
        let window = nanos(window(curve, self.step)).min(if first { u64::MAX } else { max });
        match curve.jitter {
            Jitter::None => window,
            Jitter::Full => rng.u64(0..=window),
            // The first wait spreads a fleet that lost its server at one instant: always over the whole window.
            Jitter::Equal | Jitter::Centred | Jitter::Decorrelated if first => rng.u64(0..=window),
            Jitter::Equal => rng.u64(window / 2..=window),
            Jitter::Centred => {
                // The upper end, half above the window, stays within `max`.
                let centre = window.min(max / 3 * 2);
                rng.u64(centre / 2..=centre.saturating_add(centre / 2))
            }
            Jitter::Decorrelated => {
                let initial = nanos(curve.initial);
                let high = self.previous.max(initial).saturating_mul(3).min(max);
                rng.u64(initial.min(high)..=high)
            }
        }
    }
}

/// The largest draw: `max` is what people wait for, so the floor is a part of it. Of a very short `max` half is left, for a
/// fleet without any spread would stay in step.
fn largest_draw(curve: &Backoff) -> u64 {
    let max = nanos(curve.max);
    max - nanos(FLOOR).min(max / 2)
}

/// The declared window of wait number `step`, counted from 0.
pub fn window(curve: &Backoff, step: u32) -> Duration {
    if step == 0 {
        return curve.first_spread;
    }
    let growth = curve.multiplier.powi(i32::try_from(step).unwrap_or(i32::MAX));
    let grown = curve.initial.as_secs_f64() * growth;
    // Not `min`: an overflow to infinity or NaN has to end at the cap.
    if grown < curve.max.as_secs_f64() { Duration::from_secs_f64(grown.max(0.0)) } else { curve.max }
}

/// The part of a wait that no luck shortens: each class of failure heals in its own time.
pub const fn floor(cause: Cause) -> Duration {
    match cause {
        Cause::LocalResource
        | Cause::LocalNetworkDown
        | Cause::Replaced
        | Cause::Dns(DnsFailure::NotFound | DnsFailure::NoAddress) => PATIENT_FLOOR,
        Cause::Greeting(GreetingFailure::Auth | GreetingFailure::Credentials)
        | Cause::Proxy(ProxyFailure::Auth | ProxyFailure::Credentials) => AUTH_FLOOR,
        Cause::Tls(
            TlsFailure::Expired
            | TlsFailure::NotYetValid
            | TlsFailure::UntrustedIssuer
            | TlsFailure::NameMismatch
            | TlsFailure::Revoked
            | TlsFailure::BadCertificate
            | TlsFailure::Pin
            | TlsFailure::ClientAuth
            | TlsFailure::Version
            | TlsFailure::Alpn,
        )
        | Cause::Proxy(ProxyFailure::Denied | ProxyFailure::Unsupported) => SLOW_FLOOR,
        Cause::PeerClosed
        | Cause::Reset
        | Cause::PathSilent
        | Cause::PeerUnresponsive
        | Cause::PeerStalled
        | Cause::WriteStalled
        | Cause::Refused
        | Cause::Unreachable
        | Cause::ConnectTimeout
        | Cause::Dns(DnsFailure::Timeout | DnsFailure::Temporary)
        | Cause::Tls(TlsFailure::Timeout | TlsFailure::Protocol | TlsFailure::Truncated)
        | Cause::Proxy(
            ProxyFailure::Refused
            | ProxyFailure::Unreachable
            | ProxyFailure::Unavailable
            | ProxyFailure::Timeout
            | ProxyFailure::Closed
            | ProxyFailure::Protocol,
        )
        | Cause::Greeting(
            GreetingFailure::Timeout
            | GreetingFailure::Unexpected
            | GreetingFailure::Rejected
            | GreetingFailure::Panicked,
        )
        | Cause::Protocol(_)
        | Cause::NetworkChanged
        | Cause::Requested => FLOOR,
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
