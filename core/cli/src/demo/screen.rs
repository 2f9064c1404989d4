//! What is shown while the demonstration runs: live rows on a terminal, plain lines elsewhere, or JSON.

use super::journal::{Entry, Journal, What, Why};
use super::timeline::{cells, draw};
use super::{FaultName, Side};
use crate::paint::{Paint, is_dumb};
use crate::words;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// 100 ms between two pictures: smooth to the eye, nothing for the processor.
pub(super) const REFRESH: Duration = Duration::from_millis(100);

/// Where happenings are shown.
pub(crate) struct Screen {
    mode: Mode,
    start: Instant,
    total: Duration,
    /// Colours of stderr, where the live rows are.
    paint: Paint,
    /// Colours of stdout, where the report goes.
    pub(super) report_paint: Paint,
}

enum Mode {
    Live { rows: MultiProgress, bars: Vec<ProgressBar> },
    Plain,
    Json,
}

impl Screen {
    pub(super) fn new(journals: &[Arc<Journal>], total: Duration, is_json: bool, no_color: bool) -> Screen {
        let paint = Paint::of(&io::stderr(), no_color);
        let mode = if is_json {
            Mode::Json
        } else if io::stderr().is_terminal() && !is_dumb() {
            let rows = MultiProgress::new();
            let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = |_| rows.add(ProgressBar::new_spinner().with_style(style.clone()));
            // One row for each client, and one for the time.
            let bars = (0..=journals.len()).map(bar).collect();
            Mode::Live { rows, bars }
        } else {
            Mode::Plain
        };
        Screen { mode, start: Instant::now(), total, paint, report_paint: Paint::of(&io::stdout(), no_color) }
    }

    pub(super) fn is_json(&self) -> bool {
        matches!(self.mode, Mode::Json)
    }

    /// Says something before or after the show.
    pub(super) fn say(&self, text: &str) {
        match &self.mode {
            // It scrolls away above the rows.
            Mode::Live { rows, .. } => drop(rows.println(text)),
            Mode::Plain => eprintln!("{text}"),
            Mode::Json => {}
        }
    }

    /// Shows one happening where there are no rows.
    pub(super) fn happened(&self, journal: &Journal, entry: &Entry) {
        match &self.mode {
            Mode::Live { .. } => {}
            Mode::Plain => {
                if let Some(text) = sentence(&entry.what) {
                    let (fault, client) = (journal.fault.title(), title(journal.side));
                    eprintln!("{:>6.2} s  {fault:<15}  {client:<8}  {text}", entry.at.as_secs_f64());
                }
            }
            Mode::Json => {
                if let Some(value) = happening(journal.fault, journal.side, entry) {
                    print(&format!("{value}\n"));
                }
            }
        }
    }

    /// Draws the rows anew.
    pub(super) fn refresh(&self, journals: &[Arc<Journal>]) {
        let Mode::Live { bars, .. } = &self.mode else { return };
        let Some((clock, bars)) = bars.split_last() else { return };
        let now = self.start.elapsed();
        for (bar, journal) in bars.iter().zip(journals) {
            let entries = journal.entries();
            let row = draw(&cells(&entries, self.total, now), false, self.paint);
            let last = entries.iter().rev().find_map(|entry| sentence(&entry.what)).unwrap_or_default();
            let fault = if journal.side == Side::Naive { journal.fault.title() } else { "" };
            bar.set_message(format!("{fault:<15}  {:<8}  {row}  {last}", title(journal.side)));
        }
        let seconds = |time: Duration| time.as_secs_f64();
        clock.set_message(format!("{:.0} of {:.0} s", seconds(now.min(self.total)), seconds(self.total)));
    }

    /// Takes the rows away, so that the report stands alone.
    pub(super) fn end(&self) {
        if let Mode::Live { rows, bars } = &self.mode {
            bars.iter().for_each(ProgressBar::finish_and_clear);
            // Rows that cannot be taken away stay: no harm.
            drop(rows.clear());
        }
    }
}

/// Writes to stdout. Whoever closed it has seen enough.
pub(super) fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    drop(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()));
}

/// The client's name in the table.
pub(super) fn title(side: Side) -> &'static str {
    match side {
        Side::Naive => "naive",
        Side::Keepline => "Keepline",
    }
}

/// Cause and detector, or what the system said.
pub(super) fn reason(why: &Why) -> String {
    match why {
        Why::Ending(ending) => words::reason(ending),
        Why::System(text) => text.clone(),
    }
}

fn sentence(what: &What) -> Option<String> {
    let next = |retry_in: &Option<Duration>| {
        retry_in.map(|wait| format!(", retrying in {}", words::time(wait))).unwrap_or_default()
    };
    Some(match what {
        What::Due { .. } | What::Back { .. } => return None,
        What::Up { connection } => format!("connected (#{connection})"),
        What::Suspect { evidence } => format!("suspect: {evidence}"),
        What::Recovered => "recovered".to_owned(),
        What::Down { why, retry_in, .. } => format!("lost ({}){}", reason(why), next(retry_in)),
        What::Failed { why, retry_in } => format!("no connection ({}){}", reason(why), next(retry_in)),
        What::Stage { text } => format!("* {text}"),
    })
}

fn happening(fault: FaultName, side: Side, entry: &Entry) -> Option<Value> {
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    set("type", json!("happening"));
    set("at_ms", words::millis(entry.at));
    set("fault", json!(fault.as_str()));
    set("client", json!(side.as_str()));
    let what = match &entry.what {
        What::Due { .. } | What::Back { .. } => return None,
        What::Up { connection } => {
            set("connection", json!(connection));
            "up"
        }
        What::Suspect { evidence } => {
            set("evidence", json!(evidence.as_str()));
            "suspect"
        }
        What::Recovered => "recovered",
        What::Down { connection, why, retry_in } => {
            set("connection", json!(connection));
            set("why", json!(reason(why)));
            set("retry_in_ms", retry_in.map_or(Value::Null, words::millis));
            "down"
        }
        What::Failed { why, retry_in } => {
            set("why", json!(reason(why)));
            set("retry_in_ms", retry_in.map_or(Value::Null, words::millis));
            "failed"
        }
        What::Stage { text } => {
            set("text", json!(text));
            "stage"
        }
    };
    set("what", json!(what));
    Some(Value::Object(fields))
}
