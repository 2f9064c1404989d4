//! Close ends everything, from every state: one `Closed`, no task, descriptor or thread left.
//!
//! One test, because it counts what the whole process holds.
#![cfg(target_os = "linux")]

mod support;

use keepline::{Client, Event, EventKind, Framing, Heartbeat, Matcher, NetworkKind, NetworkPath, Script, State};
use keepline_testkit::ChaosProxy;
use keepline_testkit::chaos::Direction;
use keepline_testkit::servers::{EchoServer, LineServer};
use std::time::{Duration, Instant};
use support::{descriptors, eventually, millis, secs, threads};
use tokio::runtime::Handle;

#[test]
fn close_in_every_state_and_a_thousand_cycles_leave_nothing_behind() {
    let threads_before = threads();
    {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(close_in_every_state());
        runtime.block_on(a_thousand_cycles());
        runtime.block_on(dropping_the_last_handle());
        runtime.block_on(abort_and_concurrent_closes());
    }
    assert_eq!(threads(), threads_before, "a thread is left");
}

async fn close_in_every_state() {
    let server = LineServer::start().await.unwrap();
    let proxy = ChaosProxy::builder().receive_buffer(4096).start(server.addr()).await.unwrap();
    let silent = EchoServer::start().await.unwrap();
    silent.freeze();
    let ping = Heartbeat::new("PING").reply(Matcher::Exact("PONG".into())).every(secs(1)).reply_within(secs(30));
    let builder = || Client::builder(proxy.addr()).framing(Framing::lines());
    tokio::time::sleep(millis(100)).await;
    let (tasks, files) = (tasks(), descriptors());

    let paused = builder().start().unwrap();
    paused.pause();
    end(paused, State::Idle, tasks, files).await;

    let greeting = Script::default().send("hello").expect(Matcher::Any);
    let connecting = Client::builder(silent.addr()).framing(Framing::lines()).greeting(greeting).start().unwrap();
    end(connecting, State::Connecting, tasks, files).await;

    end(builder().connect().await.unwrap(), State::Connected, tasks, files).await;

    let suspect = builder().heartbeat(ping).connect().await.unwrap();
    proxy.hold(Direction::Both);
    eventually("suspect", secs(30), || suspect.state() == State::Suspect).await;
    end(suspect, State::Suspect, tasks, files).await;
    proxy.clear();

    let stalled = builder().outbox_bytes(64 << 20).connect().await.unwrap();
    proxy.stall(Direction::Up);
    for _ in 0..400 {
        let _refused = stalled.try_send(vec![b'x'; 64 * 1024]);
    }
    eventually("stalled", secs(30), || stalled.state() == State::Stalled).await;
    // The proxy reads again, so that its own tasks see the end too.
    let heal = || proxy.clear();
    close(stalled, State::Stalled, heal, tasks, files).await;

    let waiting = Client::builder("127.0.0.1:1").start().unwrap();
    end(waiting, State::Waiting, tasks, files).await;

    let offline = builder().connect().await.unwrap();
    offline.network_changed(Some(NetworkPath { id: 1, available: false, kind: NetworkKind::Unknown, metered: false }));
    eventually("offline", secs(10), || offline.state() == State::Offline).await;
    end(offline, State::Offline, tasks, files).await;
}

/// Closes and checks what is left.
async fn end(client: Client, state: State, tasks: usize, files: usize) {
    close(client, state, || (), tasks, files).await;
}

async fn close(client: Client, state: State, heal: impl FnOnce(), tasks: usize, files: usize) {
    eventually(&format!("{state:?}"), secs(10), || client.state() == state).await;
    let mut events = client.events();
    let asked = Instant::now();
    let drain = if state == State::Stalled { millis(300) } else { secs(20) };
    client.close(drain).await;
    let took = asked.elapsed();
    // Where nothing is to be drained nothing is waited for.
    assert!(took <= secs(5), "close in {state:?} took {took:?}");
    assert_eq!(client.state(), State::Closed);
    // A second close answers at once, and the same.
    let again = tokio::time::timeout(secs(5), client.close(secs(20))).await.unwrap();
    assert_eq!(again, client.closed().await);
    let mut seen: Vec<Event> = Vec::new();
    while let Some(event) = events.recv().await {
        seen.push(event);
    }
    let closed = seen.iter().filter(|event| matches!(event.kind, EventKind::Closed(_))).count();
    assert_eq!(closed, 1, "{seen:?}");
    assert!(matches!(seen.last().unwrap().kind, EventKind::Closed(_)));
    assert!(client.recv().await.is_none());
    drop(client);
    drop(events);
    heal();
    nothing_is_left(&format!("{state:?}"), tasks, files).await;
}

async fn a_thousand_cycles() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr()).connect().await.unwrap();
    client.close(secs(1)).await;
    drop(client);
    tokio::time::sleep(millis(300)).await;
    let (tasks, files, threads_before) = (tasks(), descriptors(), threads());
    for round in 0..1_000 {
        let client = Client::builder(server.addr()).framing(Framing::lines()).connect().await.unwrap();
        if round % 2 == 0 {
            client.send("hello").await.unwrap();
            client.recv().await.unwrap();
        }
        client.close(if round % 3 == 0 { Duration::ZERO } else { secs(1) }).await;
    }
    nothing_is_left("a thousand cycles", tasks, files).await;
    assert!(threads() <= threads_before, "{} threads, {threads_before} before", threads());
}

async fn dropping_the_last_handle() {
    let server = EchoServer::start().await.unwrap();
    tokio::time::sleep(millis(300)).await;
    let (tasks, files) = (tasks(), descriptors());
    let client = Client::builder(server.addr()).connect().await.unwrap();
    let mut events = client.events();
    let closed = client.closed();
    let clone = client.clone();
    drop(client);
    tokio::time::sleep(millis(50)).await;
    assert_eq!(clone.state(), State::Connected, "a clone keeps it alive");
    drop(clone);
    tokio::time::timeout(secs(5), closed).await.expect("readers do not keep the client alive");
    while events.recv().await.is_some() {}
    drop(events);
    nothing_is_left("the last handle", tasks, files).await;
}

async fn abort_and_concurrent_closes() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr()).connect().await.unwrap();
    let closes: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.close(secs(20)).await })
        })
        .collect();
    client.abort();
    for close in closes {
        tokio::time::timeout(secs(5), close).await.unwrap().unwrap();
    }
}

async fn nothing_is_left(after: &str, tasks_before: usize, files_before: usize) {
    eventually(&format!("tasks after {after}"), secs(5), || tasks() <= tasks_before).await;
    eventually(&format!("descriptors after {after}"), secs(5), || descriptors() <= files_before).await;
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}
