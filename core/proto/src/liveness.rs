//! Whether the peer of one connection lives: heartbeats, silence, shut windows and the kernel's evidence, to a verdict.
//!
//! Any inbound byte is life; sending is not. Heartbeats are due when the connection is read-idle, and the deadline runs
//! from the moment one was due, not from the moment it could be written.

mod deadlines;
mod delivery;
mod evidence;
mod large;
mod probe;

use crate::Time;
use crate::cause::{Cause, Ending};
use crate::config::Settings;
use crate::event::{State, Suspicion};
use crate::timer::{Timer, Timers};
use evidence::Evidence;
use std::time::Duration;

/// How often the kernel's figures are read while writing is blocked or data is retransmitted: a call costs less than
/// a microsecond, and nothing a person would act on changes faster.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// How long before a verdict the evidence is taken: twice the 50 ms to which drivers round their timers up.
const SAMPLE_LEAD: Duration = Duration::from_millis(100);

/// How a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Healthy,
    Suspect(Suspicion),
    Stalled,
    /// The system says that there is no network; the socket is kept.
    Offline,
}

/// What a look at the connection came to; handed up to the session.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Write a heartbeat.
    pub(crate) heartbeat: bool,
    /// Read the kernel's figures.
    pub(crate) sample: bool,
    /// Set the kernel's user timeout.
    pub(crate) user_timeout: Option<Option<Duration>>,
    /// Lower the kernel's keepalive so that a probe leaves now, or set the configured one back.
    pub(crate) probe_kernel: Option<bool>,
    /// The turn the connection took.
    pub(crate) turn: Option<Turn>,
}

/// A turn in a connection's life.
#[derive(Debug)]
pub(crate) enum Turn {
    Suspect(Suspicion),
    Stalled,
    Recovered,
    Dead(Ending),
}

/// The liveness of one connection.
#[derive(Debug)]
pub(crate) struct Liveness {
    condition: Condition,
    /// Beside them, what the kernel's figures, a blocked writer and doubts told: a connection that only beats has none of
    /// that, and no room for any.
    timers: Timers<Evidence>,
    /// When it was established.
    since: Time,
    /// The last inbound byte, or the moment from which silence counts.
    quiet_since: Time,
    /// What the last figures since the last inbound byte call the silence, if they blame the path.
    silence: Option<Cause>,
    heartbeat_outstanding: bool,
    /// The outstanding heartbeat waits for the end of a frame that is longer than what the kernel takes.
    heartbeat_held: bool,
    reading: bool,
    write_blocked: bool,
    frame_open: bool,
}

impl Liveness {
    pub(crate) fn new(now: Time, settings: &Settings) -> Liveness {
        let mut liveness = Liveness {
            condition: Condition::Healthy,
            timers: Timers::new(),
            since: now,
            quiet_since: now,
            silence: None,
            heartbeat_outstanding: false,
            heartbeat_held: false,
            reading: true,
            write_blocked: false,
            frame_open: false,
        };
        liveness.watch(settings);
        liveness
    }

    /// When the connection was established.
    pub(crate) fn since(&self) -> Time {
        self.since
    }

    pub(crate) fn state(&self) -> State {
        match self.condition {
            Condition::Healthy => State::Connected,
            Condition::Suspect(_) => State::Suspect,
            Condition::Stalled => State::Stalled,
            Condition::Offline => State::Offline,
        }
    }

    /// Whether the next inbound byte changes anything now; otherwise its stamp is enough.
    pub(crate) fn wants_received(&self) -> bool {
        self.heartbeat_outstanding || self.condition != Condition::Healthy
    }

    pub(crate) fn next_deadline(&self) -> Time {
        self.timers.next()
    }

    /// Bytes arrived at `at`.
    pub(crate) fn received(&mut self, at: Time, settings: &Settings) -> Findings {
        self.quiet_since = self.quiet_since.max(at);
        self.silence = None;
        let mut findings = Findings::default();
        match self.condition {
            // A peer that talks and does not read is still stalled.
            Condition::Stalled => {}
            Condition::Healthy => {
                if self.heartbeat_outstanding {
                    self.watch(settings);
                }
            }
            Condition::Suspect(_) | Condition::Offline => self.recover(at, settings, &mut findings),
        }
        findings
    }

