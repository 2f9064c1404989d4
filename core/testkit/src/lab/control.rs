//! A process that answers one line with one line, and ends when its input does.

use super::LabError;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// 10 s to end after the input did: taking a lab down takes a tenth of a second on an idle machine.
const END_WITHIN: Duration = Duration::from_secs(10);
/// 5 ms between looks at a process that is ending.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Stands for the end of a line inside an answer, which is one line.
const LINE_END: char = '\x1e';

/// The two ends of the conversation.
#[derive(Debug)]
pub(super) struct Pipe {
    name: String,
    child: Child,
    /// `None` once it is closed, which tells the process to end.
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Pipe {
    /// Starts the process and waits for its first answer.
    pub(super) fn open(mut command: Command, name: &str) -> Result<(Pipe, String), LabError> {
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => LabError::Missing(format!("no {}", command.get_program().to_string_lossy())),
            _ => LabError::Io(error),
        })?;
        let gone = || LabError::Gone { what: name.to_owned() };
        let requests = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().ok_or_else(gone)?);
        let mut pipe = Pipe { name: name.to_owned(), child, requests, answers };
        let first = pipe.answer("start")?;
        Ok((pipe, first))
    }

    pub(super) fn ask(&mut self, request: &str) -> Result<String, LabError> {
        let gone = |_| LabError::Gone { what: self.name.clone() };
        let requests = self.requests.as_mut().ok_or_else(|| LabError::Gone { what: self.name.clone() })?;
        writeln!(requests, "{request}").map_err(gone)?;
        self.answer(request)
    }

    /// Reads bytes that follow an answer.
    pub(super) fn bytes(&mut self, count: usize) -> Result<Vec<u8>, LabError> {
        let mut bytes = vec![0; count];
        self.answers.read_exact(&mut bytes).map_err(|_| LabError::Gone { what: self.name.clone() })?;
        Ok(bytes)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process as `kill -9` does, and waits until it is gone.
    pub(super) fn kill(&mut self) -> io::Result<()> {
        self.requests = None;
        self.child.kill()?;
        self.child.wait().map(|_| ())
    }

    fn answer(&mut self, request: &str) -> Result<String, LabError> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(LabError::Gone { what: self.name.clone() });
        }
        let (word, text) = line.trim_end_matches('\n').split_once(' ').unwrap_or((line.trim_end(), ""));
        let text = text.replace(LINE_END, "\n");
        match word {
            "ok" => Ok(text),
            "unsupported" => Err(LabError::Missing(text)),
            _ => Err(LabError::Refused { what: request.to_owned(), text }),
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.requests = None;
        let deadline = Instant::now() + END_WITHIN;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() >= deadline {
                // Nobody is left to tell; what it kept is collected by the next lab.
                let _ = self.kill();
                return;
            }
            sleep(LOOK_EVERY);
        }
    }
}
