//! The end of the demonstration: timeline, table, and the same as JSON.

use super::figures::Figures;
use super::journal::Why;
use super::screen::{Screen, print, reason, title};
use super::timeline::{Cell, cell_of, cells, draw};
use super::{MESSAGE_EVERY, Outcome, Side};
use crate::paint::Colour;
use crate::words;
use keepline::ValidConfig;
use keepline::proto::config::short;
use serde_json::{Value, json};
use std::io::{self, IsTerminal};
use std::time::Duration;

/// Says what is going to be shown, and what Keepline promises.
pub(super) fn introduce(promise: &ValidConfig, window: Duration, screen: &Screen) {
    let bound = promise.detection_bound();
    if screen.is_json() {
        let value = json!({
            "type": "start",
            "message_every_ms": words::millis(MESSAGE_EVERY),
            "window_ms": words::millis(window),
            "keepline_detection_bound_ms": bound.map_or(Value::Null, words::millis),
        });
        return print(&format!("{value}\n"));
    }
    let every = short(MESSAGE_EVERY);
    screen.say(&format!("Two clients send a numbered message each {every} to a server that echoes it."));
    screen.say("  naive     heeds every error and end of stream, reconnects at once, and has no time limits");
    if let (Some(heartbeat), Some(bound)) = (&promise.heartbeat, bound) {
        let (interval, reply) = (short(heartbeat.interval), short(heartbeat.reply_within));
        let text = format!("heartbeat after {interval} of silence, a reply within {reply}: a dead peer within");
        screen.say(&format!("  Keepline  {text} {}", short(bound)));
    }
    screen.say("");
}

/// Tells what was measured.
pub(super) fn tell(outcomes: &[Outcome], total: Duration, took: Duration, screen: &Screen) {
    let pairs: Vec<(&Outcome, &Outcome)> = outcomes
        .chunks_exact(2)
        .filter_map(|pair| match pair {
            [naive, keepline] => Some((naive, keepline)),
            _ => None,
        })
        .collect();
    if screen.is_json() {
        for (naive, keepline) in &pairs {
            let value = json!({
                "type": "result",
                "fault": naive.journal.fault.as_str(),
                "naive": figures_json(&naive.figures),
                "keepline": figures_json(&keepline.figures),
            });
            print(&format!("{value}\n"));
        }
        return print(&format!("{}\n", json!({ "type": "end", "took_ms": words::millis(took) })));
    }
    print(&format!("{}\n{}", timelines(&pairs, total, screen), table(&pairs, screen)));
    print(&format!("\nMeasured just now in {}; messages lost = came due and never came back.\n", words::time(took)));
}

fn figures_json(figures: &Figures) -> Value {
    let millis = |time: Option<Duration>| time.map_or(Value::Null, words::millis);
    let (cause, detector) = match &figures.why {
        Some(Why::Ending(ending)) => (Some(ending.cause.as_str()), ending.detector.map(|detector| detector.as_str())),
        Some(Why::System(_)) | None => (None, None),
    };
    json!({
        "hit": figures.bitten_at.is_some(),
        "watched_ms": words::millis(figures.watched),
        "noticed_after_ms": millis(figures.noticed_after),
        "recovered_after_ms": millis(figures.recovered_after),
        "why": figures.why.as_ref().map(reason),
        "cause": cause,
        "detector": detector,
        "failed_attempts": figures.failed_attempts,
        "messages": figures.messages,
        "lost": figures.lost,
    })
}

fn timelines(pairs: &[(&Outcome, &Outcome)], total: Duration, screen: &Screen) -> String {
    let is_plain = !io::stdout().is_terminal();
    let paint = screen.report_paint;
    let mut text = String::new();
    for (naive, keepline) in pairs {
        for outcome in [naive, keepline] {
            let side = outcome.journal.side;
            // The mark stands where the fault hit the naive client: nothing may ever hit the other one.
            if side == Side::Naive {
                let at = outcome.figures.bitten_at.map_or(0, |at| cell_of(at, total));
                let mark = if is_plain { "v" } else { "▼" };
                let ruler = format!("{}{mark}", " ".repeat(at));
                text.push_str(&format!(
                    "{}  {ruler}\n",
                    paint.text(Colour::Bold, &format!("{:<25}", outcome.journal.fault.title()))
                ));
            }
            // The watch is over: what has not come back by now never will.
            let row = draw(&cells(&outcome.journal.entries(), total, Duration::MAX), is_plain, paint);
            text.push_str(&format!("{:>15}  {:<8}  {row}\n", "", title(side)));
        }
    }
    let legend = Cell::LEGEND.map(|(cell, meaning)| format!("{} {meaning}", draw(&[cell], is_plain, paint)));
    text.push_str(&format!("\n  {}\n", legend.join("   ")));
    text
}

fn table(pairs: &[(&Outcome, &Outcome)], screen: &Screen) -> String {
    let head = ["fault", "naive: noticed", "lost", "Keepline: noticed", "recovered", "detector", "lost"];
    let mut rows: Vec<[(String, Option<Colour>); 7]> = vec![head.map(|name| (name.to_owned(), Some(Colour::Bold)))];
    for (naive, keepline) in pairs {
        let (naive, keepline, fault) = (&naive.figures, &keepline.figures, naive.journal.fault);
        let good = |is_good: bool| Some(if is_good { Colour::Green } else { Colour::Red });
        let recovered = keepline.recovered_after.map(figure);
        rows.push([
            (fault.title().to_owned(), None),
            (noticed(naive), good(naive.noticed_after.is_some() || naive.kept_open())),
            (lost(naive), None),
            (noticed(keepline), good(keepline.noticed_after.is_some() || keepline.kept_open())),
            match recovered {
                Some(after) => (after, good(true)),
                None if keepline.kept_open() => ("-".to_owned(), None),
                None => (format!("not within {}", words::time(keepline.watched)), good(false)),
            },
            (detector(keepline), None),
            (lost(keepline), None),
        ]);
    }
    let mut widths = [0; 7];
    for row in &rows {
        for (width, (cell, _)) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths).map(|((cell, colour), width)| {
            let cell = format!("{cell:<width$}");
            colour.map_or(cell.clone(), |colour| screen.report_paint.text(colour, &cell))
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn noticed(figures: &Figures) -> String {
    match figures.noticed_after {
        Some(after) => figure(after),
        None if figures.kept_open() => "never hit: kept open".to_owned(),
        None => format!("not within {}", words::time(figures.watched)),
    }
}

fn lost(figures: &Figures) -> String {
    format!("{} of {}", figures.lost, figures.messages)
}

fn detector(figures: &Figures) -> String {
    match &figures.why {
        Some(Why::Ending(ending)) => {
            let detector = ending.detector.map_or("-", |detector| detector.as_str());
            format!("{detector} ({})", ending.cause)
        }
        Some(Why::System(text)) => text.clone(),
        None => "-".to_owned(),
    }
}

/// A measured time: milliseconds below a second, hundredths above.
fn figure(time: Duration) -> String {
    if time < Duration::from_millis(1) {
        "< 1 ms".to_owned()
    } else if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.2} s", time.as_secs_f64())
    }
}
