//! Classes of wait: what kind of failure it was decides how long to stay away, and each kind is remembered apart.

use crate::backoff::{AUTH_FLOOR, BackoffEntry, FLOOR, PATIENT_FLOOR, window};
use crate::cause::{Cause, DnsFailure, Ending, GreetingFailure, ProxyFailure, TlsFailure, names};
use crate::config::Backoff;
use fastrand::Rng;
use std::time::Duration;

/// What kind of failure is waited out. Each heals in its own time, so each has its own curve and its own memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitClass {
    /// A connection was lost that had been useful.
    Lost,
    /// The host answers that nobody listens: a service that restarts.
    Refused,
    /// The network says that there is no way.
    Unreachable,
    /// Nobody answered in time: a silent path, or a server that has too much to do.
    Timeout,
    /// The name could not be resolved.
    Dns,
    /// The two do not agree on TLS.
    Tls,
    /// The peer or the proxy refused the credentials, or there were none.
    Auth,
    /// The peer accepted and sent us away: in the greeting, with a `retry_after`, or before `stable_after`.
    Kicked,
    /// A local resource ran out.
    LocalResource,
}

names!(WaitClass {
    Lost => "lost", Refused => "refused", Unreachable => "unreachable", Timeout => "timeout", Dns => "dns",
    Tls => "tls", Auth => "auth", Kicked => "kicked", LocalResource => "local_resource",
});

/// How many classes there are.
const CLASSES: usize = WaitClass::ALL.len();

/// How a class stretches the declared curve: factors, so that whoever declares a short or a long one keeps its measure.
struct Stretch {
    initial: u32,
    max: u32,
    /// What the largest window is divided by.
    shrink: u32,
}

impl WaitClass {
    /// The class of an end. `stood` says whether it was a connection that had been verified and stayed up.
    pub const fn of(ending: &Ending, stood: bool) -> WaitClass {
        let class = ending.cause.wait_class();
        match (ending.cause, class, ending.retry_after) {
            (_, WaitClass::Auth, _) => WaitClass::Auth,
            (_, _, Some(_)) => WaitClass::Kicked,
            (Cause::PeerClosed | Cause::Reset | Cause::Tls(TlsFailure::Truncated), _, None) if !stood => {
                WaitClass::Kicked
            }
            (_, class, None) => class,
        }
    }

    /// The curve of this class, made of the declared one.
    pub fn curve(self, declared: &Backoff) -> Backoff {
        let Stretch { initial, max, shrink } = self.stretch();
        let max = declared.max.saturating_mul(max) / shrink;
        Backoff { initial: declared.initial.saturating_mul(initial).min(max), max, ..*declared }
    }

    /// The part of its waits that no luck shortens. Some causes have a longer one:
    /// [`floor`](crate::backoff::floor) knows each.
    pub const fn floor(self) -> Duration {
        match self {
            WaitClass::Auth => AUTH_FLOOR,
            WaitClass::LocalResource => PATIENT_FLOOR,
            WaitClass::Lost
            | WaitClass::Refused
            | WaitClass::Unreachable
            | WaitClass::Timeout
            | WaitClass::Dns
            | WaitClass::Tls
            | WaitClass::Kicked => FLOOR,
        }
    }

    const fn stretch(self) -> Stretch {
        match self {
            // The declared curve was chosen for these: a fleet that lost its server, and one that restarts.
            WaitClass::Lost | WaitClass::Refused => Stretch { initial: 1, max: 1, shrink: 1 },
            // An attempt that timed out has waited for its whole deadline already, so no more than half is added. Wide at
            // once: what an overloaded server let hang began together, timed out together, and has to be spread.
            WaitClass::Timeout => Stretch { initial: 8, max: 1, shrink: 2 },
            // Routes converge within seconds, not within a quarter of one. No longer at the end: the far network can heal
            // without any word of the own one.
            WaitClass::Unreachable => Stretch { initial: 2, max: 1, shrink: 1 },
            // Resolvers cache what does not exist for minutes, and one in trouble serves a whole site.
            WaitClass::Dns => Stretch { initial: 4, max: 3, shrink: 1 },
            // Each try costs the server the work of a handshake, and what fails is settings that a person changes.
            WaitClass::Tls => Stretch { initial: 4, max: 6, shrink: 1 },
            // Accounts are locked after a few tries; beyond that somebody has to act.
            WaitClass::Auth => Stretch { initial: 8, max: 30, shrink: 1 },
            // As the declared curve for a server that restarts in several steps. At the end longer: two clients with one
            // identity throw each other out for ever, and each round costs the server a login.
            WaitClass::Kicked => Stretch { initial: 1, max: 3, shrink: 1 },
            // Ports in TIME_WAIT and descriptors come back in seconds to a minute, and asking costs nobody else anything.
            WaitClass::LocalResource => Stretch { initial: 4, max: 1, shrink: 1 },
        }
    }

