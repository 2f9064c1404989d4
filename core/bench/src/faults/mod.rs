//! Faults of real networks against Keepline and what a user would take instead: who notices when, and works again when.
//!
//! Every run has a network, a server process and a client process of its own. They wait most of the time, so all of
//! them happen at once.

mod clients;
mod console;
mod journal;
mod options;
mod plan;
mod process;
mod record;
mod run;
mod server;
mod sockets;
mod start;

pub(crate) use clients::run as run_client;

use crate::measure::Failure;
use options::Options;
use record::{Machine, Record};
use run::Trial;
use start::Start;
use std::fs::File;
use std::io::Write;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

/// Measures everything that was asked for and writes a line of JSON for each.
///
/// # Errors
/// If the command line makes no sense, or the figures cannot be written. A run without figures is told, and makes the
/// exit code not 0.
pub(crate) fn measure(arguments: impl Iterator<Item = String>) -> Result<ExitCode, Failure> {
    let options = Options::parse(arguments)?;
    let begun = Instant::now();
    let mut machine = Machine::now(&options);
    let trials = options.trials();
    eprintln!("{} runs, at most {} s each", trials.len(), options.limit.as_secs());
    let records = run_all(&trials, &options);
    machine.end();
    let mut lines = vec![serde_json::to_string(&machine)?];
    for record in &records {
        lines.push(serde_json::to_string(record)?);
    }
    let text = lines.join("\n") + "\n";
    match &options.json {
        Some(path) => File::create(path)?.write_all(text.as_bytes())?,
        None => print!("{text}"),
    }
    let failed = records.iter().filter(|record| record.failure.is_some()).count();
    eprintln!("{} runs in {:.0} s, {failed} without figures", records.len(), begun.elapsed().as_secs_f64());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs all trials beside each other; a thread for each, which waits.
fn run_all(trials: &[Trial], options: &Options) -> Vec<Record> {
    let start = Start::of(trials.len());
    thread::scope(|scope| {
        let start = &start;
        let running: Vec<_> = trials.iter().map(|trial| scope.spawn(move || trial.measure(start, options))).collect();
        let ended = running.into_iter().zip(trials).map(|(running, trial)| match running.join() {
            Ok(Ok(record)) => record,
            Ok(Err(failure)) => Record::failed(trial, failure.to_string()),
            Err(_) => Record::failed(trial, "the run panicked".to_owned()),
        });
        ended.collect()
    })
}
