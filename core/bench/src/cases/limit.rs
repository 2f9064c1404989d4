//! What the kernel allows: blocking sockets with ready blocks, and one epoll loop with one wheel for the heartbeats.

use crate::measure::{Bound, Context, Counter, Failure, Latencies, Metrics, Stopwatch, connect, crowd_address};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

/// Blocks of whole frames, written by a blocking socket. Nothing that frames and copies can be faster.
pub(super) fn throughput(context: &Context, block: usize) -> Result<Metrics, Failure> {
    let frame = context.frame();
    let frames = (block / frame.len()).max(1);
    let block = frame.repeat(frames);
    let mut stream = connect(context.ports.sink)?;
    let mut counter = Counter::reset(context)?;
    let mut bound = Bound::new(context);
    let watch = Stopwatch::start();
    while bound.several(frames as u64) {
        stream.write_all(&block)?;
    }
    counter.wait_for(bound.messages() * frame.len() as u64)?;
    Ok(watch.per_message(bound.messages()))
}

/// Reads without parsing, into as much room as the best of the other cases.
pub(super) fn receive(context: &Context) -> Result<Metrics, Failure> {
    let mut stream = connect(context.ports.source)?;
    stream.write_all(&wish(context))?;
    let mut buffer = vec![0; 256 * 1024];
    let (watch, end) = (Stopwatch::start(), Instant::now() + context.duration);
    let mut bytes = 0;
    while Instant::now() < end {
        match stream.read(&mut buffer)? {
            0 => return Err("the source ended".into()),
            length => bytes += length as u64,
        }
    }
    Ok(watch.per_message(bytes / (context.size as u64 + 4)))
}

/// The frame that tells the source which size to send.
pub(super) fn wish(context: &Context) -> Vec<u8> {
    let mut wish = 4_u32.to_be_bytes().to_vec();
    wish.extend((context.size as u32).to_be_bytes());
    wish
}

/// One write, one read, no runtime.
pub(super) fn roundtrip(context: &Context) -> Result<Metrics, Failure> {
    let frame = context.frame();
    let mut reply = vec![0; frame.len()];
    let mut stream = connect(context.ports.echo)?;
    let mut latencies = Latencies::new(context);
    while latencies.another() {
        stream.write_all(&frame)?;
        stream.read_exact(&mut reply)?;
        latencies.done();
    }
    latencies.metrics()
}

/// The heartbeat on the wire: a length prefix and five bytes.
pub(super) const PING: &[u8; 9] = b"\0\0\0\x05alive";
/// How often each connection sends one.
pub(super) const EVERY: Duration = Duration::from_secs(5);
/// The tick of the wheel, as long as Keepline's.
const TICK: Duration = Duration::from_millis(50);

/// One thread, one wheel: a tick writes the pings of its slot, whose answers come back in few batches.
pub(super) fn heartbeat(context: &Context) -> Result<Metrics, Failure> {
    let slots = (EVERY.as_millis() / TICK.as_millis()) as usize;
    let mut poll = Poll::new()?;
    let mut streams = Vec::with_capacity(context.clients);
    for index in 0..context.clients {
        let stream = std::net::TcpStream::connect(crowd_address(context.ports.crowd, index))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry().register(&mut stream, Token(index), Interest::READABLE)?;
        streams.push(stream);
    }
    let mut events = Events::with_capacity(1024);
    let mut scratch = vec![0; 64 * 1024];
    let mut counter = Counter::reset(context)?;
    let watch = Stopwatch::start();
    let (start, mut next, mut slot) = (Instant::now(), Instant::now(), 0);
    while start.elapsed() < context.duration {
        if Instant::now() >= next {
            for stream in streams.iter_mut().skip(slot).step_by(slots) {
                stream.write_all(PING)?;
            }
            slot = (slot + 1) % slots;
            next += TICK;
        }
        poll.poll(&mut events, Some(next.saturating_duration_since(Instant::now())))?;
        for event in &events {
            drain(&mut streams[event.token().0], &mut scratch)?;
        }
    }
    heartbeat_metrics(&watch, &mut counter)
}

fn drain(stream: &mut TcpStream, scratch: &mut [u8]) -> Result<(), Failure> {
    match stream.read(scratch) {
        Ok(0) => Err("the server closed an idle connection".into()),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// CPU as a share of one core and per heartbeat that the server has counted.
pub(super) fn heartbeat_metrics(watch: &Stopwatch, counter: &mut Counter) -> Result<Metrics, Failure> {
    let (cpu, wall) = watch.seconds();
    let heartbeats = counter.read()? as f64 / PING.len() as f64;
    if heartbeats == 0.0 {
        return Err("the server counted no heartbeat".into());
    }
    Ok(Metrics::from([
        ("cpu_percent".into(), cpu * 100.0 / wall),
        ("cpu_us".into(), cpu * 1e6 / heartbeats),
        ("beats_per_second".into(), heartbeats / wall),
    ]))
}
