//! The machine behind a client: facts in, outputs out; no socket, no clock, no luck of its own.
//!
//! The driver hands in one fact at a time with one `handle_*` call, then drains [`Session::poll_output`] to
//! [`Output::Wait`], then waits. Every fact about a connection carries its epoch; a stale one is dropped in one place.

mod challenger;
mod command;
mod endpoints;
mod input;
mod io;
mod known;
mod life;
mod network;
mod patience;
mod phase;
mod segments;
mod waiting;

pub use input::{Command, NetworkChange, NetworkKind, NetworkPath};

use crate::config::ValidConfig;
use crate::event::{Event, EventKind, State};
use crate::output::{Output, OutputQueue};
use crate::recorder::Recorder;
use crate::wait::Waits;
use crate::{Epoch, Time};
use command::Away;
use known::Known;
use phase::Phase;
use std::sync::Arc;

/// The pure state machine of one client.
///
/// The same configuration, seed and inputs give the same outputs, byte for byte.
///
/// ```
/// use keepline_proto::config::Config;
/// use keepline_proto::{Output, Session, State, Time};
/// use std::sync::Arc;
///
/// let config = Arc::new(Config::default().parse()?);
/// let mut session = Session::new(config, 7, Time::ZERO);
/// session.handle_start(Time::ZERO);
/// let mut dialed = false;
/// loop {
///     match session.poll_output() {
///         Output::Dial { .. } => dialed = true,
///         Output::Wait(deadline) => break assert!(deadline.is_some()),
///         _ => {}
///     }
/// }
/// assert!(dialed);
/// assert_eq!(session.state(), State::Connecting);
/// # Ok::<(), keepline_proto::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Session {
    config: Arc<ValidConfig>,
    rng: fastrand::Rng,
    /// The latest time an input carried: a clock that steps back is held still.
    now: Time,
    epoch: Epoch,
    /// Numbered so far. 32 bits: one each second for 136 years.
    events: u32,
    phase: Phase,
    known: Known,
    /// The next connection has subscriptions to be confirmed.
    resubscribes: bool,
    started: bool,
    away: Away,
    /// The client ends with its first connection.
    one_connection: bool,
    recorder: Recorder,
    outputs: OutputQueue,
}

impl Session {
    /// Makes an idle machine of one endpoint, which is number 0; [`Session::handle_endpoints`] tells of others. The same
    /// seed and the same inputs give the same outputs.
    pub fn new(config: Arc<ValidConfig>, seed: u64, now: Time) -> Session {
        Session {
            config,
            rng: fastrand::Rng::with_seed(seed),
            now,
            epoch: Epoch(0),
            events: 0,
            phase: Phase::Idle,
            known: Known::default(),
            resubscribes: false,
            started: false,
            away: Away::No,
            one_connection: false,
            recorder: Recorder::default(),
            outputs: OutputQueue::default(),
        }
    }

    /// Where the client stands.
    pub fn state(&self) -> State {
        self.phase.state()
    }

    /// The number of the connection, else of the current or the last attempt; 0 before the first.
    pub fn epoch(&self) -> Epoch {
        self.phase.live_epoch().unwrap_or(self.epoch)
    }

    /// The number of the attempt that runs beside a suspect connection, if there is one.
    pub fn challenger(&self) -> Option<Epoch> {
        self.phase.challenger().map(|challenger| challenger.epoch)
    }

    /// Whether a close is under way that first writes what is queued.
    pub fn is_draining(&self) -> bool {
        matches!(self.phase, Phase::Draining(_))
    }

    /// How often the peer refused the credentials since a greeting passed last.
    pub fn refusals(&self) -> u32 {
        self.known.refusals.into()
    }

    /// How often the proxy refused the credentials since an attempt succeeded last.
    pub fn proxy_refusals(&self) -> u32 {
        self.known.proxy_refusals.into()
    }

    /// Says whether subscriptions have to be confirmed on the connection that is told as dialled next: then it is greeted,
    /// even where no greeting is declared.
    pub fn set_resubscribes(&mut self, resubscribes: bool) {
        self.resubscribes = resubscribes;
    }

    /// Makes the client end with its first connection: what came before it was retried, what ends it closes the client.
    pub fn set_one_connection(&mut self) {
        self.one_connection = true;
    }

    /// When the next attempt starts by itself, if one is being waited for.
    pub fn retry_at(&self) -> Option<Time> {
        match self.phase {
            Phase::Waiting(until) | Phase::Offline(until) => Some(until),
            Phase::Idle | Phase::Connecting(_) | Phase::Up(_) | Phase::Draining(_) | Phase::Closed => None,
        }
    }

    /// What is remembered of failures, class by class.
    pub fn waits(&self) -> &Waits {
        &self.known.waits
    }

    /// The next thing to do. The last one is [`Output::Wait`]; after it comes the next input.
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.outputs.pop() {
            return output;
        }
        self.outputs.drained();
        Output::Wait(self.deadline())
    }

    /// What the last [`Output::Wait`] told: when something happens by itself, if nothing else does before.
    pub fn deadline(&self) -> Option<Time> {
        let deadline = self.phase.deadline().min(self.known.network.settle_at()).min(self.known.pool.return_at());
        // A deadline that passed while another input was handled is due now, not in the past.
        (deadline != Time::FAR_FUTURE).then(|| deadline.max(self.now))
    }

    /// Takes an input: the time, and whether there is anybody left to hear it.
    fn admit(&mut self, now: Time) -> bool {
        debug_assert!(self.outputs.is_drained(), "outputs must be drained to Output::Wait before the next input");
        self.now = self.now.max(now);
        if matches!(self.phase, Phase::Closed) {
            return false;
        }
        self.outputs.refill();
        true
    }

    /// Takes an input about one connection. The one place where stale news is dropped.
    fn admit_from(&mut self, now: Time, epoch: Epoch) -> bool {
        self.admit(now) && (self.phase.live_epoch() == Some(epoch) || self.challenger() == Some(epoch))
    }

    fn push(&mut self, output: Output) {
        self.recorder.watch(self.now, &output);
        self.outputs.push(output);
    }

    fn emit(&mut self, kind: EventKind) {
        self.events = self.events.saturating_add(1);
        let event = Event { seq: self.events.into(), at: self.now, kind };
        self.push(Output::Emit(Box::new(event)));
    }
}
