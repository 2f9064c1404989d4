//! A client that only beats, and a server that runs on another thread than the one whose allocations are counted.

use keepline::{Builder, Client, Framing, Heartbeat, Matcher};
use keepline_testkit::servers::EchoServer;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

const EVERY: Duration = Duration::from_secs(3);

/// A client that hears nothing looks at the half of it, which is before the next heartbeat: the answer has to spare it
/// that. And it is far enough away for a loaded machine to answer in time.
const REPLY_WITHIN: Duration = Duration::from_millis(5800);

pub(crate) fn beating(address: SocketAddr) -> Builder {
    let heartbeat = Heartbeat::new("PING").every(EVERY).reply_within(REPLY_WITHIN).reply(Matcher::Exact("PING".into()));
    Client::builder(address).framing(Framing::lines()).heartbeat(heartbeat)
}

pub(crate) fn sleep(runtime: &Runtime, time: Duration) {
    runtime.block_on(async { tokio::time::sleep(time).await });
}

/// An echo on a thread of its own, ended when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start() -> Server {
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let server = EchoServer::start().await.unwrap();
                tell.send(server.addr()).unwrap();
                let _dropped = stopped.await;
            });
        });
        Server { address: told.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _panicked = self.thread.take().map(JoinHandle::join);
    }
}
