//! The sums of one journal: what was lost, when it was noticed, when messages came back again.

use super::journal::{Entry, Journal, What, Why};
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::Instant;

/// What is told of one client under one fault.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figures {
    /// From the start of the demonstration to the moment the connection was hit; `None` if it never was.
    pub(crate) bitten_at: Option<Duration>,
    /// From the bite to the end of the watch.
    pub(crate) watched: Duration,
    /// Messages that came due.
    pub(crate) messages: u64,
    /// Messages that never came back.
    pub(crate) lost: u64,
    /// From the bite to the moment the client knew.
    pub(crate) noticed_after: Option<Duration>,
    /// From the bite to the first echo over a new connection.
    pub(crate) recovered_after: Option<Duration>,
    /// How the client knew.
    pub(crate) why: Option<Why>,
    /// Attempts that failed after the bite.
    pub(crate) failed_attempts: u64,
}

impl Figures {
    /// Sums up a journal whose messages ended at `until`.
    pub(crate) fn of(journal: &Journal, bitten: Option<Instant>, until: Instant) -> Figures {
        let bitten_at = bitten.map(|at| journal.since_start(at));
        Figures::sum(&journal.entries(), bitten_at, journal.since_start(until))
    }

    /// Whether the fault never got hold of the connection.
    pub(crate) fn kept_open(&self) -> bool {
        self.bitten_at.is_none() && self.noticed_after.is_none()
    }

    fn sum(entries: &[Entry], bitten_at: Option<Duration>, until: Duration) -> Figures {
        let bite = bitten_at.unwrap_or_default();
        let came_back: HashSet<u64> = entries.iter().filter_map(|entry| back(&entry.what)).collect();
        let due = || entries.iter().filter_map(|entry| due(&entry.what));
        // Before the bite nothing is lost by a fault that never bites, so any loss of a connection counts.
        let down = entries.iter().filter(|entry| entry.at >= bite).find_map(|entry| match &entry.what {
            What::Down { connection, why, .. } => Some((entry.at, *connection, why.clone())),
            What::Due { .. }
            | What::Back { .. }
            | What::Up { .. }
            | What::Suspect { .. }
            | What::Recovered
            | What::Failed { .. }
            | What::Stage { .. } => None,
        });
        let recovered_at = down.as_ref().and_then(|(_, lost, _)| {
            let is_new = |what: &What| matches!(what, What::Back { connection, .. } if connection > lost);
            entries.iter().find(|entry| is_new(&entry.what)).map(|entry| entry.at)
        });
        let failed = |entry: &&Entry| entry.at >= bite && matches!(entry.what, What::Failed { .. });
        Figures {
            bitten_at,
            watched: until.saturating_sub(bite),
            messages: due().count() as u64,
            lost: due().filter(|number| !came_back.contains(number)).count() as u64,
            noticed_after: down.as_ref().map(|(at, ..)| at.saturating_sub(bite)),
            recovered_after: recovered_at.map(|at| at.saturating_sub(bite)),
            why: down.map(|(_, _, why)| why),
            failed_attempts: entries.iter().filter(failed).count() as u64,
        }
    }
}

fn due(what: &What) -> Option<u64> {
    if let What::Due { number } = what { Some(*number) } else { None }
}

fn back(what: &What) -> Option<u64> {
    if let What::Back { number, .. } = what { Some(*number) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64, what: What) -> Entry {
        Entry { at: Duration::from_millis(millis), what }
    }

    fn down(connection: u64) -> What {
        What::Down { connection, why: Why::System("end of stream".to_owned()), retry_in: None }
    }

    #[test]
    fn times_count_from_the_bite_and_recovery_from_a_new_connection() {
        let entries = [
            at(0, What::Up { connection: 1 }),
            at(100, What::Due { number: 1 }),
            at(101, What::Back { number: 1, connection: 1 }),
            at(350, What::Due { number: 2 }),
            at(500, down(1)),
            at(510, What::Failed { why: Why::System("refused".to_owned()), retry_in: None }),
            at(600, What::Up { connection: 3 }),
            at(700, What::Due { number: 3 }),
            at(702, What::Back { number: 3, connection: 3 }),
        ];
        let figures = Figures::sum(&entries, Some(Duration::from_millis(300)), Duration::from_millis(1_000));
        assert_eq!((figures.messages, figures.lost, figures.failed_attempts), (3, 1, 1));
        assert_eq!(figures.noticed_after, Some(Duration::from_millis(200)));
        assert_eq!(figures.recovered_after, Some(Duration::from_millis(402)));
        assert_eq!(figures.watched, Duration::from_millis(700));
        assert!(!figures.kept_open());
    }

    #[test]
    fn blind_client_notices_nothing_and_loses_the_rest() {
        let entries = [at(0, What::Up { connection: 1 }), at(400, What::Due { number: 1 })];
        let figures = Figures::sum(&entries, Some(Duration::from_millis(300)), Duration::from_secs(20));
        assert_eq!((figures.noticed_after, figures.recovered_after, figures.lost), (None, None, 1));
    }

    #[test]
    fn connection_that_was_never_hit_is_kept_open() {
        let entries = [at(0, What::Up { connection: 1 })];
        assert!(Figures::sum(&entries, None, Duration::from_secs(20)).kept_open());
    }
}
