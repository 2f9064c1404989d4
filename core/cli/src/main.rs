//! The `keepline` program as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(keepline_cli::run(std::env::args_os()))
}
