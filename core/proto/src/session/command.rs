//! What the user wishes: start, pause, resume, reconnect, close.

use super::life::Next;
use super::phase::{Drain, Link, Phase};
use super::{Command, Session};
use crate::cause::{Cause, Ending};
use crate::event::{EventKind, State, Suspicion};
use crate::output::{CloseHow, Output};
use crate::recorder::{Transition, Wish};
use crate::{Epoch, Time};
use std::time::Duration;

/// Why the client stays away by wish. One byte for two answers: each client keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Away {
    No,
    Paused,
    InBackground,
    Both,
}

impl Session {
    /// Starts dialling. The first dial is free: nothing is waited for.
    pub fn handle_start(&mut self, now: Time) {
        if !self.admit(now) || self.started {
            return;
        }
        self.started = true;
        self.known.absent_since = self.now;
        if !self.is_away() {
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
            Command::Background => self.enter_background(),
            Command::Foreground => self.enter_foreground(),
            Command::Reconnect => self.reconnect(),
            Command::GoAway { retry_after } => self.leave_for(retry_after),
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

    /// Takes the news that the server sent the client away: a declared frame arrived on the connection `epoch`.
    pub fn handle_go_away(&mut self, now: Time, epoch: Epoch, retry_after: Duration) {
        if !self.admit_from(now, epoch) {
            return;
        }
        if self.challenger() == Some(epoch) {
            self.end_challenger(sent_away(retry_after));
        } else {
            self.leave_for(retry_after);
        }
    }

    /// Whether the client stays away by wish.
    fn is_away(&self) -> bool {
        self.away != Away::No
    }

    fn pause(&mut self) {
        if self.is_draining() {
            return;
        }
        let was_away = self.is_away();
        self.away = match self.away {
            Away::No | Away::Paused => Away::Paused,
            Away::InBackground | Away::Both => Away::Both,
        };
        self.stay_away(was_away);
    }

    fn resume(&mut self) {
        let was_away = self.is_away();
        // Said by the user, who wants it now: the background is over, too.
        self.away = Away::No;
        self.come_back(was_away);
    }

    /// Apart from a pause: whoever comes back to the screen takes back no pause of the user's own.
    fn enter_background(&mut self) {
        if self.is_draining() {
            return;
        }
        let was_away = self.is_away();
        self.away = match self.away {
            Away::No | Away::InBackground => Away::InBackground,
            Away::Paused | Away::Both => Away::Both,
        };
        self.stay_away(was_away);
    }

    fn enter_foreground(&mut self) {
        let was_away = self.is_away();
        match self.away {
            Away::InBackground | Away::Both => {
                self.away = if self.away == Away::Both { Away::Paused } else { Away::No };
                self.come_back(was_away);
                return;
            }
            Away::No | Away::Paused => {}
        }
        match self.phase {
            // Somebody looks now.
            Phase::Waiting(_) => self.dial(),
            // A process that is not seen may have been frozen without a word, and its connections with it.
            Phase::Up(_) => {
                if let Some((link, settings, now)) = self.link()
                    && link.liveness.state() != State::Offline
                {
                    let findings = link.liveness.probe(now, Suspicion::Woke, settings);
                    self.apply(findings);
                }
            }
            Phase::Connecting(_) | Phase::Idle | Phase::Offline(_) | Phase::Draining(_) | Phase::Closed => {}
        }
    }

    fn stay_away(&mut self, was_away: bool) {
        if was_away {
            return;
        }
        self.end(Session::requested(), self.how_to_leave(), Next::Stop);
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        self.phase = Phase::Idle;
        self.emit(EventKind::Paused);
    }

    fn come_back(&mut self, was_away: bool) {
        if !was_away || self.is_away() {
            return;
        }
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

    /// Leaves as the server asked for. It may have closed already when the user understood its notice: then the wait that
    /// is running grows.
    fn leave_for(&mut self, retry_after: Duration) {
        let ending = sent_away(retry_after);
        match self.phase {
            Phase::Up(_) | Phase::Connecting(_) => {
                // It dials the server that sends us away.
                self.end_challenger(ending);
                self.end(ending, self.how_to_leave(), Next::Retry);
            }
            Phase::Waiting(until) => {
                self.phase = Phase::Waiting(until.max(self.now + self.retry_delay(&ending, false)))
            }
            Phase::Offline(until) => {
                self.phase = Phase::Offline(until.max(self.now + self.retry_delay(&ending, false)))
            }
            Phase::Idle | Phase::Draining(_) | Phase::Closed => {}
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
                let Link { endpoint, verified, .. } = *link;
                let since = link.liveness.since();
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

const fn sent_away(retry_after: Duration) -> Ending {
    Ending { retry_after: Some(retry_after), ..Ending::new(Cause::PeerClosed, None) }
}

const fn wish(command: Command) -> Wish {
    match command {
        Command::Pause => Wish::Pause,
        Command::Resume => Wish::Resume,
        Command::Background => Wish::Background,
        Command::Foreground => Wish::Foreground,
        Command::Reconnect => Wish::Reconnect,
        Command::GoAway { retry_after: _ } => Wish::GoAway,
        Command::Close { drain: _ } => Wish::Close,
        Command::Abort => Wish::Abort,
    }
}
