//! The rules that a single value obeys; every refusal names the field, the value and the rule.

use crate::config::short;
use crate::error::ConfigError;
use std::time::Duration;

/// 1 ms: other languages hand durations over in milliseconds, where less would turn into zero.
const SHORTEST: Duration = Duration::from_millis(1);

/// A year: whoever writes more mistook the unit.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Refuses what cannot be a time to wait: zero, and more than a year.
pub(super) fn duration(field: &'static str, value: Duration) -> Result<(), ConfigError> {
    between(field, value, SHORTEST, LONGEST)
}

/// The same rule for a value that may be unset.
pub(super) fn optional_duration(field: &'static str, value: Option<Duration>) -> Result<(), ConfigError> {
    value.map_or(Ok(()), |value| duration(field, value))
}

/// Refuses a duration outside `lowest..=highest`.
pub(super) fn between(
    field: &'static str,
    value: Duration,
    lowest: Duration,
    highest: Duration,
) -> Result<(), ConfigError> {
    if value < lowest {
        return Err(ConfigError::new(field, short(value), format!("must be at least {}", short(lowest))));
    }
    if value > highest {
        return Err(ConfigError::new(field, short(value), format!("must be at most {}", short(highest))));
    }
    Ok(())
}

/// Refuses a duration below another one, which `other_field` names.
pub(super) fn not_below(
    field: &'static str,
    value: Duration,
    other_field: &str,
    other: Duration,
) -> Result<(), ConfigError> {
    if value < other {
        let comparison = format!("{} < {}", short(value), short(other));
        return Err(ConfigError::new(field, comparison, format!("must be at least {other_field}")));
    }
    Ok(())
}

/// Refuses a count of zero or above `most`.
pub(super) fn count(field: &'static str, value: usize, most: usize) -> Result<(), ConfigError> {
    if value == 0 {
        return Err(ConfigError::new(field, value, "must be at least 1"));
    }
    if value > most {
        return Err(ConfigError::new(field, value, format!("must be at most {most}")));
    }
    Ok(())
}
