//! One death by silence makes the other connections from the same local address prove themselves, long before their turn.
//!
//! The path falls silent by a filter on the server's socket: its kernel drops what arrives before it sees it. Linux only.
#![cfg(target_os = "linux")]

mod support;

use keepline::{Builder, Cause, Client, EventKind, Events, Framing, Heartbeat, Matcher, Suspicion};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use support::{SOON, await_event, millis, secs};
use tokio::net::{TcpListener, TcpStream};

/// The longest wait for a sibling's sign of life.
const PROBE: Duration = secs(3);
/// Nobody would hear of anything before.
const OWN_INTERVAL: Duration = secs(600);

#[tokio::test]
async fn sibling_behind_the_same_silent_path_is_found_dead_within_a_probe() {
    let (near, far, healthy) = (Server::start().await, Server::start().await, Server::start().await);
    let quick = beating(near.address, secs(1)).connect().await.unwrap();
    let patient = beating(far.address, OWN_INTERVAL).connect().await.unwrap();
    let well = beating(healthy.address, OWN_INTERVAL).connect().await.unwrap();
    let deaf = beating(healthy.address, OWN_INTERVAL).sibling_probes(false).connect().await.unwrap();
    let mut events = [&quick, &patient, &well, &deaf].map(Client::events);
    // What was heard within the last second is left alone.
    tokio::time::sleep(millis(1_200)).await;
    near.fall_silent();
    far.fall_silent();
    let cause = ended(&mut events[0]).await;
    let first = Instant::now();
    assert_eq!(cause, Cause::PathSilent);
    assert_eq!(suspected(&mut events[1]).await, Suspicion::SiblingDied);
    assert!(first.elapsed() < secs(1), "asked after {:?}", first.elapsed());
    assert_eq!(ended(&mut events[1]).await, Cause::PathSilent);
    let took = first.elapsed();
    assert!(took <= PROBE + secs(2), "found dead after {took:?}, with an own interval of {OWN_INTERVAL:?}");

    assert_eq!(suspected(&mut events[2]).await, Suspicion::SiblingDied);
    await_event(&mut events[2], "recovered", SOON).await;
    assert_eq!(well.stats().connections, 1);
    let last = deaf.events_after(0);
    assert_eq!(names_so_far(last).await, ["connecting", "connected"], "who does not want to know is not asked");
}

#[tokio::test]
async fn death_of_a_peer_whose_kernel_answers_says_nothing_of_the_path() {
    let (server, other) = (Server::start().await, Server::start().await);
    let quick = beating(server.address, secs(1)).connect().await.unwrap();
    let patient = beating(other.address, OWN_INTERVAL).connect().await.unwrap();
    let mut events = quick.events();
    tokio::time::sleep(millis(1_200)).await;
    server.freeze();
    assert_eq!(ended(&mut events).await, Cause::PeerUnresponsive);
    tokio::time::sleep(secs(1)).await;
    assert_eq!(names_so_far(patient.events_after(0)).await, ["connecting", "connected"]);
}

fn beating(address: SocketAddr, interval: Duration) -> Builder {
    let heartbeat = Heartbeat::new("PING").reply(Matcher::Exact("PONG".into()));
    // Keepalive off: it would notice by itself.
    Client::builder(address)
        .framing(Framing::lines())
        .heartbeat(heartbeat.every(interval).reply_within(secs(4)))
        .no_keepalive()
        .no_user_timeout()
}

async fn ended(events: &mut Events) -> Cause {
    let EventKind::Disconnected(end) = await_event(events, "disconnected", SOON).await.kind else { panic!() };
    end.ending.cause
}

async fn suspected(events: &mut Events) -> Suspicion {
    let EventKind::Suspect { evidence, .. } = await_event(events, "suspect", SOON).await.kind else { panic!() };
    evidence
}

async fn names_so_far(mut events: Events) -> Vec<&'static str> {
    let mut names = Vec::new();
    while let Ok(Some(event)) = tokio::time::timeout(millis(100), events.recv()).await {
        names.push(event.kind.name());
    }
    names
}

/// Answers each line with PONG.
struct Server {
    address: SocketAddr,
    peers: Arc<Mutex<Peers>>,
}

#[derive(Default)]
struct Peers {
    frozen: bool,
    sockets: Vec<Arc<TcpStream>>,
}

impl Server {
    async fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let peers = Arc::new(Mutex::new(Peers::default()));
        let known = peers.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, known.clone()));
            }
        });
        Server { address, peers }
    }

    /// Drops whatever arrives at its sockets from now on, acknowledgements and all.
    fn fall_silent(&self) {
        // BPF_RET | BPF_K with 0: keep no byte.
        let drop_all = [socket2::SockFilter::new(0x06, 0, 0, 0)];
        for socket in &self.peers().sockets {
            socket2::SockRef::from(&**socket).attach_filter(&drop_all).unwrap();
        }
    }

    /// Its kernel goes on, the process answers nothing.
    fn freeze(&self) {
        self.peers().frozen = true;
    }

    fn peers(&self) -> std::sync::MutexGuard<'_, Peers> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(stream: TcpStream, peers: Arc<Mutex<Peers>>) {
    let stream = Arc::new(stream);
    peers.lock().unwrap().sockets.push(stream.clone());
    let mut pending = Vec::new();
    loop {
        stream.readable().await.unwrap();
        let mut bytes = [0; 256];
        match stream.try_read(&mut bytes) {
            Ok(0) => return,
            Ok(count) => pending.extend_from_slice(&bytes[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_gone) => return,
        }
        let lines = pending.iter().filter(|byte| **byte == b'\n').count();
        pending.clear();
        for _ in 0..lines {
            if !peers.lock().unwrap().frozen {
                let _gone = stream.try_write(b"PONG\n");
            }
        }
    }
}
