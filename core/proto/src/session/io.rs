//! Facts about the living attempt or connection: dialled, greeted, received, written, sampled, ended.

use super::Session;
use super::life::Next;
use super::phase::{Phase, Step};
use crate::cause::{Cause, Ending};
use crate::config::Matcher;
use crate::event::EventKind;
use crate::kernel::KernelFigures;
use crate::output::{CloseHow, Output};
use crate::recorder::Transition;
use crate::{Epoch, Time};
use std::net::SocketAddr;

impl Session {
    /// Whether the driver has to call [`Session::handle_received`] for inbound bytes; otherwise it only keeps the
    /// stamp of the last ones for [`Session::handle_deadline`].
    pub fn wants_received(&self) -> bool {
        match &self.phase {
            Phase::Connecting(attempt) => attempt.step != Step::Dialing,
            Phase::Up(link) => {
                let is_greeting = link.challenger.as_ref().is_some_and(|challenger| challenger.step != Step::Dialing);
                !link.verified || is_greeting || link.liveness.wants_received()
            }
            Phase::Idle | Phase::Draining(_) | Phase::Waiting(_) | Phase::Offline(_) | Phase::Closed => false,
        }
    }

    /// Takes the news that so many addresses failed in an attempt, before what ended it: for the flight recorder only.
    pub fn handle_addresses_failed(&mut self, now: Time, epoch: Epoch, count: u32) {
        if self.admit_from(now, epoch) {
            self.recorder.note(self.now, epoch, Transition::AddressesFailed { count });
        }
    }

    /// Takes the news that TCP is established.
    pub fn handle_dialed(&mut self, now: Time, epoch: Epoch, peer: Option<SocketAddr>) {
        if !self.admit_from(now, epoch) {
            return;
        }
        let now = self.now;
        let Some(attempt) = self.phase.attempt(epoch).filter(|attempt| attempt.step == Step::Dialing) else { return };
        attempt.peer = peer;
        self.recorder.note(self.now, epoch, Transition::Dialed);
        if self.config.greeting.is_some() || self.resubscribes {
            attempt.step = Step::Greeting;
            let deadline = attempt.deadline;
            self.push(Output::Greet { epoch, deadline });
            return;
        }
        match &self.config.heartbeat {
            Some(heartbeat) if heartbeat.expects_reply() => {
                attempt.step = Step::FirstHeartbeat;
                attempt.deadline = attempt.deadline.min(now + heartbeat.reply_within);
                self.push(Output::Heartbeat { epoch });
            }
            Some(_) | None => self.establish(epoch, false),
        }
    }

    /// Takes the news that the greeting passed.
    pub fn handle_greeted(&mut self, now: Time, epoch: Epoch) {
        if self.admit_from(now, epoch) && self.is_at(epoch, Step::Greeting) {
            self.establish(epoch, true);
        }
    }

    /// Takes the end of the attempt or the connection: a failed dial or greeting, an error, the end of the stream.
    pub fn handle_ended(&mut self, now: Time, epoch: Epoch, ending: Ending) {
        self.handle_ended_with(now, epoch, ending, KernelFigures::default());
    }

    /// As [`Session::handle_ended`], with the figures that the kernel tells after the death and before the socket is
    /// dropped: they tell apart what the system tells with one error number.
    pub fn handle_ended_with(&mut self, now: Time, epoch: Epoch, ending: Ending, figures: KernelFigures) {
        if !self.admit_from(now, epoch) {
            return;
        }
        if self.challenger() == Some(epoch) {
            self.end_challenger(ending);
            return;
        }
        let ending = self.explain_by_network(figures.explain(ending));
        if let Some((link, _, _)) = self.link() {
            link.liveness.note_large_data(&figures);
        }
        if self.is_draining() {
            self.end(ending, CloseHow::Abort, Next::Stop);
            self.finish(Session::requested());
        } else {
            self.end(ending, CloseHow::Abort, Next::Retry);
        }
    }