    /// Takes the stamp of the last inbound byte, which the driver kept while nobody wanted to hear of each.
    pub(crate) fn observe(&mut self, last_received: Time, settings: &Settings) -> Findings {
        if last_received <= self.quiet_since {
            return Findings::default();
        }
        if last_received > self.evidence().doubt_since {
            return self.received(last_received, settings);
        }
        self.quiet_since = last_received;
        Findings::default()
    }

    /// A part of a frame waits for the rest. A frame that was started before keeps its deadline.
    pub(crate) fn frame_started(&mut self, now: Time, settings: &Settings) {
        self.frame_open = true;
        if let Some(within) = settings.frame_within
            && self.is_reading_on_line()
            && !self.timers.is_set(Timer::Frame)
        {
            self.timers.set(Timer::Frame, now + within);
        }
    }

    pub(crate) fn frame_ended(&mut self) {
        self.frame_open = false;
        self.timers.clear(Timer::Frame);
    }

    /// Keepline itself stopped reading: whatever the peer says stays unheard, so its silence proves nothing.
    pub(crate) fn stop_reading(&mut self) {
        self.reading = false;
        let verdict = self.timers.at(Timer::Verdict);
        self.stop_watching();
        if self.evidence().kernel_probe.is_some() {
            // The kernels answer each other, whoever reads.
            self.timers.set(Timer::Verdict, verdict);
        }
        self.timers.clear(Timer::Frame);
        // A peer that waits for us to read stops reading too.
        self.timers.clear(Timer::Stall);
    }

    /// Keepline reads again: deadlines start afresh.
    pub(crate) fn resume_reading(&mut self, now: Time, settings: &Settings) -> Findings {
        if self.reading {
            return Findings::default();
        }
        self.reading = true;
        self.quiet_since = now;
        if self.condition == Condition::Offline {
            return Findings::default();
        }
        self.evidence_mut().stall_from = now;
        self.resume_frame(now, settings);
        if self.write_blocked || self.condition == Condition::Stalled {
            self.timers.set(Timer::Stall, now + settings.stall_limit);
        }
        match self.condition {
            Condition::Suspect(why) => self.probe(now, why, settings),
            Condition::Healthy => {
                self.watch(settings);
                Findings::default()
            }
            Condition::Stalled | Condition::Offline => Findings::default(),
        }
    }

    /// Whether Keepline reads this connection.
    pub(crate) fn is_reading(&self) -> bool {
        self.reading
    }

    /// The outstanding heartbeat waits for the end of a frame, or no longer does.
    pub(crate) fn hold_heartbeat(&mut self, held: bool) {
        self.heartbeat_held = held;
    }

    /// The kernel takes no more bytes.
    pub(crate) fn write_blocked(&mut self, now: Time, settings: &Settings) {
        if self.write_blocked {
            return;
        }
        self.write_blocked = true;
        self.evidence_mut().stall_from = now;
        self.watch_writing(now, settings);
    }

    /// The kernel took bytes.
    pub(crate) fn write_progress(&mut self, now: Time, blocked: bool, settings: &Settings) -> Findings {
        let mut findings = Findings::default();
        let was_blocked = std::mem::replace(&mut self.write_blocked, blocked);
        self.evidence_mut().stall_from = now;
        if was_blocked {
            let evidence = self.evidence_mut();
            evidence.delivery.note_write();
            evidence.carried_at = now;
        }
        match self.condition {
            // Room in the kernel's buffer says nothing about the window, unless the writer was waiting for that room.
            Condition::Stalled if was_blocked => self.recover(now, settings, &mut findings),
            Condition::Stalled | Condition::Offline => return findings,
            Condition::Healthy => self.timers.clear(Timer::Sample),
            Condition::Suspect(_) => {}
        }
        self.timers.clear(Timer::Stall);
        self.watch_writing(now, settings);
        findings
    }

