//! A whole world in virtual time: the real [`Session`], a scripted peer, a scripted kernel and an exact clock.
//!
//! Time is arithmetic here: it advances from one deadline to the next, and equality is exact. Everything the machine
//! asks for is done, recorded, and judged by an [`Audit`].

mod peer;
mod run;

pub use peer::Peer;

use crate::history::Audit;
use keepline_proto::cause::Detector;
use keepline_proto::config::{Config, ValidConfig};
use keepline_proto::endpoints::{Candidate, Candidates, EndpointId};
use keepline_proto::{
    Cause, Command, Ending, Epoch, Event, KernelFigures, NetworkChange, NetworkPath, Output, Session, State, Time,
};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Where the clock of a world starts: not at zero, so that a forgotten stamp shows.
const DAWN: Duration = Duration::from_secs(1_000_000);

/// A client in virtual time.
///
/// ```
/// use keepline_proto::config::{Config, Heartbeat};
/// use keepline_testkit::sim::SimWorld;
/// use std::time::Duration;
///
/// let heartbeat = Heartbeat::new("PING").every(Duration::from_secs(20)).reply_within(Duration::from_secs(10));
/// let mut world = SimWorld::connected(Config { heartbeat: Some(heartbeat), ..Config::default() });
/// world.silence_peer();
/// assert_eq!(world.run_until("disconnected"), Duration::from_secs(30));
/// ```
#[derive(Debug)]
pub struct SimWorld {
    config: Arc<ValidConfig>,
    session: Session,
    now: Time,
    peer: Peer,
    /// What stands at single endpoints, where that differs.
    peers: Vec<(EndpointId, Peer)>,
    /// Where each attempt went.
    targets: Vec<(Epoch, EndpointId)>,
    figures: Option<KernelFigures>,
    wait: Option<Time>,
    last_received: Time,
    live: Option<Epoch>,
    challenger: Option<Epoch>,
    news: VecDeque<News>,
    events: Vec<Event>,
    outputs: Vec<(Time, Output)>,
    audit: Audit,
}

/// Something that will reach the driver.
#[derive(Debug, Clone)]
struct News {
    at: Time,
    epoch: Epoch,
    fact: Fact,
}

#[derive(Debug, Clone)]
enum Fact {
    Dialed,
    Greeted,
    Replied,
    Received,
    Drained,
    Sampled(KernelFigures),
    Ended(Ending),
}

impl SimWorld {
    /// A world with a client that has not been started, and a peer that answers.
    ///
    /// # Panics
    /// If the configuration is invalid.
    pub fn new(config: Config) -> SimWorld {
        SimWorld::with_seed(config, 1)
    }

    /// A world with this seed for the client's luck.
    ///
    /// # Panics
    /// If the configuration is invalid.
    pub fn with_seed(config: Config, seed: u64) -> SimWorld {
        let config = match config.parse() {
            Ok(config) => Arc::new(config),
            Err(error) => panic!("the configuration of this world is invalid: {error}"),
        };
        let now = Time::ZERO + DAWN;
        SimWorld {
            session: Session::new(Arc::clone(&config), seed, now),
            config,
            now,
            peer: Peer::default(),
            peers: Vec::new(),
            targets: Vec::new(),
            figures: None,
            wait: None,
            last_received: Time::ZERO,
            live: None,
            challenger: None,
            news: VecDeque::new(),
            events: Vec::new(),
            outputs: Vec::new(),
            audit: Audit::new(),
        }
    }

    /// A world with a client that is `Connected` since this very moment.
    ///
    /// # Panics
    /// If the configuration is invalid.
    pub fn connected(config: Config) -> SimWorld {
        let mut world = SimWorld::new(config);
        world.start();
        world.run_for(Duration::ZERO);
        assert_eq!(world.state(), State::Connected);
        world
    }

    /// Starts the client.
    pub fn start(&mut self) {
        self.audit.allow_dial();
        self.input(|session, now| session.handle_start(now));
    }

    /// Where the client stands.
    pub fn state(&self) -> State {
        self.session.state()
    }

    /// The machine itself.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The configuration as it was parsed.
    pub fn config(&self) -> &ValidConfig {
        &self.config
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Every event so far.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The names of every event so far.
    pub fn event_names(&self) -> Vec<&'static str> {
        self.events.iter().map(|event| event.kind.name()).collect()
    }

