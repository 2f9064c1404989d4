//! Networks of their own for tests of what a connection does when the network misbehaves (Linux, root).
//!
//! A [`Lab`] is a client, a NAT router, a server and a second server, each in a network namespace; `netlab/README.md`
//! shows the wiring and every fault. Tests run beside each other: no lab sees another, and none reaches the host.

mod control;
mod error;
mod inside;
mod peer;
mod require;
mod sockets;
mod witness;

pub use error::LabError;
pub use peer::{LabPeer, PeerConnection, PeerCounts, PeerOptions};
pub use require::require;
pub use sockets::{TcpSocketEntry, TcpState, TcpTimer};
pub use witness::{LabWitness, Witnessed};

use control::Pipe;
use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The server's address, seen from the client.
pub const SERVER: &str = "198.18.2.10";
/// The server's IPv6 address.
pub const SERVER_V6: &str = "2001:db8:2::10";
/// The second server's own address; it holds [`SERVER`] too, which `reboot` makes it answer for.
pub const FRESH_SERVER: &str = "198.18.4.10";
/// The client's address.
pub const CLIENT: &str = "198.18.1.2";
/// The client's address after `roam`.
pub const CLIENT_ROAMED: &str = "198.18.3.2";

/// 20 ms between looks at a counter: each costs a process of a few milliseconds.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Whose network it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The side under test.
    Client,
    /// The NAT between the two.
    Router,
    /// The server.
    Server,
    /// A host without any connection state, which takes over the server's address on `reboot`.
    FreshServer,
}

impl Role {
    const fn letter(self) -> char {
        match self {
            Role::Client => 'c',
            Role::Router => 'r',
            Role::Server => 's',
            Role::FreshServer => 't',
        }
    }
}

/// What the NAT does with packets of a mapping it has forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Forgotten {
    /// Nothing comes back.
    Drop,
    /// They are answered with a reset.
    Rst,
}

/// How a lab is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabOptions {
    nat_timeout: Duration,
    forgotten: Forgotten,
    wire: bool,
}

impl Default for LabOptions {
    /// A NAT that remembers for five minutes, longer than a test lasts, and no wire.
    fn default() -> LabOptions {
        LabOptions { nat_timeout: Duration::from_secs(300), forgotten: Forgotten::Drop, wire: false }
    }
}

impl LabOptions {
    /// Sets how long the NAT remembers an idle connection; whole seconds, rounded up.
    pub fn nat_timeout(mut self, timeout: Duration) -> LabOptions {
        self.nat_timeout = timeout;
        self
    }

    /// Sets what happens to packets of a forgotten connection.
    pub fn forgotten(mut self, forgotten: Forgotten) -> LabOptions {
        self.forgotten = forgotten;
        self
    }

    /// Connects the client through the userland cable that the fault `wire` needs.
    pub fn wire(mut self) -> LabOptions {
        self.wire = true;
        self
    }

    fn arguments(&self) -> Vec<String> {
        let whole_seconds = self.nat_timeout.as_nanos().div_ceil(1_000_000_000);
        let forgotten = match self.forgotten {
            Forgotten::Drop => "drop",
            Forgotten::Rst => "rst",
        };
        let mut arguments = vec![format!("--nat-timeout={whole_seconds}"), format!("--nat-unknown={forgotten}")];
        if self.wire {
            arguments.push("--wire".to_owned());
        }
        arguments
    }
}

/// A network of its own; dropping it ends it, with every process in it.
///
/// Its methods block; [`run_inside`](Self::run_inside) polls its future on a thread of its own, which they may block.
pub struct Lab {
    id: String,
    control: Mutex<Pipe>,
}

impl Lab {
    /// Builds the network.
    ///
    /// # Errors
    /// [`LabError::Missing`] where the machine cannot have one: not Linux, not root, a program or a feature of the kernel
    /// is not there. Otherwise what went wrong.
    pub fn up(options: LabOptions) -> Result<Lab, LabError> {
        let mut command = script("netlab.py");
        command.arg("control").args(options.arguments());
        let (control, id) = Pipe::open(command, "netlab.py control")?;
        Ok(Lab { id, control: Mutex::new(control) })
    }

    /// The name of the lab, as `netlab.py list` shows it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Causes a fault, such as `fault("blackhole", &["dir=up"])`; once more with other arguments replaces it.
    ///
    /// The fault holds when this returns.
    ///
    /// # Errors
    /// Fails with the lab's own words if there is no such fault or argument.
    pub fn fault(&self, name: &str, arguments: &[&str]) -> Result<(), LabError> {
        self.ask(name, arguments).map(|_| ())
    }

    /// Makes the network healthy again; connections are left as they are.
    ///
    /// # Errors
    /// Fails with the lab's own words.
    pub fn clear(&self) -> Result<(), LabError> {
        self.fault("clear", &[])
    }

    /// How many packets a fault has caught since it was set; `nat` for those of forgotten connections.
    ///
    /// # Errors
    /// Fails if the fault is not set.
    pub fn hits(&self, name: &str) -> Result<u64, LabError> {
        let count = self.ask("hits", &[&format!("name={name}")])?;
        count.parse().map_err(|_| LabError::Refused { what: "hits".to_owned(), text: count })
    }

    /// Waits until a fault has caught `count` packets: until it has bitten.
    ///
    /// # Errors
    /// [`LabError::TimedOut`] if it has not within the time.
    pub fn await_hits(&self, name: &str, count: u64, within: Duration) -> Result<(), LabError> {
        let deadline = Instant::now() + within;
        loop {
            let hits = self.hits(name)?;
            if hits >= count {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(LabError::TimedOut(format!("{name} caught {hits} packets of {count} within {within:?}")));
            }
            sleep(LOOK_EVERY);
        }
    }

    /// The faults that are set with what they caught, the NAT's connections and the router's routes, for people.
    pub fn status(&self) -> String {
        self.ask("status", &[]).unwrap_or_else(|error| error.to_string())
    }

    fn ask(&self, verb: &str, arguments: &[&str]) -> Result<String, LabError> {
        let request = [&[verb], arguments].concat().join(" ");
        self.control.lock().unwrap_or_else(PoisonError::into_inner).ask(&request)
    }

    fn namespace(&self, role: Role) -> String {
        format!("kl{}-{}", self.id, role.letter())
    }

    /// A command that runs in the network of `role`.
    fn command(&self, role: Role, program: &Command) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(role)]).arg(program.get_program()).args(program.get_args());
        command.stdin(Stdio::null());
        command
    }
}

impl fmt::Debug for Lab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lab").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A script of the lab, as an argument of the interpreter.
fn script(name: &str) -> Command {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "netlab", name].iter().collect();
    let mut command = Command::new("python3");
    // -B: the directory of a package may be read-only, and stays as it is.
    command.arg("-B").arg(path);
    command
}
