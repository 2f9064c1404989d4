//! What the kernel's figures say about a connection: a shut window, retransmissions, progress.

use super::delivery::Delivery;
use super::large::LargeData;
use super::probe::KernelProbe;
use super::{Condition, Findings, Liveness, SAMPLE_EVERY, Turn};
use crate::Time;
use crate::config::Settings;
use crate::event::Suspicion;
use crate::kernel::KernelFigures;
use crate::timer::Timer;

/// What is known of the path of one connection beside what arrives on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence {
    /// When the path last was seen to carry bytes of a blocked writer; [`Time::ZERO`] for never.
    pub(super) carried_at: Time,
    pub(super) bytes_acked: Option<u64>,
    /// Up to where the peer's kernel had the data when retransmissions last made the connection suspect; `u64::MAX` for
    /// never, or not known.
    doubted_at: u64,
    /// When the present doubt began: only a byte after it is a sign of life. [`Time::ZERO`] before the first.
    pub(super) doubt_since: Time,
    /// When the writer last got somewhere, or was given a fresh start.
    pub(super) stall_from: Time,
    /// The peer's kernel is being asked.
    pub(super) kernel_probe: Option<KernelProbe>,
    /// Whether the peer's kernel has the outstanding heartbeat.
    pub(super) delivery: Delivery,
    pub(super) large: LargeData,
}

impl Evidence {
    /// Nothing is known yet of a connection that was established at `since`.
    const fn new(since: Time) -> Evidence {
        Evidence {
            carried_at: Time::ZERO,
            bytes_acked: None,
            doubted_at: u64::MAX,
            doubt_since: Time::ZERO,
            stall_from: since,
            kernel_probe: None,
            delivery: Delivery::new(),
            large: LargeData::new(),
        }
    }
}

impl Liveness {
    pub(super) fn evidence(&self) -> Evidence {
        self.timers.beside().copied().unwrap_or(Evidence::new(self.since))
    }

    pub(super) fn evidence_mut(&mut self) -> &mut Evidence {
        self.timers.beside_or(|| Evidence::new(self.since))
    }

    /// The next heartbeat is asked for: nothing is known of its way yet.
    pub(super) fn forget_delivery(&mut self) {
        if let Some(evidence) = self.timers.beside_mut() {
            evidence.delivery = Delivery::new();
        }
    }

    /// Weighs the kernel's figures.
    pub(crate) fn weigh(&mut self, now: Time, figures: &KernelFigures, settings: &Settings) -> Findings {
        let mut findings = Findings::default();
        if self.condition != Condition::Stalled {
            self.weigh_kernel_probe(now, figures, settings, &mut findings);
        }
        if findings.turn.is_some() || *figures == KernelFigures::default() || self.condition == Condition::Offline {
            return findings;
        }
        let evidence = self.evidence_mut();
        let before = evidence.bytes_acked;
        evidence.large.weigh(before, figures);
        evidence.bytes_acked = figures.bytes_acked.or(before);
        let has_progressed = matches!((before, figures.bytes_acked), (Some(before), Some(acked)) if acked > before);
        if has_progressed {
            self.carried(now, settings);
        }
        self.silence = figures.silence();
        self.weigh_delivery(now, figures, settings);
        match self.condition {
            Condition::Stalled => {
                if figures.is_window_open() {
                    self.recover(now, settings, &mut findings);
                } else if figures.send_window.is_some() && !figures.is_window_shut() {
                    // The window probes themselves go unanswered: not a slow peer but a dead path.
                    self.leave_stall(settings, &mut findings);
                    self.quiet_since = now;
                    self.suspect(now, Suspicion::Retransmits, &mut findings);
                    self.watch(settings);
                    self.timers.set(Timer::Sample, now + SAMPLE_EVERY);
                }
            }
            Condition::Healthy | Condition::Suspect(_) => {
                if self.is_stalled_by(now, figures) {
                    self.stall(now, settings, &mut findings);
                } else {
                    self.weigh_retransmits(now, figures, has_progressed, settings, &mut findings);
                }
            }
            Condition::Offline => {}
        }
        findings
    }