    /// How the last connection or attempt ended.
    ///
    /// # Panics
    /// If none has ended.
    pub fn last_end(&self) -> &keepline_proto::event::Disconnected {
        let ends = self.events.iter().rev().filter_map(|event| match &event.kind {
            keepline_proto::EventKind::Disconnected(end) => Some(end),
            _ => None,
        });
        ends.map(AsRef::as_ref).next().unwrap_or_else(|| panic!("nothing has ended yet: {self:#?}"))
    }

    /// Everything the machine asked for, with the time.
    pub fn outputs(&self) -> &[(Time, Output)] {
        &self.outputs
    }

    /// When the machine dialled.
    pub fn dials(&self) -> Vec<Time> {
        self.times_of(|output| matches!(output, Output::Dial { .. }))
    }

    /// When the machine asked for a heartbeat.
    pub fn heartbeats(&self) -> Vec<Time> {
        self.times_of(|output| matches!(output, Output::Heartbeat { .. }))
    }

    /// When the machine asked for the kernel's figures.
    pub fn samples(&self) -> Vec<Time> {
        self.times_of(|output| matches!(output, Output::Sample { .. }))
    }

    fn times_of(&self, wanted: impl Fn(&Output) -> bool) -> Vec<Time> {
        self.outputs.iter().filter(|(_, output)| wanted(output)).map(|(at, _)| *at).collect()
    }
}

/// Several endpoints.
impl SimWorld {
    /// Tells the machine of these endpoints, numbered from 0 in this order, each with its weight.
    ///
    /// # Panics
    /// If the list is invalid.
    pub fn endpoints(&mut self, names: &[(&str, u32)]) {
        let numbers = 0..names.len() as u32;
        self.endpoints_numbered(&numbers.map(EndpointId).zip(names.iter().copied()).collect::<Vec<_>>());
    }

    /// As [`SimWorld::endpoints`], with numbers of the caller's: the same one means the same endpoint as before.
    ///
    /// # Panics
    /// If the list is invalid.
    pub fn endpoints_numbered(&mut self, list: &[(EndpointId, (&str, u32))]) {
        let list = list.iter().map(|(id, (name, weight))| Candidate { weight: *weight, ..Candidate::new(*id, *name) });
        let candidates = match Candidates::new(list.collect()) {
            Ok(candidates) => candidates,
            Err(error) => panic!("the endpoints of this world are invalid: {error}"),
        };
        self.audit.allow_dial();
        self.input(|session, now| session.handle_endpoints(now, candidates));
    }

    /// Puts a peer at one endpoint; the others have that of the whole world.
    pub fn put_at(&mut self, endpoint: u32, peer: Peer) {
        self.peers.retain(|(id, _)| *id != EndpointId(endpoint));
        self.peers.push((EndpointId(endpoint), peer));
    }

    /// The endpoints of all dials so far.
    pub fn dialed(&self) -> Vec<u32> {
        self.targets.iter().map(|(_, endpoint)| endpoint.0).collect()
    }

    /// What stands where this attempt went.
    fn peer_of(&self, epoch: Epoch) -> Peer {
        let target = self.targets.iter().rev().find(|(of, _)| *of == epoch).map(|(_, endpoint)| *endpoint);
        let own = self.peers.iter().find(|(id, _)| Some(*id) == target).map(|(_, peer)| *peer);
        own.unwrap_or(self.peer)
    }
}

/// What happens at the other end and on the way there.
impl SimWorld {
    /// Everything works: dials, greetings and heartbeats are answered.
    pub fn answer(&mut self) {
        self.peer = Peer::Answers;
    }

    /// Nothing comes from the peer any more, and the kernel says nothing about it.
    pub fn silence_peer(&mut self) {
        self.peer = Peer::Silent;
    }

    /// The peer's process stands still; its kernel acknowledges and accepts.
    pub fn freeze(&mut self) {
        self.peer = Peer::Frozen;
    }

    /// The path swallows everything.
    pub fn blackhole(&mut self) {
        self.peer = Peer::Blackholed;
    }

    /// Nobody listens any more; what is connected stays so.
    pub fn refuse(&mut self) {
        self.peer = Peer::Refuses;
    }

