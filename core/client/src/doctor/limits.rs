//! What can be asked of the doctor: outside of it an attempt could not be declared, and would look like a dead way.

use crate::builder::Builder;
use crate::error::Error;
use keepline_proto::ConfigError;
use keepline_proto::config::short;
use std::error::Error as _;
use std::time::Duration;

/// 1 ms, the shortest of all times that are declared.
const PATIENCE_MIN: Duration = Duration::from_millis(1);

/// An hour for one stage: whoever writes more mistook the unit.
const PATIENCE_MAX: Duration = Duration::from_secs(60 * 60);

/// 1 s: heartbeats and the kernel's probes come no sooner.
const IDLE_MIN: Duration = Duration::from_secs(1);

/// What `TCP_KEEPIDLE` takes: the kernel asks after the silence where no heartbeat does.
const IDLE_MAX: Duration = Duration::from_secs(32_767);

/// Refuses a patience that is none, or for ever.
pub(super) fn patience(limit: Duration) -> Result<(), Error> {
    between("patience", limit, PATIENCE_MIN, PATIENCE_MAX)
}

/// Refuses a silence that the declared client cannot keep.
pub(super) fn idle(silence: Duration, builder: &Builder) -> Result<(), Error> {
    between("idle", silence, IDLE_MIN, IDLE_MAX)?;
    // The rule is the heartbeat's, whose interval the silence becomes; the value is the user's.
    builder.clone().silent_for(silence).validate().map(|_valid| ()).map_err(|error| {
        let broken = error.source().and_then(|source| source.downcast_ref::<ConfigError>());
        let rule = broken.map(|broken| broken.rule.clone());
        rule.map_or(error, |rule| ConfigError::new("idle", short(silence), rule).into())
    })
}

fn between(field: &'static str, value: Duration, lowest: Duration, highest: Duration) -> Result<(), Error> {
    if value < lowest {
        return Err(ConfigError::new(field, short(value), format!("must be at least {}", short(lowest))).into());
    }
    if value > highest {
        return Err(ConfigError::new(field, short(value), format!("must be at most {}", short(highest))).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::doctor::Doctor;
    use crate::{Client, Heartbeat, Profile};
    use std::time::Duration;

    #[test]
    fn times_that_no_attempt_could_keep_are_refused_by_name() {
        let doctor = || Doctor::of(Client::builder("127.0.0.1:1"));
        let mobile = Client::builder("127.0.0.1:1").profile(Profile::Mobile).heartbeat(Heartbeat::new("PING"));
        let hour = Duration::from_secs(3_600);
        for (refused, rule) in [
            (doctor().patience(Duration::ZERO), "patience: must be at least 1ms (got 0s)"),
            (doctor().patience(hour * 2), "patience: must be at most 3600s (got 7200s)"),
            (doctor().idle(Duration::from_millis(500)), "idle: must be at least 1s (got 500ms)"),
            (doctor().idle(hour).idle(hour * 10), "idle: must be at most "),
            (
                Doctor::of(mobile).idle(Duration::from_secs(2)),
                "idle: must be at least 5s in the mobile profile (got 2s)",
            ),
        ] {
            let told = refused.validate().unwrap_err().to_string();
            assert!(told.starts_with(rule), "{told}");
        }
        assert!(doctor().patience(hour).idle(Duration::from_secs(1)).validate().is_ok());
    }
}
