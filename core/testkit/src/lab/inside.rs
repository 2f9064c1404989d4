//! Code of the test's own process inside one of the lab's networks.

use super::{Lab, LabError, Role};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::io;
use std::panic::resume_unwind;
use std::path::Path;
use tokio::runtime::{Builder, Runtime};

impl Lab {
    /// Runs `body` on a new thread inside the network of `role`, and waits for its result.
    ///
    /// A runtime with two workers is made there: every task, timer and lookup of `body` belongs to that network, and a
    /// name is resolved by the lab's own server. The future itself is polled on the thread it was made on, beside the
    /// workers, so it may block.
    ///
    /// # Errors
    /// Fails if the network cannot be entered.
    ///
    /// # Panics
    /// Passes a panic of `body` on.
    pub fn run_inside<F: Future>(&self, role: Role, body: impl FnOnce() -> F + Send) -> Result<F::Output, LabError>
    where
        F::Output: Send,
    {
        self.run_with(role, body, || Builder::new_multi_thread().worker_threads(2).enable_all().build())
    }

    /// As [`run_inside`](Self::run_inside), with everything on one thread: what blocks it blocks every task.
    ///
    /// # Errors
    /// As [`run_inside`](Self::run_inside).
    ///
    /// # Panics
    /// As [`run_inside`](Self::run_inside).
    pub fn run_on_one_thread<F: Future>(
        &self,
        role: Role,
        body: impl FnOnce() -> F + Send,
    ) -> Result<F::Output, LabError>
    where
        F::Output: Send,
    {
        self.run_with(role, body, || Builder::new_current_thread().enable_all().build())
    }

    fn run_with<F: Future>(
        &self,
        role: Role,
        body: impl FnOnce() -> F + Send,
        runtime: impl FnOnce() -> io::Result<Runtime> + Send,
    ) -> Result<F::Output, LabError>
    where
        F::Output: Send,
    {
        let namespace = self.namespace(role);
        std::thread::scope(|scope| {
            let running = scope.spawn(move || {
                enter(&namespace)?;
                // Threads are born where their parent is: the workers too are inside.
                let runtime = runtime()?;
                let result = runtime.block_on(async { body().await });
                // A lookup that hangs in a dead network must not hold the test up.
                runtime.shutdown_background();
                Ok(result)
            });
            running.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }
}

/// Moves this thread, for good, into a network namespace, with the name servers that belong to it.
pub(super) fn enter(namespace: &str) -> io::Result<()> {
    setns(File::open(Path::new("/run/netns").join(namespace))?, CloneFlags::CLONE_NEWNET)?;
    let resolver = Path::new("/etc/netns").join(namespace).join("resolv.conf");
    if resolver.exists() {
        // A view of the file system for this thread and its children alone, as `ip netns exec` makes one.
        unshare(CloneFlags::CLONE_NEWNS)?;
        let nothing = None::<&str>;
        mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
        mount(Some(&resolver), "/etc/resolv.conf", nothing, MsFlags::MS_BIND, nothing)?;
    }
    Ok(())
}
