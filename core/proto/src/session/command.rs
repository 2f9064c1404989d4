//! What the user wishes: start, pause, resume, reconnect, close.

use super::life::Next;
use super::phase::{Drain, Link, Phase};
use super::{Command, Session};
use crate::Time;
use crate::cause::Ending;
use crate::event::{EventKind, State};
use crate::output::{CloseHow, Output};
use crate::recorder::{Transition, Wish};
use std::time::Duration;

impl Session {
    /// Starts dialling. The first dial is free: nothing is waited for.
    pub fn handle_start(&mut self, now: Time) {
        if !self.admit(now) || self.started {
            return;
        }
        self.started = true;
        self.absent_since = self.now;
        if !self.paused {
            self.dial_if_online();
        }
    }

    /// Takes a wish of the user.
    pub fn handle_command(&mut self, now: Time, command: Command) {
        if !self.admit(now) {
            return;
        }
        self.recorder.note_all(self.now, Transition::Asked(wish(command)));
        match command {
            Command::Pause => self.pause(),
            Command::Resume => self.resume(),
            Command::Reconnect => self.reconnect(),
            Command::Close { drain } => self.close(drain),
            Command::Abort => self.abort(Session::requested()),
        }
    }

    /// Takes the news that the user's own deadline ran out: closes with `ending`.
    pub fn handle_gave_up(&mut self, now: Time, ending: Ending) {
        if self.admit(now) {
            self.recorder.note_all(self.now, Transition::Asked(Wish::GiveUp));
            self.abort(ending);
        }
    }

    fn pause(&mut self) {
        if self.paused || self.is_draining() {
            return;
        }
        self.paused = true;
        self.end(Session::requested(), self.how_to_leave(), Next::Stop);
        self.phase = Phase::Idle;
        self.emit(EventKind::Paused);
    }

    fn resume(&mut self) {
        if !self.paused {
            return;
        }
        self.paused = false;
        self.emit(EventKind::Resumed);
        if self.started {
            self.dial_if_online();
        }
    }

    fn reconnect(&mut self) {
        match self.phase {
            Phase::Up(_) => self.end(Session::requested(), self.how_to_leave(), Next::Now),
            // Offline too: the user may know better than the system.
            Phase::Waiting(_) | Phase::Offline(_) => self.dial(),
            // An attempt is under way already, or none is wished for.
            Phase::Connecting(_) | Phase::Idle | Phase::Draining(_) | Phase::Closed => {}
        }
    }

    fn close(&mut self, within: Duration) {
        let deadline = self.now + within;
        match &mut self.phase {
            // Closing again can only shorten it.
            Phase::Draining(drain) => drain.deadline = drain.deadline.min(deadline),
            // Never wait for the dead: only a healthy connection is drained.
            Phase::Up(link) if link.liveness.state() == State::Connected && !within.is_zero() => {
                let epoch = link.epoch;
                let Link { endpoint, since, verified, .. } = *link;
                self.phase = Phase::Draining(Drain { epoch, endpoint, since, verified, deadline });
                self.push(Output::Drain { epoch, deadline });
            }
            Phase::Up(_)
            | Phase::Connecting(_)
            | Phase::Idle
            | Phase::Waiting(_)
            | Phase::Offline(_)
            | Phase::Closed => self.abort(Session::requested()),
        }
    }

    fn abort(&mut self, ending: Ending) {
        self.end(ending, CloseHow::Abort, Next::Stop);
        self.finish(ending);
    }

    /// A healthy connection is left in order, any other without a word. So is one to a peer that serves a single one: in
    /// order it would hold the place until the peer has cleaned up.
    pub(super) fn how_to_leave(&self) -> CloseHow {
        let in_order = self.phase.state() == State::Connected && !self.config.single_connection;
        if in_order { CloseHow::Graceful } else { CloseHow::Abort }
    }
}

const fn wish(command: Command) -> Wish {
    match command {
        Command::Pause => Wish::Pause,
        Command::Resume => Wish::Resume,
        Command::Reconnect => Wish::Reconnect,
        Command::Close { drain: _ } => Wish::Close,
        Command::Abort => Wish::Abort,
    }
}
