//! NATS in a process of its own.

use super::{ProcessError, Program, ServerProcess, installed};
use std::ops::Deref;
use std::process::Command;

/// A `nats-server` on a free port; it keeps nothing. It has everything a [`ServerProcess`] has.
#[derive(Debug)]
pub struct NatsServer {
    process: ServerProcess,
}

impl NatsServer {
    /// Starts `nats-server`, which takes this token alone, or anybody, and waits until it answers.
    ///
    /// # Errors
    /// [`ProcessError::Missing`] if it is not installed; otherwise what went wrong, with its last words.
    ///
    /// # Cancel safety
    /// Cancel safe: a server that was not handed out is killed.
    pub async fn start(token: Option<&str>) -> Result<NatsServer, ProcessError> {
        let token = token.map(str::to_owned);
        let program =
            Program::new("nats-server", "apt-get install nats-server, or the like", move |port, _directory| {
                let mut command = Command::new(installed("nats-server"));
                command.args(["--addr", "127.0.0.1", "--port", &port.to_string()]);
                if let Some(token) = &token {
                    command.args(["--auth", token]);
                }
                command
            });
        Ok(NatsServer { process: ServerProcess::start(program.answers(b"", b"INFO {")).await? })
    }
}

impl Deref for NatsServer {
    type Target = ServerProcess;

    fn deref(&self) -> &ServerProcess {
        &self.process
    }
}
