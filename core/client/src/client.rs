//! The handle a user holds: it survives any number of connections, and never waits on the network itself.

mod request;
mod send;
mod send_many;
mod subscribe;

use crate::endpoint::{Endpoint, IntoEndpoints, Targets};
use crate::error::Error;
use crate::events::Events;
use crate::greeting::not_declared;
use crate::message::Message;
use crate::shared::{Shared, Wish};
use crate::stats::Stats;
use keepline_proto::config::{DetectionBounds, Notice, ValidConfig};
use keepline_proto::session::{Command, NetworkPath};
use keepline_proto::{Ending, Epoch, ErrorKind, Report, Secret, State};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// A client: one endpoint or several, any number of connections, one at a time. Cheap to clone; dropping the last clone aborts it.
///
/// ```
/// # use keepline::{Client, Framing};
/// # use keepline_testkit::servers::EchoServer;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = EchoServer::start().await?;
/// # let address = server.addr();
/// let client = Client::builder(address).framing(Framing::lines()).connect().await?;
/// client.send("hello").await?;
/// let message = client.recv().await.expect("the client is open");
/// assert_eq!(&message.payload[..], b"hello");
/// client.close(std::time::Duration::from_secs(1)).await;
/// # Ok(())
/// # }
/// ```
pub struct Client {
    shared: Arc<Shared>,
}

impl Clone for Client {
    fn clone(&self) -> Client {
        Client::new(self.shared.clone())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if self.shared.drop_handle() && self.shared.closed_with().is_none() {
            self.shared.wish(Wish::Command(Command::Abort));
        }
    }
}

impl Client {
    pub(crate) fn new(shared: Arc<Shared>) -> Client {
        shared.add_handle();
        Client { shared }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Waits for the next message; `None` after close, when the inbox is empty.
    ///
    /// Concurrent calls share one cursor: each message goes to one of them.
    ///
    /// # Cancel safety
    /// Cancel safe: the message stays for the next call.
    pub async fn recv(&self) -> Option<Message> {
        let mut received = None;
        let (_more, wake) = self.shared().inbox.pull(1, |message| received = Some(message)).await;
        self.wake_if(wake);
        received
    }

    /// As [`Client::recv`], waiting at most `timeout`.
    ///
    /// # Errors
    /// `Timeout` when nothing came in time.
    ///
    /// # Cancel safety
    /// As [`Client::recv`].
    pub async fn recv_within(&self, timeout: Duration) -> Result<Option<Message>, Error> {
        tokio::time::timeout(timeout, self.recv()).await.map_err(|_elapsed| Error::timeout("message"))
    }

    /// The next message, if one waits.
    pub fn try_recv(&self) -> Option<Message> {
        let mut received = None;
        let wake = self.shared().inbox.pull_now(1, |message| received = Some(message));
        self.wake_if(wake);
        received
    }

    /// Waits for messages and appends up to `max` of them to `messages`; returns how many, 0 after close.
    ///
    /// # Cancel safety
    /// Cancel safe: nothing is taken before it returns.
    pub async fn recv_many(&self, messages: &mut Vec<Message>, max: usize) -> usize {
        let before = messages.len();
        let (_more, wake) = self.shared().inbox.pull(max, |message| messages.push(message)).await;
        self.wake_if(wake);
        messages.len() - before
    }

    /// A reader of events from the first one kept.
    pub fn events(&self) -> Events {
        Events::new(self.shared().clone(), 0)
    }

    /// A reader of the events after number `seq`.
    pub fn events_after(&self, seq: u64) -> Events {
        Events::new(self.shared().clone(), seq)
    }

    /// The number of the last event.
    pub fn last_event(&self) -> u64 {
        self.shared().events.last()
    }

    /// What the flight recorder tells of the connections and attempts that ended last: at most four, oldest first.
    pub fn reports(&self) -> Vec<Arc<Report>> {
        self.shared().events.reports()
    }

    /// Where the client stands.
    pub fn state(&self) -> State {
        self.shared().state()
    }

    /// The number of the last attempt.
    pub fn epoch(&self) -> Epoch {
        self.shared().epoch()
    }

    /// Counters, and what the kernel says is in force.
    pub fn stats(&self) -> Stats {
        let shared = self.shared();
        let counters = &shared.counters;
        let (messages, outbox_bytes, requests_in_flight, bytes_out) = {
            let writer = shared.writer();
            let in_flight = writer.correlator.as_ref().map_or(0, |correlator| correlator.in_flight());
            (writer.outbox.counts(), writer.outbox.bytes(), in_flight, writer.bytes_out)
        };
        Stats {
            state: shared.state(),
            epoch: shared.epoch(),
            attempts: counters.attempts.load(Ordering::Relaxed).into(),
            connections: counters.connections.load(Ordering::Relaxed).into(),
            failures: counters.failures.load(Ordering::Relaxed).into(),
            messages,
            outbox_bytes,
            received: counters.received.load(Ordering::Relaxed),
            discarded: shared.extras.discarded().map_or(0, |count| count.load(Ordering::Relaxed)),
            inbox: shared.inbox.len(),
            bytes_out,
            bytes_in: counters.bytes_in.load(Ordering::Relaxed),
            heartbeats: counters.heartbeats.load(Ordering::Relaxed).into(),
            heartbeat_rtt: counters.heartbeat_rtt(),
            requests_in_flight,
            options: shared.options(),
            #[cfg(feature = "tls")]
            tls: shared.extras.tls().and_then(|tls| tls.facts()),
        }
    }

    /// The configuration in force, every value decided.
    pub fn config(&self) -> &ValidConfig {
        &self.shared().config
    }

    /// What the user should know about this configuration.
    pub fn notices(&self) -> &[Notice] {
        &self.shared().config.notices
    }

    /// The longest time until a dead peer is noticed, whatever the fault; `None` if this configuration is blind to one.
    pub fn detection_bound(&self) -> Option<Duration> {
        self.shared().config.detection_bound()
    }

    /// The worst case of each fault, with its formula.
    pub fn detection_bounds(&self) -> DetectionBounds {
        self.shared().config.detection_bounds()
    }

    /// Ends the connection, if there is one, and dials at once.
    pub fn reconnect(&self) {
        self.shared().wish(Wish::Command(Command::Reconnect));
    }

    /// Leaves because the server asked for it, and comes back no sooner than `retry_after`, of which at most an hour is
    /// honoured. A little more is drawn, so that a fleet does not come back at one instant.
    ///
    /// For a notice that only the user's code understands; [`Builder::go_away`](crate::Builder::go_away) declares one that is
    /// a frame by its beginning. Without a connection the wait that is running grows.
    pub fn go_away(&self, retry_after: Duration) {
        self.shared().wish(Wish::Command(Command::GoAway { retry_after }));
    }

    /// Replaces the declared credentials for the attempts to come; a living connection keeps its own.
    ///
    /// # Errors
    /// `InvalidConfig` if none are declared; `Rejected` if they come from a provider.
    pub fn set_credentials(&self, secret: impl Into<Secret>) -> Result<(), Error> {
        let login = self.shared().extras.login().ok_or_else(not_declared)?;
        login.set(secret.into())
    }

    /// Tells that the network changed: `None` if nothing is known of the new one.
    pub fn network_changed(&self, path: Option<NetworkPath>) {
        self.shared().wish(Wish::Network(path));
    }

    /// The endpoints, in the order given.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.shared().targets()
    }

