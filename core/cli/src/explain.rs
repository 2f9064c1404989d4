//! `keepline explain`: every option in force, where it came from, and how long each fault can go unnoticed.

mod rows;
mod tls;

use crate::args::Explain;
use crate::exit::{Exit, Failure};
use crate::words;
use keepline::{Bound, DetectionBounds, Endpoint, Notice, Scheme, ValidConfig, WaitBounds};
use rows::{Row, Shown};
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::sync::Arc;

/// Runs the command.
pub(crate) fn run(arguments: &Explain) -> Result<Exit, Failure> {
    let endpoints = arguments.endpoints()?;
    let config = arguments.tuning.config()?;
    let valid = check(arguments, &endpoints)?;
    let mut rows = rows::of(&arguments.tuning, &config, &valid);
    rows.extend(tls::rows(&arguments.tls, &endpoints, &valid));
    if !endpoints.is_empty() && endpoints.iter().all(is_unix) {
        rows::leave_out_tcp(&mut rows);
    }
    let notices = notices(&endpoints, &valid);
    let text = if arguments.json {
        format!("{}\n", to_json(&endpoints, &valid, &rows, &notices))
    } else {
        to_text(&endpoints, &valid, &rows, &notices)
    };
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => Ok(Exit::Done),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Done),
        Err(error) => Err(Failure::local(format!("stdout: {error}"))),
    }
}

/// What a client of them would come to, or why it cannot be. Nothing is dialled.
fn check(arguments: &Explain, endpoints: &[Endpoint]) -> Result<Arc<ValidConfig>, keepline::Error> {
    if endpoints.is_empty() {
        // The options are checked all the same, with an endpoint that stands for any.
        let nobody = Endpoint::parse("endpoint.invalid:1")?;
        return arguments.tls.over(arguments.tuning.builder(nobody)?).validate();
    }
    arguments.tls.over(arguments.tuning.builder(endpoints)?).validate()
}

fn is_unix(endpoint: &Endpoint) -> bool {
    endpoint.scheme() == Scheme::Unix
}

/// Those of the configuration, and what follows from a Unix socket.
fn notices(endpoints: &[Endpoint], valid: &ValidConfig) -> Vec<Notice> {
    let told = |endpoint: &Endpoint| Notice {
        field: "endpoint",
        text: format!(
            "{endpoint}: keepalive, user timeout and the kernel's figures do not apply to a Unix socket; only a \
             heartbeat sees a frozen peer, and what was handed over is unknown"
        ),
    };
    valid.notices.iter().cloned().chain(endpoints.iter().filter(|endpoint| is_unix(endpoint)).map(told)).collect()
}

/// The faults in the order of the table, with their names in JSON and in words.
fn faults(bounds: &DetectionBounds) -> [(&'static str, &'static str, &Bound); 5] {
    [
        ("path_silent_idle", "path goes silent, idle", &bounds.path_silent_idle),
        ("path_silent_in_flight", "path goes silent, data in flight", &bounds.path_silent_in_flight),
        ("peer_frozen", "peer process frozen", &bounds.peer_frozen),
        ("peer_stalled", "peer lives, does not read", &bounds.peer_stalled),
        ("connect", "attempt meets no answer", &bounds.connect),
    ]
}

fn to_json(endpoints: &[Endpoint], valid: &ValidConfig, rows: &[Row], notices: &[Notice]) -> Value {
    let options: Map<String, Value> = rows
        .iter()
        .map(|row| {
            let (value, unit) = row.value.to_json();
            (row.name.to_owned(), json!({ "value": value, "unit": unit, "source": row.source.as_str() }))
        })
        .collect();
    let bounds = valid.detection_bounds();
    let detection: Map<String, Value> = faults(&bounds)
        .into_iter()
        .map(|(name, _, bound)| {
            let within = bound.within.map_or(Value::Null, words::millis);
            (name.to_owned(), json!({ "within_ms": within, "formula": bound.formula }))
        })
        .collect();
    let notices: Vec<Value> =
        notices.iter().map(|notice| json!({ "field": notice.field, "text": notice.text })).collect();
    json!({
        "endpoints": endpoints.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "weights": endpoints.iter().map(Endpoint::weight).collect::<Vec<_>>(),
        "options": options,
        "waits": waits_to_json(valid),
        "detection": detection,
        "detection_bound_ms": valid.detection_bound().map_or(Value::Null, words::millis),
        "notices": notices,
    })
}

