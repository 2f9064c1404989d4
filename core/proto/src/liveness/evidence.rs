//! What the kernel's figures say about a connection: a shut window, retransmissions, progress.

use super::{Condition, Findings, Liveness, SAMPLE_EVERY, Turn};
use crate::Time;
use crate::config::Settings;
use crate::event::Suspicion;
use crate::kernel::KernelFigures;
use crate::timer::Timer;

impl Liveness {
    /// Weighs the kernel's figures.
    pub(crate) fn weigh(&mut self, now: Time, figures: &KernelFigures, settings: &Settings) -> Findings {
        let mut findings = Findings::default();
        if *figures == KernelFigures::default() || self.condition == Condition::Offline {
            return findings;
        }
        if let (Some(before), Some(acked)) = (self.bytes_acked, figures.bytes_acked)
            && acked > before
        {
            self.carried(now, settings);
        }
        self.bytes_acked = figures.bytes_acked.or(self.bytes_acked);
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
                    self.weigh_retransmits(now, figures, settings, &mut findings);
                }
            }
            Condition::Offline => {}
        }
        findings
    }

    /// A heartbeat that took long to get there leaves its peer the full time for the reply.
    fn weigh_delivery(&mut self, now: Time, figures: &KernelFigures, settings: &Settings) {
        let Some(heartbeat) = settings.heartbeat.as_ref().filter(|_| self.heartbeat_outstanding) else { return };
        // A heartbeat goes out ahead of everything that waits, with the next bytes that the kernel takes.
        let is_written = !self.write_blocked || self.stall_from > self.asked_at;
        let is_due = now + heartbeat.reply_within / 2 >= self.timers.at(Timer::Verdict);
        if self.delivery.weigh(now, figures, is_written, is_due) {
            let verdict = now + heartbeat.reply_within;
            self.timers.postpone(Timer::Verdict, verdict);
            self.sample_before(verdict, heartbeat.reply_within);
        }
    }

    fn weigh_retransmits(&mut self, now: Time, figures: &KernelFigures, settings: &Settings, findings: &mut Findings) {
        match self.condition {
            // A byte that just arrived outweighs a retransmission.
            Condition::Healthy if figures.is_retransmitting() && now.since(self.quiet_since) >= SAMPLE_EVERY => {
                self.suspect(now, Suspicion::Retransmits, findings);
                self.timers.set_no_later(Timer::Sample, now + SAMPLE_EVERY);
            }
            Condition::Suspect(Suspicion::Retransmits)
                if !figures.is_path_silent() && !figures.is_retransmitting() && !self.heartbeat_outstanding =>
            {
                self.recover(now, settings, findings);
            }
            Condition::Healthy | Condition::Suspect(_) | Condition::Stalled | Condition::Offline => {}
        }
    }

    fn is_stalled_by(&self, now: Time, figures: &KernelFigures) -> bool {
        figures.is_window_shut()
            && (self.write_blocked || figures.has_queue())
            && now.since(self.stall_from) >= SAMPLE_EVERY
    }

    fn stall(&mut self, now: Time, settings: &Settings, findings: &mut Findings) {
        self.condition = Condition::Stalled;
        self.stop_watching();
        self.timers.set(Timer::Sample, now + SAMPLE_EVERY);
        let since = if self.write_blocked { self.stall_from } else { now };
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
        self.carried_at = now;
        self.stall_from = now;
        if self.timers.is_set(Timer::Stall) {
            self.timers.set(Timer::Stall, now + settings.stall_limit);
        }
    }
}
