//! The other end of every measurement: one process with a sink, echoes, a source and a NATS server.

mod control;
mod nats;
mod poll;
mod source;
mod threads;

use crate::measure::{CROWD_ADDRESSES, Failure, Ports};
use crate::os;
use nats::Nats;
use socket2::{Domain, Socket, Type};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

/// What one connection of a server does with the bytes it gets.
trait Protocol {
    /// What is sent on accept.
    fn greeting(&self) -> &'static [u8] {
        b""
    }

    /// Takes bytes and appends the answer.
    fn receive(&mut self, bytes: &[u8], answer: &mut Vec<u8>);
}

/// Swallows and counts.
struct Sink;

impl Protocol for Sink {
    fn receive(&mut self, bytes: &[u8], _answer: &mut Vec<u8>) {
        count(bytes.len());
    }
}

/// Answers with what it gets, and counts.
struct Echo;

impl Protocol for Echo {
    fn receive(&mut self, bytes: &[u8], answer: &mut Vec<u8>) {
        count(bytes.len());
        answer.extend_from_slice(bytes);
    }
}

/// One count for the whole process: only one case runs at a time.
static COUNTED: AtomicU64 = AtomicU64::new(0);

fn count(bytes: usize) {
    COUNTED.fetch_add(bytes as u64, Ordering::Relaxed);
}

/// The room a server reads into. The same for every case, because it decides what stays in the cache.
const READ_BUFFER: usize = 256 * 1024;

/// Serves until standard input ends; prints the ports as one line of JSON.
pub(crate) fn serve() -> Result<(), Failure> {
    os::raise_open_files()?;
    let ports = Ports {
        sink: threads::serve(listen(Ipv4Addr::LOCALHOST, 0)?, || Sink)?,
        echo: threads::serve(listen(Ipv4Addr::LOCALHOST, 0)?, || Echo)?,
        crowd: poll::serve(listen_on_all()?, || Echo)?,
        source: source::serve(listen(Ipv4Addr::LOCALHOST, 0)?)?,
        nats: threads::serve(listen(Ipv4Addr::LOCALHOST, 0)?, Nats::default)?,
        nats_crowd: poll::serve(listen_on_all()?, Nats::default)?,
        control: control::serve(listen(Ipv4Addr::LOCALHOST, 0)?)?,
        redis: None,
    };
    println!("{}", serde_json::to_string(&ports)?);
    // The parent holds the other end: when it goes, so does this process, however it ended.
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

/// A running process of servers; it ends with this value.
pub(crate) struct Servers {
    process: Child,
    pub(crate) ports: Ports,
}

impl Servers {
    /// Starts this program again as the servers, on one CPU or wherever the scheduler likes.
    pub(crate) fn start(cpu: Option<usize>) -> Result<Servers, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(cpu) = cpu {
            command.args(["--cpu", &cpu.to_string()]);
        }
        let mut process = command.spawn()?;
        let stdout = process.stdout.take().ok_or("the servers have no standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let ports = serde_json::from_str(&line).map_err(|error| format!("the servers did not start: {error}"))?;
        Ok(Servers { process, ports })
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // Nothing to be done if it is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Listens with a backlog that 10,000 clients in a row do not fill.
fn listen(address: Ipv4Addr, port: u16) -> Result<TcpListener, Failure> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((address, port)).into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

/// Listens on the same port of the first sixteen loopback addresses.
fn listen_on_all() -> Result<Vec<TcpListener>, Failure> {
    let first = listen(Ipv4Addr::LOCALHOST, 0)?;
    let port = first.local_addr()?.port();
    let mut listeners = vec![first];
    for index in 1..CROWD_ADDRESSES {
        listeners.push(listen(Ipv4Addr::new(127, 0, 0, 1 + index as u8), port)?);
    }
    Ok(listeners)
}

fn write_answer(stream: &mut impl Write, answer: &mut Vec<u8>) -> std::io::Result<()> {
    if !answer.is_empty() {
        stream.write_all(answer)?;
        answer.clear();
    }
    Ok(())
}
