//! What was measured: figures by round, their medians, and ratios taken inside a round.

use crate::measure::{Failure, Metrics};
use crate::plan::{Effort, Group};
use std::collections::BTreeMap;

/// Which figures are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) group: &'static str,
    pub(crate) case: &'static str,
    pub(crate) size: usize,
}

/// The rounds of one group.
pub(crate) struct Measured {
    pub(crate) group: &'static Group,
    pub(crate) effort: Effort,
    pub(crate) rounds: Vec<BTreeMap<Key, Metrics>>,
    /// The last word of every case that failed at least once.
    pub(crate) failures: BTreeMap<Key, String>,
}

/// The better of the two block sizes, added to every round of the throughput group.
const LIMIT: &str = "limit";

impl Measured {
    pub(crate) fn new(group: &'static Group, effort: Effort) -> Measured {
        Measured { group, effort, rounds: Vec::new(), failures: BTreeMap::new() }
    }

    /// Takes the results of a round. A case that failed in it has no figures for it.
    pub(crate) fn add_round(&mut self, results: Vec<(Key, Result<Metrics, Failure>)>) {
        let mut round = BTreeMap::new();
        for (key, result) in results {
            match result {
                Ok(metrics) => {
                    keep_better_limit(&mut round, key, &metrics);
                    round.insert(key, metrics);
                }
                Err(failure) => {
                    self.failures.insert(key, failure.to_string());
                }
            }
        }
        self.rounds.push(round);
    }
}

fn keep_better_limit(round: &mut BTreeMap<Key, Metrics>, key: Key, metrics: &Metrics) {
    if key.group == "throughput" && key.case.starts_with("limit-") {
        let limit = round.entry(Key { case: LIMIT, ..key }).or_default();
        if metrics.get("rate") > limit.get("rate") {
            *limit = metrics.clone();
        }
    }
}

/// All groups that were run.
#[derive(Default)]
pub(crate) struct Results(pub(crate) Vec<Measured>);

impl Results {
    /// The median of a figure over the rounds.
    pub(crate) fn median(&self, key: Key, metric: &str) -> Option<f64> {
        median(self.rounds(key.group).filter_map(|round| figure(round, key, metric)).collect())
    }

    /// The median over the rounds of one case's figure divided by another's in the same round.
    pub(crate) fn ratio(&self, key: Key, other: Key, metric: &str) -> Option<f64> {
        let inside = |round| Some(figure(round, key, metric)? / figure(round, other, metric)?);
        median(self.rounds(key.group).filter_map(inside).collect())
    }

    fn rounds(&self, group: &str) -> impl Iterator<Item = &BTreeMap<Key, Metrics>> {
        self.0.iter().filter(move |measured| measured.group.name == group).flat_map(|measured| &measured.rounds)
    }
}

fn figure(round: &BTreeMap<Key, Metrics>, key: Key, metric: &str) -> Option<f64> {
    round.get(&key)?.get(metric).copied()
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => None,
        length if length % 2 == 1 => Some(figures[middle]),
        _ => Some(f64::midpoint(figures[middle - 1], figures[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::GROUPS;

    fn key(case: &'static str) -> Key {
        Key { group: "throughput", case, size: 16 }
    }

    fn results(rounds: &[(f64, f64)]) -> Results {
        let mut measured = Measured::new(&GROUPS[0], GROUPS[0].quick);
        for (ours, theirs) in rounds {
            let rate = |figure: f64| Ok(Metrics::from([("rate".into(), figure)]));
            measured.add_round(vec![(key("keepline"), rate(*ours)), (key("nats"), rate(*theirs))]);
        }
        Results(vec![measured])
    }

    #[test]
    fn a_slow_round_does_not_move_the_ratio() {
        let results = results(&[(20.0, 2.0), (6.0, 0.5), (30.0, 3.0)]);
        assert_eq!(results.ratio(key("keepline"), key("nats"), "rate"), Some(10.0));
        assert_eq!(results.median(key("keepline"), "rate"), Some(20.0));
    }

    #[test]
    fn what_was_not_measured_has_no_figure() {
        let results = results(&[]);
        assert_eq!(results.median(key("keepline"), "rate"), None);
        assert_eq!(results.ratio(key("keepline"), key("nats"), "rate"), None);
    }

    #[test]
    fn the_limit_is_the_better_block_size() {
        let mut measured = Measured::new(&GROUPS[0], GROUPS[0].quick);
        let rate = |figure: f64| Ok(Metrics::from([("rate".into(), figure)]));
        measured.add_round(vec![(key("limit-16k"), rate(7.0)), (key("limit-1m"), rate(5.0))]);
        assert_eq!(Results(vec![measured]).median(key("limit"), "rate"), Some(7.0));
    }
}
