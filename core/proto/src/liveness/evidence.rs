//! What the kernel's figures say about a connection: a shut window, retransmissions, progress.

use super::{Condition, Delivery, Findings, Liveness, SAMPLE_EVERY, Turn};
use crate::Time;
use crate::config::Settings;
use crate::event::Suspicion;
use crate::kernel::KernelFigures;
use crate::timer::Timer;

impl Liveness {
    /// Weighs the kernel's figures.
    pub(crate) fn weigh(&mut self, now: Time, figures: &KernelFigures, settings: &Settings) -> Findings {
        let mut findings = Findings::default();
        if self.condition != Condition::Stalled {
            self.weigh_kernel_probe(now, figures, settings, &mut findings);
        }
        if findings.turn.is_some() || *figures == KernelFigures::default() || self.condition == Condition::Offline {
            return findings;
        }
        self.large.weigh(self.bytes_acked, figures);
        let has_progressed =
            matches!((self.bytes_acked, figures.bytes_acked), (Some(before), Some(acked)) if acked > before);
        if has_progressed {
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
            self.delivery.note_held();
        }
        let is_due = now + heartbeat.reply_within / 2 >= self.timers.at(Timer::Verdict);
        if self.delivery.weigh(now, figures, self.write_blocked || self.heartbeat_held, is_due) {
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
        let is_told = figures.bytes_acked == Some(self.doubted_at);
        // A byte that just arrived outweighs a retransmission.
        let is_quiet = now.since(self.quiet_since) >= SAMPLE_EVERY;
        match self.condition {
            Condition::Healthy if figures.is_retransmitting() && !has_progressed && is_quiet && !is_told => {
                self.doubted_at = figures.bytes_acked.unwrap_or(u64::MAX);
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
        self.delivery = Delivery::default();
        self.timers.clear(Timer::Heartbeat);
        let verdict = now + heartbeat.reply_within;
        self.timers.set(Timer::Verdict, verdict);
        self.sample_before(verdict, heartbeat.reply_within);
    }

    fn is_stalled_by(&self, now: Time, figures: &KernelFigures) -> bool {
        figures.is_window_shut()
            && (self.write_blocked || figures.has_queue())
            && now.since(self.stall_from) >= SAMPLE_EVERY
    }

    fn stall(&mut self, now: Time, settings: &Settings, findings: &mut Findings) {
        self.stop_asking_kernel(findings);
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