    /// Takes the news that bytes arrived. Needed only while [`Session::wants_received`].
    pub fn handle_received(&mut self, now: Time, epoch: Epoch) {
        if !self.admit_from(now, epoch) {
            return;
        }
        let any_is_reply = self.config.heartbeat.as_ref().is_some_and(|heartbeat| heartbeat.reply == Matcher::Any);
        if self.is_at(epoch, Step::FirstHeartbeat) && any_is_reply {
            self.establish(epoch, true);
        } else {
            self.heard(epoch);
        }
    }

    /// Takes the news that the declared reply to a heartbeat arrived.
    pub fn handle_heartbeat_reply(&mut self, now: Time, epoch: Epoch) {
        if !self.admit_from(now, epoch) {
            return;
        }
        if self.is_at(epoch, Step::FirstHeartbeat) {
            self.establish(epoch, true);
        } else {
            self.heard(epoch);
        }
    }

    /// Takes the news that a part of a frame waits for the rest.
    pub fn handle_frame_started(&mut self, now: Time, epoch: Epoch) {
        if !self.admit_from(now, epoch) {
            return;
        }
        if let Some(attempt) = self.phase.attempt(epoch) {
            attempt.frame_open = true;
        }
        if let Some((link, settings, now)) = self.link_of(epoch) {
            link.liveness.frame_started(now, settings);
        }
    }

    /// Takes the news that no part of a frame waits any more.
    pub fn handle_frame_ended(&mut self, now: Time, epoch: Epoch) {
        if !self.admit_from(now, epoch) {
            return;
        }
        if let Some(attempt) = self.phase.attempt(epoch) {
            attempt.frame_open = false;
        }
        if let Some((link, _, _)) = self.link_of(epoch) {
            link.liveness.frame_ended();
        }
    }

    /// Takes the news that Keepline itself stopped reading because the inbox is full, or reads again. Each epoch begins
    /// with an inbox that has room: one that is still full is told anew, from dialled on.
    pub fn handle_inbox(&mut self, now: Time, epoch: Epoch, full: bool) {
        if !self.admit_from(now, epoch) {
            return;
        }
        let told = if full { Transition::InboxFull } else { Transition::InboxDrained };
        self.recorder.note(self.now, epoch, told);
        if let Some(attempt) = self.phase.attempt(epoch) {
            attempt.inbox_full = full;
        }
        let Some((link, settings, now)) = self.link_of(epoch) else { return };
        if !full {
            let findings = link.liveness.resume_reading(now, settings);
            self.apply(findings);
        } else if link.liveness.is_reading() {
            link.liveness.stop_reading();
            let told = std::mem::replace(&mut link.inbox_full_told, true);
            if !told {
                self.emit(EventKind::InboxFull { epoch });
            }
        }
    }

    /// Takes the news that the kernel takes no more bytes while some are waiting.
    pub fn handle_write_blocked(&mut self, now: Time, epoch: Epoch) {
        if self.admit_from(now, epoch)
            && let Some((link, settings, now)) = self.link_of(epoch)
        {
            link.liveness.write_blocked(now, settings);
            self.recorder.note(now, epoch, Transition::WriteBlocked);
        }
    }

    /// Takes the news that the kernel took bytes; `blocked` says whether more are waiting.
    pub fn handle_write_progress(&mut self, now: Time, epoch: Epoch, blocked: bool) {
        if self.admit_from(now, epoch)
            && let Some((link, settings, now)) = self.link_of(epoch)
        {
            let findings = link.liveness.write_progress(now, blocked, settings);
            if !blocked {
                self.recorder.note(now, epoch, Transition::WriteResumed);
            }
            self.apply(findings);
        }
    }

    /// Takes the news that the heartbeat asked for last still waits for the end of a frame, or no longer does. Told before
    /// figures are, where it can happen: no figure of the kernel covers what the kernel has not got.
    pub fn handle_heartbeat_held(&mut self, now: Time, epoch: Epoch, held: bool) {
        if self.admit_from(now, epoch)
            && let Some((link, _, _)) = self.link()
        {
            link.liveness.hold_heartbeat(held);
        }
    }

