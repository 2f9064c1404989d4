//! What a `fork` leaves behind: handles of the parent, whose threads and perhaps held locks do not exist in the child.
//!
//! The process counts its forks. A value remembers the count it was made under; under another it is neither used nor
//! dropped, because both could wait for a lock that nobody will ever release.

use crate::error::BridgeError;
use std::fmt;
#[cfg(unix)]
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

static GENERATION: AtomicU64 = AtomicU64::new(0);

/// The number of forks between the first process and this one, as far as they were watched.
pub fn process_generation() -> u64 {
    watch();
    GENERATION.load(Ordering::Relaxed)
}

/// Whether this process was forked from the one in which `generation` was read.
pub fn is_forked_since(generation: u64) -> bool {
    GENERATION.load(Ordering::Relaxed) != generation
}

/// A value that belongs to the process it was made in. In a forked child it is refused, and leaked instead of dropped.
pub struct Here<T> {
    /// `None` only while it is dropped.
    value: Option<T>,
    generation: u64,
}

impl<T> Here<T> {
    /// Binds `value` to this process.
    pub fn new(value: T) -> Here<T> {
        Here { value: Some(value), generation: process_generation() }
    }

    /// The value.
    ///
    /// # Errors
    /// `forked` in a child of the process it was made in.
    pub fn get(&self) -> Result<&T, BridgeError> {
        match &self.value {
            Some(value) if !is_forked_since(self.generation) => Ok(value),
            Some(_) | None => Err(BridgeError::forked()),
        }
    }

    /// The value, if this is still the process it was made in.
    pub(crate) fn get_mut(&mut self) -> Result<&mut T, BridgeError> {
        match &mut self.value {
            Some(value) if !is_forked_since(self.generation) => Ok(value),
            Some(_) | None => Err(BridgeError::forked()),
        }
    }

    /// Whether this is a child of the process it was made in.
    pub fn is_forked(&self) -> bool {
        is_forked_since(self.generation)
    }
}

impl<T> Drop for Here<T> {
    fn drop(&mut self) {
        if is_forked_since(self.generation) {
            std::mem::forget(self.value.take());
        }
    }
}

impl<T> fmt::Debug for Here<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Here").field("generation", &self.generation).finish_non_exhaustive()
    }
}

#[cfg(unix)]
fn watch() {
    extern "C" fn in_child() {
        GENERATION.fetch_add(1, Ordering::Relaxed);
    }
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        #[allow(unsafe_code)]
        // SAFETY: the handler lives as long as the program and only adds to an atomic, which is allowed after fork.
        let failed = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        debug_assert_eq!(failed, 0, "pthread_atfork fails only without memory");
    });
}

#[cfg(not(unix))]
fn watch() {
    // No fork.
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn value_of_a_forked_process_is_refused_and_leaked() {
        let shared = Arc::new(());
        let mut here = Here::new(shared.clone());
        assert!(here.get().is_ok());
        here.generation += 1;
        assert_eq!(here.get().unwrap_err().kind, "forked");
        drop(here);
        assert_eq!(Arc::strong_count(&shared), 2, "a lock in it may be held for ever");
    }
}
