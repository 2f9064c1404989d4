//! Small servers in this process that can be stopped, started again on the same port, and frozen.

mod echo;
mod freeze;
mod line;
mod sink;

pub use echo::{Echo, EchoServer};
pub use line::{LineServer, Lines, ReceivedLine};
pub use sink::{Sink, SinkServer};

use crate::chaos::End;
use crate::port::ReservedPort;
use freeze::Gate;
use socket2::{SockRef, Socket};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

/// The largest backlog the common kernels take as it is; a frozen server must still seem to accept.
const BACKLOG: i32 = 4096;
/// 50 ms before accepting again while the system is short of descriptors.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// What a [`Server`] does with each connection.
pub trait Service: Send + Sync + 'static {
    /// Serves one connection until it ends; connections are numbered from 1 over the life of the server.
    fn serve(&self, connection: u64, stream: TcpStream) -> impl Future<Output = ()> + Send;
}

/// A server on a port of 127.0.0.1 that is kept through stops; dropping it ends it.
///
/// ```
/// use keepline_testkit::chaos::End;
/// use keepline_testkit::servers::EchoServer;
/// use tokio::net::TcpStream;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let server = EchoServer::start().await?;
/// server.stop(End::Rst).await;
/// assert!(TcpStream::connect(server.addr()).await.is_err());
/// server.start_again()?;
/// assert!(TcpStream::connect(server.addr()).await.is_ok());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server<S: Service> {
    shared: Arc<Shared<S>>,
    port: ReservedPort,
    running: Mutex<Option<Running>>,
}

/// Dropping it stops the accepting task and all that it serves.
#[derive(Debug)]
struct Running {
    stop: oneshot::Sender<()>,
    acceptor: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared<S> {
    service: S,
    gate: Gate,
    living: Mutex<Living>,
}

#[derive(Debug, Default)]
struct Living {
    accepted: u64,
    /// A second descriptor of each socket, so that stopping can decide how it ends.
    sockets: HashMap<u64, Socket>,
}

impl<S: Service + Default> Server<S> {
    /// Starts the server on a free port.
    ///
    /// # Errors
    /// Fails if the system has no port or no descriptor left.
    ///
    /// # Cancel safety
    /// Cancel safe: a server that was not handed out is gone.
    pub async fn start() -> io::Result<Server<S>> {
        Server::serving(S::default()).await
    }
}

impl<S: Service> Server<S> {
    /// Starts a server with a service of one's own on a free port.
    ///
    /// # Errors
    /// Fails if the system has no port or no descriptor left.
    ///
    /// # Cancel safety
    /// Cancel safe: a server that was not handed out is gone.
    pub async fn serving(service: S) -> io::Result<Server<S>> {
        let shared = Arc::new(Shared { service, gate: Gate::default(), living: Mutex::default() });
        let server = Server { shared, port: ReservedPort::loopback()?, running: Mutex::new(None) };
        server.start_again()?;
        Ok(server)
    }

    /// The address of the server; it stays the same through stops.
    pub fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    /// The service and what it has recorded.
    pub fn service(&self) -> &S {
        &self.shared.service
    }

    /// How many connections were accepted since the first start.
    pub fn accepted(&self) -> u64 {
        self.shared.living().accepted
    }

    /// How many connections live.
    pub fn connections(&self) -> usize {
        self.shared.living().sockets.len()
    }

    /// Stops listening and ends every connection; when it returns, all sockets are closed and connecting is refused.
    ///
    /// # Cancel safety
    /// Cancel safe: the sockets are then closed a moment later.
    pub async fn stop(&self, end: End) {
        let Some(running) = self.running.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        // The service may be in the middle of an answer; nothing more of it goes out.
        self.shared.gate.freeze();
        for socket in self.shared.living().sockets.values() {
            match end {
                End::Rst => reset_on_close(socket),
                End::Fin => finish(socket),
            }
        }
        drop(running.stop);
        // It cannot fail: the task is neither aborted nor does it panic.
        let _ = running.acceptor.await;
    }

    /// Starts again on the same port; does nothing if the server runs.
    ///
    /// # Errors
    /// Fails if the port cannot be listened on.
    pub fn start_again(&self) -> io::Result<()> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_none() {
            let listener = TcpListener::from_std(self.port.listen(BACKLOG, None)?)?;
            let (stop, stopped) = oneshot::channel();
            self.shared.gate.thaw();
            let acceptor = tokio::spawn(run(Arc::clone(&self.shared), listener, stopped));
            *running = Some(Running { stop, acceptor });
        }
        Ok(())
    }

    /// Freezes the server as `SIGSTOP` does: from now on it accepts, reads and writes nothing, while its kernel goes
    /// on completing handshakes and taking bytes.
    pub fn freeze(&self) {
        self.shared.gate.freeze();
    }

    /// Ends a [`freeze`](Self::freeze); what has come in the meantime is answered.
    pub fn thaw(&self) {
        self.shared.gate.thaw();
    }
}

impl<S> Shared<S> {
    fn living(&self) -> MutexGuard<'_, Living> {
        self.living.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, stream: &TcpStream) -> io::Result<u64> {
        // Small answers must not wait for the acknowledgement of the one before.
        stream.set_nodelay(true)?;
        let socket = SockRef::from(stream).try_clone()?;
        let mut living = self.living();
        living.accepted += 1;
        let number = living.accepted;
        living.sockets.insert(number, socket);
        Ok(number)
    }
}

/// Accepts and serves until it is told to stop, or the server is dropped.
async fn run<S: Service>(shared: Arc<Shared<S>>, listener: TcpListener, stopped: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    tokio::select! {
        // Outside the gate: a frozen server can be stopped.
        _ = stopped => {}
        () = shared.gate.guard(accept(&shared, &listener, &mut connections)) => {}
    }
    drop(listener);
    connections.shutdown().await;
    shared.living().sockets.clear();
}

async fn accept<S: Service>(shared: &Arc<Shared<S>>, listener: &TcpListener, connections: &mut JoinSet<()>) {
    loop {
        let accepted = listener.accept().await.and_then(|(stream, _)| Ok((shared.enter(&stream)?, stream)));
        while connections.try_join_next().is_some() {}
        let Ok((number, stream)) = accepted else {
            // Short of descriptors; a moment later some may be free again.
            tokio::time::sleep(RETRY_AFTER).await;
            continue;
        };
        let shared = Arc::clone(shared);
        connections.spawn(async move {
            shared.gate.guard(shared.service.serve(number, stream)).await;
            shared.living().sockets.remove(&number);
        });
    }
}

fn reset_on_close(socket: &Socket) {
    // Fails only on a socket that is already dead.
    let _ = socket.set_linger(Some(Duration::ZERO));
}

/// Ends a stream in order, as the exit of a process that has read everything does.
fn finish(socket: &Socket) {
    // Unread bytes would turn the close into a reset. The socket is non-blocking, so this ends with the last of them.
    let mut unread = [std::mem::MaybeUninit::uninit(); 4096];
    while matches!(socket.recv(&mut unread), Ok(count) if count > 0) {}
    // Fails only on a socket that is already dead.
    let _ = socket.shutdown(std::net::Shutdown::Write);
}