    /// The peer accepts, and sends FIN at once.
    pub fn accept_and_close(&mut self) {
        self.peer = Peer::ClosesAtOnce;
    }

    /// The peer stops reading: its window is shut, and the writer meets a full buffer.
    pub fn stall_peer(&mut self) {
        self.peer = Peer::Stalled;
        self.write_blocked();
    }

    /// Fixes what the kernel says, whatever the peer does; `None` lets it follow the peer again.
    pub fn set_kernel(&mut self, figures: Option<KernelFigures>) {
        self.figures = figures;
    }

    /// A byte arrives from the peer now.
    pub fn receive(&mut self) {
        self.tell_now(Fact::Received);
    }

    /// The declared reply arrives from the peer now.
    pub fn reply(&mut self) {
        self.tell_now(Fact::Replied);
    }

    /// The operating system reports the end of the connection now.
    pub fn end(&mut self, cause: Cause) {
        self.end_with(Ending::new(cause, Some(Detector::OsError)));
    }

    /// The connection or attempt ends now in this way.
    pub fn end_with(&mut self, ending: Ending) {
        self.tell_now(Fact::Ended(ending));
    }

    fn tell_now(&mut self, fact: Fact) {
        let epoch = self.session.epoch();
        self.tell(News { at: self.now, epoch, fact });
    }
}

/// What reaches the machine from the driver's side.
impl SimWorld {
    /// The user wishes something.
    pub fn command(&mut self, command: Command) {
        self.audit.allow_dial();
        self.input(|session, now| session.handle_command(now, command));
    }

    /// The system says that the network changed.
    pub fn change_network(&mut self, change: NetworkChange) {
        self.audit.allow_dial();
        self.input(|session, now| session.handle_network_changed(now, change));
    }

    /// The driver sees another way to the peer.
    pub fn see_network(&mut self, before: NetworkPath, change: NetworkChange) {
        self.audit.allow_dial();
        self.input(|session, now| session.handle_network_seen(now, before, change));
    }

    /// A look just before an attempt or after an end finds this.
    pub fn find_network(&mut self, path: NetworkPath) {
        self.audit.allow_dial();
        self.input(|session, now| session.handle_network_found(now, path));
    }

    /// The writer meets a full buffer.
    pub fn write_blocked(&mut self) {
        let epoch = self.session.epoch();
        self.input(|session, now| session.handle_write_blocked(now, epoch));
    }

    /// The kernel took bytes.
    pub fn write_progress(&mut self, blocked: bool) {
        let epoch = self.session.epoch();
        self.input(|session, now| session.handle_write_progress(now, epoch, blocked));
    }

    /// The heartbeat asked for last waits for the end of a frame, or no longer does.
    pub fn hold_heartbeat(&mut self, held: bool) {
        let epoch = self.session.epoch();
        self.input(|session, now| session.handle_heartbeat_held(now, epoch, held));
    }

    /// The inbox is full, or has room again.
    pub fn inbox(&mut self, full: bool) {
        let epoch = self.session.epoch();
        self.input(|session, now| session.handle_inbox(now, epoch, full));
    }

    /// A part of a frame waits for the rest.
    pub fn frame_started(&mut self) {
        let epoch = self.session.epoch();
        self.input(|session, now| session.handle_frame_started(now, epoch));
    }

    /// No part of a frame waits any more.
    pub fn frame_ended(&mut self) {
        let epoch = self.session.epoch();
        self.input(|session, now| session.handle_frame_ended(now, epoch));
    }

    /// The machine sleeps: time passes and nobody notices, then the driver says so.
    pub fn sleep(&mut self, slept: Duration) {
        self.now = self.now + slept;
        self.input(|session, now| session.handle_resumed(now, slept));
        self.catch_up();
    }

    /// The process does not run for a while; then, as a driver must, it reads what arrived before it judges.
    pub fn hang(&mut self, stood_still: Duration) {
        self.now = self.now + stood_still;
        self.catch_up();
    }

    /// Hands the machine any input, and does everything that it asks for.
    ///
    /// # Panics
    /// If the machine breaks a rule.
    pub fn input(&mut self, input: impl FnOnce(&mut Session, Time)) {
        input(&mut self.session, self.now);
        self.drain();
    }
}
