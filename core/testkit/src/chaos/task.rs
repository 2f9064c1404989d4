//! The tasks of a proxy: one that accepts, one for each connection.

use super::connection::Progress;
use super::state::{Next, Shared, set_receive_buffer};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// 10 s: a server that is there answers in milliseconds; one that is not must not keep the client waiting for ever.
const DIAL_WITHIN: Duration = Duration::from_secs(10);
/// 100 ms between attempts to listen or accept while the system is short of ports or descriptors.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// 64 KiB a read: the size at which loopback stops getting faster.
const SCRATCH: usize = 64 * 1024;
/// Backlog 0 holds one connection on Linux; a kernel that takes sixteen does not know the limit.
const MAX_FILLERS: usize = 16;
/// A loopback connection is established within microseconds; one that takes this long found the queue full.
const FILLER_WITHIN: Duration = Duration::from_millis(250);

/// Accepts connections until the proxy ends.
pub(super) async fn accept(shared: Arc<Shared>) {
    loop {
        match poll_fn(|context| shared.poll_accept(context)).await {
            Next::Serve(number, upstream) => {
                let task = tokio::spawn(serve(Arc::clone(&shared), number, upstream));
                shared.set_task(number, task.abort_handle());
            }
            Next::Retry => sleep(RETRY_AFTER).await,
            Next::Stop => return,
        }
    }
}

/// Connects until the accept queue of `addr` is full and a connection hangs.
pub(super) async fn fill_accept_queue(addr: SocketAddr) -> io::Result<Vec<TcpStream>> {
    let mut fillers = Vec::new();
    while fillers.len() < MAX_FILLERS {
        match timeout(FILLER_WITHIN, TcpStream::connect(addr)).await {
            Ok(filler) => fillers.push(filler?),
            Err(_) => return Ok(fillers),
        }
    }
    Err(io::Error::new(io::ErrorKind::Unsupported, "this kernel takes connections beyond a full accept queue"))
}

async fn serve(shared: Arc<Shared>, number: u64, upstream: Option<SocketAddr>) {
    if let Some(upstream) = upstream {
        let dialled = timeout(DIAL_WITHIN, dial(upstream, shared.receive_buffer)).await;
        let dialled = dialled.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        shared.dialled(number, upstream, dialled);
    }
    let mut scratch = vec![0; SCRATCH];
    let mut timer = pin!(sleep_until(Instant::now()));
    poll_fn(|context| {
        loop {
            match shared.poll_connection(number, context, &mut scratch) {
                Progress::Ended => return Poll::Ready(()),
                Progress::Waiting(None) => return Poll::Pending,
                Progress::Waiting(Some(until)) => {
                    timer.as_mut().reset(until);
                    if timer.as_mut().poll(context).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    })
    .await;
}

async fn dial(upstream: SocketAddr, receive_buffer: Option<usize>) -> io::Result<TcpStream> {
    let socket = if upstream.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    set_receive_buffer(&socket, receive_buffer)?;
    let stream = socket.connect(upstream).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
