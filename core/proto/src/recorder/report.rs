//! What is handed out at a death: the recording, the ending, and what the kernel knew.

use super::transition::Entry;
use crate::cause::Ending;
use crate::kernel::KernelFigures;
use crate::{Epoch, Time};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The flight recorder's report on one connection or attempt. `to_string()` prints it as a timeline.
///
/// It holds times, counts and names of this crate: no address, no payload, no secret.
///
/// ```
/// use keepline_proto::config::Config;
/// use keepline_proto::{Cause, Ending, EventKind, Output, Session, Time};
/// use std::sync::Arc;
///
/// let mut session = Session::new(Arc::new(Config::default().parse()?), 7, Time::ZERO);
/// session.handle_start(Time::ZERO);
/// while !matches!(session.poll_output(), Output::Wait(_)) {}
/// session.handle_ended(Time::from_nanos(1_500_000_000), session.epoch(), Ending::new(Cause::Refused, None));
/// let report = loop {
///     if let Output::Emit(event) = session.poll_output()
///         && let EventKind::Disconnected(end) = event.kind
///     {
///         break end.report.expect("it has just happened");
///     }
/// };
/// assert_eq!(report.entries.last().map(|entry| entry.what.name()), Some("ended"));
/// assert!(report.to_string().starts_with("attempt #1 failed after 1.5 s: refused\n"));
/// # Ok::<(), keepline_proto::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Report {
    /// The connection's number.
    pub epoch: Epoch,
    /// When the attempt started.
    pub began: Time,
    /// When it was over.
    pub ended: Time,
    /// Why, and what proves it.
    pub ending: Ending,
    /// How long it had been `Connected`; `None` for an attempt that never was.
    pub up_for: Option<Duration>,
    /// When the next attempt starts, from the end on; `None` if there will be none by itself.
    pub retry_in: Option<Duration>,
    /// The number of attempts that failed in a row, this one included; 0 if a connection ended.
    pub failures: u32,
    /// What happened, from the start of the attempt to its end: at most 256 entries, the last ones.
    pub entries: Box<[Entry]>,
    /// Entries that were given up for later ones.
    pub overwritten: u32,
    /// What the kernel knew when the connection ended; `None` if it does not tell, or if there was no connection.
    pub figures: Option<KernelFigures>,
}

/// Short, because it is printed with every event; the timeline is for who asks for it.
impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("epoch", &self.epoch)
            .field("ending", &self.ending)
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}

/// The last reports of a client.
#[derive(Debug, Clone, Default)]
pub struct Reports(VecDeque<Arc<Report>>);

impl Reports {
    /// 4 reports: the death that somebody asks about, and those that led to it.
    pub const KEPT: usize = 4;

    /// Keeps a report; gives back the one that went for it.
    pub fn push(&mut self, report: Arc<Report>) -> Option<Arc<Report>> {
        let oldest = if self.0.len() == Reports::KEPT { self.0.pop_front() } else { None };
        self.0.reserve_exact(1);
        self.0.push_back(report);
        oldest
    }

    /// The reports, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Report>> + Clone {
        self.0.iter()
    }
}
