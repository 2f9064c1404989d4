//! Sockets that a hook prepares: asked in place, because the core does not wait for this one.

use super::{HookError, Hooks, SocketQuestion};
use keepline::{Builder, DialSocket};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use tokio::time::timeout;

/// 5 s: a call into the system or to a service beside it takes milliseconds; a process that was just thawed may need seconds.
const LIMIT: Duration = Duration::from_secs(5);

pub(super) fn install(builder: Builder, hooks: Arc<dyn Hooks>, runtime: Handle) -> Builder {
    builder.socket_hook(move |socket| {
        let answer = hooks.socket(SocketQuestion {
            descriptor: descriptor(socket),
            address: socket.address().map(|address| address.to_string()),
            endpoint: socket.endpoint().to_string(),
        });
        // The runtime goes on meanwhile: another thread takes over what this one had to do.
        let answered = block_in_place(|| runtime.block_on(async { timeout(LIMIT, answer).await }));
        answered
            .unwrap_or_else(|_late| Err(HookError::new("timed_out", "the hook took too long")))
            .map_err(io::Error::other)
    })
}

#[cfg(unix)]
fn descriptor(socket: &DialSocket<'_>) -> i64 {
    use std::os::fd::{AsFd, AsRawFd};
    i64::from(socket.as_fd().as_raw_fd())
}

#[cfg(windows)]
fn descriptor(socket: &DialSocket<'_>) -> i64 {
    use std::os::windows::io::{AsRawSocket, AsSocket};
    // A handle of Windows has no more than 32 significant bits.
    i64::try_from(socket.as_socket().as_raw_socket()).unwrap_or(-1)
}
