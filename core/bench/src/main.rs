//! Measures Keepline beside the kernel's limit and the libraries a user would take instead. How and why: README.md.

mod budget;
mod cases;
#[cfg(target_os = "linux")]
mod faults;
mod heap;
mod measure;
mod options;
mod os;
mod plan;
mod redis_server;
mod report;
mod results;
mod runner;
mod servers;

use measure::{Context, Failure};
use options::{Options, Task};
use plan::{GROUPS, Placement};
use results::Results;
use runner::Stage;
use std::process::ExitCode;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: heap::CountingAllocator = heap::CountingAllocator;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let done = match arguments.peek().map(String::as_str) {
        #[cfg(target_os = "linux")]
        Some("faults") => faults::measure(arguments.skip(1)),
        #[cfg(target_os = "linux")]
        Some("fault-client") => faults::run_client(arguments.skip(1)),
        Some(_) | None => Options::parse(arguments).and_then(run),
    };
    match done {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<ExitCode, Failure> {
    if let Some(cpu) = options.cpu {
        // A machine with one CPU still gets figures, of which the report says how they were placed.
        os::pin_to(cpu).unwrap_or_else(|error| eprintln!("not pinned to CPU {cpu}: {error}"));
    }
    match &options.task {
        Task::Measure { groups } => measure_all(groups, &options),
        Task::Case { name, size } => run_case(name, *size, &options),
        Task::Serve => servers::serve().map(|()| ExitCode::SUCCESS),
        Task::Become { program } => become_program(program),
    }
}

/// Runs the groups and prints the report. A case without figures makes the run fail; a missed budget does not.
fn measure_all(groups: &[String], options: &Options) -> Result<ExitCode, Failure> {
    let start = Instant::now();
    eprintln!("{}", machine());
    let pinned = Stage::start(Placement::Split.server_cpu())?;
    let mut results = Results::default();
    for group in GROUPS.iter().filter(|group| groups.is_empty() || groups.iter().any(|name| name == group.name)) {
        let mut effort = if options.quick { group.quick } else { group.full };
        effort.rounds = options.rounds.unwrap_or(effort.rounds);
        let measured = match group.placement {
            Placement::Split | Placement::SameCore => runner::run(group, effort, &pinned),
            Placement::Free => runner::run(group, effort, &Stage::start(group.placement.server_cpu())?),
        };
        results.0.push(measured);
    }
    println!("{}", machine());
    print!("{}", report::text(&results));
    println!("took {:.0} s", start.elapsed().as_secs_f64());
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_string_pretty(&report::to_json(&results))?)?;
    }
    let all_measured = results.0.iter().all(|measured| measured.failures.is_empty());
    Ok(if all_measured { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs one case in this process; starts the servers if nobody else has.
fn run_case(name: &str, size: usize, options: &Options) -> Result<ExitCode, Failure> {
    os::raise_open_files()?;
    let stage = match options.ports {
        Some(_) => None,
        None => Some(Stage::start(Some(0))?),
    };
    let ports = options.ports.clone().or_else(|| stage.as_ref().map(|stage| stage.ports().clone()));
    let context =
        Context { ports: ports.unwrap_or_default(), size, duration: options.duration, clients: options.clients };
    println!("{}", serde_json::to_string(&cases::run(name, &context)?)?);
    Ok(ExitCode::SUCCESS)
}

/// Becomes another program, on the CPU that was asked for.
fn become_program(program: &[String]) -> Result<ExitCode, Failure> {
    use std::os::unix::process::CommandExt;
    os::end_with_parent()?;
    os::raise_open_files()?;
    let (name, arguments) = program.split_first().ok_or("become: no program given")?;
    Err(std::process::Command::new(name).args(arguments).exec().into())
}

/// One line about the machine, with its load: figures from a busy one are ratios at best.
fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let information = read("/proc/cpuinfo");
    let model = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{cpus} CPUs ({}), kernel {}, load {}",
        model.map_or("unknown", |(_, model)| model),
        read("/proc/sys/kernel/osrelease").trim(),
        read("/proc/loadavg").split(' ').next().unwrap_or("unknown"),
    )
}
