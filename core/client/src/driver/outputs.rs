//! What the machine asks for, done.

use super::slots::{Io, Place};
use super::{Connection, Driver};
use crate::clock;
use crate::io::sockopt;
use crate::stats::count;
use crate::writer::News;
use keepline_proto::config::WhileDown;
use keepline_proto::endpoints::Candidates;
use keepline_proto::event::Disconnected;
use keepline_proto::kernel::KERNEL_PROBE;
use keepline_proto::outbox::{Accounting, Standing};
use keepline_proto::{Cause, CloseHow, Ending, Epoch, Event, EventKind, KernelFigures, Output, State};
use std::sync::Arc;

impl Driver {
    /// Drains the machine's outputs, and answers its questions until it has none.
    pub(super) fn act(&mut self) {
        self.act_on(None);
    }

    /// As [`Driver::act`], where the figures of a connection were asked for already.
    pub(super) fn act_on(&mut self, mut asked: Option<Epoch>) {
        loop {
            asked = self.drain_outputs().or(asked);
            let Some(epoch) = asked else { break };
            let figures = self.kernel_figures(epoch);
            asked = self.tell_figures(epoch, figures);
        }
        self.shared.publish(self.session.state(), self.session.epoch());
    }

    /// Tells the machine where it may go, and starts it.
    pub(super) fn begin(&mut self, candidates: Option<Candidates>) {
        if let Some(candidates) = candidates {
            self.session.handle_endpoints(clock::now(), candidates);
            self.act();
        }
        self.session.handle_start(clock::now());
        self.act();
    }

    /// Tells the machine what the kernel knows; gives the connection whose figures it asked for meanwhile.
    #[must_use]
    pub(super) fn tell_figures(&mut self, epoch: Epoch, figures: KernelFigures) -> Option<Epoch> {
        tracing::trace!(%epoch, ?figures, "kernel figures");
        // What waits for the end of a frame is in none of the kernel's figures.
        let held = self.connection(epoch).is_some_and(|connection| connection.has_urgent());
        self.session.handle_heartbeat_held(clock::now(), epoch, held);
        let asked = self.drain_outputs();
        self.session.handle_kernel(clock::now(), epoch, figures);
        asked
    }

    /// Does what the machine asks for, except that it gives the connection whose figures it asked for last.
    fn drain_outputs(&mut self) -> Option<Epoch> {
        let mut asked = None;
        loop {
            match self.session.poll_output() {
                Output::Wait(_) => return asked,
                Output::Dial { epoch, endpoint, deadline, mss } => {
                    count(&self.shared.counters.attempts);
                    self.count_retry(epoch, endpoint);
                    if let Some(mss) = mss {
                        tracing::warn!(
                            %epoch, mss, "large segments vanish on the way to the peer: dialling with smaller ones"
                        );
                    }
                    let future = self.dial(epoch, endpoint, deadline, mss);
                    let slot = if self.io.is_nothing() { &mut self.io } else { &mut self.aside().other };
                    *slot = Io::holding(Place::Dialing(epoch, future));
                    // The future has to be polled once before it can wake us.
                    self.shared.wake_driver();
                }
                Output::Greet { epoch, deadline: _ } => self.greet(epoch),
                Output::Heartbeat { epoch } => {
                    let shared = self.shared.clone();
                    if let Some(connection) = self.connection(epoch) {
                        connection.heartbeat(&shared);
                        self.unwritten = true;
                    }
                    // Nothing was heard for a whole interval.
                    shared.rest();
                }
                Output::Open { epoch } => self.open(epoch),
                Output::Sample { epoch } => asked = Some(epoch),
                Output::SetUserTimeout { epoch, timeout } => {
                    if let Some(stream) = self.tcp(epoch) {
                        tracing::debug!(%epoch, ?timeout, "user timeout");
                        sockopt::set_user_timeout(&stream, timeout);
                    }
                }
                Output::ProbeKernel { epoch, now } => {
                    if let Some(stream) = self.tcp(epoch) {
                        tracing::debug!(%epoch, now, "kernel probe");
                        let keepalive = if now { Some(KERNEL_PROBE) } else { self.shared.config.keepalive };
                        sockopt::set_keepalive(&stream, keepalive);
                    }
                }
                // The machine ends both by their deadlines.
                Output::Drain { epoch, deadline: _ } => self.drain(epoch),
                Output::Close { epoch, how } => self.close(epoch, how),
                Output::Emit(event) => self.emit(*event),
            }
        }
    }

    /// Tells the flight recorder how many addresses failed before the dial ended, and how it ended.
    pub(super) fn tell_failed_addresses(&mut self, epoch: Epoch) {
        let failures = self.shared.names().map_or(0, |names| names.failures(epoch));
        if failures > 0 {
            self.session.handle_addresses_failed(clock::now(), epoch, failures);
            self.act();
        }
    }

