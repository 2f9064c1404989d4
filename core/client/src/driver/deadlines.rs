//! What is due: the machine's deadlines, what expires in the outbox, the network that is to be looked at.

use super::Driver;
use crate::clock;
use crate::writer::News;
use keepline_proto::cause::ProtocolFailure;
use keepline_proto::{Cause, Ending, Time};
use std::task::Context;

impl Driver {
    /// Judges what is due; says whether anything was.
    pub(super) fn deadlines(&mut self) -> bool {
        let now = clock::now();
        let mut acted = false;
        if let Some(slept) = self.clock.slept() {
            self.session.handle_resumed(now, slept);
            self.act();
            acted = true;
        }
        if self.look_at().is_some_and(|at| at <= now) {
            self.look(now);
            acted = true;
        }
        // Judged by the time after the look: what is due is never told to be due in the past.
        let now = if self.wait() <= now && self.look_before_attempt() { clock::now() } else { now };
        if self.wait() <= now && self.is_held(now) {
            acted = true;
        } else if self.wait() <= now {
            let last_received = self.last_received();
            self.session.handle_deadline(now, last_received);
            self.act();
            acted = true;
        }
        acted | self.writer_deadlines(now)
    }

    /// Before a deadline or a sibling's death is judged, the socket itself is asked: an event loop may have been told of what
    /// arrived, and not have come to it. Otherwise what it was told is left to its own turn.
    pub(super) fn look_if_due(&self) {
        if let Some(connection) = self.io.connection()
            && connection.transport.is_lent()
            && (self.shared.is_caller_turn() || self.wait() <= clock::now() || self.has_news_of_siblings())
        {
            connection.transport.look();
        }
    }

    /// What the machine waits for; [`Time::FAR_FUTURE`] for nothing but inputs.
    fn wait(&self) -> Time {
        self.session.deadline().unwrap_or(Time::FAR_FUTURE)
    }

    /// Expiry of what waits, and replies that can no longer be told apart.
    fn writer_deadlines(&mut self, now: Time) -> bool {
        let mut writer = self.shared.writer();
        if writer.outbox.next_expiry().is_some_and(|expiry| expiry <= now) {
            let mut settled = Vec::new();
            writer.outbox.expire(now, &mut settled);
            let mut news = News::default();
            writer.settle(settled, &mut news);
            let room = writer.room.rope();
            drop(writer);
            news.tell();
            room.ring();
            return false;
        }
        let desynced = writer.correlator.as_ref().is_some_and(|correlator| correlator.is_desynced(now));
        drop(writer);
        let epoch = self.session.epoch();
        if desynced && self.connection(epoch).is_some() {
            self.end(epoch, Ending::new(Cause::Protocol(ProtocolFailure::Desync), None));
            return true;
        }
        false
    }

    /// Makes the wheel wake us for the earliest deadline. A seat that is armed too early is left, for deadlines move with
    /// each byte; but not after a heartbeat, which would otherwise cost two wake-ups.
    pub(super) fn arm(&mut self, context: &mut Context<'_>) {
        let mut earliest =
            [self.session.deadline(), self.look_at(), self.look_for_network_at()].into_iter().flatten().min();
        #[cfg(target_os = "linux")]
        if let Some(at) = self.look_for_loop_at().filter(|at| *at < Time::FAR_FUTURE) {
            earliest = Some(earliest.map_or(at, |earliest| earliest.min(at)));
        }
        if self.shared.config.outbox.age.is_some() || self.shared.config.correlation.is_some() {
            let writer = self.shared.writer();
            let desync = writer.correlator.as_ref().and_then(|correlator| correlator.desync_deadline());
            earliest = [earliest, writer.outbox.next_expiry(), desync].into_iter().flatten().min();
        }
        let Some(deadline) = earliest else {
            if self.sight.is_some() {
                self.seat.introduce(context.waker());
            }
            return;
        };
        let answered = std::mem::take(&mut self.answered);
        self.seat.arm(deadline.since(clock::now()), context.waker(), answered);
    }
}
