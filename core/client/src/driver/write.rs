//! From the outbox to the socket: one write a step, urgent frames first, and the farewell at the end.

use super::connection::Connection;
use crate::clock;
use crate::io::ending_of;
use crate::shared::Shared;
use crate::writer::News;
use keepline_proto::Ending;
use keepline_proto::outbox::Cork;
use std::io::IoSlice;
use std::task::{Context, Poll};

/// Slices of one `writev`. The kernel takes 1,024; beyond a few dozen there is nothing to gain.
const SLICES: usize = 64;

/// What a write did.
pub(super) enum WriteStep {
    /// Nothing waits.
    Nothing,
    /// Bytes were taken.
    Progress,
    /// The kernel takes no more now.
    Blocked,
    /// The connection is over.
    Ended(Ending),
}

impl Connection {
    /// Writes once.
    pub(super) fn write(&mut self, context: &mut Context<'_>, shared: &Shared) -> WriteStep {
        match self.transport.poll_flush(context) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return WriteStep::Ended(ending_of(&error)),
            Poll::Pending => {
                self.blocked = true;
                return WriteStep::Blocked;
            }
        }
        if std::mem::take(&mut self.heartbeat_due) {
            self.write_heartbeat(shared);
        }
        if self.is_open && self.flight.bytes() == 0 && !self.half_closed {
            let mut news = News::default();
            let mut writer = shared.writer();
            let mut settled = Vec::new();
            let now = clock::now();
            writer.outbox.take(now, &mut self.flight, &mut settled);
            writer.settle(settled, &mut news);
            if self.flight.is_empty() {
                if writer.outbox.is_unsettled() {
                    self.look_soon(now);
                }
                match writer.outbox.corked() {
                    Cork::Out => {}
                    // Whatever follows a wish comes after it.
                    Cork::In | Cork::Burst if shared.has_wishes() => {}
                    // Nothing followed the message that was written inline: the next one may be too.
                    Cork::In => writer.outbox.uncork(),
                    // A burst is over only after an empty turn: else each of its messages would be a write. Who makes the turn
                    // by himself sends nothing meanwhile.
                    Cork::Burst if self.yielded || shared.is_caller_turn() => {
                        writer.outbox.uncork();
                        self.flight.rest();
                    }
                    Cork::Burst => {
                        self.yielded = true;
                        context.waker().wake_by_ref();
                    }
                }
            }
            drop(writer);
            news.tell();
        }
        if self.flight.is_empty() || self.has_peer_left() {
            self.blocked = false;
            if self.draining && !self.half_closed {
                match self.transport.poll_end_writes(context) {
                    Poll::Ready(Ok(()) | Err(_)) => self.half_closed = true,
                    Poll::Pending => {
                        self.blocked = true;
                        return WriteStep::Blocked;
                    }
                }
            }
            return WriteStep::Nothing;
        }
        self.yielded = false;
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = self.flight.slices(&mut slices);
        match self.transport.try_write_vectored(&slices[..filled]) {
            Ok(written) => {
                self.advance(written, shared);
                self.blocked = false;
                WriteStep::Progress
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                match self.transport.poll_write_ready(context) {
                    Poll::Pending => {
                        self.blocked = true;
                        WriteStep::Blocked
                    }
                    Poll::Ready(Ok(())) => WriteStep::Progress,
                    Poll::Ready(Err(error)) => WriteStep::Ended(ending_of(&error)),
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => WriteStep::Progress,
            Err(error) => WriteStep::Ended(ending_of(&error)),
        }
    }
}
