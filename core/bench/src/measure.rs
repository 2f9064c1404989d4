//! What a measurement is made of: a clock that counts CPU too, a bound in time, the sink's word, and latencies.

use crate::os;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Why a case has no figures.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// The figures of one run of one case, by name.
pub(crate) type Metrics = BTreeMap<String, f64>;

/// Where the servers listen. One process serves all of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Ports {
    /// Counts what it gets.
    pub(crate) sink: u16,
    /// Answers with what it gets, one thread a connection.
    pub(crate) echo: u16,
    /// The same from one epoll loop, on sixteen loopback addresses.
    pub(crate) crowd: u16,
    /// Sends frames for ever.
    pub(crate) source: u16,
    /// Speaks enough NATS, one thread a connection.
    pub(crate) nats: u16,
    /// The same from one epoll loop, on sixteen loopback addresses.
    pub(crate) nats_crowd: u16,
    /// Resets the count and tells it.
    pub(crate) control: u16,
    /// A real redis-server, where one is installed.
    pub(crate) redis: Option<u16>,
}

/// Everything a case is told.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) ports: Ports,
    /// Bytes in a message, without its length prefix.
    pub(crate) size: usize,
    /// How long to measure.
    pub(crate) duration: Duration,
    /// How many clients, where that is the point.
    pub(crate) clients: usize,
}

impl Context {
    /// The bytes of one message: not all alike, so that nothing gains from a page of zeroes.
    pub(crate) fn payload(&self) -> Vec<u8> {
        (0..self.size).map(|index| (index % 251) as u8).collect()
    }

    /// One message with its length prefix, as every framed case puts it on the wire.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let mut frame = (self.size as u32).to_be_bytes().to_vec();
        frame.extend(self.payload());
        frame
    }
}

/// The loopback address of a port.
pub(crate) fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// The address for the `index`th of many clients: spread over the first sixteen loopback addresses, since one has
/// only 28,000 ports to come from and those of the last round may still be waiting.
pub(crate) fn crowd_address(port: u16, index: usize) -> SocketAddr {
    (Ipv4Addr::new(127, 0, 0, 1 + (index % CROWD_ADDRESSES) as u8), port).into()
}

/// How many loopback addresses the servers for many clients listen on.
pub(crate) const CROWD_ADDRESSES: usize = 16;

/// A blocking connection without Nagle's delay, as every case has.
pub(crate) fn connect(port: u16) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect(local(port))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A clock for the wall and for this process's CPU.
pub(crate) struct Stopwatch {
    wall: Instant,
    cpu: Duration,
}

impl Stopwatch {
    pub(crate) fn start() -> Stopwatch {
        Stopwatch { cpu: os::cpu_time(), wall: Instant::now() }
    }

    /// The figures for this many messages since the start.
    pub(crate) fn per_message(&self, messages: u64) -> Metrics {
        let wall = self.wall.elapsed().as_secs_f64();
        let cpu = os::cpu_time().saturating_sub(self.cpu).as_secs_f64();
        Metrics::from([
            ("rate".into(), messages as f64 / wall),
            ("cpu_ns".into(), cpu * 1e9 / (messages as f64).max(1.0)),
        ])
    }

    /// CPU time and wall time since the start, in seconds.
    pub(crate) fn seconds(&self) -> (f64, f64) {
        let wall = self.wall.elapsed().as_secs_f64();
        (os::cpu_time().saturating_sub(self.cpu).as_secs_f64(), wall)
    }
}

/// Ends a loop after a time, looking at the clock once in about 64 KiB of messages so that the look costs nothing.
pub(crate) struct Bound {
    end: Instant,
    step: u64,
    messages: u64,
}

impl Bound {
    pub(crate) fn new(context: &Context) -> Bound {
        let step = (65_536 / context.size.max(1)).clamp(1, 1024) as u64;
        Bound { end: Instant::now() + context.duration, step, messages: 0 }
    }

    /// Whether another message is wanted; counts it.
    pub(crate) fn another(&mut self) -> bool {
        self.several(1)
    }

