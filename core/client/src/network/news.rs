//! Listens to the kernel (Linux): a change is a reason to look, a burst of them is one reason.

use super::Monitor;
use crate::io::os;
use keepline_proto::netlink::tells_of_change;
use std::future::{Future, poll_fn};
use std::io::{self, Read};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::{Poll, ready};
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

/// The pause after a look: a link that comes up is told in a dozen messages over some 100 ms. The machine waits for a second
/// without a change anyway.
const BURST: Duration = Duration::from_millis(200);

/// Bytes of one read. A link is told in some 1,500; more than fits is cut, and counts as a change.
const BUFFER: usize = 4096;

/// What reading until nothing is left came to.
enum Told {
    Nothing,
    Change,
    /// The kernel tells no more.
    Over(io::Error),
}

/// Looks at the network whenever the kernel tells of a change, until the monitor is dropped.
pub(super) async fn listen(monitor: Weak<Monitor>, ended: Arc<Notify>) {
    let news = match os::network_news() {
        Ok(news) => news,
        Err(error) => {
            tracing::debug!(%error, "the kernel does not tell of network changes: clients look when they have a reason to");
            return;
        }
    };
    let mut buffer = vec![0; BUFFER];
    let set_told = |is_told| {
        let monitor = monitor.upgrade()?;
        monitor.is_told.store(is_told, Ordering::Relaxed);
        // What changed before the kernel was listened to.
        monitor.look_again();
        Some(())
    };
    if set_told(true).is_none() {
        return;
    }
    loop {
        let told = {
            let mut ended = pin!(ended.notified());
            poll_fn(|context| match ended.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => {
                    let mut guard = match ready!(news.poll_read_ready(context)) {
                        Ok(guard) => guard,
                        Err(error) => return Poll::Ready(Some(Told::Over(error))),
                    };
                    let told = read(&news, &mut buffer);
                    guard.clear_ready();
                    Poll::Ready(Some(told))
                }
            })
            .await
        };
        match told {
            None => return,
            Some(Told::Nothing) => {}
            Some(Told::Change) => {
                match monitor.upgrade() {
                    Some(monitor) => monitor.look_again(),
                    None => return,
                }
                tokio::time::sleep(BURST).await;
            }
            Some(Told::Over(error)) => {
                tracing::warn!(%error, "the kernel tells no more of network changes");
                set_told(false);
                return;
            }
        }
    }
}

fn read(news: &AsyncFd<socket2::Socket>, buffer: &mut [u8]) -> Told {
    let mut told = Told::Nothing;
    loop {
        match news.get_ref().read(buffer) {
            Ok(count) => {
                if count == buffer.len() || tells_of_change(&buffer[..count]) {
                    told = Told::Change;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return told,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // More was told than the socket holds: something changed.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => told = Told::Change,
            Err(error) => return Told::Over(error),
        }
    }
}