    /// A heartbeat that took long to get there leaves its peer the full time for the reply.
    fn weigh_delivery(&mut self, now: Time, figures: &KernelFigures, settings: &Settings) {
        let Some(heartbeat) = settings.heartbeat.as_ref().filter(|_| self.heartbeat_outstanding) else { return };
        if self.heartbeat_held {
            self.evidence_mut().delivery.note_held();
        }
        let is_due = now + heartbeat.reply_within / 2 >= self.timers.at(Timer::Verdict);
        let is_blocked = self.write_blocked || self.heartbeat_held;
        if self.evidence_mut().delivery.weigh(now, figures, is_blocked, is_due) {
            let verdict = now + heartbeat.reply_within;
            self.timers.postpone(Timer::Verdict, verdict);
            self.sample_before(verdict, heartbeat.reply_within);
        }
    }

    fn weigh_retransmits(
        &mut self,
        now: Time,
        figures: &KernelFigures,
        has_progressed: bool,
        settings: &Settings,
        findings: &mut Findings,
    ) {
        // A peer that is heard and not reached recovers with each byte: one suspicion for each stretch without progress.
        let is_told = figures.bytes_acked == Some(self.evidence().doubted_at);
        // A byte that just arrived outweighs a retransmission.
        let is_quiet = now.since(self.quiet_since) >= SAMPLE_EVERY;
        match self.condition {
            Condition::Healthy if figures.is_retransmitting() && !has_progressed && is_quiet && !is_told => {
                self.evidence_mut().doubted_at = figures.bytes_acked.unwrap_or(u64::MAX);
                if figures.is_path_refused() {
                    self.suspect(now, Suspicion::PathRefused, findings);
                    self.ask_out_of_turn(now, settings, findings);
                } else {
                    self.suspect(now, Suspicion::Retransmits, findings);
                }
                self.timers.set_no_later(Timer::Sample, now + SAMPLE_EVERY);
            }
            Condition::Suspect(Suspicion::Retransmits | Suspicion::PathRefused) => {
                if !figures.is_path_silent() && !figures.is_retransmitting() && !self.heartbeat_outstanding {
                    self.recover(now, settings, findings);
                } else {
                    // Whoever hands figures in spares us asking for them.
                    self.timers.set(Timer::Sample, now + SAMPLE_EVERY);
                    self.sample_in_time(now);
                }
            }
            Condition::Healthy | Condition::Suspect(_) | Condition::Stalled | Condition::Offline => {}
        }
    }

    /// Sends the heartbeat now, with its full deadline: a hint shortens no life.
    fn ask_out_of_turn(&mut self, now: Time, settings: &Settings, findings: &mut Findings) {
        let Some(heartbeat) = settings.heartbeat.as_ref().filter(|heartbeat| heartbeat.expects_reply()) else { return };
        if self.heartbeat_outstanding || !self.reading {
            return;
        }
        findings.heartbeat = true;
        self.heartbeat_outstanding = true;
        self.forget_delivery();
        self.timers.clear(Timer::Heartbeat);
        let verdict = now + heartbeat.reply_within;
        self.timers.set(Timer::Verdict, verdict);
        self.sample_before(verdict, heartbeat.reply_within);
    }

    fn is_stalled_by(&self, now: Time, figures: &KernelFigures) -> bool {
        figures.is_window_shut()
            && (self.write_blocked || figures.has_queue())
            && now.since(self.evidence().stall_from) >= SAMPLE_EVERY
    }

    fn stall(&mut self, now: Time, settings: &Settings, findings: &mut Findings) {
        self.stop_asking_kernel(findings);
        self.condition = Condition::Stalled;
        self.stop_watching();
        self.timers.set(Timer::Sample, now + SAMPLE_EVERY);
        let since = if self.write_blocked { self.evidence().stall_from } else { now };
        if self.reading {
            self.timers.set(Timer::Stall, since + settings.stall_limit);
        }
        if settings.user_timeout.is_some() {
            // The kernel would kill a peer that answers every window probe.
            findings.user_timeout = Some(None);
        }
        findings.turn = Some(Turn::Stalled);
    }

    pub(super) fn leave_stall(&mut self, settings: &Settings, findings: &mut Findings) {
        if settings.user_timeout.is_some() {
            findings.user_timeout = Some(settings.user_timeout);
        }
        if !self.write_blocked {
            self.timers.clear(Timer::Stall);
        }
    }

    /// The peer's kernel took bytes that were waiting.
    fn carried(&mut self, now: Time, settings: &Settings) {
        let evidence = self.evidence_mut();
        (evidence.carried_at, evidence.stall_from) = (now, now);
        if self.timers.is_set(Timer::Stall) {
            self.timers.set(Timer::Stall, now + settings.stall_limit);
        }
    }
}
