//! Who is told what, once no lock is held.

use super::Reply;
use keepline_proto::outbox::{AckedBy, Outcome};
use tokio::sync::oneshot;

/// What has to be told once the writer lock is released: telling wakes somebody else's task.
#[derive(Debug, Default)]
#[must_use = "whoever waits has to be told"]
pub(crate) struct News(pub(super) Vec<Told>);

#[derive(Debug)]
pub(super) enum Told {
    Outcome(oneshot::Sender<(Outcome, AckedBy)>, (Outcome, AckedBy)),
    Reply(oneshot::Sender<Reply>, Reply),
}

impl News {
    /// Tells everybody. Whoever no longer waits is not missed.
    pub(crate) fn tell(self) {
        for told in self.0 {
            match told {
                Told::Outcome(sender, outcome) => drop(sender.send(outcome)),
                Told::Reply(sender, reply) => drop(sender.send(reply)),
            }
        }
    }
}
