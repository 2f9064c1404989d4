//! A server in a process of its own inside the lab: speaks lines, and misbehaves on request (`netlab/peer.py`).

use super::control::Pipe;
use super::{Lab, LabError, Role, script};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What it is called in errors.
const NAME: &str = "the lab's peer";
/// 10 ms between looks at what the peer has seen.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// 10 s for a signal to show in the process table; it takes microseconds unless the machine is drowning.
const SIGNAL_WITHIN: Duration = Duration::from_secs(10);
/// Stands between the lines of one answer.
const BETWEEN_LINES: char = '\x1f';

/// How a peer listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerOptions {
    role: Role,
    port: u16,
    backlog: u32,
    receive_buffer: u32,
}

impl PeerOptions {
    /// A peer on this port, of IPv4 and IPv6, in the network of `role`.
    pub fn on(role: Role, port: u16) -> PeerOptions {
        PeerOptions { role, port, backlog: 128, receive_buffer: 0 }
    }

    /// Sets how many connections wait in the kernel while the peer does not accept.
    pub fn backlog(mut self, connections: u32) -> PeerOptions {
        self.backlog = connections;
        self
    }

    /// Sets the kernel's receive buffer: a small one shuts its window soon.
    pub fn receive_buffer(mut self, bytes: u32) -> PeerOptions {
        self.receive_buffer = bytes;
        self
    }
}

/// What a peer has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerCounts {
    /// Connections accepted so far.
    pub accepted: u64,
    /// Connections that live.
    pub living: u64,
    /// `PING`s read.
    pub pings: u64,
    /// Other lines read.
    pub lines: u64,
    /// Bytes read.
    pub bytes: u64,
}

/// A connection that a peer has accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerConnection {
    /// Its number, from 1.
    pub number: u64,
    /// The port of the other side, as the peer sees it.
    pub remote_port: u16,
    /// How many bytes its kernel got, read or not; one more once the other side has finished.
    pub kernel_bytes: u64,
}

/// A server process in a lab: answers `PING` with `PONG`, records lines that begin with `#`, and records and sends back all
/// others. Dropping it kills it. While it is frozen, questions to it wait for the thaw.
#[derive(Debug)]
pub struct LabPeer {
    /// `None` once it is killed.
    pipe: Mutex<Option<Pipe>>,
}

impl Lab {
    /// Starts a peer, and waits until it listens.
    ///
    /// # Errors
    /// Fails if it does not start.
    pub fn peer(&self, options: PeerOptions) -> Result<LabPeer, LabError> {
        let mut program = script("peer.py");
        program.arg(options.port.to_string());
        program.arg(format!("--backlog={}", options.backlog));
        program.arg(format!("--receive-buffer={}", options.receive_buffer));
        let (pipe, _) = Pipe::open(self.command(options.role, &program), NAME)?;
        Ok(LabPeer { pipe: Mutex::new(Some(pipe)) })
    }
}

impl LabPeer {
    /// What it has seen.
    ///
    /// # Errors
    /// Fails if it is killed.
    pub fn counts(&self) -> Result<PeerCounts, LabError> {
        let text = self.ask("counts")?;
        let figures: Vec<u64> = text.split(' ').filter_map(|figure| figure.parse().ok()).collect();
        match figures[..] {
            [accepted, living, pings, lines, bytes] => Ok(PeerCounts { accepted, living, pings, lines, bytes }),
            _ => Err(LabError::Refused { what: "counts".to_owned(), text }),
        }
    }

    /// Every line but the pings, with the number of the connection it came over, from 1.
    ///
    /// # Errors
    /// Fails if it is killed.
    pub fn received(&self) -> Result<Vec<(u64, String)>, LabError> {
        let text = self.ask("received")?;
        let numbered = |line: &str| {
            let (connection, line) = line.split_once(' ')?;
            Some((connection.parse().ok()?, line.to_owned()))
        };
        Ok(text.split(BETWEEN_LINES).filter_map(numbered).collect())
    }

    /// Waits until what it has seen satisfies `enough`.
    ///
    /// # Errors
    /// [`LabError::TimedOut`] with what it has seen instead.
    pub fn await_counts(&self, within: Duration, enough: impl Fn(PeerCounts) -> bool) -> Result<PeerCounts, LabError> {
        let deadline = Instant::now() + within;
        loop {
            let counts = self.counts()?;
            if enough(counts) {
                return Ok(counts);
            }
            if Instant::now() >= deadline {
                return Err(LabError::TimedOut(format!("within {within:?} the peer saw only {counts:?}")));
            }
            sleep(LOOK_EVERY);
        }
    }

    /// How many bytes its kernel got over the living connections, read or not.
    ///
    /// # Errors
    /// Fails if it is killed.
    pub fn kernel_bytes(&self) -> Result<u64, LabError> {
        let text = self.ask("kernel_bytes")?;
        text.parse().map_err(|_| LabError::Refused { what: "kernel_bytes".to_owned(), text })
    }

