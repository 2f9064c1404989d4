//! A frame by which the server sends the client away, and for how long.

use crate::config::{Matcher, short};
use bytes::Bytes;
use std::fmt;
use std::time::Duration;

/// A frame that asks the client to come back later, and the time that it names.
///
/// ```
/// use keepline_proto::config::{Matcher, RetryAfter};
/// use std::time::Duration;
///
/// let busy = RetryAfter::seconds_after(Matcher::Prefix("BUSY".into()), "retry in ", Duration::from_secs(5));
/// assert_eq!(busy.read(b"BUSY, retry in 30 s"), Some(Duration::from_secs(30)));
/// assert_eq!(busy.read(b"BUSY"), Some(Duration::from_secs(5)));
/// assert_eq!(busy.read(b"+OK"), None);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RetryAfter {
    /// The frame that asks. `Exact` or `Prefix`.
    pub when: Matcher,
    /// The bytes after which the frame names whole seconds in decimal digits; spaces between are skipped.
    pub marker: Option<Bytes>,
    /// The time if the frame names none.
    pub otherwise: Duration,
}

impl RetryAfter {
    /// A frame that asks for this time.
    pub fn fixed(when: Matcher, wait: Duration) -> RetryAfter {
        RetryAfter { when, marker: None, otherwise: wait }
    }

    /// A frame that names the seconds after `marker`; `otherwise` if it does not.
    pub fn seconds_after(when: Matcher, marker: impl Into<Bytes>, otherwise: Duration) -> RetryAfter {
        RetryAfter { when, marker: Some(marker.into()), otherwise }
    }

    /// The time that `frame` asks for, if it is such a frame.
    pub fn read(&self, frame: &[u8]) -> Option<Duration> {
        if !self.when.matches(frame) {
            return None;
        }
        let named = self.marker.as_ref().and_then(|marker| seconds_behind(marker, frame));
        Some(named.map_or(self.otherwise, Duration::from_secs))
    }
}

fn seconds_behind(marker: &[u8], frame: &[u8]) -> Option<u64> {
    let at = frame.windows(marker.len().max(1)).position(|window| window == marker)?;
    let digits = frame[at + marker.len()..].iter().skip_while(|byte| **byte == b' ');
    let mut seconds = None;
    for digit in digits.take_while(|byte| byte.is_ascii_digit()) {
        let so_far: u64 = seconds.unwrap_or(0);
        seconds = Some(so_far.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    }
    seconds
}

impl fmt::Debug for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marker = self.marker.as_ref().map_or(0, Bytes::len);
        write!(f, "RetryAfter({:?}, {marker} bytes, {})", self.when, short(self.otherwise))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_read_from_wherever_the_marker_stands_and_nothing_in_it_can_overflow() {
        let when = Matcher::Prefix("-".into());
        let told = RetryAfter::seconds_after(when, "after=", Duration::from_secs(7));
        for (frame, seconds) in [
            (&b"-BUSY after=30"[..], 30),
            (b"-BUSY after=  30s", 30),
            (b"-after=1.9", 1),
            (b"-after=", 7),
            (b"-after", 7),
            (b"-after=-3", 7),
            (b"-", 7),
            (b"-after=99999999999999999999999999", u64::MAX),
        ] {
            assert_eq!(told.read(frame), Some(Duration::from_secs(seconds)), "{frame:?}");
        }
        assert_eq!(told.read(b"after=30"), None);
        assert_eq!(
            RetryAfter::seconds_after(Matcher::Exact("x".into()), "", Duration::ZERO).read(b"x"),
            Some(Duration::ZERO)
        );
    }
}
