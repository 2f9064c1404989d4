//! From attempt to connection to its end, and what comes next: the turns every input can lead to.

use super::Session;
use super::phase::{Attempt, Link, Phase, Step};
use crate::cause::{Cause, Detector, Ending, GreetingFailure};
use crate::config::Settings;
use crate::endpoints::{EndpointId, Life};
use crate::event::{Disconnected, EventKind, MessageCounts};
use crate::liveness::{Findings, Liveness, Turn};
use crate::output::{CloseHow, Output};
use crate::{Epoch, Time};
use std::sync::Arc;
use std::time::Duration;

/// While the system says that there is no network, it may be wrong: a cautious attempt each 30 s finds out.
const OFFLINE_RETRY: Duration = Duration::from_secs(30);

/// What follows the end of a connection or an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// A wait drawn from the curve, then an attempt.
    Retry,
    /// An attempt at once; the curve stays where it is.
    Now,
    /// The attempt that runs already beside the connection; the curve stays where it is.
    Challenger,
    /// A cautious attempt, not charged to the curve: there is no network.
    Offline,
    /// Nothing by itself.
    Stop,
}

/// How long a connection was up.
#[derive(Clone, Copy)]
struct UpFor {
    lasted: Duration,
    /// Long enough for what is remembered of failures to be over.
    stood: bool,
}

impl Session {
    /// Starts an attempt.
    pub(super) fn dial(&mut self) {
        let endpoint = self.pick();
        let attempt = self.start_attempt(endpoint);
        self.phase = Phase::Connecting(attempt);
    }

    /// Asks for the dial of an attempt with the next number.
    pub(super) fn start_attempt(&mut self, endpoint: EndpointId) -> Attempt {
        self.epoch = self.epoch.next();
        self.draw_patience();
        let epoch = self.epoch;
        let deadline = self.now + self.config.connect_total;
        self.emit(EventKind::Connecting { epoch, endpoint: self.known.pool.name(endpoint) });
        self.push(Output::Dial { epoch, endpoint, deadline, mss: self.known.segments.limit(self.now) });
        self.note_held(epoch);
        Attempt { epoch, endpoint, step: Step::Dialing, deadline, peer: None, inbox_full: false, frame_open: false }
    }

    /// Dials, or waits for a network if the system says that there is none.
    pub(super) fn dial_if_online(&mut self) {
        if self.known.network.is_down() {
            let delay = self.offline_delay();
            self.wait_offline(delay);
        } else {
            self.dial();
        }
    }

    /// Goes without a network and without a connection until `delay` is over.
    pub(super) fn wait_offline(&mut self, delay: Duration) {
        self.phase = Phase::Offline(self.now + delay);
        self.emit(EventKind::Offline);
    }

    pub(super) fn offline_delay(&mut self) -> Duration {
        let spread = u64::try_from(self.config.backoff.first_spread.as_nanos()).unwrap_or(u64::MAX);
        OFFLINE_RETRY.saturating_add(Duration::from_nanos(self.rng.u64(0..=spread)))
    }

    /// The attempt succeeded: whatever had to be proved is proved. `verified` says whether the peer itself was heard.
    pub(super) fn establish(&mut self, epoch: Epoch, verified: bool) {
        if self.challenger() == Some(epoch) {
            self.replace_incumbent();
        }
        let Phase::Connecting(attempt) = &self.phase else { return };
        let peer = attempt.peer;
        let (endpoint, inbox_full, frame_open) = (attempt.endpoint, attempt.inbox_full, attempt.frame_open);
        let mut liveness = Liveness::new(self.now, &self.config);
        if frame_open {
            liveness.frame_started(self.now, &self.config);
        }
        if inbox_full {
            liveness.stop_reading();
        }
        let challenger = None;
        let inbox_full_told = inbox_full;
        self.phase = Phase::Up(Link { epoch, endpoint, verified, inbox_full_told, liveness, challenger });
        self.known.failures = 0;
        self.known.waits.note_success();
        (self.known.refusals, self.known.proxy_refusals) = (0, 0);
        self.push(Output::Open { epoch });
        self.settle_at_endpoint(endpoint);
        let (after, endpoint) = (self.now.since(self.known.absent_since), self.known.pool.name(endpoint));
        self.emit(EventKind::Connected { epoch, peer, after, endpoint });
        if inbox_full {
            self.emit(EventKind::InboxFull { epoch });
        }
        self.known.rest();
    }

