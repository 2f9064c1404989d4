//! What a healthy client that only beats costs: no allocation, one wake-up by the timer and one by the answer.
//!
//! A binary of its own, for the allocator that counts is that of the whole process. It counts for each thread; the
//! server runs on another.

use keepline::{Builder, Client, Correlation, Framing, Heartbeat, Matcher};
use keepline_testkit::servers::EchoServer;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const CLIENTS: usize = 20;

/// Enough for what grows by doubling to count little, few enough for the descriptors of a process.
const MANY: usize = 300;

/// Bytes: 1,195 today, alone in its process, and some hundred for the span of each client, which the listeners of its neighbours bring. 408 of
/// them are tokio's own, for the task and the socket.
const HEAP_OF_EACH: i64 = 1_360;

const EVERY: Duration = Duration::from_secs(3);

/// A client that hears nothing looks at the half of it, which is before the next heartbeat: the answer has to spare it
/// that. And it is far enough away for a loaded machine to answer in time.
const REPLY_WITHIN: Duration = Duration::from_millis(5800);

/// Two heartbeats each: tables have grown, buffers are promoted to shared ones.
const WARM_UP: Duration = Duration::from_millis(6500);

/// Some three heartbeats each.
const MEASURED: Duration = Duration::from_secs(9);

#[test]
fn a_heartbeat_allocates_nothing_and_wakes_its_client_once_to_be_sent_and_once_to_be_answered() {
    assert_cheap(&measure(|builder| builder));
}

#[test]
fn a_heartbeat_that_is_answered_in_order_with_the_requests_costs_no_more() {
    assert_cheap(&measure(|builder| builder.correlation(Correlation::Fifo)));
}

/// The thread itself, as the system counts: one wake-up by the timer, one by the answer, none on the way there.
#[cfg(target_os = "linux")]
#[test]
fn the_thread_of_an_idle_client_wakes_once_for_a_heartbeat_and_once_for_its_answer() {
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = runtime.block_on(async { beating(server.address).connect().await.unwrap() });
    let (sender, receiver) = mpsc::channel();
    // Told by another thread, so that no timer of this one counts.
    let (done, is_done) = oneshot::channel::<()>();
    let counted = client.clone();
    let watching = thread::spawn(move || {
        thread::sleep(WARM_UP);
        let thread = receiver.recv().unwrap();
        let before = (counted.stats().heartbeats, times_slept(thread));
        thread::sleep(Duration::from_secs(12));
        let after = (counted.stats().heartbeats, times_slept(thread));
        done.send(()).unwrap();
        (after.0 - before.0, after.1 - before.1)
    });
    sender.send(this_thread()).unwrap();
    runtime.block_on(async { is_done.await.unwrap() });
    let (heartbeats, wakeups) = watching.join().unwrap();
    assert!(heartbeats >= 3, "{heartbeats}");
    // A heartbeat whose answer is still on its way, at either end of the measurement.
    assert!(wakeups <= 2 * heartbeats + 2, "{wakeups} wake-ups for {heartbeats} heartbeats");
}

#[test]
fn an_idle_client_with_a_heartbeat_keeps_little_memory() {
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = beating(server.address).validate().unwrap();
    let connect = async || Client::builder(server.address).valid_config(config.clone()).connect().await.unwrap();
    // What the first client alone needs, such as the timer's task, is not the price of one more.
    let first = runtime.block_on(connect());
    let mut clients = Vec::with_capacity(MANY);
    let counted = allocation_counter::measure(|| {
        runtime.block_on(async {
            for _ in 0..MANY {
                clients.push(connect().await);
            }
        });
    });
    let each = counted.bytes_current / MANY as i64;
    assert!(each <= HEAP_OF_EACH, "{each} bytes");
    drop((first, clients));
}

fn assert_cheap(cost: &Cost) {
    assert!(cost.heartbeats >= 2 * CLIENTS as u64, "{cost:?}");
    assert_eq!(cost.allocations, 0, "{cost:?}");
    // A heartbeat whose answer is still on its way, at either end of the measurement.
    let cut = CLIENTS as u64;
    assert!(cost.turns <= 2 * cost.heartbeats + cut, "{cost:?}");
}

#[derive(Debug)]
struct Cost {
    heartbeats: u64,
    allocations: u64,
    /// How often a client's driver ran.
    turns: u64,
}

/// Connects clients, lets them beat for a while, and counts what the next beats cost.
fn measure(declare: impl Fn(Builder) -> Builder) -> Cost {
    let server = Server::start();
    let turns = Turns::default();
    let _counting = tracing::subscriber::set_default(turns.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let clients = runtime.block_on(connect(server.address, declare));
    let heartbeats = || clients.iter().map(|client| client.stats().heartbeats).sum::<u64>();
    sleep(&runtime, WARM_UP);
    let (heartbeats_before, turns_before) = (heartbeats(), turns.count());
    let counted = allocation_counter::measure(|| sleep(&runtime, MEASURED));
    let cost = Cost {
        heartbeats: heartbeats() - heartbeats_before,
        allocations: counted.count_total,
        turns: turns.count() - turns_before,
    };
    assert!(clients.iter().all(|client| client.stats().attempts == 1), "a connection was lost");
    cost
}

async fn connect(address: SocketAddr, declare: impl Fn(Builder) -> Builder) -> Vec<Client> {
    let mut clients = Vec::with_capacity(CLIENTS);
    for _ in 0..CLIENTS {
        clients.push(declare(beating(address)).connect().await.unwrap());
    }
    clients
}

fn beating(address: SocketAddr) -> Builder {
    let heartbeat = Heartbeat::new("PING").every(EVERY).reply_within(REPLY_WITHIN).reply(Matcher::Exact("PING".into()));
    Client::builder(address).framing(Framing::lines()).heartbeat(heartbeat)
}

fn sleep(runtime: &Runtime, time: Duration) {
    runtime.block_on(async { tokio::time::sleep(time).await });
}

#[cfg(target_os = "linux")]
fn this_thread() -> u64 {
    let path = std::fs::read_link("/proc/thread-self").unwrap();
    path.file_name().unwrap().to_str().unwrap().parse().unwrap()
}

/// How often a thread of this process went to sleep by itself.
#[cfg(target_os = "linux")]
fn times_slept(thread: u64) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/self/task/{thread}/status")).unwrap();
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.unwrap().trim().parse().unwrap()
}

/// Counts the turns of drivers: each enters the span of its client.
#[derive(Clone, Default)]
struct Turns(Arc<AtomicU64>);

impl Turns {
    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Subscriber for Turns {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.name() == "keepline"
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn enter(&self, _span: &Id) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn exit(&self, _span: &Id) {}
    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn event(&self, _event: &Event<'_>) {}
}

/// An echo on a thread of its own, ended when it is dropped.
struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start() -> Server {
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let server = EchoServer::start().await.unwrap();
                tell.send(server.addr()).unwrap();
                let _dropped = stopped.await;
            });
        });
        Server { address: told.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _panicked = self.thread.take().map(JoinHandle::join);
    }
}
