//! A TCP proxy that does harm on request: in this process, without privileges, on every system.

mod connection;
mod fault;
mod filter;
mod history;
mod observe;
mod settings;
mod state;
mod task;

pub use fault::{Command, Direction, End, Fault, IdleMode};
pub use history::{Record, What};
pub use observe::ConnectionView;

use crate::port::ReservedPort;
use connection::IdleCut;
use state::{Accepting, Shared};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;

/// A TCP proxy in front of a server, with faults that can be set and cleared while it runs.
///
/// Clones are handles to the same proxy; when the last one is dropped, its port, sockets and tasks go. Faults apply
/// to living and to new connections, add up, and hold from the moment their call returns.
///
/// Both kernels next to the proxy stay healthy: what it swallows looks acknowledged to the sender, and kernel
/// keepalive probes never reach it. Lost acknowledgements and real NATs need network namespaces.
///
/// ```
/// use keepline_testkit::chaos::{ChaosProxy, Direction, End};
/// use keepline_testkit::servers::EchoServer;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let server = EchoServer::start().await?;
/// let proxy = ChaosProxy::start(server.addr()).await?;
/// proxy.limit(Direction::Down, 3, End::Fin);
///
/// let mut client = tokio::net::TcpStream::connect(proxy.addr()).await?;
/// client.write_all(b"hello").await?;
/// let mut answer = Vec::new();
/// client.read_to_end(&mut answer).await?;
/// assert_eq!(answer, b"hel");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ChaosProxy {
    owner: Arc<Owner>,
}

/// Settings of a proxy that must be known before it listens.
#[derive(Debug, Clone)]
pub struct ChaosProxyBuilder {
    listen: SocketAddr,
    seed: u64,
    receive_buffer: Option<usize>,
}

impl ChaosProxyBuilder {
    /// Listens on `addr`; the default is any free port of 127.0.0.1.
    pub fn listen(mut self, addr: SocketAddr) -> ChaosProxyBuilder {
        self.listen = addr;
        self
    }

    /// Seeds the jitter; the default is 0. The same seed draws the same delays for the same chunks.
    pub fn seed(mut self, seed: u64) -> ChaosProxyBuilder {
        self.seed = seed;
        self
    }

    /// Sets the receive buffer of the proxy's sockets on both sides.
    ///
    /// With a small one, 4096 for instance, a [`ChaosProxy::stall`] closes the sender's window after a few kilobytes;
    /// loopback otherwise swallows megabytes first.
    pub fn receive_buffer(mut self, bytes: usize) -> ChaosProxyBuilder {
        self.receive_buffer = Some(bytes);
        self
    }

    /// Starts the proxy in front of `upstream`.
    ///
    /// # Errors
    /// Fails if the listening address cannot be bound.
    ///
    /// # Cancel safety
    /// Cancel safe: a proxy that was not handed out is gone.
    pub async fn start(self, upstream: SocketAddr) -> io::Result<ChaosProxy> {
        let port = ReservedPort::at(self.listen)?;
        let shared = Arc::new(Shared::new(port, upstream, self.seed, self.receive_buffer)?);
        let acceptor = tokio::spawn(task::accept(Arc::clone(&shared))).abort_handle();
        Ok(ChaosProxy { owner: Arc::new(Owner { shared, acceptor }) })
    }
}

impl ChaosProxy {
    /// Starts a proxy in front of `upstream` on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Fails if the system has no port or no descriptor left.
    ///
    /// # Cancel safety
    /// Cancel safe: a proxy that was not handed out is gone.
    pub async fn start(upstream: SocketAddr) -> io::Result<ChaosProxy> {
        ChaosProxy::builder().start(upstream).await
    }

    /// Begins with the settings that must be known before the proxy listens.
    pub fn builder() -> ChaosProxyBuilder {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        ChaosProxyBuilder { listen, seed: 0, receive_buffer: None }
    }

    /// The address clients connect to; it stays the same for the life of the proxy.
    pub fn addr(&self) -> SocketAddr {
        self.shared().port.addr()
    }

    /// Sends later connections to another server.
    pub fn set_upstream(&self, upstream: SocketAddr) {
        self.shared().set_upstream(upstream);
    }

    /// Ends every fault and listens again.
    ///
    /// Connections that have gone silent or were forgotten stay so: their streams have holes. What was delayed or held
    /// goes out at once.
    pub fn clear(&self) {
        self.shared().clear();
    }

    /// Sets any [`Fault`]; the methods below say the same in words.
    pub fn apply(&self, direction: Direction, fault: Fault) {
        self.shared().fault(direction, fault);
    }

    /// Ends every fault of a direction; the listener is left as it is.
    pub fn pass(&self, direction: Direction) {
        self.apply(direction, Fault::Pass);
    }

    /// Delays every byte by `delay` and up to `jitter` more, in order.
    pub fn latency(&self, direction: Direction, delay: Duration, jitter: Duration) {
        self.apply(direction, Fault::Latency { delay, jitter });
    }

    /// Narrows the line to so many bytes per second.
    pub fn rate(&self, direction: Direction, bytes_per_second: u64) {
        self.apply(direction, Fault::Rate { bytes_per_second });
    }

