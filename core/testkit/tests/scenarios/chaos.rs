//! One run of `keepline-chaos`; it ends with this, and everything it started with it.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

pub(crate) struct Chaos {
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Chaos {
    pub(crate) fn start() -> Result<Chaos, String> {
        let piped = std::process::Stdio::piped;
        let mut process = Command::new(env!("CARGO_BIN_EXE_keepline-chaos"))
            .stdin(piped())
            .stdout(piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| error.to_string())?;
        let (commands, answers) = process.stdin.take().zip(process.stdout.take()).ok_or("it has no pipes")?;
        Ok(Chaos { commands, answers: BufReader::new(answers).lines(), _process: process })
    }

    /// Runs one command and returns the words after `ok`.
    pub(crate) async fn tell(&mut self, command: &str) -> Result<String, String> {
        self.commands.write_all(format!("{command}\n").as_bytes()).await.map_err(|error| error.to_string())?;
        let answer = self.answers.next_line().await.map_err(|error| error.to_string())?;
        let answer = answer.ok_or("keepline-chaos has ended")?;
        match answer.strip_prefix("ok") {
            Some(told) => Ok(told.trim().to_owned()),
            None => Err(answer),
        }
    }
}
