//! Real servers in processes of their own, that can be killed, frozen and started again on the same port.

mod directory;
mod modbus;
mod mosquitto;
mod nats;
mod nginx;
mod proxy;
mod redis;
mod require;

pub use modbus::{ModbusServer, ModbusWrite, python};
pub use mosquitto::MosquittoServer;
pub use nats::NatsServer;
pub use nginx::NginxServer;
pub use proxy::ProxyServer;
pub use redis::{RedisReply, RedisServer};
pub use require::require;

pub use crate::port::{ReservedPort, free_port};

use directory::Directory;
use std::fs::{File, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// 60 s: an interpreter that starts cold on a busy machine of two cores has been seen to take ten.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// 1 s for one attempt at an answer; the next one follows anyway.
const PROBE_WITHIN: Duration = Duration::from_secs(1);
/// 10 ms between looks: small against any start, cheap enough to repeat.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// 10 s for a signal to show in the process table; it takes microseconds unless the machine is drowning.
const SIGNAL_WITHIN: Duration = Duration::from_secs(10);
/// 4 KiB of what the server printed go into an error: its last words, not its life.
const LAST_WORDS: usize = 4096;

/// Why a server process is not there.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// Something it needs is not installed.
    #[error("{what} is missing: {install}")]
    Missing {
        /// What is missing.
        what: String,
        /// How to install it.
        install: String,
    },
    /// It ended before it answered.
    #[error("{what} ended at once with {status}: {output}")]
    Exited {
        /// The server.
        what: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed last.
        output: String,
    },
    /// It runs and does not answer; it was killed.
    #[error("{what} did not answer within {within:?}: {output}")]
    NotReady {
        /// The server.
        what: String,
        /// How long it was given.
        within: Duration,
        /// What it printed last.
        output: String,
    },
    /// The system could not do what was asked.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How to start a server and how to tell that it is up.
pub struct Program {
    name: String,
    install: String,
    command: CommandFor,
    question: Vec<u8>,
    answer: Vec<u8>,
    missing: Option<(i32, String)>,
}

/// Makes the command for a port and a directory of the server's own.
type CommandFor = Box<dyn Fn(u16, &Path) -> Command + Send + Sync>;

impl Program {
    /// Describes a server by name, by how to install it, and by its command for a port and a directory of its own.
    ///
    /// The server has to listen on 127.0.0.1 and to set `SO_REUSEADDR`, as nearly all do. It counts as up once it
    /// accepts a connection.
    pub fn new(
        name: impl Into<String>,
        install: impl Into<String>,
        command: impl Fn(u16, &Path) -> Command + Send + Sync + 'static,
    ) -> Program {
        Program {
            name: name.into(),
            install: install.into(),
            command: Box::new(command),
            question: Vec::new(),
            answer: Vec::new(),
            missing: None,
        }
    }

    /// Counts the server as up only once it answers `question` with bytes that begin with `answer`.
    pub fn answers(mut self, question: &[u8], answer: &[u8]) -> Program {
        self.question = question.to_vec();
        self.answer = answer.to_vec();
        self
    }

    /// Takes an exit with `code` at the start as the lack of `what`, a library for instance.
    pub fn missing_at_exit(mut self, code: i32, what: impl Into<String>) -> Program {
        self.missing = Some((code, what.into()));
        self
    }
}

/// A server in a process of its own; dropping it kills the process and removes its directory.
///
/// Its port is reserved for as long as this lives, so a killed server always comes back on the same one. Freezing needs
/// the `kill` program of Unix systems.
pub struct ServerProcess {
    program: Program,
    port: ReservedPort,
    directory: Directory,
    child: Mutex<Option<Child>>,
}

impl ServerProcess {
    /// Starts the server on a free port and waits until it answers.
    ///
    /// # Errors
    /// [`ProcessError::Missing`] if it is not installed; otherwise what went wrong, with its last words.
    ///
    /// # Cancel safety
    /// Cancel safe: a server that was not handed out is killed.
    pub async fn start(program: Program) -> Result<ServerProcess, ProcessError> {
        let (port, directory) = (ReservedPort::loopback()?, Directory::create()?);
        let server = ServerProcess { program, port, directory, child: Mutex::new(None) };
        server.start_again().await?;
        Ok(server)
    }

    /// The address of the server; it stays the same through restarts.
    pub fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    /// The port of the server.
    pub fn port(&self) -> u16 {
        self.port.port()
    }

    /// The directory of the server's own; it outlives restarts and is removed in the end.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The process id; `None` while it is killed.
    pub fn pid(&self) -> Option<u32> {
        self.child().as_ref().map(Child::id)
    }

    /// What it printed last, at most 4 KiB.
    pub fn output(&self) -> String {
        let printed = std::fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&printed[printed.len().saturating_sub(LAST_WORDS)..]).trim().to_owned()
    }

    /// Kills the process as `kill -9` does and waits until it is gone; does nothing if it is.
    ///
    /// # Errors
    /// Fails if the system does not let it be killed.
    pub fn kill(&self) -> io::Result<()> {
        // Taken first: a child that was waited for has given its id back and must not be signalled again.
        let Some(mut child) = self.child().take() else { return Ok(()) };
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Starts it on the same port, in the same directory, and waits until it answers; does nothing if it runs.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    ///
    /// # Cancel safety
    /// Cancel safe: the process is started before the first wait and goes on starting.
    pub async fn start_again(&self) -> Result<(), ProcessError> {
        if self.child().is_none() {
            let child = self.spawn()?;
            *self.child() = Some(child);
        }
        let deadline = Instant::now() + READY_WITHIN;
        while !self.is_ready().await {
            if let Some(status) = self.exit_status()? {
                return Err(self.exited(status));
            }
            if Instant::now() >= deadline {
                let (what, output) = (self.program.name.clone(), self.output());
                self.kill()?;
                return Err(ProcessError::NotReady { what, within: READY_WITHIN, output });
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Kills it and starts it again.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    ///
    /// # Cancel safety
    /// Cancel safe: cancelled on the way, the process goes on starting.
    pub async fn restart(&self) -> Result<(), ProcessError> {
        self.kill()?;
        self.start_again().await
    }

    /// Freezes the process with `SIGSTOP`; on Linux it stands still when this returns.
    ///
    /// Its kernel goes on completing handshakes and acknowledging bytes.
    ///
    /// # Errors
    /// Fails if it does not run or there is no `kill` program.
    ///
    /// # Cancel safety
    /// Cancel safe: the signal is sent before the first wait.
    pub async fn freeze(&self) -> io::Result<()> {
        let pid = self.signal("STOP")?;
        let deadline = Instant::now() + SIGNAL_WITHIN;
        while is_stopped(pid) == Some(false) {
            if Instant::now() >= deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the process does not stop"));
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Lets a frozen process go on (`SIGCONT`).
    ///
    /// # Errors
    /// Fails if it does not run or there is no `kill` program.
    pub fn thaw(&self) -> io::Result<()> {
        self.signal("CONT").map(|_| ())
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log_path(&self) -> PathBuf {
        self.directory().join("output.log")
    }

    fn spawn(&self) -> Result<Child, ProcessError> {
        let log: File = OpenOptions::new().create(true).append(true).open(self.log_path())?;
        let mut command = (self.program.command)(self.port(), self.directory());
        // The open pipe tells a server that watches it when this process is gone, however it went.
        command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                let what = command.get_program().to_string_lossy().into_owned();
                ProcessError::Missing { what, install: self.program.install.clone() }
            }
            _ => ProcessError::Io(error),
        })
    }

    /// How the process ended by itself; it is forgotten then.
    fn exit_status(&self) -> io::Result<Option<ExitStatus>> {
        let mut child = self.child();
        let status = child.as_mut().map(Child::try_wait).transpose()?.flatten();
        if status.is_some() {
            *child = None;
        }
        Ok(status)
    }

    fn exited(&self, status: ExitStatus) -> ProcessError {
        match &self.program.missing {
            Some((code, what)) if status.code() == Some(*code) => {
                ProcessError::Missing { what: what.clone(), install: self.program.install.clone() }
            }
            _ => ProcessError::Exited { what: self.program.name.clone(), status, output: self.output() },
        }
    }

    async fn is_ready(&self) -> bool {
        let probe = async {
            let mut stream = TcpStream::connect(self.addr()).await?;
            stream.write_all(&self.program.question).await?;
            let mut answer = vec![0; self.program.answer.len()];
            stream.read_exact(&mut answer).await?;
            io::Result::Ok(answer == self.program.answer)
        };
        matches!(timeout(PROBE_WITHIN, probe).await, Ok(Ok(true)))
    }

    fn signal(&self, signal: &str) -> io::Result<u32> {
        // The lock is held until the signal is sent, so that nobody reaps the process and frees its id meanwhile.
        let child = self.child();
        let pid = child.as_ref().map(Child::id).ok_or(io::ErrorKind::NotFound)?;
        let status = Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status()?;
        if status.success() { Ok(pid) } else { Err(io::Error::other(format!("kill -{signal} {pid} failed: {status}"))) }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = self.kill();
    }
}

impl std::fmt::Debug for ServerProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, addr, pid) = (&self.program.name, self.addr(), self.pid());
        f.debug_struct("ServerProcess").field("name", name).field("addr", &addr).field("pid", &pid).finish()
    }
}

/// The program of this name: where Debian keeps some servers, which is not on everybody's path, or by the path.
fn installed(name: &str) -> PathBuf {
    let path = Path::new("/usr/sbin").join(name);
    if path.exists() { path } else { PathBuf::from(name) }
}

/// Whether the process stands still; `None` where there is no /proc to ask.
fn is_stopped(pid: u32) -> Option<bool> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The state follows the name, which is in parentheses and may contain anything.
    let state = stat.rsplit_once(") ")?.1.chars().next()?;
    Some(matches!(state, 'T' | 't'))
}
