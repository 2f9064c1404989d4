//! The `keepline` program: a netcat that survives, the worst cases of a configuration, why it does not connect, a
//! demonstration, and a herd.
//!
//! A library, so that packages of other languages bring the very same program: [`run`] is all of it but the process.

mod args;
mod connect;
mod demo;
mod doctor;
mod encoding;
mod exit;
mod explain;
mod input;
mod login;
mod output;
mod paint;
mod report;
mod sim;
mod stop;
mod tls;
mod values;
mod words;

use args::{Cli, Command};
use clap::Parser;
use exit::{Exit, Failure};
use std::ffi::OsString;
use std::io::{self, Write};
use std::time::Duration;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// 100 ms for tasks that are still writing; whatever hangs longer, hangs on a pipe that nobody reads.
const LAST_WRITES: Duration = Duration::from_millis(100);

/// Runs the program with its arguments, of which the first is its name, and returns its exit code.
///
/// It reads stdin, writes to stdout and stderr, and takes `SIGINT` and `SIGTERM` over while a command listens to them:
/// meant for a process that does nothing else, and then ends with the code. `SIGPIPE` must be ignored, as Rust and
/// Python have it from the start. A thread may be left that waits for stdin.
pub fn run<Arguments>(arguments: Arguments) -> u8
where
    Arguments: IntoIterator,
    Arguments::Item: Into<OsString> + Clone,
{
    let exit = match Cli::try_parse_from(arguments) {
        Ok(cli) => obey(cli).unwrap_or_else(|failure| {
            eprintln!("keepline: {}", failure.text);
            failure.exit
        }),
        Err(asked) => {
            // Help and versions go to stdout, mistakes to stderr; whoever closed it has seen enough.
            drop(asked.print());
            if asked.use_stderr() { Exit::Usage } else { Exit::Done }
        }
    };
    // Only a process that Rust started does this by itself.
    drop(io::stdout().flush());
    exit as u8
}

fn obey(cli: Cli) -> Result<Exit, Failure> {
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
    let ours = match verbose {
        0 => return,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let levels = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("keepline", ours)
        .with_target("keepline_proto", ours);
    let told = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false);
    // A host that listens to tracing already keeps doing so.
    drop(tracing_subscriber::registry().with(told.with_filter(levels)).try_init());
}
