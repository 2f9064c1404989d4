//! One line of JSON for each run, and one for the machine.

use super::options::Options;
use super::plan::ServerKind;
use super::run::{Course, Trial};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything about one run; times in seconds.
#[derive(Serialize)]
pub(super) struct Record {
    r#type: &'static str,
    fault: &'static str,
    workload: &'static str,
    client: &'static str,
    settings: &'static str,
    limit: f64,
    watched: f64,
    /// From the fault until the client gave the connection up; `null` if it outlived the fault.
    noticed: Option<f64>,
    lost_text: Option<String>,
    /// From the fault to the first call that failed.
    told: Option<f64>,
    told_text: Option<String>,
    /// From the fault to its end; `null` where nothing has to heal.
    healed: Option<f64>,
    /// From the healing, or from the fault where nothing has to heal, to an exchange that succeeds.
    usable: Option<f64>,
    /// What Keepline promises for this fault with these settings.
    bound: Option<f64>,
    /// Why there are no figures.
    pub(super) failure: Option<String>,
}

impl Record {
    /// A run that was watched to its end. `bounds` is what the client said about itself.
    pub(super) fn of(trial: &Trial, options: &Options, bounds: &str, course: Course) -> Record {
        let bounds: BTreeMap<String, Option<f64>> = serde_json::from_str(bounds).unwrap_or_default();
        let (told, told_text) = course.told.unzip();
        Record {
            limit: options.limit.as_secs_f64(),
            watched: seconds(course.watched),
            noticed: course.noticed.map(seconds),
            lost_text: course.lost_text,
            told: told.map(seconds),
            told_text,
            healed: course.healed.map(seconds),
            usable: course.usable.map(seconds),
            bound: bounds.get(trial.fault.bound).copied().flatten(),
            ..Record::empty(trial)
        }
    }

    /// A run without figures.
    pub(super) fn failed(trial: &Trial, why: String) -> Record {
        eprintln!("{} / {}: {why}", trial.fault.name, trial.subject.name);
        Record { failure: Some(why), ..Record::empty(trial) }
    }

    fn empty(trial: &Trial) -> Record {
        Record {
            r#type: "run",
            fault: trial.fault.name,
            workload: trial.fault.workload.word(),
            client: trial.subject.name,
            settings: trial.subject.settings,
            limit: 0.0,
            watched: 0.0,
            noticed: None,
            lost_text: None,
            told: None,
            told_text: None,
            healed: None,
            usable: None,
            bound: None,
            failure: None,
        }
    }
}

/// Where and with what it was measured.
#[derive(Serialize)]
pub(super) struct Machine {
    r#type: &'static str,
    cpus: usize,
    kernel: String,
    /// The mean number of runnable processes in the minute before.
    load_before: String,
    /// The same in the last minute of the run.
    load_after: String,
    limit: f64,
    versions: BTreeMap<&'static str, String>,
}

impl Machine {
    pub(super) fn now(options: &Options) -> Machine {
        let mut versions: BTreeMap<&'static str, String> =
            ["async-nats", "redis", "tokio"].into_iter().map(|name| (name, locked(name))).collect();
        versions.insert("keepline", env!("CARGO_PKG_VERSION").to_owned());
        versions.insert("redis-server", ServerKind::Redis.version());
        versions.insert("nats-server", ServerKind::Nats.version());
        for line in include_str!("../../faults/requirements.txt").lines() {
            match line.split_once("==") {
                Some(("redis", version)) => versions.insert("redis-py", version.to_owned()),
                Some(("nats-py", version)) => versions.insert("nats-py", version.to_owned()),
                Some(_) | None => None,
            };
        }
        Machine {
            r#type: "machine",
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_before: load(),
            load_after: String::new(),
            limit: options.limit.as_secs_f64(),
            versions,
        }
    }

    /// Takes down what is known only when all runs are over.
    pub(super) fn end(&mut self) {
        self.load_after = load();
    }
}

fn load() -> String {
    read("/proc/loadavg").split(' ').next().unwrap_or("unknown").to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The version of a crate in this build.
fn locked(name: &str) -> String {
    let lock = include_str!("../../../../Cargo.lock");
    let entry = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).and_then(|(_, rest)| rest.split_once('"'));
    entry.map_or_else(String::new, |(version, _)| version.to_owned())
}

/// Milliseconds are what the method can tell.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}
