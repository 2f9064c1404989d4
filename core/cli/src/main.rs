//! The `keepline` program: a netcat that survives, the worst cases of a configuration, why it does not connect, a
//! demonstration, and a herd.

mod args;
mod connect;
mod demo;
mod doctor;
mod encoding;
mod exit;
mod explain;
mod input;
mod output;
mod paint;
mod report;
mod sim;
mod stop;
mod values;
mod words;

use args::{Cli, Command};
use clap::Parser;
use exit::{Exit, Failure};
use std::process::ExitCode;
use std::time::Duration;

/// 100 ms for tasks that are still writing; whatever hangs longer, hangs on a pipe that nobody reads.
const LAST_WRITES: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let exit = match run(cli) {
        Ok(exit) => exit,
        Err(failure) => {
            eprintln!("keepline: {}", failure.text);
            failure.exit
        }
    };
    ExitCode::from(exit as u8)
}

fn run(cli: Cli) -> Result<Exit, Failure> {
    trace(cli.verbose);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::local(format!("no runtime: {error}")))?;
    let result = match cli.command {
        Command::Connect(arguments) => runtime.block_on(connect::run(arguments, cli.no_color, cli.verbose)),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Doctor(arguments) => runtime.block_on(doctor::run(arguments, cli.no_color)),
        Command::Sim(arguments) => sim::run(&arguments),
        Command::Demo(arguments) => runtime.block_on(demo::run(arguments, cli.no_color)),
    };
    runtime.shutdown_timeout(LAST_WRITES);
    result
}

/// Sends tracing to stderr: `-v` what a user would tell a friend, `-vv` the turns, `-vvv` every frame.
fn trace(verbose: u8) {
    let filter = match verbose {
        0 => return,
        1 => "info",
        2 => "keepline=debug,keepline_proto=debug,info",
        _ => "keepline=trace,keepline_proto=trace,info",
    };
    let subscriber = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter));
    subscriber.init();
}
