//! The flight recorder: what led to a death, written down while the connection lives and handed out when it ends.
//!
//! It watches what the machine is told and what it asks for, and decides nothing. It holds numbers and names of this
//! crate only: no address, no payload, no secret can get into it.

mod beats;
mod entries;
mod opening;
mod pairs;
mod recording;
mod report;
mod transition;
mod words;

pub use report::{Report, Reports};
pub use transition::{Entry, Transition, Wish};

use crate::event::{Disconnected, EventKind};
use crate::kernel::KernelFigures;
use crate::output::Output;
use crate::{Epoch, Time};
use recording::Recording;

/// The recordings of the attempts and connections that live now: one, or two while one races another.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    /// The first of them, which has the others with it.
    first: Option<Recording>,
}

impl Recorder {
    /// Takes what the machine asks for: most turns show there.
    pub(crate) fn watch(&mut self, now: Time, output: &Output) {
        match output {
            Output::Dial { epoch, endpoint: _, deadline: _, mss } => {
                self.begin(now, *epoch);
                if let Some(mss) = *mss {
                    self.note(now, *epoch, Transition::SmallSegments { mss });
                }
            }
            Output::Greet { epoch, deadline: _ } => self.note(now, *epoch, Transition::Greeting),
            Output::Heartbeat { epoch } => self.note(now, *epoch, Transition::HeartbeatSent),
            Output::Open { epoch } => {
                // Where the first heartbeat is the greeting, this is its answer.
                self.note(now, *epoch, Transition::HeartbeatAnswered);
                self.note(now, *epoch, Transition::Connected);
            }
            Output::SetUserTimeout { epoch, timeout: None } => self.note(now, *epoch, Transition::UserTimeoutLifted),
            Output::SetUserTimeout { epoch, timeout: Some(_) } => self.note(now, *epoch, Transition::UserTimeoutSet),
            Output::ProbeKernel { epoch, now: true } => self.note(now, *epoch, Transition::KernelAsked),
            Output::Drain { epoch, deadline: _ } => self.note(now, *epoch, Transition::Draining),
            Output::Emit(event) => match &event.kind {
                EventKind::Suspect { epoch, evidence } => self.note(now, *epoch, Transition::Suspect(*evidence)),
                EventKind::Recovered { epoch } => self.note(now, *epoch, Transition::Recovered),
                EventKind::Stalled { epoch } => self.note(now, *epoch, Transition::Stalled),
                // Told by what led to them, or by the report itself.
                EventKind::Connecting { .. }
                | EventKind::Connected { .. }
                | EventKind::Disconnected(_)
                | EventKind::InboxFull { .. }
                | EventKind::Offline
                | EventKind::Paused
                | EventKind::Resumed
                | EventKind::Missed { .. }
                | EventKind::Closed(_) => {}
            },
            Output::ProbeKernel { now: false, .. } | Output::Sample { .. } | Output::Close { .. } | Output::Wait(_) => {
            }
        }
    }

    /// Writes down a turn of one connection.
    pub(crate) fn note(&mut self, now: Time, epoch: Epoch, what: Transition) {
        if let Some(recording) = self.of(epoch) {
            recording.note(now, what);
        }
    }

    /// Writes down a turn that concerns every connection.
    pub(crate) fn note_all(&mut self, now: Time, what: Transition) {
        let Some(first) = &mut self.first else { return };
        first.note(now, what);
        if let Some(more) = &mut first.more {
            more.others.iter_mut().for_each(|recording| recording.note(now, what));
        }
    }

    /// Takes the kernel's figures of one connection.
    pub(crate) fn weigh(&mut self, now: Time, epoch: Epoch, figures: &KernelFigures) {
        if let Some(recording) = self.of(epoch) {
            recording.weigh(now, figures);
        }
    }

    /// Ends the recording of a connection that is over, and hands it out.
    pub(crate) fn finish(&mut self, now: Time, end: &Disconnected) -> Option<Report> {
        let mut recording = self.take(end.epoch)?;
        recording.note(now, Transition::Ended(end.ending.cause));
        Some(Report {
            epoch: end.epoch,
            began: recording.began,
            ended: now,
            ending: end.ending,
            up_for: end.up_for,
            retry_in: end.retry_in,
            failures: end.failures,
            overwritten: recording.overwritten(),
            entries: recording.into_entries(),
            figures: None,
        })
    }

    fn begin(&mut self, now: Time, epoch: Epoch) {
        let recording = Recording::new(now, epoch);
        match &mut self.first {
            Some(first) => first.more().others.push(recording),
            None => self.first = Some(recording),
        }
    }

    fn take(&mut self, epoch: Epoch) -> Option<Recording> {
        let first = self.first.as_mut()?;
        if first.epoch != epoch {
            let others = &mut first.more.as_mut()?.others;
            let index = others.iter().position(|recording| recording.epoch == epoch)?;
            return Some(others.swap_remove(index));
        }
        let mut others = first.more.as_mut().map(|more| std::mem::take(&mut more.others)).unwrap_or_default();
        let mut next = others.pop();
        if let Some(next) = &mut next
            && !others.is_empty()
        {
            next.more().others = others;
        }
        std::mem::replace(&mut self.first, next)
    }

    fn of(&mut self, epoch: Epoch) -> Option<&mut Recording> {
        let first = self.first.as_mut()?;
        if first.epoch == epoch {
            return Some(first);
        }
        first.more.as_mut()?.others.iter_mut().find(|recording| recording.epoch == epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EndpointId;
    use crate::cause::{Cause, Ending};
    use crate::event::MessageCounts;

    #[test]
    fn attempts_that_race_each_other_have_a_report_each() {
        let mut recorder = Recorder::default();
        for epoch in [Epoch(1), Epoch(2)] {
            let (endpoint, deadline) = (EndpointId(0), Time::FAR_FUTURE);
            recorder.watch(Time::ZERO, &Output::Dial { epoch, endpoint, deadline, mss: None });
        }
        recorder.note(Time::ZERO, Epoch(2), Transition::Dialed);
        recorder.note_all(Time::ZERO, Transition::NetworkChanged);
        recorder.note(Time::ZERO, Epoch(3), Transition::Dialed);
        let mut told = |epoch, cause| {
            let report = recorder.finish(Time::ZERO, &end(epoch, cause))?;
            Some(report.entries.iter().map(|entry| entry.what).collect::<Vec<_>>())
        };
        let replaced = [Transition::Connecting, Transition::NetworkChanged, Transition::Ended(Cause::Replaced)];
        assert_eq!(told(Epoch(1), Cause::Replaced).as_deref(), Some(&replaced[..]));
        assert_eq!(told(Epoch(1), Cause::Replaced), None);
        let reset =
            [Transition::Connecting, Transition::Dialed, Transition::NetworkChanged, Transition::Ended(Cause::Reset)];
        assert_eq!(told(Epoch(2), Cause::Reset).as_deref(), Some(&reset[..]));
    }

    fn end(epoch: Epoch, cause: Cause) -> Disconnected {
        Disconnected {
            epoch,
            endpoint: None,
            ending: Ending::new(cause, None),
            up_for: None,
            retry_in: None,
            failures: 0,
            messages: MessageCounts::default(),
            report: None,
        }
    }
}
