//! Systems whose figures are not read: every figure is unknown, and the clock is the standard one. Built elsewhere.

use keepline_proto::KernelFigures;
use std::io;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Nanoseconds since the first call.
pub(crate) fn suspend_aware_nanos() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// The same clock: a suspend is not seen here.
pub(crate) fn awake_nanos() -> u64 {
    suspend_aware_nanos()
}

/// Nothing is known.
pub(crate) fn kernel_figures<T>(_socket: T) -> KernelFigures {
    KernelFigures::default()
}

/// There is no such option.
pub(crate) fn set_rto_max<T>(_socket: T, _limit: Duration) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// There is no such option.
pub(crate) fn rto_max<T>(_socket: T) -> io::Result<Duration> {
    Err(io::ErrorKind::Unsupported.into())
}
