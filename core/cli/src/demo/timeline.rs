//! A journal as a row of cells: what the client believed, and whether its messages came back.

use super::MESSAGE_EVERY;
use super::journal::{Entry, What};
use crate::paint::{Colour, Paint};
use std::collections::HashMap;
use std::time::Duration;

/// 60 cells: beside the names they fit into 90 columns, and at 22 s each still holds a message.
pub(super) const CELLS: u32 = 60;
/// 0.5 s after which a message without an echo counts as lost on the live screen; loopback needs less than 1 ms.
const LATE: Duration = Duration::from_millis(500);
/// Two messages missing in a row are a pause; less is the space between two of them.
const PAUSE: Duration = MESSAGE_EVERY.saturating_mul(2);

/// One slice of time in the life of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    /// Messages come back.
    Flows,
    /// Nothing was to be sent.
    Quiet,
    /// It believes in its connection, and its messages vanish.
    Blind,
    /// It doubts.
    Suspect,
    /// It knows that it has no connection.
    Down,
    /// Not yet.
    Ahead,
}

impl Cell {
    pub(super) const LEGEND: [(Cell, &'static str); 5] = [
        (Cell::Flows, "messages come back"),
        (Cell::Blind, "believed alive, messages vanish"),
        (Cell::Suspect, "suspect"),
        (Cell::Down, "known to be down"),
        (Cell::Quiet, "nothing to send"),
    ];

    /// The cell as a letter; pipes and files get plain ASCII.
    pub(super) fn letter(self, is_plain: bool) -> char {
        let (plain, drawn) = match self {
            Cell::Flows => ('=', '━'),
            Cell::Quiet => ('.', '┈'),
            Cell::Blind => ('!', '░'),
            Cell::Suspect => ('?', '?'),
            Cell::Down => ('x', '×'),
            Cell::Ahead => (' ', ' '),
        };
        if is_plain { plain } else { drawn }
    }

    fn colour(self) -> Colour {
        match self {
            Cell::Flows => Colour::Green,
            Cell::Blind => Colour::Red,
            Cell::Suspect | Cell::Down => Colour::Yellow,
            Cell::Quiet | Cell::Ahead => Colour::Dim,
        }
    }
}

/// Draws cells, each run of equal ones in its colour.
pub(super) fn draw(cells: &[Cell], is_plain: bool, paint: Paint) -> String {
    let mut text = String::new();
    for run in cells.chunk_by(|one, other| one == other) {
        let Some(first) = run.first() else { continue };
        let letters: String = run.iter().map(|cell| cell.letter(is_plain)).collect();
        text.push_str(&paint.text(first.colour(), &letters));
    }
    text
}

/// The cell that `at` falls into.
pub(super) fn cell_of(at: Duration, total: Duration) -> usize {
    let share = at.as_secs_f64() / total.as_secs_f64().max(f64::MIN_POSITIVE);
    (share * f64::from(CELLS)) as usize
}

/// Cuts the first `total` of a journal, as known `now`, into cells.
pub(super) fn cells(entries: &[Entry], total: Duration, now: Duration) -> Vec<Cell> {
    let echoes: HashMap<u64, Duration> = entries
        .iter()
        .filter_map(|entry| if let What::Back { number, .. } = entry.what { Some((number, entry.at)) } else { None })
        .collect();
    let mut belief = Belief::Down;
    let mut last = None;
    let mut rest = entries.iter().peekable();
    (1..=CELLS)
        .map(|cell| {
            let end = total * cell / CELLS;
            if end > now.max(total / CELLS) {
                return Cell::Ahead;
            }
            let mut seen = Seen { was_down: belief == Belief::Down, ..Seen::default() };
            while let Some(entry) = rest.next_if(|entry| entry.at < end) {
                match &entry.what {
                    What::Due { number } => {
                        let echo = echoes.get(number).copied();
                        let is_late = echo.unwrap_or(now).saturating_sub(entry.at) > LATE;
                        seen.came_back |= !is_late;
                        seen.vanished |= is_late;
                        last = Some((entry.at, is_late));
                    }
                    What::Up { .. } | What::Recovered => belief = Belief::Up,
                    What::Suspect { .. } => belief = Belief::Doubt,
                    What::Down { .. } => belief = Belief::Down,
                    What::Back { .. } | What::Failed { .. } | What::Stage { .. } => {}
                }
                seen.was_down |= belief == Belief::Down;
            }
            if let Some((_, was_late)) = last.filter(|(at, _)| !seen.came_back && !seen.vanished && *at + PAUSE > end) {
                seen.came_back = !was_late;
                seen.vanished = was_late;
            }
            seen.cell(belief)
        })
        .collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Belief {
    Up,
    Doubt,
    Down,
}

#[derive(Debug, Default)]
struct Seen {
    was_down: bool,
    came_back: bool,
    vanished: bool,
}

impl Seen {
    fn cell(&self, belief: Belief) -> Cell {
        match belief {
            Belief::Doubt => Cell::Suspect,
            Belief::Down => Cell::Down,
            Belief::Up if self.vanished && self.was_down => Cell::Down,
            Belief::Up if self.vanished => Cell::Blind,
            Belief::Up if self.came_back || self.was_down => Cell::Flows,
            Belief::Up => Cell::Quiet,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::journal::Why;

    #[test]
    fn row_tells_flow_blindness_and_knowledge() {
        let at = |seconds: u64, what: What| Entry { at: Duration::from_secs(seconds), what };
        let down = What::Down { connection: 1, why: Why::System(String::new()), retry_in: None };
        let entries = [
            at(0, What::Up { connection: 1 }),
            at(10, What::Due { number: 1 }),
            at(10, What::Back { number: 1, connection: 1 }),
            at(20, What::Due { number: 2 }),
            at(30, down),
        ];
        let total = Duration::from_secs(60);
        let cells = cells(&entries, total, Duration::from_secs(50));
        assert_eq!(cells.len(), 60);
        assert_eq!((cells[5], cells[10], cells[20]), (Cell::Quiet, Cell::Flows, Cell::Blind));
        assert_eq!((cells[30], cells[45], cells[55]), (Cell::Down, Cell::Down, Cell::Ahead));
        assert_eq!(cell_of(Duration::from_secs(30), total), 30);
    }
}