    /// Does what a look at the connection came to.
    pub(super) fn apply(&mut self, findings: Findings) {
        let Some(epoch) = self.phase.live_epoch() else { return };
        let Findings { heartbeat, sample, user_timeout, probe_kernel, turn } = findings;
        if let Some(timeout) = user_timeout {
            self.push(Output::SetUserTimeout { epoch, timeout });
        }
        if let Some(now) = probe_kernel {
            self.push(Output::ProbeKernel { epoch, now });
        }
        if heartbeat {
            self.push(Output::Heartbeat { epoch });
        }
        if sample {
            self.push(Output::Sample { epoch });
        }
        match turn {
            None => {}
            Some(Turn::Suspect(evidence)) => {
                self.emit(EventKind::Suspect { epoch, evidence });
                self.challenge();
            }
            Some(Turn::Stalled) => {
                self.emit(EventKind::Stalled { epoch });
                self.end_challenger(Session::replaced());
            }
            Some(Turn::Recovered) => {
                self.emit(EventKind::Recovered { epoch });
                self.end_challenger(Session::replaced());
            }
            Some(Turn::Dead(ending)) => self.end(ending, CloseHow::Abort, Next::Retry),
        }
    }

    /// Ends the living connection or attempt, and starts what comes next. Does nothing if there is none.
    pub(super) fn end(&mut self, ending: Ending, how: CloseHow, next: Next) {
        let Some((epoch, endpoint)) = self.phase.live_epoch().zip(self.phase.endpoint()) else { return };
        if let Some((link, _, now)) = self.link()
            && ending.cause == Cause::PathSilent
            && link.liveness.is_large_data_stuck()
        {
            self.known.segments.note_death(now);
        }
        let challenger = self.take_challenger();
        let up_for = self.leave();
        let stood = up_for.is_some_and(|up_for| up_for.stood);
        let life = match up_for {
            None => Life::Failed,
            Some(_) if stood => Life::Stable,
            Some(_) => Life::Unstable,
        };
        let up_for = up_for.map(|up_for| up_for.lasted);
        let advice = self.judge_endpoint(endpoint, &ending, life);
        let failed = up_for.is_none() && next == Next::Retry;
        if failed {
            self.known.failures = self.known.failures.saturating_add(1);
        }
        let exhausted = failed && self.config.max_attempts.is_some_and(|limit| self.known.failures >= limit);
        // A certificate does not get better by asking again; but a wish or a new network is no verdict on it.
        let refused = self.is_refused_for_good(&ending);
        let fatal = next == Next::Retry && (advice.fatal && self.config.is_fatal(ending.cause) || refused);
        let spent = self.one_connection && up_for.is_some();
        let closes = fatal || exhausted || spent;
        let next = if closes { Next::Stop } else { next };
        let next = if next == Next::Retry && challenger.is_some() { Next::Challenger } else { next };
        let delay = match next {
            Next::Retry if self.known.network.is_down() => {
                Some(self.retry_delay(&ending, stood).max(self.offline_delay()))
            }
            Next::Retry if advice.hop => Some(self.hop_delay()),
            Next::Retry => Some(self.retry_delay(&ending, stood)),
            Next::Offline => Some(self.offline_delay()),
            Next::Now | Next::Challenger => Some(Duration::ZERO),
            Next::Stop => None,
        };
        let challenger = match (challenger, next) {
            (Some(challenger), Next::Challenger) => Some(challenger),
            (Some(challenger), Next::Retry | Next::Now | Next::Offline | Next::Stop) => {
                self.tell_end((challenger.epoch, challenger.endpoint), CloseHow::Abort, ending, None, None);
                None
            }
            (None, _) => None,
        };
        self.tell_end((epoch, endpoint), how, ending, up_for, delay);
        if let Some(challenger) = challenger {
            self.phase = Phase::Connecting(*challenger);
            return;
        }
        match (next, delay) {
            (Next::Now, _) => self.dial(),
            (Next::Retry, Some(delay)) if !self.known.network.is_down() => {
                self.phase = Phase::Waiting(self.now + delay)
            }
            (Next::Retry | Next::Offline, Some(delay)) => self.wait_offline(delay),
            (Next::Retry | Next::Challenger | Next::Offline | Next::Stop, _) => {
                if closes {
                    self.finish(ending);
                }
            }
        }
    }

