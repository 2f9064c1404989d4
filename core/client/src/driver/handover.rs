//! What becomes of bytes that were handed to the kernel: who is told, and what the kernel's figures prove of them later.

use super::connection::Connection;
use super::look::Weighed;
use crate::clock;
use crate::shared::Shared;
use crate::stats::count;
use crate::writer::News;
use keepline_proto::KernelFigures;
use keepline_proto::outbox::{HandedOver, Standing, Urgent};

impl Connection {
    /// Counts what a write handed over, and tells everybody whom it concerns.
    pub(super) fn advance(&mut self, written: usize, shared: &Shared) {
        if !self.is_open {
            return self.advance_without_gate(written, shared);
        }
        let mut news = News::default();
        let mut guard = shared.writer();
        let writer = &mut *guard;
        writer.bytes_out += written as u64;
        // The report needs the correlator while the outbox is at work: both are behind the same lock.
        // Most writes hand over one thing to tell of: a heartbeat then allocates nothing.
        let mut first: Option<(HandedOver, Option<keepline_proto::outbox::Settled>)> = None;
        let mut more = Vec::new();
        let correlated = writer.correlator.is_some();
        writer.outbox.advance(&mut self.flight, written, |handed, settled| match handed {
            HandedOver::Part => {}
            HandedOver::Messages(_) if !correlated => {}
            HandedOver::Messages(_) | HandedOver::Ticket { .. } | HandedOver::Urgent(_) => match first {
                None => first = Some((handed, settled)),
                Some(_) => more.push((handed, settled)),
            },
        });
        for (handed, settled) in first.into_iter().chain(more) {
            match handed {
                HandedOver::Part => {}
                HandedOver::Messages(count) => (0..count).for_each(|_| writer.note_handed_over(None, false)),
                HandedOver::Ticket { ticket, request } => {
                    writer.note_handed_over(ticket, request);
                    writer.settle(settled, &mut news);
                }
                HandedOver::Urgent(Urgent::Heartbeat) => {
                    count(&shared.counters.heartbeats);
                    if let Some(correlator) = self.own_correlator().or(writer.correlator.as_deref_mut()) {
                        correlator.heartbeat_handed_over();
                    }
                }
                HandedOver::Urgent(Urgent::Subscription { answered: true }) => writer.note_handed_over(None, false),
                HandedOver::Urgent(Urgent::AutoReply | Urgent::Greeting | Urgent::Subscription { answered: false }) => {
                }
            }
        }
        let wanted = std::mem::take(&mut writer.wanted).then(|| writer.room.rope());
        let wants_look = writer.outbox.wants_look();
        if writer.outbox.is_unsettled() {
            self.look_soon(clock::now());
        }
        drop(guard);
        news.tell();
        if let Some(room) = wanted {
            room.ring();
        }
        if wants_look {
            self.weigh(&self.kernel_figures_at(shared), shared);
        }
    }

    /// Writes the declared heartbeat from where it lies, if nothing is before it; else it is queued ahead of all that waits.
    pub(super) fn write_heartbeat(&mut self, shared: &Shared) {
        let frame = shared.config.heartbeat_frame();
        // Held throughout: a caller that writes inline would get between the bytes and their count.
        let mut guard = shared.writer();
        let writer = &mut *guard;
        let is_first = self.flight.is_empty() && !(self.is_open && writer.outbox.has_waiting());
        // An error is met again, and judged, by the write that follows.
        let written = if is_first { self.transport.try_write(frame).unwrap_or_default() } else { 0 };
        writer.bytes_out += written as u64;
        if !self.is_open {
            self.note_prelude(written);
        }
        if written == frame.len() {
            if self.is_open {
                writer.outbox.wrote_urgent(written);
            }
            count(&shared.counters.heartbeats);
            if let Some(correlator) = self.own_correlator().or(writer.correlator.as_deref_mut()) {
                correlator.heartbeat_handed_over();
            }
            return;
        }
        self.flight.push_urgent(frame.clone(), Urgent::Heartbeat);
        if written > 0 && self.is_open {
            writer.outbox.advance(&mut self.flight, written, |_part, _settled| {});
        } else if written > 0 {
            self.flight.advance_urgent(written, |_whole| {});
        }
    }

    /// Before it has the gate only greeting, answers and heartbeats leave, and the outbox counts for another connection.
    fn advance_without_gate(&mut self, written: usize, shared: &Shared) {
        self.note_prelude(written);
        shared.writer().bytes_out += written as u64;
        let mut heartbeats = 0;
        self.flight.advance_urgent(written, |kind| match kind {
            Urgent::Heartbeat => heartbeats += 1,
            Urgent::AutoReply | Urgent::Greeting | Urgent::Subscription { .. } => {}
        });
        for _ in 0..heartbeats {
            count(&shared.counters.heartbeats);
            if let Some(correlator) = self.own_correlator().or(shared.writer().correlator.as_deref_mut()) {
                correlator.heartbeat_handed_over();
            }
        }
    }

    /// The kernel's figures, with the bytes that were handed over before they were read.
    pub(super) fn kernel_figures_at(&self, shared: &Shared) -> (u64, KernelFigures) {
        let written = shared.writer().outbox.written();
        (written, self.kernel_figures())
    }

    /// How far the stream has come by figures that are read now, after `written` bytes were handed over.
    pub(super) fn standing(&self, written: u64) -> Standing {
        self.transport.standing(written, &self.kernel_figures(), self.half_closed)
    }

    /// Tells the outbox what the kernel's figures prove, and everybody who waits for it.
    pub(super) fn weigh(&mut self, (written, figures): &(u64, KernelFigures), shared: &Shared) -> Weighed {
        let standing = self.transport.standing(*written, figures, self.half_closed);
        let mut settled = Vec::new();
        let mut news = News::default();
        let mut writer = shared.writer();
        let has_progress = writer.outbox.weigh(&mut self.flight, standing, &mut settled);
        let is_unsettled = writer.outbox.is_unsettled();
        writer.settle(settled, &mut news);
        drop(writer);
        news.tell();
        match (is_unsettled, has_progress) {
            (false, _) => Weighed::Settled,
            (true, true) => Weighed::Progress,
            (true, false) => Weighed::Nothing,
        }
    }
}
