//! What reached a host of the lab, seen on its wire (`netlab/witness.py`): true whatever becomes of the processes there.

use super::control::Pipe;
use super::{Lab, LabError, Role, script};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What it is called in errors.
const NAME: &str = "the lab's witness";
/// Stands between the connections of one answer.
const BETWEEN: char = '\x1f';

/// Watches the wire of one host.
#[derive(Debug)]
pub struct LabWitness {
    pipe: Mutex<Pipe>,
}

/// A connection to the host, from its SYN on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    /// When its SYN came, on the machine's monotonic clock: connections to different hosts can be put in order.
    pub began: Duration,
    /// The port of the other side, as the host sees it.
    pub remote_port: u16,
    /// The port of the host.
    pub local_port: u16,
    /// How many bytes of the stream the host's kernel has acknowledged: it has got at least these.
    pub acked: u64,
    /// The bytes that reached the host in order: its kernel has got at most these.
    pub stream: Vec<u8>,
}

impl Lab {
    /// Begins to watch what reaches the host of `role` over IPv4.
    ///
    /// # Errors
    /// Fails if the witness does not start.
    pub fn witness(&self, role: Role) -> Result<LabWitness, LabError> {
        let (pipe, _) = Pipe::open(self.command(role, &script("witness.py")), NAME)?;
        Ok(LabWitness { pipe: Mutex::new(pipe) })
    }
}

impl LabWitness {
    /// Every connection so far, in the order of their beginnings.
    ///
    /// # Errors
    /// Fails if packets came too fast to be seen: then nothing can be said.
    pub fn connections(&self) -> Result<Vec<Witnessed>, LabError> {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        let text = pipe.ask("connections")?;
        let mut connections = Vec::new();
        for figures in text.split(BETWEEN).filter(|figures| !figures.is_empty()) {
            let not_understood = || LabError::Refused { what: "connections".to_owned(), text: figures.to_owned() };
            let (mut connection, length) = parse(figures).ok_or_else(not_understood)?;
            connection.stream = pipe.bytes(length)?;
            connections.push(connection);
        }
        match pipe.ask("lost")?.as_str() {
            "0" => Ok(connections),
            lost => Err(LabError::Refused { what: "connections".to_owned(), text: format!("missed {lost} packets") }),
        }
    }
}

/// A connection without its stream, and how long that is.
fn parse(figures: &str) -> Option<(Witnessed, usize)> {
    let fields: Vec<&str> = figures.split(' ').collect();
    let [began, remote_port, local_port, acked, length] = fields[..] else { return None };
    let connection = Witnessed {
        began: Duration::from_nanos(began.parse().ok()?),
        remote_port: remote_port.parse().ok()?,
        local_port: local_port.parse().ok()?,
        acked: acked.parse().ok()?,
        stream: Vec::new(),
    };
    Some((connection, length.parse().ok()?))
}