    /// Whether another batch of messages is wanted; counts them.
    pub(crate) fn several(&mut self, count: u64) -> bool {
        let steps_before = self.messages / self.step;
        if (self.messages + count) / self.step != steps_before && Instant::now() >= self.end {
            return false;
        }
        self.messages += count;
        true
    }

    /// How many were counted.
    pub(crate) fn messages(&self) -> u64 {
        self.messages
    }
}

/// The servers' count of bytes, on a connection of its own.
///
/// The answer of the count after a half-close would do for plain sockets, but half of the peers cannot half-close
/// (stubborn-io starts a reconnect); this serves all of them alike.
pub(crate) struct Counter(TcpStream);

impl Counter {
    /// Connects and sets the count to zero.
    pub(crate) fn reset(context: &Context) -> Result<Counter, Failure> {
        let mut counter = Counter(connect(context.ports.control)?);
        counter.ask(RESET, 0)?;
        Ok(counter)
    }

    /// Blocks until the servers have this many bytes.
    ///
    /// # Errors
    /// If they got more, or fewer within ten seconds: then the case lost or doubled something.
    pub(crate) fn wait_for(&mut self, bytes: u64) -> Result<(), Failure> {
        let counted = self.ask(WAIT, bytes)?;
        if counted == bytes { Ok(()) } else { Err(format!("server counted {counted} bytes instead of {bytes}").into()) }
    }

    /// The count as it is.
    pub(crate) fn read(&mut self) -> Result<u64, Failure> {
        self.ask(WAIT, 0)
    }

    fn ask(&mut self, verb: u8, value: u64) -> Result<u64, Failure> {
        let mut question = [verb, 0, 0, 0, 0, 0, 0, 0, 0];
        question[1..].copy_from_slice(&value.to_be_bytes());
        self.0.write_all(&question)?;
        let mut answer = [0; 8];
        self.0.read_exact(&mut answer)?;
        Ok(u64::from_be_bytes(answer))
    }
}

/// Control verb: set the count to zero.
pub(crate) const RESET: u8 = b'R';
/// Control verb: answer once the count is at least the value.
pub(crate) const WAIT: u8 = b'W';

/// Waits for the count without holding up the runtime that still has to write.
pub(crate) async fn wait_for(mut counter: Counter, bytes: u64) -> Result<(), Failure> {
    tokio::task::spawn_blocking(move || counter.wait_for(bytes)).await?
}

/// Round trips, one in flight: the first tenth warms up and is not counted.
pub(crate) struct Latencies {
    nanos: Vec<u32>,
    end: Instant,
    warm: Instant,
    last: Instant,
    cpu: Option<Stopwatch>,
}

impl Latencies {
    pub(crate) fn new(context: &Context) -> Latencies {
        let now = Instant::now();
        Latencies {
            nanos: Vec::with_capacity(1 << 20),
            end: now + context.duration,
            warm: now + context.duration / 10,
            last: now,
            cpu: None,
        }
    }

    /// Whether another round trip is wanted; call it right before and it times the one before it as well.
    pub(crate) fn another(&mut self) -> bool {
        self.last = Instant::now();
        self.last < self.end
    }

    /// Ends the round trip that [`Latencies::another`] began.
    pub(crate) fn done(&mut self) {
        let now = Instant::now();
        if now >= self.warm {
            self.cpu.get_or_insert_with(Stopwatch::start);
            self.nanos.push(u32::try_from((now - self.last).as_nanos()).unwrap_or(u32::MAX));
        }
    }

    /// Percentiles in microseconds and CPU per round trip.
    pub(crate) fn metrics(mut self) -> Result<Metrics, Failure> {
        let (cpu, _) = self.cpu.as_ref().map_or((0.0, 0.0), Stopwatch::seconds);
        if self.nanos.is_empty() {
            return Err("no round trip ended in time".into());
        }
        self.nanos.sort_unstable();
        let at = |share: f64| f64::from(self.nanos[((self.nanos.len() - 1) as f64 * share) as usize]) / 1e3;
        Ok(Metrics::from([
            ("p50_us".into(), at(0.5)),
            ("p99_us".into(), at(0.99)),
            ("p999_us".into(), at(0.999)),
            ("cpu_us".into(), cpu * 1e6 / self.nanos.len() as f64),
        ]))
    }
}
