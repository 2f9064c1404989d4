//! A client in a process of its own: told what to do by words on standard input, tells what happens on standard output.

use super::journal::{Journal, Said};
use super::plan::{Program, Subject};
use crate::measure::Failure;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// 30 s to connect and make one exchange: eighty processes start on two cores.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// 5 ms between looks at what was said.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A running client.
pub(super) struct ClientProcess {
    child: Child,
    pub(super) journal: Journal,
}

impl ClientProcess {
    /// Starts a client in the network of the calling thread; answers what it said when it was connected.
    pub(super) fn start(subject: &Subject, address: &str, python: &Path) -> Result<(ClientProcess, Said), Failure> {
        let mut command = match subject.program {
            Program::Own => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["fault-client", subject.name, address]);
                command
            }
            Program::Python(script) => {
                let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "faults", script].iter().collect();
                let mut command = Command::new(python);
                command.arg("-B").arg(path).arg(address);
                command
            }
        };
        let begun = Instant::now();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let output = child.stdout.take().ok_or("the client has no standard output")?;
        let client = ClientProcess { child, journal: Journal::keep(BufReader::new(output)) };
        let ready = client.wait_for("ready", begun, READY_WITHIN)?;
        Ok((client, ready))
    }

    /// Tells it what to do.
    pub(super) fn tell(&mut self, word: &str) -> Result<(), Failure> {
        let input = self.child.stdin.as_mut().ok_or("the client's standard input is gone")?;
        Ok(writeln!(input, "{word}")?)
    }

    /// Waits until it says this.
    pub(super) fn wait_for(&self, word: &str, since: Instant, within: Duration) -> Result<Said, Failure> {
        loop {
            if let Some(said) = self.journal.first(&[word], since) {
                return Ok(said);
            }
            if since.elapsed() > within {
                return Err(format!("the client did not say `{word}` within {within:?}: {:?}", self.journal).into());
            }
            sleep(LOOK_EVERY);
        }
    }
}

impl Drop for ClientProcess {
    fn drop(&mut self) {
        // Nothing to be done if it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
