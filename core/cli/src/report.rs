//! Reports of the flight recorder: a block of text for people, one object of JSON for programs.

use crate::words::millis;
use keepline::recorder::Entry;
use keepline::{KernelFigures, Report};
use serde_json::{Value, json};

/// The timeline, set off from the sentences around it.
pub(crate) fn block(report: &Report) -> String {
    report.to_string().lines().map(|line| format!("  | {line}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// A report as JSON; times in milliseconds, those of entries since the start of the attempt.
pub(crate) fn json(report: &Report) -> Value {
    json!({
        "lasted_ms": millis(report.after_start(report.ended)),
        "entries": report.entries.iter().map(|entry| entry_json(report, entry)).collect::<Vec<_>>(),
        "overwritten": report.overwritten,
        "figures": report.figures.as_ref().map(figures_json),
    })
}

fn entry_json(report: &Report, entry: &Entry) -> Value {
    json!({
        "at_ms": millis(report.after_start(entry.at)),
        "until_ms": millis(report.after_start(entry.until())),
        "count": entry.count,
        "name": entry.what.name(),
        "detail": entry.what.detail(),
        "text": report.sentence(entry),
    })
}

fn figures_json(figures: &KernelFigures) -> Value {
    json!({
        "unacked_segments": figures.unacked_segments,
        "retransmits": figures.retransmits,
        "probes": figures.probes,
        "backoff": figures.backoff,
        "send_window": figures.send_window,
        "send_queue": figures.send_queue,
        "not_sent": figures.not_sent,
        "last_ack_received_ms": figures.last_ack_received.map(millis),
        "last_data_received_ms": figures.last_data_received.map(millis),
        "rtt_ms": figures.rtt.map(millis),
        "bytes_acked": figures.bytes_acked,
        "delivered_segments": figures.delivered_segments,
        "segment_size": figures.segment_size,
    })
}
