//! `keepline sim`: a herd of clients that lost its server comes back, Keepline's beside other people's.

mod drawing;
mod draws;
mod options;
mod table;

pub(crate) use options::Sim;

use crate::exit::{Exit, Failure};
use keepline_testkit::herd::{Outcome, Policy, Scenario};
use std::io::{self, Write};
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One scenario, and how each policy fared in it.
pub(crate) struct Run {
    scenario: Scenario,
    outcomes: Vec<(Policy, Outcome)>,
}

/// Runs the command.
pub(crate) fn run(arguments: &Sim) -> Result<Exit, Failure> {
    if let Some(count) = arguments.draws {
        return draws::run(arguments, count);
    }
    let scenarios = arguments.scenarios()?;
    let policies = arguments.policies()?;
    let jobs: Vec<(usize, usize)> =
        (0..scenarios.len()).flat_map(|scenario| (0..policies.len()).map(move |policy| (scenario, policy))).collect();
    let outcomes = in_parallel(&jobs, |(scenario, policy)| {
        policies[*policy].run_with_seeds(&scenarios[*scenario], arguments.seeds)
    });
    let mut outcomes = outcomes.into_iter();
    let runs: Vec<Run> = scenarios
        .into_iter()
        .map(|scenario| Run { scenario, outcomes: policies.iter().cloned().zip(outcomes.by_ref()).collect() })
        .collect();
    if let Some(path) = &arguments.svg {
        std::fs::write(path, drawing::draw(&runs))
            .map_err(|error| Failure::local(format!("{}: {error}", path.display())))?;
    }
    let text = if arguments.json {
        table::json(&runs)
    } else if arguments.markdown {
        table::markdown(&runs)
    } else {
        table::text(&runs)
    };
    print(&text)?;
    Ok(Exit::Done)
}

fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::local(format!("stdout: {error}"))),
    }
}

/// Does every job on as many threads as there are cores. The results are in the order of the jobs.
fn in_parallel<J: Sync, R: Send>(jobs: &[J], work: impl Fn(&J) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(jobs.len()));
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(jobs.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(index) else { return };
                    let result = work(job);
                    if let Ok(mut done) = done.lock() {
                        done.push((index, result));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}
