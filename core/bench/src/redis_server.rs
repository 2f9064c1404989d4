//! A real redis-server for the redis-rs cases, where one is installed.

use crate::measure::{Failure, local};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The addresses it listens on: four have ports enough for two rounds of 10,000 clients.
pub(crate) const ADDRESSES: [&str; 4] = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"];

/// A running server; it ends with this value, or with this process however that ends.
pub(crate) struct RedisServer {
    process: Child,
    pub(crate) port: u16,
}

impl RedisServer {
    /// Starts one that keeps nothing on disk.
    ///
    /// # Errors
    /// If none is installed or it does not come up.
    pub(crate) fn start(cpu: Option<usize>) -> Result<RedisServer, Failure> {
        let port = TcpListener::bind(local(0))?.local_addr()?.port();
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("become");
        if let Some(cpu) = cpu {
            command.args(["--cpu", &cpu.to_string()]);
        }
        command.args(["--", "redis-server", "--port", &port.to_string(), "--bind"]).args(ADDRESSES);
        command.args(["--save", "", "--appendonly", "no", "--maxclients", "15000", "--tcp-backlog", "4096"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = RedisServer { process: command.spawn()?, port };
        let end = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(local(port)).is_err() {
            if server.process.try_wait()?.is_some() {
                return Err("redis-server is not installed or did not start".into());
            }
            if Instant::now() >= end {
                return Err("redis-server did not answer within 5 s".into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // Nothing to be done if it is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
