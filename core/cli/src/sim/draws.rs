//! Scenarios drawn at random, each held against the budgets, or against the best of the others where none is stated.

use super::options::{Half, Sim};
use super::table::{grouped, outcome_json, scenario_json};
use super::{in_parallel, print};
use crate::exit::{Exit, Failure};
use keepline_testkit::herd::{Down, Outcome, Policy, Scenario};
use serde_json::{Value, json};
use std::time::Duration;

/// How much longer than the best of the others Keepline may take where no budget is stated.
const BESIDE_THE_BEST: f64 = 1.1;

/// One draw and what it came to.
struct Drawn {
    number: usize,
    scenario: Scenario,
    outcome: Outcome,
    verdict: Verdict,
}

enum Verdict {
    /// What of the budgets does not hold.
    Budget(Vec<String>),
    /// The best of the others, and whether Keepline keeps up with it.
    Beside { best: String, t99: Option<Duration>, keeps_up: bool },
}

impl Verdict {
    fn holds(&self) -> bool {
        match self {
            Verdict::Budget(broken) => broken.is_empty(),
            Verdict::Beside { keeps_up, .. } => *keeps_up,
        }
    }
}

/// Runs the draws that were asked for.
pub(super) fn run(arguments: &Sim, count: usize) -> Result<Exit, Failure> {
    let usual = arguments.usual();
    let ours = arguments.keepline()?;
    let jobs: Vec<(usize, Scenario)> = Scenario::draws(count, usual.seed)
        .into_iter()
        .enumerate()
        .filter(|(index, _)| match arguments.half {
            Half::Both => true,
            Half::Tuned => index % 2 == 0,
            Half::HeldOut => index % 2 == 1,
        })
        .map(|(index, drawn)| {
            let scenario = Scenario { proof: usual.proof, round_trip: usual.round_trip, ..drawn };
            (index + 1, arguments.scale.map_or(scenario.clone(), |clients| scenario.scaled(clients)))
        })
        .collect();
    let drawn = in_parallel(&jobs, |(number, scenario)| judge(*number, scenario, &ours));
    let text = if arguments.json { drawn.iter().map(line_json).collect() } else { report(&drawn) };
    print(&text)?;
    Ok(if drawn.iter().all(|drawn| drawn.verdict.holds()) { Exit::Done } else { Exit::Local })
}

fn judge(number: usize, scenario: &Scenario, ours: &Policy) -> Drawn {
    let outcome = ours.run_pooled(scenario);
    let verdict = if scenario.is_budgeted() {
        Verdict::Budget(scenario.violations(&outcome).iter().map(ToString::to_string).collect())
    } else {
        let others = Policy::peers().map(|peer| (peer.name().to_owned(), peer.run_pooled(scenario).back(0.99)));
        // Whoever has not come back took longer than anybody who has.
        let best = others.min_by_key(|(_, t99)| t99.unwrap_or(Duration::MAX));
        let (best, t99) = best.unwrap_or_default();
        let keeps_up = match (outcome.back(0.99), t99) {
            (Some(ours), Some(best)) => ours <= best.mul_f64(BESIDE_THE_BEST),
            (None, Some(_)) => false,
            (Some(_) | None, None) => true,
        };
        Verdict::Beside { best, t99, keeps_up }
    };
    Drawn { number, scenario: scenario.clone(), outcome, verdict }
}

fn report(drawn: &[Drawn]) -> String {
    let mut text = String::from(
        "  draw    outage   clients  accepts/s  backlog  down          ideal 99 %  99 % back  wasted  dead  verdict\n",
    );
    for Drawn { number, scenario, outcome, verdict } in drawn {
        let down = match scenario.down {
            Down::Refused => "refused",
            Down::BlackHoled => "black-holed",
        };
        let verdict = match verdict {
            Verdict::Budget(broken) if broken.is_empty() => "holds".to_owned(),
            Verdict::Budget(broken) => broken.join("; "),
            Verdict::Beside { best, t99, keeps_up } => {
                let word = if *keeps_up { "no worse than" } else { "worse than" };
                format!("{word} {best}, {}", t99.map_or("never".to_owned(), time))
            }
        };
        text.push_str(&format!(
            "{number:>6}  {:>8}  {:>8}  {:>9}  {:>7}  {down:<12}  {:>10}  {:>9}  {:>6.2}  {:>4}  {verdict}\n",
            time(scenario.outage),
            grouped(u64::from(scenario.clients)),
            grouped(u64::from(scenario.accept_rate)),
            grouped(u64::from(scenario.backlog)),
            time(scenario.ideal(0.99)),
            outcome.back(0.99).map_or("never".to_owned(), time),
            outcome.wasted_each(),
            outcome.dead_accepts,
        ));
    }
    for (half, is_in) in [("used to choose the numbers", 1), ("held out", 0)] {
        let of = |budgeted: bool| {
            let chosen = drawn
                .iter()
                .filter(|drawn| drawn.number % 2 == is_in && matches!(drawn.verdict, Verdict::Budget(_)) == budgeted);
            let (mut all, mut good) = (0, 0);
            for drawn in chosen {
                all += 1;
                good += usize::from(drawn.verdict.holds());
            }
            (all, good)
        };
        let ((budgeted, hold), (beside, keep_up)) = (of(true), of(false));
        if budgeted + beside > 0 {
            text.push_str(&format!(
                "Draws {half}: budgets hold in {hold} of {budgeted}; elsewhere no worse than the best of the others in \
                 {keep_up} of {beside}.\n"
            ));
        }
    }
    text
}

fn line_json(drawn: &Drawn) -> String {
    let verdict = match &drawn.verdict {
        Verdict::Budget(broken) => json!({ "budgets": true, "violations": broken }),
        Verdict::Beside { best, t99, keeps_up } => {
            let t99 = t99.map_or(Value::Null, crate::words::millis);
            json!({ "budgets": false, "best_other": best, "best_other_t99_ms": t99, "keeps_up": keeps_up })
        }
    };
    let value = json!({
        "draw": drawn.number,
        "half": if drawn.number % 2 == 1 { "tuned" } else { "held_out" },
        "scenario": scenario_json(&drawn.scenario),
        "figures": outcome_json(&drawn.outcome),
        "holds": drawn.verdict.holds(),
        "verdict": verdict,
    });
    format!("{value}\n")
}

fn time(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
