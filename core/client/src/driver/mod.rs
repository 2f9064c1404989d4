//! The one task behind a client: waits for exactly one thing, tells the machine, does what it asks, waits again.
//!
//! Every input is one `session.handle_*(now, …)`, followed by [`Driver::act`], which drains the machine's outputs.

mod connection;
mod deadlines;
mod dialing;
mod early;
mod frames;
mod greet;
mod handover;
#[cfg(target_os = "linux")]
mod inline_reads;
mod look;
mod network;
mod outputs;
mod retries;
mod siblings;
mod slots;
mod write;

use crate::clock::{self, Clock};
use crate::io::dial::Dialed;
use crate::io::transport::Socket;
use crate::network::Sight;
use crate::shared::{Shared, Wish};
use crate::wheel::{Seat, Wheel};
pub(crate) use connection::Connection;
use connection::ReadStep;
use keepline_proto::endpoints::Candidates;
use keepline_proto::session::{Command, NetworkChange};
use keepline_proto::{Cause, CloseHow, Ending, Epoch, Session, State};
use siblings::Remains;
use slots::{Arrival, Io, Place};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use write::WriteStep;

/// Reads of one turn: then other tasks of the runtime get theirs.
const READS_PER_TURN: usize = 16;

/// Writes of one turn.
const WRITES_PER_TURN: usize = 16;

/// Numbers the clients of a process, to tell them apart in a log without their addresses.
static CLIENTS: AtomicU64 = AtomicU64::new(1);

type Dialing = Pin<Box<dyn Future<Output = Result<Dialed, Ending>> + Send>>;

pub(crate) struct Driver {
    shared: Arc<Shared>,
    session: Session,
    clock: Clock,
    /// Wakes us in time.
    seat: Seat,
    /// What was seen last of the way to the peer; `None` if nobody is to look, or the peer is on this host.
    sight: Option<Arc<Sight>>,
    /// A heartbeat was queued, and nothing written since.
    unwritten: bool,
    /// A heartbeat was answered since the seat was armed: its deadlines are over.
    answered: bool,
    /// The budget of retries has given the next attempt its time.
    permitted: bool,
    /// The last silent death of a sibling that this client has heard of.
    siblings_heard: u32,
    io: Io,
    /// The connection is closed and its requests were not told yet.
    unsettled: bool,
    finished: bool,
    /// Boxed: a living client that nobody watches has none.
    aside: Option<Box<Aside>>,
}

/// What few drivers have at a time.
#[derive(Default)]
struct Aside {
    /// The second of two while a suspect connection is challenged. Neither place means more than the other: the machine
    /// says by epoch whose turn it is.
    other: Io,
    /// The stream whose user was not told yet that it is over.
    lent: Option<(Epoch, Arc<Socket>)>,
    /// What is told of an attempt beside a connection once it has won.
    arrival: Option<Box<Arrival>>,
    /// What the connection leaves behind when it is closed.
    remains: Option<Box<Remains>>,
    /// `None` while nobody listens.
    span: Option<Arc<tracing::Span>>,
}

impl Driver {
    /// Makes the driver, which dials at once; `candidates` are the endpoints if there are several.
    pub(crate) fn new(shared: Arc<Shared>, runtime: &Handle, seed: u64, candidates: Option<Candidates>) -> Driver {
        let id = CLIENTS.fetch_add(1, Ordering::Relaxed);
        let span = tracing::info_span!("keepline", client = id);
        let span = (!span.is_disabled()).then(|| Arc::new(span));
        let entered = span.clone();
        let _inside = entered.as_ref().map(|span| span.enter());
        tracing::debug!(endpoints = ?shared.targets(), "client started");
        let mut driver = Driver {
            session: Session::new(shared.config.clone(), seed, clock::now()),
            shared,
            clock: Clock::new(),
            seat: Wheel::of(runtime).sit(),
            sight: None,
            unwritten: false,
            answered: false,
            permitted: false,
            siblings_heard: 0,
            io: Io::default(),
            unsettled: false,
            finished: false,
            aside: span.map(|span| Box::new(Aside { span: Some(span), ..Aside::default() })),
        };
        if driver.shared.one_connection {
            driver.session.set_one_connection();
        }
        driver.first_look(runtime);
        driver.begin(candidates);
        driver
    }