    /// Takes the answer to [`Output::Sample`]; figures that nobody asked for are welcome too.
    pub fn handle_kernel(&mut self, now: Time, epoch: Epoch, figures: KernelFigures) {
        if self.admit_from(now, epoch)
            && let Some((link, settings, now)) = self.link_of(epoch)
        {
            let findings = link.liveness.weigh(now, &figures, settings);
            self.recorder.weigh(now, epoch, &figures);
            self.apply(findings);
            self.expire();
        }
    }

    /// Takes the news that the user of a stream is done with the connection `epoch`, and whether the peer had ended its
    /// side before. It is left in order if it is healthy. One that the user left is followed by another at once; one that
    /// the peer left is waited for as the curve says.
    pub fn handle_left(&mut self, now: Time, epoch: Epoch, peer_closed: bool) {
        if !self.admit_from(now, epoch) || self.challenger() == Some(epoch) {
            return;
        }
        let how = self.how_to_leave();
        if self.is_draining() {
            self.end(Session::requested(), CloseHow::Graceful, Next::Stop);
            self.finish(Session::requested());
        } else if peer_closed {
            self.end(Ending::os(Cause::PeerClosed, None), how, Next::Retry);
        } else {
            self.end(Session::requested(), how, Next::Now);
        }
    }

    /// Takes the news that a drain is complete: everything written, half-closed, the peer's FIN read.
    pub fn handle_drained(&mut self, now: Time, epoch: Epoch) {
        if self.admit_from(now, epoch) && self.is_draining() {
            self.end(Session::requested(), CloseHow::Graceful, Next::Stop);
            self.finish(Session::requested());
        }
    }

    /// Takes the news that the time of the last [`Output::Wait`] is reached. `last_received` is the time of the last
    /// inbound byte of the current epoch: a deadline it has moved is only answered with a later one.
    ///
    /// Bytes that can be read must be read before: a late process is no proof of a dead peer.
    pub fn handle_deadline(&mut self, now: Time, last_received: Time) {
        if !self.admit(now) {
            return;
        }
        self.settle_network();
        self.settle_waits();
        // First: a connection that dies now must not be followed by an attempt whose time is over.
        self.expire_challenger();
        self.return_to_preferred();
        match &mut self.phase {
            Phase::Idle | Phase::Closed => {}
            Phase::Waiting(until) | Phase::Offline(until) => {
                if *until <= self.now {
                    self.dial();
                }
            }
            Phase::Connecting(attempt) => {
                if attempt.deadline <= self.now {
                    let ending = Session::attempt_timeout(attempt.step);
                    self.end(ending, CloseHow::Abort, Next::Retry);
                }
            }
            Phase::Draining(drain) => {
                if drain.deadline <= self.now {
                    self.end(Session::requested(), CloseHow::Abort, Next::Stop);
                    self.finish(Session::requested());
                }
            }
            Phase::Up(link) => {
                let findings = link.liveness.observe(last_received.min(self.now), &self.config);
                self.apply(findings);
                self.expire();
            }
        }
    }

    /// Judges what is due. After a question to the kernel the rest waits for the answer: a process that ran late finds
    /// evidence and verdict due together, and the verdict needs the evidence.
    fn expire(&mut self) {
        while let Some((link, settings, now)) = self.link()
            && let Some(findings) = link.liveness.expire(now, settings)
        {
            let asks = findings.sample;
            self.apply(findings);
            if asks {
                return;
            }
        }
    }

    fn heard(&mut self, epoch: Epoch) {
        if let Some((link, settings, now)) = self.link_of(epoch) {
            link.verified = true;
            let epoch = link.epoch;
            let findings = link.liveness.received(now, settings);
            self.recorder.note(now, epoch, Transition::HeartbeatAnswered);
            self.apply(findings);
        }
    }

    fn is_at(&mut self, epoch: Epoch, step: Step) -> bool {
        self.phase.attempt(epoch).is_some_and(|attempt| attempt.step == step)
    }
}