    /// Every connection so far, with what its kernel got until it ended, or until now.
    ///
    /// # Errors
    /// Fails if it is killed.
    pub fn connections(&self) -> Result<Vec<PeerConnection>, LabError> {
        let text = self.ask("connections")?;
        let parse = |connection: &str| {
            let (number, rest) = connection.split_once(' ')?;
            let (port, bytes) = rest.split_once(' ')?;
            let (number, remote_port) = (number.parse().ok()?, port.parse().ok()?);
            Some(PeerConnection { number, remote_port, kernel_bytes: bytes.parse().ok()? })
        };
        Ok(text.split(BETWEEN_LINES).filter_map(parse).collect())
    }

    /// Listens, or refuses new connections.
    ///
    /// # Errors
    /// Fails if it is killed.
    pub fn set_listening(&self, on: bool) -> Result<(), LabError> {
        self.switch("listen", on)
    }

    /// Accepts connections, or leaves them in the kernel's queue.
    ///
    /// # Errors
    /// Fails if it is killed.
    pub fn set_accepting(&self, on: bool) -> Result<(), LabError> {
        self.switch("accepting", on)
    }

    /// Reads, or leaves everything in the kernel until its window is shut.
    ///
    /// # Errors
    /// Fails if it is killed.
    pub fn set_reading(&self, on: bool) -> Result<(), LabError> {
        self.switch("reading", on)
    }

    /// Answers, or reads and says nothing.
    ///
    /// # Errors
    /// Fails if it is killed.
    pub fn set_answering(&self, on: bool) -> Result<(), LabError> {
        self.switch("answering", on)
    }

    /// Sends a line to everybody.
    ///
    /// # Errors
    /// Fails if it is killed.
    pub fn push(&self, line: &str) -> Result<(), LabError> {
        self.ask(&format!("push {line}")).map(|_| ())
    }

    /// Ends every connection in order.
    ///
    /// # Errors
    /// Fails if it is killed.
    pub fn finish_all(&self) -> Result<(), LabError> {
        self.ask("end fin").map(|_| ())
    }

    /// Resets every connection.
    ///
    /// # Errors
    /// Fails if it is killed.
    pub fn reset_all(&self) -> Result<(), LabError> {
        self.ask("end rst").map(|_| ())
    }

    /// Freezes the process with `SIGSTOP`: it stands still when this returns, while its kernel goes on completing handshakes
    /// and acknowledging bytes.
    ///
    /// # Errors
    /// Fails if it is killed.
    pub fn freeze(&self) -> Result<(), LabError> {
        let pid = self.signal(Signal::SIGSTOP)?;
        let deadline = Instant::now() + SIGNAL_WITHIN;
        while !is_stopped(pid) {
            if Instant::now() >= deadline {
                return Err(LabError::TimedOut("the peer does not stop".to_owned()));
            }
            sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Lets a frozen process go on.
    ///
    /// # Errors
    /// Fails if it is killed.
    pub fn thaw(&self) -> Result<(), LabError> {
        self.signal(Signal::SIGCONT).map(|_| ())
    }

    /// Kills the process as `kill -9` does; its kernel ends its connections: with a reset where bytes were not read.
    ///
    /// # Errors
    /// Fails if the system does not let it be killed.
    pub fn kill(&self) -> Result<(), LabError> {
        // Taken first: a process that was waited for has given its number back and must not be signalled again.
        let pipe = self.pipe().take();
        Ok(pipe.map_or(Ok(()), |mut pipe| pipe.kill())?)
    }

    fn signal(&self, signal: Signal) -> Result<u32, LabError> {
        // The lock is held until the signal is sent, so that nobody frees the number meanwhile.
        let pipe = self.pipe();
        let pid = pipe.as_ref().ok_or_else(gone)?.pid();
        let number = i32::try_from(pid).map_err(io::Error::other)?;
        kill(Pid::from_raw(number), signal).map_err(io::Error::from)?;
        Ok(pid)
    }

    fn switch(&self, what: &str, on: bool) -> Result<(), LabError> {
        self.ask(&format!("{what} {}", u8::from(on))).map(|_| ())
    }

    fn ask(&self, request: &str) -> Result<String, LabError> {
        self.pipe().as_mut().ok_or_else(gone)?.ask(request)
    }

    fn pipe(&self) -> MutexGuard<'_, Option<Pipe>> {
        self.pipe.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LabPeer {
    fn drop(&mut self) {
        // A frozen one would not see the end of its input.
        let _ = self.kill();
    }
}

fn gone() -> LabError {
    LabError::Gone { what: NAME.to_owned() }
}

/// Whether the process stands still.
fn is_stopped(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The state follows the name, which is in parentheses and may contain anything.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['T', 't']))
}
