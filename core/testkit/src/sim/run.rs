//! How time passes in a world: from one thing that is due to the next, each done and judged as it comes.

use super::{Fact, News, SimWorld};
use keepline_proto::{Epoch, EventKind, Output, Time};
use std::time::Duration;

/// The longest that [`SimWorld::run_until`] waits for an event: a day of virtual time.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

impl SimWorld {
    /// Lets time pass until the next event of this name, and tells how long that took.
    ///
    /// # Panics
    /// If none comes within a day.
    pub fn run_until(&mut self, name: &str) -> Duration {
        assert!(EventKind::NAMES.contains(&name), "there is no event {name:?}");
        let start = self.now;
        let seen = self.events.len();
        let happened = |world: &SimWorld| world.events[seen..].iter().any(|event| event.kind.name() == name);
        while !happened(self) {
            assert!(self.step(start + PATIENCE), "no {name} within {PATIENCE:?}: {:#?}", self.events);
        }
        self.now.since(start)
    }

    /// Lets this much time pass, and everything happen that is due within.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step(end) {}
        self.now = end;
    }

    /// Goes to the next thing that happens, at most to `limit`; false if nothing does.
    fn step(&mut self, limit: Time) -> bool {
        let news = self.news.iter().map(|news| news.at).min();
        let Some(at) = [news, self.wait].into_iter().flatten().min().filter(|at| *at <= limit) else { return false };
        self.now = self.now.max(at);
        self.catch_up();
        true
    }

    /// Handles what is due: first news, then, as rule 4 demands, the deadline.
    pub(super) fn catch_up(&mut self) {
        while let Some(position) = self.earliest_news() {
            if let Some(news) = self.news.remove(position) {
                self.tell(news);
            }
        }
        if self.wait.is_some_and(|at| at <= self.now) {
            let last_received = self.last_received;
            self.input(|session, now| session.handle_deadline(now, last_received));
            // A verdict that is due too waits for the kernel's figures, which come in this very moment.
            let progressed = self.wait.is_none_or(|at| at > self.now) || self.earliest_news().is_some();
            assert!(progressed, "the machine asks for the same moment again: {:?}", self.wait);
        }
    }

    fn earliest_news(&self) -> Option<usize> {
        let due = self.news.iter().enumerate().filter(|(_, news)| news.at <= self.now);
        due.min_by_key(|(position, news)| (news.at, *position)).map(|(position, _)| position)
    }

    pub(super) fn tell(&mut self, News { epoch, fact, .. }: News) {
        match fact {
            Fact::Dialed => self.input(|session, now| session.handle_dialed(now, epoch, None)),
            Fact::Greeted => self.input(|session, now| session.handle_greeted(now, epoch)),
            Fact::Received => self.receive_on(epoch),
            Fact::Replied => {
                self.receive_on(epoch);
                self.input(|session, now| session.handle_heartbeat_reply(now, epoch));
            }
            Fact::Drained => self.input(|session, now| session.handle_drained(now, epoch)),
            Fact::Sampled(figures) => self.input(|session, now| session.handle_kernel(now, epoch, figures)),
            Fact::Ended(ending) => {
                let figures = self.figures.unwrap_or_default();
                self.input(|session, now| session.handle_ended_with(now, epoch, ending, figures));
            }
        }
    }

    fn receive_on(&mut self, epoch: Epoch) {
        if self.live == Some(epoch) {
            self.last_received = self.now;
        }
        if self.session.wants_received() {
            self.input(|session, now| session.handle_received(now, epoch));
        }
    }

    pub(super) fn drain(&mut self) {
        loop {
            let output = self.session.poll_output();
            if let Err(violation) = self.audit.watch(self.now, &output, &self.config) {
                panic!("{violation}\nhistory: {:#?}", self.events);
            }
            self.outputs.push((self.now, output.clone()));
            match output {
                Output::Wait(deadline) => {
                    self.outputs.pop();
                    self.wait = deadline;
                    return;
                }
                Output::Emit(event) => self.events.push(*event),
                other => self.perform(&other),
            }
        }
    }

    fn perform(&mut self, output: &Output) {
        match output {
            Output::Dial { epoch, endpoint, .. } if self.live.is_some() => {
                self.targets.push((*epoch, *endpoint));
                self.challenger = Some(*epoch);
            }
            Output::Dial { epoch, endpoint, .. } => {
                self.targets.push((*epoch, *endpoint));
                self.live = Some(*epoch);
                self.last_received = Time::ZERO;
            }
            Output::Close { epoch, .. } => {
                let challenger = self.challenger.take();
                if challenger != Some(*epoch) {
                    self.live = challenger;
                    self.last_received = Time::ZERO;
                }
            }
            Output::Greet { .. }
            | Output::Heartbeat { .. }
            | Output::Open { .. }
            | Output::Sample { .. }
            | Output::SetUserTimeout { .. }
            | Output::ProbeKernel { .. }
            | Output::Drain { .. }
            | Output::Emit(_)
            | Output::Wait(_) => {}
        }
        let (at, figures) = (self.now, self.figures);
        let facts = epoch_of(output).map_or(Vec::new(), |epoch| self.peer_of(epoch).react(output, figures));
        self.news.extend(facts.into_iter().map(|(epoch, fact)| News { at, epoch, fact }));
    }
}

/// The connection or attempt that an output is about.
fn epoch_of(output: &Output) -> Option<Epoch> {
    match output {
        Output::Dial { epoch, .. }
        | Output::Greet { epoch, .. }
        | Output::Heartbeat { epoch }
        | Output::Open { epoch }
        | Output::Sample { epoch }
        | Output::SetUserTimeout { epoch, .. }
        | Output::ProbeKernel { epoch, .. }
        | Output::Drain { epoch, .. }
        | Output::Close { epoch, .. } => Some(*epoch),
        Output::Emit(_) | Output::Wait(_) => None,
    }
}
