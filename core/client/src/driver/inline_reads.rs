//! Who is told of what arrives: an event loop that waits, where it concerns nobody but the program, or the runtime.

use super::Driver;
use super::connection::Connection;
use super::slots::Io;
use crate::clock;
use crate::inline_reads::LoopSeat;
use crate::io::inline_half::InlineHalf;
use crate::io::looped::LoopedTcp;
use crate::io::transport::Transport;
use crate::shared::Shared;
use keepline_proto::{State, Time};
use socket2::SockRef;
use std::io;
use std::sync::Arc;
use std::task::Context;

impl Driver {
    /// Lends the reading to the event loop of the client's seat, or takes it back: after each turn.
    pub(super) fn lend_reads(&mut self, context: &Context<'_>) {
        let Some(reads) = self.shared.extras.inline_reads() else { return };
        let seat = reads.seat().filter(|_seat| self.concerns_nobody_else());
        let is_caller_turn = self.shared.is_caller_turn();
        let Some(connection) = self.io.connection_mut() else { return };
        let has_changed = match (&connection.transport, seat) {
            (Transport::Looped(socket), seat) => {
                let has_changed = socket.lend(seat.is_some());
                if is_caller_turn {
                    socket.came(clock::now());
                } else if socket.is_lent() {
                    socket.look_after(clock::now());
                }
                has_changed
            }
            (Transport::Tcp(_), Some(seat)) => connection.loop_in(seat, &self.shared),
            (Transport::Tcp(_), None) => Ok(false),
            #[cfg(feature = "tls")]
            (Transport::Tls(_), _) => Ok(false),
            (Transport::Unix(_), _) => Ok(false),
        };
        let has_changed = has_changed.unwrap_or_else(|error| {
            tracing::debug!(%error, "the event loop cannot read by itself");
            reads.give_up();
            false
        });
        if has_changed {
            // Whoever is told from now on was not told of what is there already.
            context.waker().wake_by_ref();
        }
    }

    /// When it is looked whether the loop that reads by itself still comes.
    pub(super) fn look_for_loop_at(&self) -> Option<Time> {
        match &self.io.connection()?.transport {
            Transport::Looped(socket) => Some(socket.look_at()),
            Transport::Tcp(_) => None,
            #[cfg(feature = "tls")]
            Transport::Tls(_) => None,
            Transport::Unix(_) => None,
        }
    }

    /// Whether what arrives is for the program alone, which then cannot be too late for it.
    fn concerns_nobody_else(&self) -> bool {
        let config = &self.shared.config;
        let Some(connection) = self.io.connection() else { return false };
        self.session.state() == State::Connected
            && self.other().is_none_or(Io::is_nothing)
            && connection.is_at_ease()
            && config.auto_replies.is_empty()
            && config.go_away.is_none()
    }
}

impl Connection {
    /// Whether nothing that arrives is awaited by the driver itself.
    fn is_at_ease(&self) -> bool {
        self.is_open && !self.draining && self.heartbeats_outstanding == 0 && self.early.is_none()
    }

    /// Takes the socket from the runtime, which would be told of everything that arrives on its own, and gives back the same
    /// socket that a loop may read; whether that was done.
    fn loop_in(&mut self, seat: Arc<LoopSeat>, shared: &Shared) -> io::Result<bool> {
        let Transport::Tcp(half) = &self.transport else { return Ok(false) };
        // Held throughout: a caller that writes meanwhile would find no socket.
        let mut writer = shared.writer();
        let Some(InlineHalf::Tcp(_)) = &writer.inline else { return Ok(false) };
        // Another descriptor of it: whatever fails, the connection is as it was.
        let twin = SockRef::from(half.as_ref()).try_clone()?;
        let looped = Arc::new(LoopedTcp::new(twin.into(), seat)?);
        self.transport = Transport::Looped(looped.clone());
        if let Some(half) = writer.inline.replace(InlineHalf::Looped(looped)) {
            half.forget();
        }
        Ok(true)
    }
}
