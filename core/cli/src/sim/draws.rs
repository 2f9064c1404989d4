//! Scenarios drawn at random, each held against the budgets, or against the best of the others where none is stated.

use super::options::{Half, Sim};
use super::table::{grouped, outcome_json, scenario_json};
use super::{in_parallel, print};
use crate::exit::{Exit, Failure};
use keepline_testkit::herd::{Down, Outcome, Policy, Scenario};
use serde_json::{Value, json};
use std::time::Duration;

/// How much worse than the best of the others Keepline may be where no budget is stated.
const BESIDE_THE_BEST: f64 = 1.1;

/// The figures that are for whoever waits, and for the server's accepts. The others are told.
const DECISIVE: [&str; 4] = ["50 %", "99 %", "all", "dead"];

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
    theirs: Outcome,
    /// The figures in which Keepline's clients did not keep up with it.
    worse: Vec<&'static str>,
}

impl Verdict {
    fn holds(&self) -> bool {
        match self {
            Verdict::Holds => true,
            Verdict::Broken(..) => false,
            Verdict::Beside(best) => best.keeps_up(),
        }
    }

    /// Whether no figure at all is worse than with the best of the others.
    fn is_best(&self) -> bool {
        match self {
            Verdict::Holds => true,
            Verdict::Broken(_, best) | Verdict::Beside(best) => best.worse.is_empty(),
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
        let worse = worse_than(ours, &theirs);
        Best { name, theirs, worse }
    }

    /// Whether no figure is worse that decides.
    fn keeps_up(&self) -> bool {
        !self.worse.iter().any(|figure| DECISIVE.contains(figure))
    }

    fn words(&self) -> String {
        let word = match (self.keeps_up(), self.worse.is_empty()) {
            (true, true) => "no worse than".to_owned(),
            (true, false) => format!("no later ({}) than", self.worse.join(", ")),
            (false, _) => format!("worse ({}) than", self.worse.join(", ")),
        };
        let theirs = &self.theirs;
        let back = |share: f64| theirs.back(share).map_or("never".to_owned(), time);
        format!(
            "{word} {}: {} / {} / {}, {:.2} wasted, {} at once, {} dead",
            self.name,
            back(0.5),
            back(0.99),
            back(1.0),
            theirs.wasted_each(),
            grouped(theirs.peak_after),
            theirs.dead_accepts
        )
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "figures": outcome_json(&self.theirs),
            "worse": self.worse,
            "keeps_up": self.keeps_up(),
        })
    }
}

/// The figures in which one outcome is worse than another by more than is allowed.
fn worse_than(ours: &Outcome, theirs: &Outcome) -> Vec<&'static str> {
    let late = |share: f64| match (ours.back(share), theirs.back(share)) {
        (Some(ours), Some(theirs)) => ours > theirs.mul_f64(BESIDE_THE_BEST),
        (None, Some(_)) => true,
        (Some(_) | None, None) => false,
    };
    let more = |ours: f64, theirs: f64| ours > theirs * BESIDE_THE_BEST;
    [
        ("50 %", late(0.5)),
        ("99 %", late(0.99)),
        ("all", late(1.0)),
        ("wasted", more(ours.wasted_each(), theirs.wasted_each())),
        ("peak", more(ours.peak_after as f64, theirs.peak_after as f64)),
        ("dead", more(ours.dead_accepts as f64, theirs.dead_accepts as f64)),
    ]
    .into_iter()
    .filter_map(|(figure, is_worse)| is_worse.then_some(figure))
    .collect()
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
            let (mut all, mut good, mut best) = (0, 0, 0);
            for drawn in chosen {
                all += 1;
                good += usize::from(drawn.verdict.holds());
                best += usize::from(drawn.verdict.is_best());
            }
            (all, good, best)
        };
        let ((budgeted, hold, _), (beside, keep_up, best)) = (of(true), of(false));
        if budgeted + beside > 0 {
            text.push_str(&format!(
                "Draws {half}: budgets hold in {hold} of {budgeted}; elsewhere no later than the best of the others in \
                 {keep_up} of {beside}, and in no figure worse in {best}.\n"
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
