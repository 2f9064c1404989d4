//! The runtime of the foreign languages: one per process, made on first use, made anew after a fork.

use crate::error::BridgeError;
use crate::fork::{is_forked_since, process_generation};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};

/// The environment variable that sets the number of worker threads.
pub const WORKERS: &str = "KEEPLINE_WORKERS";

/// 2: one thread saturates a core with small messages, the second keeps deadlines punctual meanwhile. A client library
/// has no claim on more of its host.
const DEFAULT_WORKERS: usize = 2;

/// 64: beyond the cores of common machines; more is a typing error.
const MOST_WORKERS: usize = 64;

enum Held {
    None,
    Running { generation: u64, runtime: Runtime },
    ShutDown { generation: u64 },
}

static RUNTIME: Mutex<Held> = Mutex::new(Held::None);

/// The runtime of this process.
///
/// # Errors
/// `closed` after [`shutdown`]; `invalid_config` for a bad `KEEPLINE_WORKERS`; `internal` if no thread can be started.
pub fn handle() -> Result<Handle, BridgeError> {
    let generation = process_generation();
    let mut held = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    match &*held {
        Held::Running { generation: made, runtime } if *made == generation => return Ok(runtime.handle().clone()),
        Held::ShutDown { generation: made } if *made == generation => return Err(BridgeError::shut_down()),
        Held::None | Held::Running { .. } | Held::ShutDown { .. } => {}
    }
    let runtime = build()?;
    let handle = runtime.handle().clone();
    let before = std::mem::replace(&mut *held, Held::Running { generation, runtime });
    // Of the parent's runtime only the memory is here: its threads cannot be joined.
    std::mem::forget(before);
    Ok(handle)
}

/// Ends the runtime and every client on it, waiting at most `limit` for its threads. Nothing can be made after it in
/// this process.
pub fn shutdown(limit: Duration) {
    let generation = process_generation();
    let before = {
        let mut held = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *held, Held::ShutDown { generation })
    };
    match before {
        Held::Running { generation, runtime } if is_forked_since(generation) => std::mem::forget(runtime),
        Held::Running { runtime, .. } => runtime.shutdown_timeout(limit),
        Held::None | Held::ShutDown { .. } => {}
    }
}

fn build() -> Result<Runtime, BridgeError> {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    Builder::new_multi_thread()
        .worker_threads(workers()?)
        .thread_name_fn(|| format!("keepline-{}", THREADS.fetch_add(1, Ordering::Relaxed)))
        .on_thread_start(block_signals)
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| BridgeError::internal(format!("no runtime: {error}")))
}

fn workers() -> Result<usize, BridgeError> {
    let Ok(given) = std::env::var(WORKERS) else {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        return Ok(cores.min(DEFAULT_WORKERS));
    };
    match given.trim().parse() {
        Ok(workers @ 1..=MOST_WORKERS) => Ok(workers),
        Ok(_) | Err(_) => {
            let shown: String = given.chars().take(32).collect();
            Err(BridgeError::invalid(WORKERS, shown.escape_debug(), format!("must be from 1 to {MOST_WORKERS}")))
        }
    }
}

/// Signals belong to the threads of the host: one that lands on a worker would not interrupt the host's own wait.
#[cfg(unix)]
pub(crate) fn block_signals() {
    #[allow(unsafe_code)]
    // SAFETY: `all` is filled by the first call before the second reads it; only this thread's mask changes.
    unsafe {
        let mut all = std::mem::zeroed::<libc::sigset_t>();
        libc::sigfillset(&mut all);
        // Faults of the own code still have to end the process at their place.
        for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT] {
            libc::sigdelset(&mut all, fault);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &all, std::ptr::null_mut());
    }
}

#[cfg(not(unix))]
pub(crate) fn block_signals() {
    // Signals are not delivered to threads.
}
