//! Prints what was measured: a table for each group and size, then the budgets.

use crate::budget::{Verdict, judge};
use crate::plan::Effort;
use crate::results::{Key, Measured, Results};
use serde_json::{Value, json};
use std::fmt::Write;

/// The whole report in plain text.
pub(crate) fn text(results: &Results) -> String {
    let mut text = String::new();
    for measured in &results.0 {
        for size in measured.group.sizes {
            text += &heading(measured, *size);
            text += &table(&rows(results, measured, *size));
        }
    }
    text += &budgets(&judge(results));
    text
}

/// The whole report for a program: every figure of every round.
pub(crate) fn to_json(results: &Results) -> Value {
    let groups: Vec<Value> = results
        .0
        .iter()
        .map(|measured| {
            let rounds: Vec<Value> = measured
                .rounds
                .iter()
                .map(|round| {
                    round
                        .iter()
                        .map(|(key, metrics)| json!({"case": key.case, "size": key.size, "figures": metrics}))
                        .collect()
                })
                .collect();
            let failures: Vec<Value> = measured
                .failures
                .iter()
                .map(|(key, why)| json!({"case": key.case, "size": key.size, "why": why}))
                .collect();
            json!({
                "group": measured.group.name,
                "placement": measured.group.placement.words(),
                "clients": measured.effort.clients,
                "rounds": rounds,
                "failures": failures,
            })
        })
        .collect();
    json!({ "groups": groups, "budgets": judge(results) })
}

