//! Linux, Android and Apple: the two clocks of the kernel, one that counts suspend and one that does not.

#[cfg(any(target_os = "linux", target_os = "android"))]
const SUSPEND_AWARE: libc::clockid_t = libc::CLOCK_BOOTTIME;
#[cfg(any(target_os = "linux", target_os = "android"))]
const AWAKE: libc::clockid_t = libc::CLOCK_MONOTONIC;

/// `mach_continuous_time`.
#[cfg(target_vendor = "apple")]
const SUSPEND_AWARE: libc::clockid_t = libc::CLOCK_MONOTONIC_RAW;
/// `mach_absolute_time`.
#[cfg(target_vendor = "apple")]
const AWAKE: libc::clockid_t = libc::CLOCK_UPTIME_RAW;

/// Nanoseconds on the clock that counts suspend.
pub(crate) fn suspend_aware_nanos() -> u64 {
    nanos(SUSPEND_AWARE)
}

/// Nanoseconds on the clock that stops during suspend.
pub(crate) fn awake_nanos() -> u64 {
    nanos(AWAKE)
}

fn nanos(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec on this stack, which the call fills.
    let failed = unsafe { libc::clock_gettime(clock, &mut now) } != 0;
    if failed {
        return 0;
    }
    (now.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(now.tv_nsec as u64)
}
