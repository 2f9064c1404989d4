//! Real servers in the lab: redis-server and nats-server, as their packages bring them.

use super::plan::ServerKind;
use crate::measure::{Failure, local};
use keepline_testkit::lab::{Lab, Role, SERVER};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// 20 s to listen: eighty of them start on two cores.
const LISTENS_WITHIN: Duration = Duration::from_secs(20);
/// 20 ms between attempts to reach it.
const TRY_EVERY: Duration = Duration::from_millis(20);

impl ServerKind {
    pub(super) const fn port(self) -> u16 {
        match self {
            ServerKind::Redis => 6379,
            ServerKind::Nats => 4222,
        }
    }

    /// Its address, seen from the client.
    pub(super) fn address(self) -> String {
        format!("{SERVER}:{}", self.port())
    }

    fn command(self) -> Command {
        let port = self.port().to_string();
        let mut command = Command::new(self.program());
        match self {
            ServerKind::Redis => command.args(["--port", &port, "--bind", "0.0.0.0", "--protected-mode", "no"]).args([
                "--save",
                "",
                "--appendonly",
                "no",
            ]),
            ServerKind::Nats => command.args(["--addr", "0.0.0.0", "--port", &port]),
        };
        command
    }

    const fn program(self) -> &'static str {
        match self {
            ServerKind::Redis => "redis-server",
            ServerKind::Nats => "nats-server",
        }
    }

    /// The name and version that its program tells, for the record.
    pub(super) fn version(self) -> String {
        let told = Command::new(self.program()).arg("--version").output();
        told.map_or_else(
            |error| error.to_string(),
            |output| {
                String::from_utf8_lossy(&output.stdout).split(" sha=").next().unwrap_or_default().trim().to_owned()
            },
        )
    }
}

/// A running server; it ends with this value, or with its lab.
pub(super) struct Server {
    child: Child,
}

impl Server {
    /// Starts one in the network of `role`, and waits until it listens.
    pub(super) fn start(lab: &Lab, role: Role, kind: ServerKind) -> Result<Server, Failure> {
        lab.run_on_one_thread(role, async || {
            let mut command = kind.command();
            command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut server = Server { child: command.spawn().map_err(|error| format!("{}: {error}", kind.program()))? };
            let until = Instant::now() + LISTENS_WITHIN;
            while TcpStream::connect(local(kind.port())).is_err() {
                if let Some(status) = server.child.try_wait()? {
                    return Err(format!("{} ended: {status}", kind.program()).into());
                }
                if Instant::now() >= until {
                    return Err(format!("{} does not listen within {LISTENS_WITHIN:?}", kind.program()).into());
                }
                sleep(TRY_EVERY);
            }
            Ok(server)
        })?
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing to be done if it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