    /// The network is gone: the socket is kept, and nothing is judged.
    pub(crate) fn go_offline(&mut self, now: Time, settings: &Settings) -> Findings {
        let mut findings = Findings::default();
        if self.condition == Condition::Stalled {
            self.leave_stall(settings, &mut findings);
        }
        self.stop_asking_kernel(&mut findings);
        self.condition = Condition::Offline;
        self.evidence_mut().doubt_since = now;
        self.heartbeat_outstanding = false;
        self.timers.clear_all();
        findings
    }

    /// The network is back.
    pub(crate) fn come_back(&mut self, now: Time, settings: &Settings) -> Findings {
        let findings = self.probe(now, Suspicion::NetworkChanged, settings);
        self.evidence_mut().stall_from = now;
        self.resume_frame(now, settings);
        self.watch_writing(now, settings);
        findings
    }
}

/// Turns, and the deadlines that come with them.
impl Liveness {
    fn suspect(&mut self, now: Time, why: Suspicion, findings: &mut Findings) {
        self.evidence_mut().doubt_since = now;
        match self.condition {
            Condition::Suspect(_) => {}
            Condition::Healthy | Condition::Stalled | Condition::Offline => {
                findings.turn = Some(Turn::Suspect(why));
            }
        }
        self.condition = Condition::Suspect(why);
    }

    fn recover(&mut self, now: Time, settings: &Settings, findings: &mut Findings) {
        if self.condition == Condition::Stalled {
            self.leave_stall(settings, findings);
            self.quiet_since = self.quiet_since.max(now);
        }
        self.stop_asking_kernel(findings);
        let was_offline = self.condition == Condition::Offline;
        self.condition = Condition::Healthy;
        self.timers.clear(Timer::Sample);
        self.watch(settings);
        if was_offline {
            self.evidence_mut().stall_from = now;
            self.resume_frame(now, settings);
        }
        self.watch_writing(now, settings);
        findings.turn = Some(Turn::Recovered);
    }

    /// Starts over waiting for silence.
    fn watch(&mut self, settings: &Settings) {
        self.stop_watching();
        if self.reading {
            self.watch_silence(settings);
        }
    }

    fn watch_silence(&mut self, settings: &Settings) {
        if let Some(heartbeat) = &settings.heartbeat {
            self.timers.set(Timer::Heartbeat, self.quiet_since + heartbeat.interval);
        }
        if let Some(limit) = settings.read_idle {
            self.timers.set(Timer::ReadIdle, self.quiet_since + (limit - lead(limit)));
        }
    }

    fn stop_watching(&mut self) {
        self.heartbeat_outstanding = false;
        for timer in [Timer::Heartbeat, Timer::Suspect, Timer::Verdict, Timer::ReadIdle] {
            self.timers.clear(timer);
        }
    }

    fn watch_writing(&mut self, now: Time, settings: &Settings) {
        if !self.write_blocked || self.condition == Condition::Offline {
            return;
        }
        self.timers.set_no_later(Timer::Sample, now + SAMPLE_EVERY);
        if self.reading {
            self.timers.set(Timer::Stall, self.evidence().stall_from + settings.stall_limit);
        }
    }

    fn resume_frame(&mut self, now: Time, settings: &Settings) {
        if self.frame_open {
            self.frame_started(now, settings);
        }
    }

    fn sample_before(&mut self, verdict: Time, within: Duration) {
        self.timers.set_no_later(Timer::Sample, verdict - lead(within));
    }

    fn expects_reply(&self, settings: &Settings) -> bool {
        settings.heartbeat.as_ref().is_some_and(|heartbeat| heartbeat.expects_reply())
    }

    fn is_reading_on_line(&self) -> bool {
        self.reading && self.condition != Condition::Offline
    }
}

/// How long before a deadline of this length its evidence is taken.
fn lead(within: Duration) -> Duration {
    SAMPLE_LEAD.min(within / 4)
}