    /// Has the socket dropped, then tells the end.
    pub(super) fn tell_end(
        &mut self,
        (epoch, endpoint): (Epoch, EndpointId),
        how: CloseHow,
        ending: Ending,
        up_for: Option<Duration>,
        retry_in: Option<Duration>,
    ) {
        self.push(Output::Close { epoch, how });
        let (failures, messages) = (self.known.failures, MessageCounts::default());
        let endpoint = self.known.pool.name(endpoint);
        let report = None;
        let mut end = Box::new(Disconnected { epoch, endpoint, ending, up_for, retry_in, failures, messages, report });
        end.report = self.recorder.finish(self.now, &end).map(Arc::new);
        self.emit(EventKind::Disconnected(end));
    }

    /// Closes the client: nothing is heard or said after this. The first ending counts.
    pub(super) fn finish(&mut self, ending: Ending) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        self.phase = Phase::Closed;
        self.known.network.forget();
        self.emit(EventKind::Closed(ending));
    }

    /// A wish of the user as an ending.
    pub(super) const fn requested() -> Ending {
        Ending::new(Cause::Requested, None)
    }

    /// A change of the network as an ending.
    pub(super) const fn by_network(cause: Cause) -> Ending {
        Ending::new(cause, Some(Detector::NetworkChange))
    }

    /// Leaves the living phase: how long the connection was up, and what that means for the curve.
    fn leave(&mut self) -> Option<UpFor> {
        self.known.pool.set_return(Time::FAR_FUTURE);
        let (since, verified) = match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Up(link) => (link.liveness.since(), link.verified),
            Phase::Draining(drain) => (drain.since, drain.verified),
            Phase::Idle | Phase::Connecting(_) | Phase::Waiting(_) | Phase::Offline(_) | Phase::Closed => return None,
        };
        self.known.absent_since = self.now;
        let stood = self.has_stood(since, verified);
        if stood {
            self.known.waits.reset();
        }
        Some(UpFor { lasted: self.now.since(since), stood })
    }

    /// How an attempt ends whose deadline passes at this step.
    pub(super) fn attempt_timeout(step: Step) -> Ending {
        let cause = match step {
            Step::Dialing => Cause::ConnectTimeout,
            Step::Greeting | Step::FirstHeartbeat => Cause::Greeting(GreetingFailure::Timeout),
        };
        Ending::new(cause, None)
    }

    /// As [`Session::link`], if it is the one of this epoch.
    pub(super) fn link_of(&mut self, epoch: Epoch) -> Option<(&mut Link, &Settings, Time)> {
        self.link().filter(|(link, _, _)| link.epoch == epoch)
    }

    /// The connection that is up and not draining, with what its liveness is judged by.
    pub(super) fn link(&mut self) -> Option<(&mut Link, &Settings, Time)> {
        match &mut self.phase {
            Phase::Up(link) => Some((link, &self.config, self.now)),
            Phase::Idle
            | Phase::Connecting(_)
            | Phase::Draining(_)
            | Phase::Waiting(_)
            | Phase::Offline(_)
            | Phase::Closed => None,
        }
    }
}