    fn wishes(&mut self) {
        for wish in self.shared.take_wishes() {
            let now = clock::now();
            match wish {
                Wish::Command(command) => {
                    if matches!(command, Command::Abort | Command::Close { .. }) {
                        self.shared.writer().ended = true;
                    }
                    if matches!(command, Command::Resume | Command::Foreground) {
                        self.look_before_attempt();
                    }
                    self.session.handle_command(now, command);
                }
                Wish::Network(path) => {
                    let change = NetworkChange { path, route_intact: self.route_intact(path) };
                    self.session.handle_network_changed(now, change);
                }
                Wish::Endpoints(endpoints) => {
                    let Some(candidates) = self.shared.set_targets(endpoints) else { continue };
                    self.session.handle_endpoints(now, candidates);
                }
                Wish::GiveUp => {
                    let ending = self.shared.ending().unwrap_or(Ending::new(Cause::ConnectTimeout, None));
                    self.session.handle_gave_up(now, ending);
                }
                Wish::StreamEnded(epoch, ending) => {
                    self.look_after(epoch, &ending);
                    self.session.handle_ended_with(now, epoch, ending, self.kernel_figures(epoch))
                }
                Wish::StreamLeft { epoch, peer_closed } => self.session.handle_left(now, epoch, peer_closed),
            }
            self.act();
        }
    }

    fn io_turn(&mut self, context: &mut Context<'_>) -> bool {
        let mut again = self.slot_turn(context);
        if let Some(aside) = self.aside.as_mut().filter(|aside| !aside.other.is_nothing()) {
            std::mem::swap(&mut self.io, &mut aside.other);
            again |= self.slot_turn(context);
        }
        again
    }

    fn slot_turn(&mut self, context: &mut Context<'_>) -> bool {
        match self.io.place_mut() {
            None | Some(Place::Lent(..)) => false,
            Some(Place::Dialing(epoch, future)) => {
                let epoch = *epoch;
                let Poll::Ready(result) = future.as_mut().poll(context) else { return false };
                self.dialed(epoch, result);
                true
            }
            Some(Place::Open(_)) => {
                let mut again = self.greeting_turn(context);
                again |= self.read_turn(context);
                let was_held = self.io.connection().is_some_and(Connection::is_held_by_answers);
                again |= self.write_turn(context);
                if was_held && !self.io.connection().is_some_and(Connection::is_held_by_answers) {
                    // They have left, and nothing else makes the driver read on. After others' turns: it may be a flood.
                    context.waker().wake_by_ref();
                }
                again
            }
        }
    }

    fn dialed(&mut self, epoch: Epoch, result: Result<Dialed, Ending>) {
        self.io = Io::default();
        self.tell_failed_addresses(epoch);
        match result {
            Ok(dialed) => {
                tracing::debug!(%epoch, peer = ?dialed.peer, options = ?dialed.options, "tcp established");
                #[cfg(feature = "tls")]
                if let Some(facts) = &dialed.tls {
                    tracing::debug!(%epoch, ?facts, "tls established");
                }
                let arrival = Arrival {
                    epoch,
                    peer: dialed.peer,
                    options: dialed.options,
                    #[cfg(feature = "tls")]
                    tls: dialed.tls,
                };
                let mut connection = Connection::new(epoch, (dialed.socket, dialed.acked_by));
                let is_alone = self.session.challenger() != Some(epoch);
                if !is_alone {
                    connection.run_beside(&self.shared.config);
                }
                self.session.set_resubscribes(is_alone && self.shared.writer().confirms_subscriptions());
                self.io = Io::holding(Place::Open(connection));
                if is_alone {
                    self.adopt(arrival);
                } else {
                    self.aside().arrival = Some(Box::new(arrival));
                }
                self.session.handle_dialed(clock::now(), epoch, dialed.peer);
            }
            Err(ending) => {
                self.look_after(epoch, &ending);
                self.session.handle_ended(clock::now(), epoch, ending);
            }
        }
        self.act();
    }

