//! What each deadline of a connection means when it is reached.

use super::probe::PROBE_WITHIN;
use super::{Condition, Findings, Liveness, SAMPLE_EVERY, SAMPLE_LEAD, Turn, lead};
use crate::Time;
use crate::cause::{Cause, Detector, Ending, ProtocolFailure};
use crate::config::Settings;
use crate::event::Suspicion;
use crate::timer::Timer;
use std::time::Duration;

impl Liveness {
    /// Judges one deadline that is due; `None` when no other is.
    pub(crate) fn expire(&mut self, now: Time, settings: &Settings) -> Option<Findings> {
        let (timer, at) = self.timers.pop_due(now)?;
        Some(match timer {
            Timer::Sample => self.expire_sample(now),
            Timer::Heartbeat => self.expire_heartbeat(now, at, settings),
            Timer::Suspect => self.expire_suspect(now, settings),
            Timer::Verdict => self.expire_verdict(now, settings),
            Timer::ReadIdle => self.expire_read_idle(now, settings),
            Timer::Frame => dead(Ending::new(Cause::Protocol(ProtocolFailure::FrameTimeout), None)),
            Timer::Stall => self.expire_stall(),
        })
    }

    fn expire_sample(&mut self, now: Time) -> Findings {
        let next = now + SAMPLE_EVERY;
        let verdict_near = self.timers.is_set(Timer::Verdict);
        let repeats = match self.condition {
            Condition::Stalled | Condition::Suspect(Suspicion::Retransmits | Suspicion::PathRefused) => true,
            Condition::Suspect(
                Suspicion::HeartbeatLate | Suspicion::Woke | Suspicion::NetworkChanged | Suspicion::SiblingDied,
            ) => {
                let evidence = self.evidence();
                let is_asked = evidence.kernel_probe.is_some();
                self.write_blocked || evidence.delivery.is_late() || is_asked || !verdict_near
            }
            Condition::Healthy => self.write_blocked,
            Condition::Offline => false,
        };
        if repeats {
            self.timers.set(Timer::Sample, next);
        }
        self.sample_in_time(now);
        Findings { sample: true, ..Findings::default() }
    }

    /// Takes the last figures shortly before a verdict, whatever else is due.
    pub(super) fn sample_in_time(&mut self, now: Time) {
        if self.timers.is_set(Timer::Verdict) {
            let last = self.timers.at(Timer::Verdict) - SAMPLE_LEAD;
            if last > now {
                self.timers.set_no_later(Timer::Sample, last);
            }
        }
    }

    fn expire_heartbeat(&mut self, now: Time, at: Time, settings: &Settings) -> Findings {
        let Some(heartbeat) = &settings.heartbeat else { return Findings::default() };
        let quiet_until = self.quiet_since + heartbeat.interval;
        if heartbeat.expects_reply() {
            let due = quiet_until;
            if due > now {
                self.timers.set(Timer::Heartbeat, due);
                return Findings::default();
            }
            if now >= due + heartbeat.reply_within / 2 {
                // Nobody asked the peer in time: the process did not run. Silence so far is our own fault.
                let findings = self.probe(now, Suspicion::Woke, settings);
                self.timers.postpone(Timer::Verdict, due + heartbeat.reply_within);
                return findings;
            }
            self.heartbeat_outstanding = true;
            self.forget_delivery();
            self.timers.set(Timer::Suspect, due + heartbeat.reply_within / 2);
            self.timers.set(Timer::Verdict, due + heartbeat.reply_within);
        } else {
            let due = at.max(quiet_until);
            if due > now {
                self.timers.set(Timer::Heartbeat, due);
                return Findings::default();
            }
            // From now: missed ones are not made up for in a burst.
            self.timers.set(Timer::Heartbeat, now + heartbeat.interval);
        }
        Findings { heartbeat: true, ..Findings::default() }
    }

    fn expire_suspect(&mut self, now: Time, settings: &Settings) -> Findings {
        let mut findings = Findings { sample: true, ..Findings::default() };
        self.suspect(now, Suspicion::HeartbeatLate, &mut findings);
        if let Some(heartbeat) = &settings.heartbeat {
            self.sample_before(self.timers.at(Timer::Verdict), heartbeat.reply_within);
        }
        findings
    }

    fn expire_verdict(&mut self, now: Time, settings: &Settings) -> Findings {
        let reply_within = settings.heartbeat.as_ref().map_or(PROBE_WITHIN, |heartbeat| heartbeat.reply_within);
        if !self.heartbeat_outstanding {
            return self.judge_kernel_probe(now, settings);
        }
        // Data that arrives counts for longer than a bare acknowledgement, which may be one for something old.
        let evidence = self.evidence();
        let recovery = evidence.delivery.recovery();
        let is_carrying = now.since(evidence.carried_at) < reply_within.max(recovery)
            || evidence.delivery.is_answered(now, (reply_within / 2).max(recovery));
        if is_carrying && (self.write_blocked || self.heartbeat_held || evidence.delivery.is_under_way()) {
            // The heartbeat is behind bytes that the path is carrying just now: slow, not dead.
            let verdict = now + (reply_within / 2).max(Duration::from_millis(1));
            self.timers.set(Timer::Verdict, verdict);
            self.sample_before(verdict, reply_within);
            return Findings::default();
        }
        dead(Ending::new(self.silent_cause(), Some(Detector::Heartbeat)))
    }

    fn expire_read_idle(&mut self, now: Time, settings: &Settings) -> Findings {
        let Some(limit) = settings.read_idle else { return Findings::default() };
        let deadline = self.quiet_since + limit;
        if now >= deadline {
            return dead(Ending::new(self.silent_cause(), Some(Detector::ReadIdle)));
        }
        let evidence_at = deadline - lead(limit);
        let near = now >= evidence_at;
        self.timers.set(Timer::ReadIdle, if near { deadline } else { evidence_at });
        Findings { sample: near, ..Findings::default() }
    }

    fn expire_stall(&mut self) -> Findings {
        if self.condition == Condition::Stalled {
            return dead(Ending::new(Cause::PeerStalled, Some(Detector::KernelInfo)));
        }
        if let Some(cause) = self.silence {
            return dead(Ending::new(cause, Some(Detector::KernelInfo)));
        }
        dead(Ending::new(Cause::WriteStalled, None))
    }

    fn silent_cause(&self) -> Cause {
        self.silence.unwrap_or(Cause::PeerUnresponsive)
    }
}

fn dead(ending: Ending) -> Findings {
    Findings { turn: Some(Turn::Dead(ending)), ..Findings::default() }
}