    fn open(&mut self, epoch: Epoch) {
        let shared = self.shared.clone();
        let arrival = self.aside.as_mut().and_then(|aside| aside.arrival.take_if(|arrival| arrival.epoch == epoch));
        if let Some(arrival) = arrival {
            self.adopt(*arrival);
        }
        if shared.extras.streams().is_some() {
            // It is lent once it has been told of: whoever gets it finds the client connected.
            return;
        }
        let Some(connection) = self.connection(epoch) else { return };
        let has_figures = connection.kernel_figures().send_queue.is_some();
        let accounting = if has_figures { Accounting::Kernel } else { Accounting::HandedOver };
        let room = {
            let mut writer = shared.writer();
            if let Some(own) = connection.take_correlator() {
                writer.correlator = Some(own);
            }
            writer.acked_by = connection.acked_by();
            writer.outbox.open(epoch, accounting, connection.prelude());
            connection.begin_with(writer.unsent_subscriptions(epoch), &shared.config.framing);
            if connection.has_urgent() || shared.has_wishes() {
                // Nobody writes before these have been written, or carried out.
                writer.outbox.cork();
            }
            match connection.take_inline_half() {
                Some(half) if shared.inline_writes => writer.inline = Some(half),
                Some(half) => half.forget(),
                None => {}
            }
            writer.wanted = false;
            writer.room.rope()
        };
        connection.is_open = true;
        connection.leave_early();
        if let Some(login) = shared.extras.login() {
            login.forget(epoch);
        }
        room.ring();
        shared.wake_driver();
    }

    fn drain(&mut self, epoch: Epoch) {
        if let Some(connection) = self.connection(epoch) {
            connection.draining = true;
        }
        self.shared.wake_driver();
    }

    pub(super) fn close(&mut self, epoch: Epoch, how: CloseHow) {
        if let Some(login) = self.shared.extras.login() {
            login.forget(epoch);
        }
        let remains = self.remains(epoch);
        let aside = self.aside();
        aside.arrival.take_if(|arrival| arrival.epoch == epoch);
        aside.remains = remains.map(Box::new);
        let mut settled = Vec::new();
        let Some(slot) = self.slot_mut(epoch) else {
            self.unsettled = true;
            return;
        };
        let place = slot.take();
        // The attempt beside a connection never had the gate: its end concerns neither the outbox nor the requests.
        let is_beside = !self.has_nothing() && !place.as_ref().is_some_and(Place::has_had_the_gate);
        match place {
            None | Some(Place::Dialing(..)) => {}
            Some(Place::Open(connection)) if is_beside => connection.transport.abort_on_close(),
            Some(Place::Lent(epoch, socket)) => {
                if matches!(how, CloseHow::Abort)
                    && let Some(stream) = socket.tcp().map(socket2::SockRef::from)
                {
                    sockopt::abort_on_close(&stream);
                    if self.shared.config.single_connection {
                        // The user may hold it for long: the peer must have its place back before the next dial.
                        sockopt::reset(&stream);
                    }
                }
                // Shut down once its user can be told why: before, a read would take that for the peer's own end.
                self.aside().lent = Some((epoch, socket));
            }
            Some(Place::Open(mut connection)) => {
                let standing = self.last_standing(&connection, how);
                let mut news = News::default();
                let mut writer = self.shared.writer();
                writer.outbox.restore(&mut connection.flight, standing, &mut settled);
                if self.shared.config.while_down == WhileDown::Reject {
                    writer.outbox.drop_all(&mut settled);
                }
                writer.settle(settled, &mut news);
                drop(writer);
                news.tell();
            }
        }
        self.unsettled |= !is_beside;
    }

    /// How far the stream of a connection that ends has come. Nothing is handed over or transmitted after this.
    fn last_standing(&self, connection: &Connection, how: CloseHow) -> Standing {
        let written = {
            let mut writer = self.shared.writer();
            writer.outbox.shut();
            if let Some(half) = writer.inline.take() {
                half.forget();
            }
            writer.outbox.written()
        };
        match how {
            CloseHow::Abort => {
                connection.transport.abort_on_close();
                connection.transport.silence();
                connection.standing(written)
            }
            CloseHow::Graceful => connection.standing(written).left_in_order(),
        }
    }

