//! Many clients of one process lose one server: their retries share a budget, and nobody else pays for it.

mod support;

use keepline::{Cause, Client, Framing, Governor, Profile, RetryBudget};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use support::{SOON, await_event, eventually, secs};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const CLIENTS: usize = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousand_clients_come_back_by_the_budget_and_another_endpoint_does_not_wait_for_them() {
    let server = Server::start().await;
    let other = Server::start().await;
    let begin = Instant::now();
    let builder = Client::builder(server.address).profile(Profile::Datacenter).framing(Framing::lines());
    let config = builder.validate().unwrap();
    let start = |address: SocketAddr| Client::builder(address).valid_config(config.clone()).start().unwrap();
    let clients: Vec<Client> = (0..CLIENTS).map(|_| start(server.address)).collect();
    let alone = start(other.address);
    eventually("all are connected", SOON, || server.accepted().len() == CLIENTS).await;
    eventually("the other one is connected", SOON, || other.accepted().len() == 1).await;
    let budget = Governor::of_process().budget();
    let by_budget = (CLIENTS as u32 - budget.burst) / budget.per_second;
    assert!(begin.elapsed() < secs(by_budget.into()), "first dials are free: {:?}", begin.elapsed());
    let up = || clients.iter().filter(|client| client.state().is_up()).count();
    eventually("all know it", SOON, || up() == CLIENTS && alone.state().is_up()).await;

    let lost = Instant::now();
    server.cut();
    other.cut();
    eventually("the other one is back", SOON, || other.accepted().len() == 2).await;
    // What three seconds allow, however long it takes.
    let enough = CLIENTS + (budget.burst + 3 * budget.per_second) as usize;
    eventually("many are back", SOON, || server.accepted().len() >= enough).await;
    let back: Vec<f64> = server.accepted()[CLIENTS..].iter().map(|at| (*at - lost).as_secs_f64()).collect();
    let (burst, per_second) = (f64::from(budget.burst), f64::from(budget.per_second));
    for (number, at) in back.iter().enumerate() {
        // Tokens come back from the first retry on, which is not before the floor of the first wait.
        let most = burst + per_second * at + 1.0;
        assert!((number + 1) as f64 <= most, "{} attempts within {at} s", number + 1);
    }
    assert!(
        clients.iter().any(|client| client.reports().iter().any(|report| report.ending.cause == Cause::PeerClosed))
    );
    // How an attempt began is told with its end.
    other.cut();
    eventually("its second end is told", SOON, || alone.reports().len() >= 2).await;
    assert!(!was_held(&alone), "it has a budget of its own");
}

#[tokio::test]
async fn retries_of_an_own_budget_are_held_in_order_and_the_report_says_so() {
    let server = Server::start().await;
    let governor = Governor::new(RetryBudget { burst: 1, per_second: 1 }).unwrap();
    let builder = Client::builder(server.address).profile(Profile::Datacenter).governor(governor);
    let clients: Vec<Client> = (0..3).map(|_| builder.clone().start().unwrap()).collect();
    let free = builder.governed(false).start().unwrap();
    let mut events: Vec<_> = clients.iter().chain([&free]).map(|client| client.events_after(0)).collect();
    for events in &mut events {
        await_event(events, "connected", SOON).await;
    }
    let lost = Instant::now();
    server.cut();
    await_event(&mut events[3], "connected", SOON).await;
    for events in &mut events[..3] {
        await_event(events, "connected", SOON).await;
    }
    let all = lost.elapsed();
    assert!(all >= secs(2) && all < secs(5), "one at once, one after a second, one after two: {all:?}");
    server.cut();
    for events in &mut events {
        await_event(events, "disconnected", SOON).await;
    }
    assert_eq!(clients.iter().filter(|client| was_held(client)).count(), 2);
    assert!(!was_held(&free), "who is not governed does not wait");
}

#[tokio::test]
async fn wish_of_the_user_is_never_held() {
    let server = Server::start().await;
    let governor = Governor::new(RetryBudget { burst: 1, per_second: 1 }).unwrap();
    let client = Client::builder(server.address).governor(governor).start().unwrap();
    let mut events = client.events_after(0);
    for _ in 0..5 {
        await_event(&mut events, "connected", SOON).await;
        client.reconnect();
        await_event(&mut events, "disconnected", SOON).await;
        // Of the connection before, which was dialled by a wish as well.
        assert!(!was_held(&client));
    }
}

/// Whether an attempt had to wait for the budget, by the reports that are kept.
fn was_held(client: &Client) -> bool {
    client.reports().iter().any(|report| report.entries.iter().any(|entry| entry.what.name() == "held"))
}

/// Accepts, keeps, and says when.
struct Server {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Kept {
    accepted: Vec<Instant>,
    streams: Vec<TcpStream>,
}

impl Server {
    async fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let kept = Arc::new(Mutex::new(Kept::default()));
        let keeper = kept.clone();
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let mut kept = keeper.lock().unwrap_or_else(PoisonError::into_inner);
                kept.accepted.push(Instant::now());
                kept.streams.push(stream);
            }
        });
        Server { address, kept, accepting }
    }

    fn accepted(&self) -> Vec<Instant> {
        self.kept.lock().unwrap().accepted.clone()
    }

    /// Ends every connection.
    fn cut(&self) {
        self.kept.lock().unwrap().streams.clear();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
