//! The command line.

use crate::measure::{Failure, Ports};
use crate::plan::GROUPS;
use std::time::Duration;

/// What a run was asked to do.
pub(crate) struct Options {
    pub(crate) task: Task,
    pub(crate) quick: bool,
    pub(crate) rounds: Option<usize>,
    pub(crate) json: Option<String>,
    pub(crate) cpu: Option<usize>,
    pub(crate) ports: Option<Ports>,
    pub(crate) duration: Duration,
    pub(crate) clients: usize,
}

/// The part that this process plays.
pub(crate) enum Task {
    /// Runs the groups of these names, or all, each case in a process of its own.
    Measure { groups: Vec<String> },
    /// Runs one case.
    Case { name: String, size: usize },
    /// Is the other end.
    Serve,
    /// Becomes another program, pinned.
    Become { program: Vec<String> },
}

const USAGE: &str = "usage: keepline-bench all|GROUP.. [--quick] [--rounds N] [--json FILE]
       keepline-bench case GROUP/CASE SIZE [--millis N] [--clients N] [--cpu N]
       keepline-bench faults [--limit SECONDS] [--clients A,B] [--faults A,B] [--json FILE] (tools/bench_faults.sh)

groups: throughput producers receive roundtrip memory heartbeat setup
`case` runs one case in this process, for a profiler; it starts its own servers.";

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    /// With the usage, if they make no sense.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, Failure> {
        let mut options = Options {
            task: Task::Serve,
            quick: false,
            rounds: None,
            json: None,
            cpu: None,
            ports: None,
            duration: Duration::from_millis(500),
            clients: 1000,
        };
        let mut words = Vec::new();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| Failure::from(USAGE));
            match argument.as_str() {
                "--quick" => options.quick = true,
                "--rounds" => options.rounds = Some(value()?.parse()?),
                "--json" => options.json = Some(value()?),
                "--cpu" => options.cpu = Some(value()?.parse()?),
                "--ports" => options.ports = Some(serde_json::from_str(&value()?)?),
                "--millis" => options.duration = Duration::from_millis(value()?.parse()?),
                "--clients" => options.clients = value()?.parse()?,
                "--" => words.extend(arguments.by_ref()),
                flag if flag.starts_with('-') => return Err(USAGE.into()),
                _ => words.push(argument),
            }
        }
        options.task = task(words)?;
        Ok(options)
    }
}

fn task(mut words: Vec<String>) -> Result<Task, Failure> {
    let rest = words.split_off(words.len().min(1));
    match words.first().map(String::as_str) {
        Some("all") if rest.is_empty() => Ok(Task::Measure { groups: rest }),
        Some("case") if rest.len() == 2 => Ok(Task::Case { name: rest[0].clone(), size: rest[1].parse()? }),
        Some("serve") if rest.is_empty() => Ok(Task::Serve),
        Some("become") if !rest.is_empty() => Ok(Task::Become { program: rest }),
        Some(_) => {
            words.extend(rest);
            let all_known = words.iter().all(|word| GROUPS.iter().any(|group| group.name == word));
            if all_known { Ok(Task::Measure { groups: words }) } else { Err(USAGE.into()) }
        }
        None => Err(USAGE.into()),
    }
}