    /// Whether it speaks of the network at hand: on another one it is worth nothing.
    pub const fn is_of_the_network(self) -> bool {
        match self {
            WaitClass::Unreachable | WaitClass::Timeout | WaitClass::Dns => true,
            WaitClass::Lost
            | WaitClass::Refused
            | WaitClass::Tls
            | WaitClass::Auth
            | WaitClass::Kicked
            | WaitClass::LocalResource => false,
        }
    }

    /// Whether it goes on from the furthest place that any class of the peer has reached.
    ///
    /// A connection that did not stay up is no success: it restores what was saved. And an overloaded server that refused
    /// before may drop the next attempt without a word.
    const fn goes_on(self) -> bool {
        match self {
            WaitClass::Lost | WaitClass::Kicked | WaitClass::Timeout => true,
            WaitClass::Refused
            | WaitClass::Unreachable
            | WaitClass::Dns
            | WaitClass::Tls
            | WaitClass::Auth
            | WaitClass::LocalResource => false,
        }
    }

    /// Whether it speaks of the way to the peer, or of the peer itself.
    const fn is_of_the_peer(self) -> bool {
        match self {
            WaitClass::Dns | WaitClass::LocalResource => false,
            WaitClass::Lost
            | WaitClass::Refused
            | WaitClass::Unreachable
            | WaitClass::Timeout
            | WaitClass::Tls
            | WaitClass::Auth
            | WaitClass::Kicked => true,
        }
    }
}

impl Cause {
    /// The class of wait that follows it. [`WaitClass::of`] knows more: an end in order or by a reset is `Kicked` if the
    /// connection had not stayed up, and so is whatever carries a `retry_after`.
    pub const fn wait_class(self) -> WaitClass {
        match self {
            Cause::PeerClosed
            | Cause::Reset
            | Cause::PathSilent
            | Cause::PeerUnresponsive
            | Cause::PeerStalled
            | Cause::WriteStalled
            | Cause::Protocol(_)
            | Cause::Tls(TlsFailure::Truncated)
            | Cause::NetworkChanged
            | Cause::Replaced
            | Cause::Requested => WaitClass::Lost,
            Cause::Refused | Cause::Proxy(ProxyFailure::Refused | ProxyFailure::Unavailable) => WaitClass::Refused,
            Cause::Unreachable | Cause::LocalNetworkDown | Cause::Proxy(ProxyFailure::Unreachable) => {
                WaitClass::Unreachable
            }
            Cause::ConnectTimeout
            | Cause::Tls(TlsFailure::Timeout)
            | Cause::Proxy(ProxyFailure::Timeout)
            | Cause::Greeting(GreetingFailure::Timeout) => WaitClass::Timeout,
            Cause::Dns(DnsFailure::NotFound | DnsFailure::Timeout | DnsFailure::Temporary | DnsFailure::NoAddress) => {
                WaitClass::Dns
            }
            Cause::Tls(
                TlsFailure::UntrustedIssuer
                | TlsFailure::Expired
                | TlsFailure::NotYetValid
                | TlsFailure::NameMismatch
                | TlsFailure::Revoked
                | TlsFailure::BadCertificate
                | TlsFailure::Pin
                | TlsFailure::Version
                | TlsFailure::Alpn
                | TlsFailure::Protocol,
            ) => WaitClass::Tls,
            Cause::Tls(TlsFailure::ClientAuth)
            | Cause::Proxy(ProxyFailure::Auth | ProxyFailure::Credentials)
            | Cause::Greeting(GreetingFailure::Auth | GreetingFailure::Credentials) => WaitClass::Auth,
            Cause::Proxy(
                ProxyFailure::Denied | ProxyFailure::Unsupported | ProxyFailure::Closed | ProxyFailure::Protocol,
            )
            | Cause::Greeting(GreetingFailure::Unexpected | GreetingFailure::Rejected | GreetingFailure::Panicked) => {
                WaitClass::Kicked
            }
            Cause::LocalResource => WaitClass::LocalResource,
        }
    }
}

/// How far along its curve each class of a client is. Empty, and a pointer large, while nothing has failed.
#[derive(Debug, Default)]
pub struct Waits(Option<Box<Memory>>);

#[derive(Debug, Default)]
struct Memory {
    places: [BackoffEntry; CLASSES],
    /// Failures of each class since an attempt last succeeded.
    failures: [u32; CLASSES],
    /// How long the budget of retries holds the next attempt beyond its wait.
    held: Duration,
}

impl Waits {
    /// Nothing has failed yet.
    pub const fn new() -> Waits {
        Waits(None)
    }

