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

/// What is held against a draw.
enum Verdict {
    /// Every budget holds.
    Holds,
    /// What of the budgets does not hold, and how the best of the others did.
    Broken(Vec<String>, Best),
    /// No budget is stated: the best of the others.
    Beside(Best),
}

/// The other client whose 99 % were back first.
struct Best {
    name: String,
    t99: Option<Duration>,
    wasted_each: f64,
    dead_accepts: u64,
    /// Whether Keepline's were not much later.
    keeps_up: bool,
}

impl Verdict {
    fn holds(&self) -> bool {
        match self {
            Verdict::Holds => true,
            Verdict::Broken(..) => false,
            Verdict::Beside(best) => best.keeps_up,
        }
    }

    fn is_budget(&self) -> bool {
        match self {
            Verdict::Holds | Verdict::Broken(..) => true,
            Verdict::Beside(_) => false,
        }
    }
}

impl Best {
    fn of_others(scenario: &Scenario, ours: &Outcome) -> Best {
        let others = Policy::peers().map(|peer| (peer.name().to_owned(), peer.run_pooled(scenario)));
        // Whoever has not come back took longer than anybody who has.
        let best = others.min_by_key(|(_, outcome)| outcome.back(0.99).unwrap_or(Duration::MAX));
        let (name, theirs) = best.unwrap_or_default();
        let t99 = theirs.back(0.99);
        let keeps_up = match (ours.back(0.99), t99) {
            (Some(ours), Some(best)) => ours <= best.mul_f64(BESIDE_THE_BEST),
            (None, Some(_)) => false,
            (Some(_) | None, None) => true,
        };
        Best { name, t99, wasted_each: theirs.wasted_each(), dead_accepts: theirs.dead_accepts, keeps_up }
    }

    fn words(&self) -> String {
        let word = if self.keeps_up { "no worse than" } else { "worse than" };
        let t99 = self.t99.map_or("never".to_owned(), time);
        format!("{word} {}, {t99} ({:.2} wasted, {} dead)", self.name, self.wasted_each, self.dead_accepts)
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "t99_ms": self.t99.map_or(Value::Null, crate::words::millis),
            "wasted_each": self.wasted_each,
            "dead_accepts": self.dead_accepts,
            "keeps_up": self.keeps_up,
        })
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
    let verdict = if !scenario.is_budgeted() {
        Verdict::Beside(Best::of_others(scenario, &outcome))
    } else {
        let broken: Vec<String> = scenario.violations(&outcome).iter().map(ToString::to_string).collect();
        if broken.is_empty() { Verdict::Holds } else { Verdict::Broken(broken, Best::of_others(scenario, &outcome)) }
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
            Verdict::Holds => "holds".to_owned(),
            Verdict::Broken(broken, best) => format!("{}; {}", broken.join("; "), best.words()),
            Verdict::Beside(best) => best.words(),
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
            let chosen =
                drawn.iter().filter(|drawn| drawn.number % 2 == is_in && drawn.verdict.is_budget() == budgeted);
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
        Verdict::Holds => json!({ "budgets": true, "violations": [] }),
        Verdict::Broken(broken, best) => json!({ "budgets": true, "violations": broken, "best_other": best.json() }),
        Verdict::Beside(best) => json!({ "budgets": false, "best_other": best.json() }),
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
