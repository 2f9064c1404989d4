//! How long a TLS handshake may take: after a TCP one that took so long, and with servers that have kept us waiting before.

use std::time::Duration;

/// The least that a TLS handshake is given: a second for a lost packet's retransmission, and the work of a small device.
pub const TLS_LEAST: Duration = Duration::from_secs(3);

/// How often the time that TCP took a TLS handshake is given, if that is more: it takes two round trips, and up to three with
/// a new address of the server's; TCP took one.
pub const TLS_ROUND_TRIPS: u32 = 5;

/// Beyond it nothing is doubled: three seconds are then longer than any attempt.
const MANY_ROUNDS: u32 = 16;

/// The deadline for all of a TLS handshake, after a TCP one that took so long. `least` is
/// [`Session::tls_least`](crate::Session::tls_least).
pub fn tls_within(least: Duration, connected_in: Duration) -> Duration {
    least.max(connected_in.saturating_mul(TLS_ROUND_TRIPS))
}

/// The least that it is given with several endpoints, after so many rounds of all of them that ended with a timeout: doubled
/// with each, to `patient` at most.
pub(crate) fn tls_least_after(rounds: u32, patient: Duration) -> Duration {
    TLS_LEAST.saturating_mul(1 << rounds.min(MANY_ROUNDS)).min(patient.max(TLS_LEAST))
}