fn to_text(endpoints: &[Endpoint], valid: &ValidConfig, rows: &[Row], notices: &[Notice]) -> String {
    let mut text = String::new();
    let mut line = |line: &str| {
        text.push_str(line.trim_end());
        text.push('\n');
    };
    for endpoint in endpoints {
        let weight = if endpoint.weight() > 1 { format!(", weight {}", endpoint.weight()) } else { String::new() };
        line(&format!("Endpoint {endpoint}{weight}"));
    }
    if !endpoints.is_empty() {
        line("");
    }
    line(&format!("Options in force (profile {})", valid.profile));
    let values: Vec<String> = rows.iter().map(|row| row.value.to_string()).collect();
    let widths = (width(rows.iter().map(|row| row.name)), width(values.iter().map(String::as_str)));
    for (row, value) in rows.iter().zip(&values) {
        line(&format!("  {}  {}  {}", padded(row.name, widths.0), padded(value, widths.1), row.source.as_str()));
    }
    line("");
    line("Waits between attempts, by what failed: at least, and a random part up to");
    for cells in wait_table(valid) {
        line(&format!("  {}", cells.map(|cell| padded(&cell, WAIT_COLUMN)).concat()));
    }
    line("");
    line("How long a fault can go unnoticed at worst");
    let bounds = valid.detection_bounds();
    let faults = faults(&bounds);
    let names = width(faults.iter().map(|(_, name, _)| *name));
    for (_, name, bound) in faults {
        let within = bound.within.map_or_else(|| "never".to_owned(), |within| Shown::Time(within).to_string());
        // Formulas that race each other stand below each other.
        let mut formulas = bound.formula.split("; ");
        let first = formulas.next().unwrap_or_default();
        line(&format!("  {}  {}  {first}", padded(name, names), padded(&within, 7)));
        for formula in formulas {
            line(&format!("  {}  or {formula}", padded("", names + 9)));
        }
    }
    match valid.detection_bound() {
        Some(bound) => line(&format!("  A dead peer is noticed within {}, whatever the fault.", Shown::Time(bound))),
        None => line("  Some fault is never noticed: see the notices."),
    }
    if !notices.is_empty() {
        line("");
        line("Notices");
        for notice in notices {
            line(&format!("  {notice}"));
        }
    }
    text
}

/// The longest name of a class, and a space.
const WAIT_COLUMN: usize = 16;

/// The waits of each class, under a heading.
fn wait_table(valid: &ValidConfig) -> Vec<[String; 6]> {
    let heading = ["", "at least", "first", "second", "third", "at most"].map(str::to_owned);
    let row = |waits: WaitBounds| {
        let WaitBounds { class, floor, first, second, third, max } = waits;
        let times = [floor, first, second, third, max].map(|time| Shown::Time(time).to_string());
        let [floor, first, second, third, max] = times;
        [class.to_string(), floor, first, second, third, max]
    };
    std::iter::once(heading).chain(WaitBounds::all(&valid.backoff).map(row)).collect()
}

fn waits_to_json(valid: &ValidConfig) -> Map<String, Value> {
    let row = |waits: WaitBounds| {
        let WaitBounds { class, floor, first, second, third, max } = waits;
        let windows = [first, second, third].map(words::millis);
        let told = json!({ "floor_ms": words::millis(floor), "windows_ms": windows, "max_ms": words::millis(max) });
        (class.to_string(), told)
    };
    WaitBounds::all(&valid.backoff).map(row).collect()
}

fn width<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}

fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.chars().count())))
}
