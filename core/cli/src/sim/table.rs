//! What the herd cost, as a table for people, in Markdown, and as JSON.

use super::Run;
use crate::words;
use keepline_testkit::herd::{Down, Outcome, Policy, Proof, Scenario};
use serde_json::{Value, json};
use std::time::Duration;

const HEAD: [&str; 9] = [
    "policy",
    "tries while away",
    "peak in 0.1 s",
    "wasted tries",
    "peak in 1 s",
    "dead accepts",
    "50 % back",
    "99 % back",
    "all back",
];

/// Columns as wide as they have to be.
pub(super) fn text(runs: &[Run]) -> String {
    let mut text = String::new();
    for run in runs {
        let rows: Vec<[String; 9]> = std::iter::once(HEAD.map(str::to_owned)).chain(rows(run)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
        text.push_str(&format!("{}\n\n", heading(&run.scenario)));
        for row in &rows {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        text.push('\n');
    }
    text.push_str(LEGEND);
    text
}

const LEGEND: &str = "\
Tries are for each client. Peaks are of the whole fleet: while the server is away, and once it is back. Times count from the
return of the server; dead accepts are those of connections whose clients had gone. In the TCP handshake alone nobody is back:
a client is when the server has accepted it.
";

/// Tables for the documents.
pub(super) fn markdown(runs: &[Run]) -> String {
    let mut text = String::new();
    for run in runs {
        text.push_str(&format!(
            "{}\n\n| {} |\n|{}\n",
            heading(&run.scenario),
            HEAD.join(" | "),
            " --- |".repeat(HEAD.len())
        ));
        for (index, row) in rows(run).into_iter().enumerate() {
            // The ideal comes first, then Keepline.
            let row = if index == 1 { row.map(|cell| format!("**{cell}**")) } else { row };
            text.push_str(&format!("| {} |\n", row.join(" | ")));
        }
        text.push('\n');
    }
    text
}

/// One object for each policy in each scenario.
pub(super) fn json(runs: &[Run]) -> String {
    let lines = runs.iter().flat_map(|run| {
        run.outcomes.iter().map(|(policy, outcome)| {
            let value = json!({
                "scenario": scenario_json(&run.scenario),
                "policy": policy.name(),
                "settings": settings(policy),
                "figures": outcome_json(outcome),
            });
            format!("{value}\n")
        })
    });
    lines.collect()
}

pub(super) fn scenario_json(scenario: &Scenario) -> Value {
    json!({
        "clients": scenario.clients,
        "outage_ms": words::millis(scenario.outage),
        "down": match scenario.down {
            Down::Refused => "refused",
            Down::BlackHoled => "black_holed",
        },
        "accept_rate": scenario.accept_rate,
        "backlog": scenario.backlog,
        "tls_ms": words::millis(scenario.tls),
        "proof": match scenario.proof {
            Proof::Answer => "answer",
            Proof::Handshake => "handshake",
        },
        "nodes": scenario.nodes,
        "round_trip_ms": words::millis(scenario.round_trip),
        "seed": scenario.seed,
        "ideal_t50_ms": words::millis(scenario.ideal(0.5)),
        "ideal_t99_ms": words::millis(scenario.ideal(0.99)),
        "ideal_t100_ms": words::millis(scenario.ideal(1.0)),
    })
}

pub(super) fn outcome_json(outcome: &Outcome) -> Value {
    let back = |share: f64| outcome.back(share).map_or(Value::Null, words::millis);
    json!({
        "losses": outcome.losses,
        "tries_before": outcome.tries_before,
        "tries_after": outcome.tries_after,
        "wasted": outcome.wasted,
        "wasted_each": outcome.wasted_each(),
        "dead_accepts": outcome.dead_accepts,
        "dropped_syns": outcome.dropped_syns,
        "peak_before_100ms": outcome.peak_before,
        "peak_after_1s": outcome.peak_after,
        "t50_ms": back(0.5),
        "t99_ms": back(0.99),
        "t100_ms": back(1.0),
        "came_back": outcome.came_back(),
        "watched_ms": words::millis(outcome.watched),
    })
}

/// What happened, in one line.
pub(super) fn heading(scenario: &Scenario) -> String {
    let clients = grouped(u64::from(scenario.clients));
    let outage = keepline::proto::config::short(scenario.outage);
    let rate = grouped(u64::from(scenario.accept_rate));
    let backlog = grouped(u64::from(scenario.backlog));
    let down = match scenario.down {
        Down::Refused => "refused",
        Down::BlackHoled => "black-holed",
    };
    let tls = match scenario.tls {
        Duration::ZERO => String::new(),
        cost => format!(", {} for each TLS handshake", keepline::proto::config::short(cost)),
    };
    let server = format!("{rate} accepts a second, backlog {backlog}{tls}");
    if scenario.nodes > 1 {
        format!("{clients} clients, {} nodes restart one by one, each away for {outage}; each {server}", scenario.nodes)
    } else {
        format!("{clients} clients, server away for {outage} ({down}), then {server}")
    }
}

fn rows(run: &Run) -> Vec<[String; 9]> {
    let scenario = &run.scenario;
    let nothing = || "–".to_owned();
    let ideal = |share: f64| if scenario.nodes > 1 { nothing() } else { seconds(scenario.ideal(share)) };
    let best = [
        "best possible".to_owned(),
        nothing(),
        nothing(),
        "0".to_owned(),
        nothing(),
        "0".to_owned(),
        ideal(0.5),
        ideal(0.99),
        ideal(1.0),
    ];
    let row = |(policy, outcome): &(Policy, Outcome)| {
        let back = |share: f64| match outcome.back(share) {
            Some(time) => seconds(time),
            None => format!("> {:.0} s", outcome.watched.as_secs_f64()),
        };
        [
            policy.name().to_owned(),
            format!("{:.1}", outcome.tries_before as f64 / outcome.losses.max(1) as f64),
            grouped(outcome.peak_before),
            format!("{:.2}", outcome.wasted_each()),
            grouped(outcome.peak_after),
            grouped(outcome.dead_accepts),
            back(0.5),
            back(0.99),
            back(1.0),
        ]
    };
    std::iter::once(best).chain(run.outcomes.iter().map(row)).collect()
}

fn settings(policy: &Policy) -> String {
    match policy {
        Policy::Keepline { config, .. } => {
            let time = keepline::proto::config::short;
            let backoff = &config.backoff;
            format!(
                "first {}, then {} × {}, at most {}; {} for the handshake, {} once one has timed out, {} for an attempt",
                time(backoff.first_spread),
                time(backoff.initial),
                backoff.multiplier,
                time(backoff.max),
                time(config.connect_per_address),
                time(config.connect_patient),
                time(config.connect_total)
            )
        }
        Policy::Peer(peer) => peer.settings.to_owned(),
    }
}

/// Hundredths where they say something: below ten seconds.
pub(super) fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 9.995 { format!("{seconds:.2} s") } else { format!("{seconds:.1} s") }
}

/// Thousands apart, as people read them.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(grouped(number), text);
        }
    }
}