    fn emit(&mut self, mut event: Event) {
        let (state, epoch) = (self.session.state(), self.session.epoch());
        // Whoever sees that there is a connection also finds its event and its count.
        if !state.is_up() || self.shared.state().is_up() {
            self.shared.publish(state, epoch);
        }
        match &mut event.kind {
            EventKind::Disconnected(disconnected) => {
                let ending = disconnected.ending;
                self.shared.set_ending(ending);
                if disconnected.up_for.is_none() && ending.cause != Cause::Replaced {
                    count(&self.shared.counters.failures);
                }
                if let Some(names) = self.shared.names()
                    && disconnected.up_for.is_none_or(|up_for| up_for < self.shared.config.stable_after)
                {
                    names.disappointed(disconnected.epoch, &ending);
                }
                self.keep_report(disconnected);
                disconnected.messages = self.settle_requests(ending);
                tracing::info!(
                    epoch = %disconnected.epoch, cause = %ending.cause, detector = ?ending.detector, errno = ending.errno,
                    up_for = ?disconnected.up_for, retry_in = ?disconnected.retry_in, "disconnected"
                );
            }
            EventKind::Connected { epoch, after, .. } => {
                let epoch = *epoch;
                count(&self.shared.counters.connections);
                tracing::info!(%epoch, ?after, "connected");
                self.shared.events.push_with(event, || self.shared.set_state(state, epoch));
                self.lend(epoch);
                return;
            }
            EventKind::Closed(ending) => {
                let ending = *ending;
                tracing::info!(cause = %ending.cause, "closed");
                self.settle_requests(ending);
                // Whoever hears of it finds that nothing is accepted any more, and why.
                self.shared.set_ending(ending);
                self.shared.writer().ended = true;
                self.shared.events.push(event);
                self.finish(ending);
                return;
            }
            EventKind::Suspect { epoch, evidence } => {
                tracing::info!(%epoch, %evidence, "suspect");
                self.look_on_suspicion();
            }
            EventKind::Stalled { epoch } => tracing::info!(%epoch, "the peer does not read"),
            EventKind::Recovered { epoch } => tracing::info!(%epoch, "recovered"),
            EventKind::InboxFull { epoch } => {
                tracing::warn!(%epoch, "inbox full: reading stops until messages are taken")
            }
            EventKind::Offline => tracing::info!("offline"),
            EventKind::Connecting { epoch, endpoint } => {
                tracing::debug!(%epoch, endpoint = endpoint.as_deref(), "connecting")
            }
            EventKind::Paused | EventKind::Resumed | EventKind::Missed { .. } => {
                tracing::debug!(kind = event.kind.name())
            }
            _ => {}
        }
        self.shared.events.push(event);
    }

    /// Completes the report and keeps it before anybody is told, so that the errors of this end have it too.
    fn keep_report(&mut self, end: &mut Disconnected) {
        let remains = self.aside.as_mut().and_then(|aside| aside.remains.take());
        self.warn_siblings(end, remains.as_deref());
        if let Some(report) = &mut end.report {
            let figures = remains.map(|remains| remains.figures);
            Arc::make_mut(report).figures = figures.filter(|figures| *figures != KernelFigures::default());
            self.shared.events.keep(report.clone());
        }
    }

    /// Fails the requests of the connection that ended, and wakes whoever waited for room in it.
    fn settle_requests(&mut self, ending: Ending) -> keepline_proto::event::MessageCounts {
        self.take_back(ending);
        let mut news = News::default();
        let mut writer = self.shared.writer();
        if std::mem::take(&mut self.unsettled) {
            writer.fail_requests(Some(ending), &mut news);
        }
        writer.wanted = false;
        let counts = writer.outbox.counts();
        let room = writer.room.rope();
        drop(writer);
        news.tell();
        room.ring();
        counts
    }

    /// Ends the user's reads and writes on a stream at once, wherever it is, and has them say why.
    fn take_back(&mut self, ending: Ending) {
        let Some(lent) = self.aside.as_mut().and_then(|aside| aside.lent.take()) else { return };
        if let Some(streams) = self.shared.extras.streams() {
            streams.revoke(lent.0, ending);
        }
        let _already_gone = lent.1.shutdown(std::net::Shutdown::Both);
    }

    /// Settles everything that is left: nothing happens on this client any more.
    pub(super) fn finish(&mut self, ending: Ending) {
        self.finished = true;
        self.take_back(ending);
        self.io = Io::default();
        if let Some(aside) = &mut self.aside {
            aside.other = Io::default();
        }
        let mut settled = Vec::new();
        let mut news = News::default();
        {
            let mut writer = self.shared.writer();
            if let Some(half) = writer.inline.take() {
                half.forget();
            }
            writer.ended = true;
            writer.outbox.drop_all(&mut settled);
            writer.settle(settled, &mut news);
            writer.fail_requests(Some(ending), &mut news);
        }
        news.tell();
        self.shared.set_ending(ending);
        if let Some(streams) = self.shared.extras.streams() {
            streams.end(ending);
        }
        self.shared.publish(State::Closed, self.session.epoch());
        self.shared.inbox.end();
        self.shared.set_closed(ending);
        let room = self.shared.writer().room.rope();
        room.ring();
    }
}