/// How a column is worked out.
enum Column {
    /// The median of a figure, divided by the scale.
    Median { title: &'static str, metric: &'static str, scale: f64, decimals: usize },
    /// The figure over another case's in the same round.
    Over { title: &'static str, metric: &'static str, case: &'static str },
    /// Keepline's figure over this one in the same round.
    Lead { title: &'static str, metric: &'static str, case: &'static str },
}

use Column::{Lead, Median, Over};

fn columns(group: &str) -> Vec<Column> {
    let rate = Median { title: "M msg/s", metric: "rate", scale: 1e6, decimals: 2 };
    let cpu = Median { title: "CPU ns/msg", metric: "cpu_ns", scale: 1.0, decimals: 0 };
    match group {
        "throughput" => vec![
            rate,
            cpu,
            Over { title: "of limit", metric: "rate", case: "limit" },
            Lead { title: "Keepline x", metric: "rate", case: "keepline" },
        ],
        "producers" => vec![rate, cpu, Lead { title: "Keepline-8 x", metric: "rate", case: "keepline-8" }],
        "receive" => vec![
            rate,
            cpu,
            Over { title: "of limit", metric: "rate", case: "limit" },
            Lead { title: "Keepline x", metric: "rate", case: "keepline-many" },
        ],
        "roundtrip" => vec![
            Median { title: "p50 us", metric: "p50_us", scale: 1.0, decimals: 1 },
            Median { title: "p99 us", metric: "p99_us", scale: 1.0, decimals: 1 },
            Median { title: "p99.9 us", metric: "p999_us", scale: 1.0, decimals: 1 },
            Median { title: "CPU us", metric: "cpu_us", scale: 1.0, decimals: 2 },
            Over { title: "p50/blocking", metric: "p50_us", case: "blocking" },
            Over { title: "p99/blocking", metric: "p99_us", case: "blocking" },
        ],
        "memory" => vec![
            Median { title: "heap B", metric: "heap", scale: 1.0, decimals: 0 },
            Median { title: "RSS B", metric: "rss", scale: 1.0, decimals: 0 },
            Over { title: "heap/best", metric: "heap", case: "tokio-shared" },
        ],
        "heartbeat" => vec![
            Median { title: "CPU %", metric: "cpu_percent", scale: 1.0, decimals: 2 },
            Median { title: "us/beat", metric: "cpu_us", scale: 1.0, decimals: 1 },
            Median { title: "beats/s", metric: "beats_per_second", scale: 1.0, decimals: 0 },
            Over { title: "us/limit", metric: "cpu_us", case: "limit" },
        ],
        "setup" => vec![
            Median { title: "seconds", metric: "seconds", scale: 1.0, decimals: 2 },
            Median { title: "us each", metric: "us_each", scale: 1.0, decimals: 1 },
            Median { title: "CPU us", metric: "cpu_us", scale: 1.0, decimals: 1 },
            Over { title: "/tokio", metric: "seconds", case: "tokio" },
            Over { title: "/verified", metric: "seconds", case: "tokio-verified" },
        ],
        _ => Vec::new(),
    }
}

impl Column {
    fn title(&self) -> &'static str {
        match self {
            Median { title, .. } | Over { title, .. } | Lead { title, .. } => title,
        }
    }

    fn cell(&self, results: &Results, key: Key) -> String {
        match self {
            Median { metric, scale, decimals, .. } => {
                results.median(key, metric).map(|figure| format!("{:.decimals$}", figure / scale))
            }
            Over { metric, case, .. } => results.ratio(key, Key { case, ..key }, metric).map(ratio),
            Lead { metric, case, .. } => results.ratio(Key { case, ..key }, key, metric).map(ratio),
        }
        .unwrap_or_else(|| "-".into())
    }
}

fn ratio(figure: f64) -> String {
    if figure < 0.1 { format!("{figure:.3}") } else { format!("{figure:.2}") }
}

fn heading(measured: &Measured, size: usize) -> String {
    let Effort { rounds, duration, clients } = measured.effort;
    let mut line = format!("\n{}", measured.group.title);
    // Writing to a string does not fail.
    if size > 0 {
        let _ = write!(line, ", {size} B");
    }
    if clients > 0 {
        let _ = write!(line, ", {clients} clients");
    }
    let _ =
        write!(line, " ({}, {rounds} round{}", measured.group.placement.words(), if rounds == 1 { "" } else { "s" });
    if !duration.is_zero() {
        let _ = write!(line, " of {} s", duration.as_secs_f64());
    }
    line + ")\n"
}

fn rows(results: &Results, measured: &Measured, size: usize) -> Vec<Vec<String>> {
    let group = measured.group.name;
    let columns = columns(group);
    let mut rows = vec![vec![String::new()]];
    rows[0].extend(columns.iter().map(|column| column.title().to_owned()));
    for (case, words) in measured.group.cases {
        let key = Key { group, case, size };
        let mut row = vec![(*words).to_owned()];
        row.extend(columns.iter().map(|column| column.cell(results, key)));
        if let Some(why) = measured.failures.get(&key) {
            row.push(format!("FAILED: {why}"));
        } else if results.median(key, columns[0].metric()).is_none() {
            row.push("SKIPPED: no redis-server is installed".into());
        }
        rows.push(row);
    }
    rows
}

impl Column {
    fn metric(&self) -> &'static str {
        match self {
            Median { metric, .. } | Over { metric, .. } | Lead { metric, .. } => metric,
        }
    }
}

/// The budgets as a table, those that fell short marked.
fn budgets(verdicts: &[Verdict]) -> String {
    let mut rows = vec![vec!["Budget".to_owned(), String::new(), "goal".into(), "measured".into()]];
    for verdict in verdicts {
        rows.push(vec![
            format!("{:<4} {}", verdict.budget, verdict.what),
            match verdict.kept {
                Some(true) => "ok".into(),
                Some(false) => "SHORT".into(),
                None => "not measured".into(),
            },
            verdict.goal.clone(),
            verdict.measured.map_or_else(|| "-".into(), figure),
        ]);
    }
    let short = verdicts.iter().filter(|verdict| verdict.kept == Some(false)).count();
    let missing = verdicts.iter().filter(|verdict| verdict.kept.is_none()).count();
    let kept = verdicts.len() - short - missing;
    format!("\n{}\nbudgets: {kept} kept, {short} short, {missing} not measured\n", table(&rows))
}

fn figure(figure: f64) -> String {
    if figure >= 100.0 { format!("{figure:.0}") } else { ratio(figure) }
}

/// Lines up columns: the first to the left, figures to the right, remarks as they are.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (index, cell) in row.iter().enumerate() {
            line += &match widths.get(index) {
                Some(width) if index == 0 => format!("  {cell:<width$}"),
                Some(width) => format!("  {cell:>width$}"),
                None => format!("  {cell}"),
            };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}
