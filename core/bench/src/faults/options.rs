//! The command line of `keepline-bench faults`.

use super::plan::{FAULTS, Fault, SUBJECTS, Subject};
use super::run::Trial;
use crate::measure::Failure;
use std::path::PathBuf;
use std::time::Duration;

/// 150 s: longer than any deadline here but a kernel's own patience, which is a quarter of an hour.
const LIMIT: Duration = Duration::from_secs(150);

const USAGE: &str =
    "usage: keepline-bench faults [--limit SECONDS] [--clients A,B] [--faults A,B] [--json FILE] [--python PROGRAM]

Needs root: every run has a network of its own. `--python` is an interpreter with redis-py and nats-py.";

/// What was asked for.
pub(super) struct Options {
    pub(super) limit: Duration,
    pub(super) json: Option<PathBuf>,
    pub(super) python: PathBuf,
    faults: Vec<&'static Fault>,
    subjects: Vec<&'static Subject>,
}

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    /// With the usage, if they make no sense.
    pub(super) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, Failure> {
        let mut options = Options {
            limit: LIMIT,
            json: None,
            python: PathBuf::from("python3"),
            faults: FAULTS.iter().collect(),
            subjects: SUBJECTS.iter().collect(),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| Failure::from(USAGE));
            match argument.as_str() {
                "--limit" => options.limit = Duration::from_secs(value()?.parse()?),
                "--json" => options.json = Some(value()?.into()),
                "--python" => options.python = value()?.into(),
                "--faults" => options.faults = named(FAULTS, |fault| fault.name, &value()?)?,
                "--clients" => options.subjects = named(SUBJECTS, |subject| subject.name, &value()?)?,
                _ => return Err(USAGE.into()),
            }
        }
        Ok(options)
    }

    /// Every client with every fault.
    pub(super) fn trials(&self) -> Vec<Trial> {
        let pairs = self.faults.iter().flat_map(|fault| self.subjects.iter().map(move |subject| (*fault, *subject)));
        pairs.enumerate().map(|(number, (fault, subject))| Trial { fault, subject, number }).collect()
    }
}

fn named<T>(all: &'static [T], name: impl Fn(&T) -> &'static str, list: &str) -> Result<Vec<&'static T>, Failure> {
    let find = |wanted: &str| {
        let known = || all.iter().map(&name).collect::<Vec<_>>().join(" ");
        all.iter().find(|item| name(item) == wanted).ok_or_else(|| format!("{wanted}: one of {}", known()).into())
    };
    list.split(',').map(find).collect()
}