    /// Draws the wait after `ending`, and moves on along the curve of its class. `stood` as for [`WaitClass::of`].
    ///
    /// The first wait since the last reset is spread over `first_spread`, whatever its class; the others follow the curve.
    pub fn draw(&mut self, declared: &Backoff, ending: &Ending, stood: bool, rng: &mut Rng) -> Duration {
        let class = WaitClass::of(ending, stood);
        let memory = self.0.get_or_insert_default();
        let entry = memory.enter(class, declared);
        entry.next_delay(&class.curve(declared), ending, rng)
    }

    /// Counts a failure, and says how many of its class there were since an attempt last succeeded, this one included.
    pub fn note_failure(&mut self, class: WaitClass) -> u32 {
        let failures = &mut self.0.get_or_insert_default().failures[class as usize];
        *failures = failures.saturating_add(1);
        *failures
    }

    /// An attempt succeeded: failures are counted anew. The curves stay where they are until the connection has stayed up.
    pub fn note_success(&mut self) {
        if let Some(memory) = &mut self.0 {
            memory.failures = [0; CLASSES];
        }
    }

    /// Failures of a class since an attempt last succeeded.
    pub fn failures(&self, class: WaitClass) -> u32 {
        self.0.as_ref().map_or(0, |memory| memory.failures[class as usize])
    }

    /// The waits of a class since the last reset.
    pub fn step(&self, class: WaitClass) -> u32 {
        self.0.as_ref().map_or(0, |memory| memory.places[class as usize].step())
    }

    /// Whether nothing is remembered.
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// A connection proved itself: everything starts over.
    pub fn reset(&mut self) {
        self.0 = None;
    }

    /// Another network: what the last one did is forgiven, what the peer did is not.
    pub fn forgive_network(&mut self) {
        let Some(memory) = &mut self.0 else { return };
        for class in WaitClass::ALL.iter().filter(|class| class.is_of_the_network()) {
            memory.places[*class as usize].reset();
        }
    }

    /// The next attempt is held for so long beyond its wait.
    pub(crate) fn hold(&mut self, held: Duration) {
        let memory = self.0.get_or_insert_default();
        memory.held = memory.held.saturating_add(held);
    }

    /// How long the attempt that starts now was held.
    pub(crate) fn take_held(&mut self) -> Duration {
        self.0.as_mut().map_or(Duration::ZERO, |memory| std::mem::take(&mut memory.held))
    }
}

impl Memory {
    /// The place of a class, moved to where its next wait is drawn.
    fn enter(&mut self, class: WaitClass, declared: &Backoff) -> &mut BackoffEntry {
        let furthest = |is_of: fn(WaitClass) -> bool| {
            let classes = WaitClass::ALL.iter().filter(|class| is_of(**class));
            classes.map(|class| self.places[*class as usize].step()).max().unwrap_or_default()
        };
        // The fleet was spread by its first wait; a second such wait, in another class, would only be a short one.
        let begun = furthest(|_any| true).min(1);
        let restored = if class.goes_on() { restored(furthest(WaitClass::is_of_the_peer), class, declared) } else { 0 };
        let entry = &mut self.places[class as usize];
        entry.raise_to(restored.max(begun));
        entry
    }
}

/// What a class goes on from that finds others at `furthest`: its own longer end is for its own failures alone.
fn restored(furthest: u32, class: WaitClass, declared: &Backoff) -> u32 {
    /// With the slowest growth that makes a difference the end of the curve is reached by then.
    const SATURATED: u32 = 64;
    let curve = class.curve(declared);
    let is_within = |step: u32| window(&curve, step) <= declared.max;
    if is_within(furthest) {
        return furthest;
    }
    (0..furthest.min(SATURATED)).rev().find(|step| is_within(*step)).unwrap_or_default()
}

/// The waits of one class, for whoever wants to know what a configuration comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WaitBounds {
    /// The class.
    pub class: WaitClass,
    /// What no luck shortens: the least of its causes.
    pub floor: Duration,
    /// The window of the first wait after everything was well.
    pub first: Duration,
    /// The window of the second wait.
    pub second: Duration,
    /// The window of the third wait.
    pub third: Duration,
    /// The largest window.
    pub max: Duration,
}

impl WaitBounds {
    /// The waits of every class under a declared curve.
    pub fn all(declared: &Backoff) -> impl Iterator<Item = WaitBounds> + '_ {
        WaitClass::ALL.iter().map(|class| {
            let curve = class.curve(declared);
            WaitBounds {
                class: *class,
                floor: class.floor(),
                first: window(&curve, 0),
                second: window(&curve, 1),
                third: window(&curve, 2),
                max: curve.max,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_a_client_without_failures_is_a_pointer() {
        assert_eq!(size_of::<Waits>(), size_of::<usize>());
        let mut waits = Waits::new();
        waits.note_success();
        waits.forgive_network();
        assert!(waits.is_empty() && waits.take_held().is_zero());
    }
}
