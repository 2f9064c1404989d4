//! What a healthy client that only beats costs: no allocation, one wake-up by the timer and one by the answer.
//!
//! A binary of its own, for the allocator that counts is that of the whole process. It counts for each thread; the
//! server runs on another.

mod idle;

use idle::{Server, beating, sleep};
use keepline::{Builder, Client, Correlation};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;
use tokio::sync::oneshot;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const CLIENTS: usize = 20;

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
