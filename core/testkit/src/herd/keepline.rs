//! The shipped machine as a client of the simulation: a real `Session`, and of the driver only the connect timer.

use super::{Caller, Fact, Proof, Step};
use keepline_proto::cause::{Detector, Ending, TlsFailure};
use keepline_proto::config::{Config, Greeting, ValidConfig};
use keepline_proto::race::tls_within;
use keepline_proto::{Cause, ConfigError, Epoch, Output, Session, Time};
use std::sync::Arc;
use std::time::Duration;

/// How long the clients have been connected when the story begins: longer than any `stable_after`.
const CONNECTED_FOR: Duration = Duration::from_secs(24 * 3600);

/// When the server is lost.
pub(super) const LOST_AT: Time = Time::from_nanos(CONNECTED_FOR.as_nanos() as u64);

/// A client with the machine that ships.
#[derive(Debug)]
pub struct Keepline {
    session: Session,
    /// The end of the TCP handshake, while one is under way: the driver's timer, not the machine's.
    dial_by: Option<Time>,
    /// The end of the TLS handshake, where there is one: the driver's timer, too.
    secure_by: Option<Time>,
    /// When the attempt began, and when it ends.
    began: Time,
    attempt_by: Time,
    speaks_tls: bool,
    greets: bool,
}

impl Keepline {
    /// The configuration with what the scenario asks of a connection: a greeting, where the server has to speak and nothing
    /// else of the configuration asks for it.
    ///
    /// # Errors
    /// As [`Config::parse`].
    pub fn prepare(mut config: Config, proof: Proof) -> Result<Arc<ValidConfig>, ConfigError> {
        if proof == Proof::Answer && config.greeting.is_none() && config.heartbeat.is_none() {
            config.greeting = Some(Greeting::Hook);
        }
        config.parse().map(Arc::new)
    }

    /// A client that has been connected for a day.
    pub fn connected(config: &Arc<ValidConfig>, seed: u64) -> Keepline {
        Keepline::over(config, seed, false)
    }

    /// The same over TLS.
    pub fn connected_over_tls(config: &Arc<ValidConfig>, seed: u64) -> Keepline {
        Keepline::over(config, seed, true)
    }

    fn over(config: &Arc<ValidConfig>, seed: u64, speaks_tls: bool) -> Keepline {
        let start = Time::ZERO;
        let mut client = Keepline {
            session: Session::new(Arc::clone(config), seed, start),
            dial_by: None,
            secure_by: None,
            began: start,
            attempt_by: start,
            speaks_tls,
            greets: config.greeting.is_some(),
        };
        client.session.handle_start(start);
        client.drain(start);
        client.handle(start, if speaks_tls { Fact::Secured } else { Fact::Established });
        client.handle(start, Fact::Answered);
        client
    }

    /// Does what the driver does with everything the machine asks for.
    fn drain(&mut self, now: Time) -> Step {
        let mut step = Step::wait(None);
        let mut is_up = false;
        loop {
            match self.session.poll_output() {
                Output::Dial { deadline, .. } => {
                    step.dial = true;
                    self.began = now;
                    self.attempt_by = deadline;
                    self.dial_by = Some(deadline.min(now + self.session.connect_per_address()));
                }
                Output::Close { .. } => {
                    step.hang_up = true;
                    self.dial_by = None;
                    self.secure_by = None;
                }
                Output::Open { .. } => is_up = true,
                Output::Wait(deadline) => {
                    // A connection that is up is left alone: its heartbeats are answered.
                    let is_up = is_up || self.session.state().is_up();
                    step.wake_at =
                        deadline.filter(|_| !is_up).into_iter().chain(self.dial_by).chain(self.secure_by).min();
                    return step;
                }
                Output::Greet { .. }
                | Output::Heartbeat { .. }
                | Output::Sample { .. }
                | Output::SetUserTimeout { .. }
                | Output::ProbeKernel { .. }
                | Output::Drain { .. }
                | Output::Emit(_) => {}
            }
        }
    }

    fn end(&mut self, now: Time, cause: Cause, detector: Option<Detector>) {
        let epoch = self.epoch();
        self.dial_by = None;
        self.secure_by = None;
        self.session.handle_ended(now, epoch, Ending::new(cause, detector));
    }

    fn epoch(&self) -> Epoch {
        self.session.epoch()
    }
}

impl Caller for Keepline {
    fn handle(&mut self, now: Time, fact: Fact) -> Step {
        let epoch = self.epoch();
        match fact {
            Fact::Lost => self.end(now, Cause::PeerClosed, Some(Detector::OsError)),
            Fact::Refused => self.end(now, Cause::Refused, None),
            Fact::Established if self.speaks_tls => {
                self.dial_by = None;
                let within = tls_within(self.session.tls_least(), now.since(self.began));
                self.secure_by = Some((now + within).min(self.attempt_by));
            }
            Fact::Established | Fact::Secured => {
                self.dial_by = None;
                self.secure_by = None;
                self.session.handle_dialed(now, epoch, None);
            }
            Fact::Answered if self.greets => self.session.handle_greeted(now, epoch),
            Fact::Answered => self.session.handle_received(now, epoch),
            Fact::Due if self.dial_by.is_some_and(|at| at <= now) => self.end(now, Cause::ConnectTimeout, None),
            Fact::Due if self.secure_by.is_some_and(|at| at <= now) => {
                self.end(now, Cause::Tls(TlsFailure::Timeout), None);
            }
            Fact::Due => self.session.handle_deadline(now, Time::ZERO),
        }
        self.drain(now)
    }
}
