//! Runs each case in a process of its own, every case once a round in a shuffled order.

use crate::measure::{Failure, Metrics, Ports};
use crate::plan::{Effort, Group};
use crate::redis_server::RedisServer;
use crate::results::{Key, Measured};
use crate::servers::Servers;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Longer than the slowest set-up: 10,000 clients of async-nats take 20 s.
const PATIENCE: Duration = Duration::from_secs(90);

/// The servers that the cases of one placement talk to.
pub(crate) struct Stage {
    ports: Ports,
    _servers: Servers,
    _redis: Option<RedisServer>,
}

impl Stage {
    /// Starts the servers; tells on standard error what is missing.
    pub(crate) fn start(cpu: Option<usize>) -> Result<Stage, Failure> {
        let servers = Servers::start(cpu)?;
        let redis = match RedisServer::start(cpu) {
            Ok(redis) => Some(redis),
            Err(error) => {
                eprintln!("SKIPPED: every redis-rs case: {error}");
                None
            }
        };
        let ports = Ports { redis: redis.as_ref().map(|redis| redis.port), ..servers.ports.clone() };
        Ok(Stage { ports, _servers: servers, _redis: redis })
    }

    /// The ports of these servers.
    pub(crate) fn ports(&self) -> &Ports {
        &self.ports
    }
}

/// Measures a group.
pub(crate) fn run(group: &'static Group, effort: Effort, stage: &Stage) -> Measured {
    let mut measured = Measured::new(group, effort);
    let mut keys: Vec<Key> = group
        .sizes
        .iter()
        .flat_map(|size| group.cases.iter().map(|(case, _)| Key { group: group.name, case, size: *size }))
        .filter(|key| key.case != "redis" || stage.ports.redis.is_some())
        .collect();
    for round in 1..=effort.rounds {
        eprintln!("{}: round {round} of {}", group.name, effort.rounds);
        fastrand::shuffle(&mut keys);
        let results = keys.iter().map(|key| (*key, run_case(key, group, effort, stage))).collect();
        measured.add_round(results);
    }
    measured
}

fn run_case(key: &Key, group: &Group, effort: Effort, stage: &Stage) -> Result<Metrics, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["case", &format!("{}/{}", key.group, key.case), &key.size.to_string()]);
    command.args(["--ports", &serde_json::to_string(&stage.ports)?]);
    command.args(["--millis", &effort.duration.as_millis().to_string()]);
    command.args(["--clients", &effort.clients.to_string()]);
    if let Some(cpu) = group.placement.client_cpu() {
        command.args(["--cpu", &cpu.to_string()]);
    }
    let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (output, errors) = output_of(&mut process, effort.duration + PATIENCE)?;
    if process.wait()?.success() {
        let line = output.lines().next_back().ok_or("it printed nothing")?;
        return Ok(serde_json::from_str(line)?);
    }
    Err(errors.trim().lines().next_back().unwrap_or("it was ended after its time was up").to_owned().into())
}

/// Reads both outputs to their ends, which a process that hangs reaches by being killed.
fn output_of(process: &mut Child, patience: Duration) -> Result<(String, String), Failure> {
    let mut stdout = process.stdout.take().ok_or("no standard output")?;
    let mut stderr = process.stderr.take().ok_or("no standard error")?;
    let (done, ended) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut output = String::new();
        let result = stdout.read_to_string(&mut output);
        // The receiver is gone only if the time was up.
        let _ = done.send(());
        result.map(|_| output)
    });
    let error_reader = thread::spawn(move || {
        let mut errors = String::new();
        stderr.read_to_string(&mut errors).map(|_| errors)
    });
    if ended.recv_timeout(patience).is_err() {
        process.kill()?;
    }
    let output = reader.join().map_err(|_| "the reader panicked")??;
    let errors = error_reader.join().map_err(|_| "the reader panicked")??;
    Ok((output, errors))
}
