//! Tokio's socket as it is: what a user writes who takes no library.

use super::limit::{EVERY, PING, heartbeat_metrics};
use crate::measure::{Bound, Context, Counter, Failure, Latencies, Metrics, Stopwatch, crowd_address, local, wait_for};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until};

/// A connection to one of the servers.
pub(super) async fn connect(port: u16) -> Result<TcpStream, Failure> {
    connect_to(local(port)).await
}

/// A connection without Nagle's delay.
pub(super) async fn connect_to(address: SocketAddr) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// One write for each message.
pub(super) async fn throughput(context: &Context) -> Result<Metrics, Failure> {
    let frame = context.frame();
    let mut stream = connect(context.ports.sink).await?;
    let counter = Counter::reset(context)?;
    let mut bound = Bound::new(context);
    let watch = Stopwatch::start();
    while bound.another() {
        stream.write_all(&frame).await?;
    }
    wait_for(counter, bound.messages() * frame.len() as u64).await?;
    Ok(watch.per_message(bound.messages()))
}

/// One task that writes, then reads.
pub(super) async fn roundtrip(context: &Context) -> Result<Metrics, Failure> {
    let frame = context.frame();
    let mut reply = vec![0; frame.len()];
    let mut stream = connect(context.ports.echo).await?;
    let mut latencies = Latencies::new(context);
    while latencies.another() {
        stream.write_all(&frame).await?;
        stream.read_exact(&mut reply).await?;
        latencies.done();
    }
    latencies.metrics()
}

/// The straightforward way: a task and an interval for each connection.
pub(super) async fn heartbeat(context: &Context) -> Result<Metrics, Failure> {
    let mut pace = ConnectPace::new(context);
    for index in 0..context.clients {
        pace.wait(index).await;
        let stream = connect_to(crowd_address(context.ports.crowd, index)).await?;
        tokio::spawn(beat(stream));
    }
    measure_heartbeats(context).await
}

async fn beat(mut stream: TcpStream) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut buffer = [0; 64];
    loop {
        tokio::select! {
            _ = ticks.tick() => if stream.write_all(PING).await.is_err() { return },
            read = stream.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            },
        }
    }
}

/// Spreads the connects over one interval, so that heartbeats come evenly in every design.
pub(super) struct ConnectPace {
    start: Instant,
    step: Duration,
}

impl ConnectPace {
    pub(super) fn new(context: &Context) -> ConnectPace {
        ConnectPace { start: Instant::now(), step: EVERY / context.clients.max(1) as u32 }
    }

    pub(super) async fn wait(&mut self, index: usize) {
        let due = self.start + self.step * index as u32;
        // Tokio's timer is exact to a millisecond: sleeping less than that would only slow the ramp down.
        if due > Instant::now() + Duration::from_millis(1) {
            sleep_until(due.into()).await;
        }
    }
}

/// Lets the ramp die down, then measures clients that are already beating.
pub(super) async fn measure_heartbeats(context: &Context) -> Result<Metrics, Failure> {
    sleep(Duration::from_millis(500)).await;
    let mut counter = Counter::reset(context)?;
    let watch = Stopwatch::start();
    sleep(context.duration).await;
    heartbeat_metrics(&watch, &mut counter)
}

/// Connects one after another and gives each connection a task.
pub(super) async fn setup(context: &Context) -> Result<Metrics, Failure> {
    connect_all(context, false).await
}

/// The same, but a connection counts only when the server has answered a heartbeat.
pub(super) async fn setup_verified(context: &Context) -> Result<Metrics, Failure> {
    connect_all(context, true).await
}

async fn connect_all(context: &Context, verified: bool) -> Result<Metrics, Failure> {
    let watch = Stopwatch::start();
    for index in 0..context.clients {
        let mut stream = connect_to(crowd_address(context.ports.crowd, index)).await?;
        if verified {
            stream.write_all(PING).await?;
            stream.read_exact(&mut [0; PING.len()]).await?;
        }
        tokio::spawn(async move { stream.read(&mut [0; 64]).await });
    }
    Ok(setup_metrics(&watch, context))
}

/// Time and CPU for each connection.
pub(super) fn setup_metrics(watch: &Stopwatch, context: &Context) -> Metrics {
    let (cpu, wall) = watch.seconds();
    let clients = context.clients.max(1) as f64;
    Metrics::from([
        ("seconds".into(), wall),
        ("us_each".into(), wall * 1e6 / clients),
        ("cpu_us".into(), cpu * 1e6 / clients),
    ])
}