    fn read_turn(&mut self, context: &mut Context<'_>) -> bool {
        for _ in 0..READS_PER_TURN {
            let Some(connection) = self.io.connection_mut() else { return true };
            let epoch = connection.epoch;
            let step = connection.read(context, &self.shared);
            let now = clock::now();
            match step {
                ReadStep::Nothing => return false,
                ReadStep::Room => {
                    self.session.handle_inbox(now, epoch, false);
                    self.act();
                }
                ReadStep::Ended(ending) => {
                    if self.session.is_draining() && ending.cause == Cause::PeerClosed {
                        self.session.handle_drained(now, epoch);
                        self.act();
                    } else if self.leave_to_greeting(epoch, ending) {
                        return false;
                    } else {
                        self.end(epoch, ending);
                    }
                    return true;
                }
                ReadStep::Bytes(news) => {
                    if self.session.wants_received() {
                        self.answered = true;
                        self.session.handle_received(now, epoch);
                        self.act();
                    }
                    if news.heartbeat_reply {
                        self.session.handle_heartbeat_reply(now, epoch);
                        self.act();
                    }
                    if let Some(started) = news.frame_open {
                        if started {
                            self.session.handle_frame_started(now, epoch);
                        } else {
                            self.session.handle_frame_ended(now, epoch);
                        }
                        self.act();
                    }
                    if news.inbox_full {
                        self.session.handle_inbox(now, epoch, true);
                        self.act();
                    }
                    if let Some(retry_after) = news.go_away {
                        tracing::info!(%epoch, ?retry_after, "the server sent the client away");
                        self.session.handle_go_away(now, epoch, retry_after);
                        self.act();
                        return true;
                    }
                    if let Some(ending) = news.ending {
                        self.end(epoch, ending);
                        return true;
                    }
                    if self.finished {
                        return true;
                    }
                }
            }
        }
        context.waker().wake_by_ref();
        false
    }

    fn write_turn(&mut self, context: &mut Context<'_>) -> bool {
        for _ in 0..WRITES_PER_TURN {
            let Some(connection) = self.io.connection_mut() else { return true };
            let epoch = connection.epoch;
            let was_blocked = connection.blocked;
            match connection.write(context, &self.shared) {
                WriteStep::Nothing => {
                    if was_blocked {
                        self.session.handle_write_progress(clock::now(), epoch, false);
                        self.act();
                    }
                    return false;
                }
                WriteStep::Progress => {
                    if was_blocked {
                        self.session.handle_write_progress(clock::now(), epoch, false);
                        self.act();
                    }
                }
                WriteStep::Blocked => {
                    if !was_blocked {
                        self.session.handle_write_blocked(clock::now(), epoch);
                        self.act();
                    }
                    return false;
                }
                WriteStep::Ended(ending) => {
                    // What the peer sent before it went away is read first: a reply, or the FIN that explains the error.
                    let gone = !self.read_turn(context);
                    if self.leave_to_greeting(epoch, ending) {
                        return false;
                    }
                    if gone || self.io.connection().is_some_and(|connection| connection.epoch == epoch) {
                        self.end(epoch, ending);
                    }
                    return true;
                }
            }
        }
        context.waker().wake_by_ref();
        false
    }

    /// Ends the connection, with what its socket still tells after the death.
    fn end(&mut self, epoch: Epoch, ending: Ending) {
        self.look_after(epoch, &ending);
        self.session.handle_ended_with(clock::now(), epoch, ending, self.kernel_figures(epoch));
        self.act();
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        let span = driver.aside.as_ref().and_then(|aside| aside.span.clone());
        let _inside = span.as_ref().map(|span| span.enter());
        driver.shared.register_driver(context.waker());
        driver.look_if_due();
        loop {
            driver.network_turn();
            driver.wishes();
            // Bytes that are there already are read before a deadline is judged, and before a sibling's death is.
            let mut again = driver.io_turn(context);
            driver.hear_of_siblings();
            again |= driver.deadlines();
            again |= std::mem::take(&mut driver.unwritten);
            if driver.finished {
                return Poll::Ready(());
            }
            if !again {
                break;
            }
        }
        driver.tidy();
        #[cfg(target_os = "linux")]
        driver.lend_reads(context);
        driver.arm(context);
        Poll::Pending
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.finished {
            // The runtime is going away: whoever waits in another one is told, and what the kernel has keeps its outcome.
            for epoch in [self.io.epoch(), self.other().and_then(Io::epoch)].into_iter().flatten() {
                self.close(epoch, CloseHow::Abort);
            }
            self.finish(Ending::new(Cause::Requested, None));
            self.shared.publish(State::Closed, self.session.epoch());
        }
    }
}
