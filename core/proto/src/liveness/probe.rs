//! Asking for a sign of life now: by a heartbeat where one expects a reply, by the kernel's own probe where none does.

use super::delivery::Delivery;
use super::{Condition, Findings, Liveness, SAMPLE_EVERY, Turn};
use crate::Time;
use crate::cause::{Detector, Ending};
use crate::config::Settings;
use crate::event::Suspicion;
use crate::kernel::{KERNEL_PROBE, KernelFigures};
use crate::timer::Timer;
use std::time::Duration;

/// The longest wait for a sign of life after a wake from sleep or a change of the network.
pub(super) const PROBE_WITHIN: Duration = Duration::from_secs(3);

/// Where the figures are not known: the kernel's own verdict comes after 1 s + 3 × 1 s, and this is past it.
const PROBE_WITHIN_UNSEEN: Duration = Duration::from_secs(5);

/// How long after a probe its answer is looked for: a path whose round trip is longer is looked at again a second later.
const LOOK_AFTER: Duration = Duration::from_millis(250);

/// An acknowledgement counts as an answer if it is this much younger than the question: the kernel tells its age in
/// milliseconds and keeps it in ticks of up to 10 ms.
const TICK: Duration = Duration::from_millis(10);

/// A question that the kernel puts to the peer's kernel.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct KernelProbe {
    asked_at: Time,
    /// What was unanswered before it, from the first look; the kernel is told to ask after that.
    tries_before: Option<u32>,
    /// What was unanswered at the last look.
    tries: u32,
    /// Nothing was to be sent at the last look: the tries are keepalive probes.
    is_idle: bool,
}

impl Liveness {
    /// Asks the peer for a sign of life within a short deadline: after a wake from sleep or a change of the network.
    ///
    /// Where no heartbeat expects a reply the kernel is asked instead.
    pub(crate) fn probe(&mut self, now: Time, why: Suspicion, settings: &Settings) -> Findings {
        let mut findings = Findings { sample: true, ..Findings::default() };
        match self.condition {
            // A peer whose kernel answers needs no probe.
            Condition::Stalled => return findings,
            // Unread bytes may be waiting: only coming back from no network is a fact by itself.
            Condition::Healthy | Condition::Suspect(_) if !self.reading => return findings,
            Condition::Healthy | Condition::Suspect(_) | Condition::Offline => {}
        }
        self.quiet_since = now;
        self.silence = None;
        self.suspect(now, why, &mut findings);
        if !self.reading {
            return findings;
        }
        let within = match &settings.heartbeat {
            Some(heartbeat) if heartbeat.expects_reply() => heartbeat.reply_within.min(PROBE_WITHIN),
            Some(_) | None => PROBE_WITHIN,
        };
        findings.heartbeat = settings.heartbeat.is_some();
        self.heartbeat_outstanding = self.expects_reply(settings);
        let asks_kernel = !self.heartbeat_outstanding;
        let evidence = self.evidence_mut();
        if asks_kernel && evidence.kernel_probe.is_none() {
            evidence.kernel_probe = Some(KernelProbe { asked_at: now, ..KernelProbe::default() });
        }
        evidence.delivery = Delivery::asked_with_figures();
        // A probe never lengthens the life of a peer that is being waited for already.
        let verdict = self.timers.at(Timer::Verdict).min(now + within);
        self.watch_silence(settings);
        self.timers.clear(Timer::Suspect);
        self.timers.set(Timer::Verdict, verdict);
        self.sample_before(verdict, within);
        if self.expects_reply(settings) {
            self.timers.clear(Timer::Heartbeat);
        }
        for timer in [Timer::Frame, Timer::Stall] {
            if self.timers.is_set(timer) {
                self.timers.postpone(timer, now + PROBE_WITHIN);
            }
        }
        findings
    }

    /// Looks at what became of the kernel's question. The first look comes before it is put.
    pub(super) fn weigh_kernel_probe(
        &mut self,
        now: Time,
        figures: &KernelFigures,
        settings: &Settings,
        findings: &mut Findings,
    ) {
        let asked = self.timers.beside_mut().and_then(|evidence| evidence.kernel_probe.as_mut());
        let Some(probe) = asked else { return };
        let answered_at = figures.last_ack_received.map(|age| now - age);
        if probe.tries_before.is_none() {
            probe.tries_before = Some(figures.unanswered_tries());
            findings.probe_kernel = Some(true);
            if let Some(answered_at) = answered_at {
                // The kernel counts its silence from the last segment.
                let leaves_at = now.max(answered_at + KERNEL_PROBE.idle);
                self.timers.set(Timer::Verdict, leaves_at + PROBE_WITHIN);
                self.timers.set(Timer::Sample, leaves_at + LOOK_AFTER);
            } else {
                self.timers.set(Timer::Verdict, now + PROBE_WITHIN_UNSEEN);
            }
            return;
        }
        probe.tries = figures.unanswered_tries();
        probe.is_idle = figures.send_queue == Some(0);
        if answered_at.is_some_and(|at| at > probe.asked_at + TICK) {
            self.recover(now, settings, findings);
        }
    }

    /// The kernel had its time. With a user timeout set it ignores the number of its probes, so they are counted here.
    pub(super) fn judge_kernel_probe(&mut self, now: Time, settings: &Settings) -> Findings {
        let mut findings = Findings::default();
        let (Some(probe), Some(cause)) = (self.evidence().kernel_probe, self.silence) else {
            // Nothing speaks against the connection.
            self.recover(now, settings, &mut findings);
            return findings;
        };
        let unanswered = probe.tries.saturating_sub(probe.tries_before.unwrap_or_default());
        if unanswered >= KERNEL_PROBE.retries {
            // With data in flight the kernel sends that again instead.
            let detector = if probe.is_idle { Detector::Keepalive } else { Detector::KernelInfo };
            findings.turn = Some(Turn::Dead(Ending::new(cause, Some(detector))));
            return findings;
        }
        let verdict = now + SAMPLE_EVERY;
        self.timers.set(Timer::Verdict, verdict);
        self.sample_before(verdict, SAMPLE_EVERY);
        findings
    }

    /// Gives the kernel its configured probes back.
    pub(super) fn stop_asking_kernel(&mut self, findings: &mut Findings) {
        let asked = self.timers.beside_mut().and_then(|evidence| evidence.kernel_probe.take());
        if asked.is_some_and(|probe| probe.tries_before.is_some()) {
            findings.probe_kernel = Some(false);
        }
    }
}
