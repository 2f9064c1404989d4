//! Watches the outputs of a machine while it runs: one live epoch, gates in order, dials within the curve.

use super::{History, Violation};
use keepline_proto::backoff::{FLOOR, RETRY_AFTER_MAX, floor};
use keepline_proto::config::{Jitter, Settings};
use keepline_proto::event::Disconnected;
use keepline_proto::{Cause, Epoch, EventKind, Output, Time, WaitClass};
use std::time::Duration;

/// The longest wait while there is no network: 30 s, plus the spread of the first retry.
const OFFLINE_RETRY: Duration = Duration::from_secs(30);

/// Watches the outputs of one machine.
#[derive(Debug, Default)]
pub struct Audit {
    history: History,
    live: Option<Epoch>,
    /// The attempt that runs beside it.
    challenger: Option<Epoch>,
    open: Option<Epoch>,
    connected: Option<Epoch>,
    /// The epoch whose socket was dropped and whose `Disconnected` has not come yet.
    closing: Option<Epoch>,
    /// No dial before this time, unless somebody asked for one.
    not_before: Time,
    passes: u32,
}

impl Audit {
    /// Watches a machine that has not said anything yet.
    pub fn new() -> Audit {
        Audit::default()
    }

    /// Allows one dial ahead of the curve: somebody asked for it, or the network changed.
    pub fn allow_dial(&mut self) {
        self.passes += 1;
    }

    /// Whether the client is closed.
    pub fn is_closed(&self) -> bool {
        self.history.is_closed()
    }

    /// Takes the next output, given while the machine's clock stood at `now`.
    ///
    /// # Errors
    /// [`Violation`] if it breaks a rule.
    pub fn watch(&mut self, now: Time, output: &Output, settings: &Settings) -> Result<(), Violation> {
        let result = self.judge(now, output, settings);
        result.map_err(|rule| Violation { seq: 0, rule: format!("{output:?} at {now}: {rule}") })?;
        if let Output::Emit(event) = output {
            self.history.follow(event)?;
        }
        Ok(())
    }

    fn judge(&mut self, now: Time, output: &Output, settings: &Settings) -> Result<(), String> {
        if self.is_closed() && !matches!(output, Output::Wait(None)) {
            return Err("nothing may follow closed".into());
        }
        match output {
            Output::Dial { epoch, deadline, .. } => self.judge_dial(now, *epoch, *deadline, settings),
            Output::Greet { epoch, .. } => {
                self.must_live(*epoch)?;
                must(self.open != Some(*epoch), "a greeting comes before the gate opens")
            }
            Output::Open { epoch } => {
                must(self.live == Some(*epoch), "the gate opens for the only connection")?;
                must(self.open.replace(*epoch).is_none(), "the gate opens once")
            }
            Output::Heartbeat { epoch }
            | Output::Sample { epoch }
            | Output::SetUserTimeout { epoch, .. }
            | Output::ProbeKernel { epoch, .. } => self.must_live(*epoch),
            Output::Drain { epoch, deadline } => {
                self.must_live(*epoch)?;
                must(*deadline >= now, "a drain has time")
            }
            Output::Close { epoch, .. } => {
                self.must_live(*epoch)?;
                let challenger = self.challenger.take();
                if challenger != Some(*epoch) {
                    (self.live, self.open) = (challenger, None);
                }
                self.closing = Some(*epoch);
                Ok(())
            }
            Output::Emit(event) => self.judge_event(now, &event.kind, settings),
            Output::Wait(deadline) => {
                must(self.closing.is_none(), "a closed connection is told before the next input")?;
                must(deadline.is_none_or(|at| at >= now), "a deadline lies in the past")
            }
        }
    }

    fn judge_dial(&mut self, now: Time, epoch: Epoch, deadline: Time, settings: &Settings) -> Result<(), String> {
        must(deadline >= now, "an attempt has time")?;
        if let Some(live) = self.live {
            if !settings.concurrent_ok || self.open != Some(live) {
                return Err(format!("{live} still lives"));
            }
            return match self.challenger.replace(epoch) {
                Some(other) => Err(format!("{other} runs beside {live} already")),
                None => Ok(()),
            };
        }
        if now < self.not_before {
            must(self.passes > 0, "it comes ahead of the curve and nobody asked for it")?;
            self.passes -= 1;
        }
        self.live = Some(epoch);
        Ok(())
    }

    fn judge_event(&mut self, now: Time, kind: &EventKind, settings: &Settings) -> Result<(), String> {
        match kind {
            EventKind::Connected { epoch, .. } => {
                must(self.open == Some(*epoch), "the gate opens before Connected")?;
                must(self.connected.replace(*epoch) != Some(*epoch), "an epoch is connected once")
            }
            EventKind::Disconnected(end) => {
                must(self.closing.take() == Some(end.epoch), "Close comes before Disconnected, once")?;
                if self.live.is_some() {
                    // One of two: the other goes on, and nothing is waited for.
                    return must(end.retry_in.is_none_or(|wait| wait.is_zero()), "the other one goes on at once");
                }
                if let Some(wait) = end.retry_in {
                    self.not_before = now + wait;
                }
                judge_wait(end, settings)
            }
            _ => Ok(()),
        }
    }

    fn must_live(&self, epoch: Epoch) -> Result<(), String> {
        must(self.live == Some(epoch) || self.challenger == Some(epoch), "its epoch does not live")
    }
}

/// Whether the wait that was announced lies on the curve.
fn judge_wait(end: &Disconnected, settings: &Settings) -> Result<(), String> {
    let Some(wait) = end.retry_in else { return Ok(()) };
    if wait.is_zero() {
        let asked = matches!(end.ending.cause, Cause::Requested | Cause::NetworkChanged);
        return must(asked, "only a wish or a new network makes the next attempt immediate");
    }
    // Whether the connection had proved itself is not told: either class may be meant.
    let classes = [true, false].map(|stood| WaitClass::of(&end.ending, stood).curve(&settings.backoff));
    let curve = &settings.backoff;
    let longest = classes.iter().map(|curve| curve.max).max().unwrap_or(curve.max);
    // The next of several endpoints need not wait for what ails this one.
    let may_hop = end.endpoint.is_some() && end.up_for.is_none();
    let least = match (end.ending.retry_after, curve.jitter) {
        (Some(hint), _) => hint.min(RETRY_AFTER_MAX),
        (None, _) if may_hop => FLOOR,
        // Timeouts end at half of the curve, and of a short one the floor takes half.
        (None, Jitter::None) => floor(end.ending.cause) + curve.first_spread.min(curve.initial).min(curve.max / 4),
        (None, _) => floor(end.ending.cause).min(OFFLINE_RETRY),
    };
    must(wait >= least, "the wait is shorter than its floor")?;
    let hint = end.ending.retry_after.unwrap_or_default().min(RETRY_AFTER_MAX).saturating_add(curve.first_spread);
    let drawn = floor(end.ending.cause).saturating_add(longest.max(curve.first_spread));
    let offline = OFFLINE_RETRY.saturating_add(curve.first_spread);
    must(wait <= hint.max(drawn).max(offline), "the wait is longer than the curve")
}

fn must(holds: bool, rule: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(rule.into()) }
}
