//! Durations as people write them: `25s`, `6.5s`, `250ms`, `365d`.

use std::time::Duration;

const DAY: u64 = 24 * 60 * 60;

/// Writes a duration shortly: `25s`, `6.5s`, `250ms`, `365d`.
///
/// At most three decimals, cut and not rounded, so that 4.9996 s never reads like the 5 s it fell short of.
///
/// ```
/// use keepline_proto::config::short;
/// use std::time::Duration;
///
/// assert_eq!(short(Duration::from_millis(6_500)), "6.5s");
/// ```
pub fn short(duration: Duration) -> String {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    if seconds >= DAY && seconds.is_multiple_of(DAY) && nanos == 0 {
        format!("{}d", seconds / DAY)
    } else if seconds > 0 {
        with_decimals(seconds, nanos / 1_000_000, "s")
    } else if nanos >= 1_000_000 {
        with_decimals(u64::from(nanos / 1_000_000), nanos / 1_000 % 1_000, "ms")
    } else if nanos >= 1_000 {
        with_decimals(u64::from(nanos / 1_000), nanos % 1_000, "µs")
    } else if nanos > 0 {
        format!("{nanos}ns")
    } else {
        "0s".to_owned()
    }
}

fn with_decimals(whole: u64, thousandths: u32, unit: &str) -> String {
    let decimals = format!("{thousandths:03}");
    match decimals.trim_end_matches('0') {
        "" => format!("{whole}{unit}"),
        digits => format!("{whole}.{digits}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        for (duration, text) in [
            (Duration::ZERO, "0s"),
            (Duration::from_nanos(7), "7ns"),
            (Duration::from_micros(1_500), "1.5ms"),
            (Duration::from_micros(40), "40µs"),
            (Duration::from_millis(250), "250ms"),
            (Duration::from_secs(25), "25s"),
            (Duration::from_millis(6_500), "6.5s"),
            (Duration::from_millis(10_050), "10.05s"),
            (Duration::from_nanos(4_999_999_999), "4.999s"),
            (Duration::from_secs(365 * DAY), "365d"),
            (Duration::from_secs(DAY + 1), "86401s"),
            (Duration::MAX, "18446744073709551615.999s"),
        ] {
            assert_eq!(short(duration), text);
        }
    }
}
