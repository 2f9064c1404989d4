//! The budgets for speed: what each promises, and how far it was kept.

use crate::results::{Key, Results};
use serde::Serialize;

/// One budget beside what was measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Verdict {
    pub(crate) budget: &'static str,
    pub(crate) what: &'static str,
    pub(crate) goal: String,
    pub(crate) measured: Option<f64>,
    /// `None` where a case is missing.
    pub(crate) kept: Option<bool>,
}

/// Judges every budget.
pub(crate) fn judge(results: &Results) -> Vec<Verdict> {
    BUDGETS
        .iter()
        .map(|budget| {
            let measured = budget.figure.of(results);
            Verdict {
                budget: budget.name,
                what: budget.what,
                goal: budget.goal.words(),
                measured,
                kept: measured.map(|figure| budget.goal.is_kept(figure)),
            }
        })
        .collect()
}

struct Budget {
    name: &'static str,
    what: &'static str,
    figure: Figure,
    goal: Goal,
}

enum Figure {
    Median(Key, &'static str),
    Ratio(Key, Key, &'static str),
}

impl Figure {
    fn of(&self, results: &Results) -> Option<f64> {
        match self {
            Figure::Median(key, metric) => results.median(*key, metric),
            Figure::Ratio(key, other, metric) => results.ratio(*key, *other, metric),
        }
    }
}

enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    fn is_kept(&self, figure: f64) -> bool {
        match self {
            AtLeast(goal) => figure >= *goal,
            AtMost(goal) => figure <= *goal,
        }
    }

    fn words(&self) -> String {
        match self {
            AtLeast(goal) => format!(">= {goal}"),
            AtMost(goal) => format!("<= {goal}"),
        }
    }
}

use Goal::{AtLeast, AtMost};

const fn budget(name: &'static str, what: &'static str, figure: Figure, goal: Goal) -> Budget {
    Budget { name, what, figure, goal }
}

const fn key(group: &'static str, case: &'static str, size: usize) -> Key {
    Key { group, case, size }
}

const fn sent(case: &'static str, size: usize) -> Figure {
    Figure::Ratio(key("throughput", "keepline", size), key("throughput", case, size), "rate")
}

const fn received(case: &'static str, other: &'static str, size: usize) -> Figure {
    Figure::Ratio(key("receive", case, size), key("receive", other, size), "rate")
}

const fn round_trip(case: &'static str, other: &'static str, metric: &'static str) -> Figure {
    Figure::Ratio(key("roundtrip", case, 16), key("roundtrip", other, 16), metric)
}

const fn crowd(group: &'static str, case: &'static str, other: &'static str, metric: &'static str) -> Figure {
    Figure::Ratio(key(group, case, 0), key(group, other, 0), metric)
}

const fn of_one(group: &'static str, size: usize, metric: &'static str) -> Figure {
    Figure::Median(key(group, "keepline", size), metric)
}

/// Each goal leaves 10 to 30 % below what a sketch of the same design reached on a quiet machine (README.md).
const BUDGETS: &[Budget] = &[
    budget("G1", "send 16 B, rate over async-nats", sent("nats", 16), AtLeast(10.0)),
    budget("G1", "send 16 B, rate over an actor on tokio mpsc", sent("actor", 16), AtLeast(5.0)),
    budget("G1", "send 16 B, rate over stubborn-io + Framed::send", sent("stubborn", 16), AtLeast(60.0)),
    budget("G1", "send 16 B, CPU per message, ns", of_one("throughput", 16, "cpu_ns"), AtMost(25.0)),
    budget("G2", "send 16 B, share of the limit", sent("limit", 16), AtLeast(0.17)),
    budget("G2", "send 256 B, share of the limit", sent("limit", 256), AtLeast(0.75)),
    budget("G2", "send 4 KiB, share of the limit", sent("limit", 4096), AtLeast(0.80)),
    budget("G2", "send 64 KiB, share of the limit", sent("limit", 65_536), AtLeast(0.85)),
    budget("G3", "send 256 B, rate over async-nats", sent("nats", 256), AtLeast(3.5)),
    budget("G3", "send 4 KiB, rate over async-nats", sent("nats", 4096), AtLeast(1.7)),
    budget("G3", "send 64 KiB, rate over async-nats", sent("nats", 65_536), AtLeast(1.15)),
    budget(
        "G4",
        "8 producers on 2 threads, 16 B, rate over 1 producer",
        Figure::Ratio(key("producers", "keepline-8", 16), key("producers", "keepline-1", 16), "rate"),
        AtLeast(0.8),
    ),
    budget("G5", "receive 16 B, batches over FramedRead", received("keepline-many", "framed", 16), AtLeast(1.8)),
    budget("G5", "receive 16 B, batches over tokio mpsc", received("keepline-many", "actor", 16), AtLeast(4.0)),
    budget("G5", "receive 16 B, one at a time over FramedRead", received("keepline-one", "framed", 16), AtLeast(1.0)),
    budget("G6", "receive 256 B, share of the limit", received("keepline-many", "limit", 256), AtLeast(0.8)),
    budget("G6", "receive 4 KiB, share of the limit", received("keepline-many", "limit", 4096), AtLeast(0.8)),
    budget("G7", "round trip p50 over raw blocking", round_trip("keepline", "blocking", "p50_us"), AtMost(1.30)),
    budget("G7", "round trip p50 over raw tokio", round_trip("keepline", "tokio", "p50_us"), AtMost(1.15)),
    budget("G7", "round trip p50 over async-nats", round_trip("keepline", "nats", "p50_us"), AtMost(0.80)),
    budget("G7", "round trip p99 over raw blocking", round_trip("keepline", "blocking", "p99_us"), AtMost(1.4)),
    budget(
        "G8",
        "round trip p50 from a foreign thread over raw blocking",
        round_trip("keepline-thread", "blocking", "p50_us"),
        AtMost(1.8),
    ),
    budget("G9", "idle client, heap bytes", of_one("memory", 0, "heap"), AtMost(1200.0)),
    budget("G9", "idle client, resident bytes", of_one("memory", 0, "rss"), AtMost(1600.0)),
    budget("G9", "idle client, heap over redis-rs", crowd("memory", "keepline", "redis", "heap"), AtMost(0.067)),
    budget("G9", "idle client, heap over async-nats", crowd("memory", "keepline", "nats", "heap"), AtMost(0.02)),
    budget("G10", "heartbeats, CPU over the limit", crowd("heartbeat", "keepline", "limit", "cpu_us"), AtMost(1.35)),
    budget(
        "G10",
        "heartbeats, CPU over a tokio interval each",
        crowd("heartbeat", "keepline", "tokio", "cpu_us"),
        AtMost(0.35),
    ),
    budget("G11", "setting up, time over raw tokio", crowd("setup", "keepline", "tokio", "seconds"), AtMost(1.5)),
    budget(
        "G11",
        "the same with a heartbeat answered",
        crowd("setup", "keepline-verified", "tokio-verified", "seconds"),
        AtMost(1.5),
    ),
];