    /// Cuts the stream into pieces of `size` bytes that arrive `gap` apart.
    pub fn slice(&self, direction: Direction, size: usize, gap: Duration) {
        self.apply(direction, Fault::Slice { size, gap });
    }

    /// Lets exactly `bytes` pass, then ends the connection both ways.
    ///
    /// With [`End::Rst`] Linux still hands the receiver every byte before the error; other kernels may not.
    pub fn limit(&self, direction: Direction, bytes: u64, end: End) {
        self.apply(direction, Fault::Limit { bytes, end });
    }

    /// Stops reading: the sender's buffers fill up and its window closes. Ended by [`pass`](Self::pass) or
    /// [`clear`](Self::clear).
    pub fn stall(&self, direction: Direction) {
        self.apply(direction, Fault::Stall);
    }

    /// Reads and forwards nothing, like an outage that heals, until [`release`](Self::release); at most 16 MiB per
    /// connection, then it stops reading.
    pub fn hold(&self, direction: Direction) {
        self.apply(direction, Fault::Hold);
    }

    /// Ends a [`hold`](Self::hold); everything held arrives at once.
    pub fn release(&self, direction: Direction) {
        self.apply(direction, Fault::Release);
    }

    /// Drops everything from now on, the end of the stream included, while the connections stay open.
    pub fn silence(&self, direction: Direction) {
        self.drop_after(direction, 0);
    }

    /// Lets `bytes` pass, then [silences](Self::silence) the connection for ever.
    pub fn drop_after(&self, direction: Direction, bytes: u64) {
        self.apply(direction, Fault::DropAfter { bytes });
    }

    /// Flips the bits of `mask` in the byte at `offset`, once per connection.
    pub fn corrupt(&self, direction: Direction, offset: u64, mask: u8) {
        self.apply(direction, Fault::Corrupt { offset, mask });
    }

    /// Puts bytes that nobody sent into every living connection.
    pub fn inject(&self, direction: Direction, bytes: &[u8]) {
        self.apply(direction, Fault::Inject { bytes: bytes.to_vec() });
    }

    /// Lets every chunk arrive twice.
    pub fn duplicate(&self, direction: Direction) {
        self.apply(direction, Fault::Duplicate);
    }

    /// Ends one direction of every living connection in order: its receivers read the end of the stream, its senders
    /// notice nothing, and the other direction goes on.
    pub fn half_close(&self, direction: Direction) {
        self.apply(direction, Fault::HalfClose);
    }

    /// Forgets every connection that carries no byte for `after`, as a NAT does.
    ///
    /// Later bytes vanish both ways, or the first of them is answered with a reset. Only bytes count as traffic: kernel
    /// keepalive, which would refresh a real NAT, ends at the proxy. Wait for [`What::Forgotten`] in the history.
    pub fn idle_cut(&self, after: Duration, mode: IdleMode) {
        self.shared().idle_cut(IdleCut { after, mode });
    }

    /// Stops listening, so that new connections are refused; the port is kept. Living connections go on.
    pub fn refuse(&self) {
        self.shared().accept(Accepting::Refuse, Command::Refuse);
    }

    /// Accepts new connections and never answers: what they send vanishes.
    pub fn accept_and_silence(&self) {
        self.shared().accept(Accepting::Silence, Command::AcceptAndSilence);
    }

    /// Accepts new connections and ends them in order at once.
    pub fn accept_then_fin(&self) {
        self.shared().accept(Accepting::End(End::Fin), Command::AcceptThenFin);
    }

    /// Accepts new connections and resets them at once. The client's `connect` may succeed or report `ECONNRESET`,
    /// depending on which comes first.
    pub fn accept_then_rst(&self) {
        self.shared().accept(Accepting::End(End::Rst), Command::AcceptThenRst);
    }

    /// Lets new connections hang in their SYN, behind a full accept queue. Living connections go on.
    ///
    /// # Errors
    /// `Unsupported` where the kernel does not drop the SYN of a connection that finds the queue full; Linux does.
    ///
    /// # Cancel safety
    /// Cancelled on the way, new connections are refused.
    pub async fn hang_syn(&self) -> io::Result<()> {
        self.shared().accept(Accepting::Refuse, Command::HangSyn);
        let listener = self.shared().port.listen(0, None)?;
        let fillers = task::fill_accept_queue(self.addr()).await?;
        let hang = Accepting::Hang { _listener: listener, _fillers: fillers };
        self.shared().accept(hang, Command::HangSyn);
        Ok(())
    }

    /// Forwards new connections again, after [`refuse`](Self::refuse) and its relatives; byte faults stay.
    pub fn accept_again(&self) {
        self.shared().accept(Accepting::Forward, Command::AcceptAgain);
    }

    /// Resets every living connection at both ends.
    pub fn reset(&self) {
        self.shared().end(End::Rst);
    }

    /// Ends every living connection in order at both ends. Bytes that come within the next second are read and dropped,
    /// later ones are answered with a reset.
    pub fn close(&self) {
        self.shared().end(End::Fin);
    }

    fn shared(&self) -> &Shared {
        &self.owner.shared
    }
}

/// Held by the handles only, never by a task: its end is the end of the proxy.
#[derive(Debug)]
struct Owner {
    shared: Arc<Shared>,
    acceptor: AbortHandle,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.acceptor.abort();
        self.shared.shut_down();
    }
}