    /// Takes another list of endpoints.
    ///
    /// A connection to an endpoint that is still in the list stays. Any other is left, in order if it is healthy, and
    /// the next is dialled at once; while a wait is on, a new endpoint cuts it to the first of the curve. What is known
    /// of the endpoints that stay is kept.
    ///
    /// # Errors
    /// `InvalidConfig` for a bad endpoint, the same one twice, none, or more than 64; nothing changes then.
    pub fn set_endpoints(&self, endpoints: impl IntoEndpoints) -> Result<(), Error> {
        let endpoints = self.shared().as_dialled(endpoints.into_endpoints()?)?;
        Targets::check(&endpoints)?;
        self.shared().wish(Wish::Endpoints(endpoints));
        Ok(())
    }

    /// Ends the connection and stays away until [`Client::resume`].
    pub fn pause(&self) {
        self.shared().wish(Wish::Command(Command::Pause));
    }

    /// Dials again after [`Client::pause`], and after [`Client::enter_background`].
    pub fn resume(&self) {
        self.shared().wish(Wish::Command(Command::Resume));
    }

    /// Tells that the program is out of its user's sight: ends the connection and stays away until
    /// [`Client::enter_foreground`].
    ///
    /// A system that freezes programs ends their connections without a word, and each attempt until then costs battery.
    /// What is sent meanwhile waits in the outbox, where the policy is to queue. It is told as
    /// [`EventKind::Paused`](crate::EventKind::Paused).
    pub fn enter_background(&self) {
        self.shared().wish(Wish::Command(Command::Background));
    }

    /// Tells that the program is seen again: dials at once, unless it was also paused by [`Client::pause`]. A connection
    /// that was never left is asked for a sign of life, and the wait for an attempt ends.
    pub fn enter_foreground(&self) {
        self.shared().wish(Wish::Command(Command::Foreground));
    }

    /// Closes: accepts nothing more, writes what waits and reads to the end if the connection is healthy, at most
    /// `drain`. Returns why the client is closed. Idempotent.
    ///
    /// # Cancel safety
    /// The close goes on if the wait is cancelled.
    pub async fn close(&self, drain: Duration) -> Ending {
        if self.shared().closed_with().is_none() {
            self.shared().wish(Wish::Command(Command::Close { drain }));
        }
        self.shared().closed().await
    }

    /// Closes at once: the connection is reset, what waits is `NotSent`.
    pub fn abort(&self) {
        self.shared().wish(Wish::Command(Command::Abort));
    }

    /// Waits until the client is closed, by whoever, and tells why.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub fn closed(&self) -> impl Future<Output = Ending> + Send + use<> {
        let shared = self.shared().clone();
        async move { shared.closed().await }
    }

    /// Waits for the first connection as [`Builder::connect`](crate::Builder::connect) does, for a client that was started.
    ///
    /// # Errors
    /// `Unavailable` with the last cause after `connect_within`, counted from this call: the client is then closed.
    /// `Exhausted`, `Closed`.
    ///
    /// # Cancel safety
    /// Cancel safe: the client goes on dialling.
    pub async fn connected(&self) -> Result<(), Error> {
        let shared = self.shared();
        let limit = shared.config.connect_within;
        if let Ok(result) = tokio::time::timeout(limit, shared.connected()).await {
            return result;
        }
        shared.wish(Wish::GiveUp);
        let ending = shared.closed().await;
        let text = "no connection within connect.within";
        Err(Error::new(ErrorKind::Unavailable, text).with_ending(Some(ending)).with_report_of(shared))
    }

    fn wake_if(&self, wake: bool) {
        if wake {
            self.shared().wake_driver();
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoints", &self.shared().targets())
            .field("state", &self.state())
            .field("epoch", &self.epoch())
            .finish()
    }
}

/// A time that no user lives to see, for timeouts that overflow the clock.
fn deadline_after(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or(now + Duration::from_secs(86_400 * 365 * 30))
}
