//! A loop that waits in an epoll reads by itself what arrives for a client; while it computes, the runtime does. Linux only.
#![cfg(target_os = "linux")]

use keepline::{Client, Framing, LoopSeat, State};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::pin;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);

/// Until a loop is trusted: four reads that bring one message each, and some.
const CONVERSATION: usize = 12;

/// By then whoever sent a message waits in its epoll: the server answers no sooner.
const PAUSE: Duration = Duration::from_millis(20);

/// All seats of this process: tests that count them run one at a time.
static SEATS: Mutex<()> = Mutex::new(());

/// An event loop of which nothing is left but what it waits in.
struct Loop {
    epoll: Epoll,
    seat: Arc<LoopSeat>,
}

impl Loop {
    /// That does not wait for its seat yet.
    fn not_yet(make: impl Fn(BorrowedFd<'_>) -> io::Result<Option<Arc<LoopSeat>>>) -> Loop {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        let seat = make(epoll.0.as_fd()).unwrap().expect("no test leaves seats behind");
        Loop { epoll, seat }
    }

    fn new() -> Loop {
        let waiting = Loop::not_yet(LoopSeat::new);
        waiting.add_seat();
        assert!(waiting.seat.release());
        waiting
    }

    fn add_seat(&self) {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, self.seat.fileno().unsigned_abs().into());
        self.epoll.add(self.seat.as_fd(), event).unwrap();
    }

    /// Waits once, and reads if it is told to; says whether it was.
    fn wait(&self, limit: Duration) -> bool {
        let mut events = [EpollEvent::empty(); 4];
        let told = self.epoll.wait(&mut events, EpollTimeout::try_from(limit).unwrap()).unwrap();
        let is_told = events[..told].iter().any(|event| event.data() == self.seat.fileno().unsigned_abs().into());
        if is_told {
            self.seat.turn();
        }
        is_told
    }

    /// Sends a message and waits for its echo in the epoll; says whether this loop read it.
    fn converse(&self, client: &Client, message: &'static [u8]) -> bool {
        client.try_send(message).unwrap();
        let until = Instant::now() + SOON;
        let mut has_read = false;
        loop {
            if let Some(echo) = taken(client) {
                assert_eq!(echo, message);
                return has_read;
            }
            assert!(Instant::now() < until, "no echo");
            has_read |= self.wait(PAUSE);
        }
    }
}

/// A server on a thread of its own that echoes after a pause, until told to leave.
struct Peer {
    address: SocketAddr,
    connections: Receiver<TcpStream>,
}

impl Peer {
    fn start() -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (accepted, connections) = channel();
        thread::spawn(move || {
            while let Ok((connection, _)) = listener.accept() {
                connection.set_nodelay(true).unwrap();
                if accepted.send(connection.try_clone().unwrap()).is_err() {
                    return;
                }
                thread::spawn(move || echo(connection));
            }
        });
        Peer { address, connections }
    }

    /// The server's end of the connection that was accepted next.
    fn accepted(&self) -> TcpStream {
        self.connections.recv_timeout(SOON).unwrap()
    }
}

fn echo(mut connection: TcpStream) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = connection.read(&mut buffer) {
        thread::sleep(PAUSE);
        if connection.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}

/// The next message, if it is there.
fn taken(client: &Client) -> Option<bytes::Bytes> {
    match pin!(client.recv()).poll(&mut Context::from_waker(Waker::noop())) {
        std::task::Poll::Ready(message) => message.map(|message| message.payload),
        std::task::Poll::Pending => None,
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn connected(runtime: &tokio::runtime::Runtime, address: SocketAddr, inline_reads: bool) -> Client {
    let builder = Client::builder(address).framing(Framing::lines()).inline_reads(inline_reads);
    runtime.block_on(builder.connect()).unwrap()
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + SOON;
    while !condition() {
        assert!(Instant::now() < until, "not within {SOON:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A client whose messages the loop reads, and the server's end of its connection.
fn in_conversation(runtime: &tokio::runtime::Runtime, waiting: &Loop) -> (Client, TcpStream) {
    let peer = Peer::start();
    let client = connected(runtime, peer.address, true);
    client.read_inline(&waiting.seat);
    read_by_the_loop(waiting, &client, 2 * CONVERSATION);
    (client, peer.accepted())
}

/// How many of so many echoes the loop read by itself.
fn read_by_the_loop(waiting: &Loop, client: &Client, trips: usize) -> usize {
    (0..trips).filter(|_trip| waiting.converse(client, b"ping")).count()
}

#[test]
fn loop_that_waits_reads_by_itself_and_one_without_a_seat_never() {
    let _alone = SEATS.lock().unwrap_or_else(PoisonError::into_inner);
    let (runtime, peer, waiting) = (runtime(), Peer::start(), Loop::new());
    let client = connected(&runtime, peer.address, true);
    assert_eq!(read_by_the_loop(&waiting, &client, CONVERSATION), 0, "nobody has lent it the socket");
    client.read_inline(&waiting.seat);
    read_by_the_loop(&waiting, &client, CONVERSATION);
    let read = read_by_the_loop(&waiting, &client, 30);
    assert!(read >= 20, "the loop was told of {read} of 30 messages");

    let other = connected(&runtime, peer.address, false);
    let seat = Loop::new();
    other.read_inline(&seat.seat);
    assert!(seat.seat.is_free(), "made without inline reads");
    assert_eq!(read_by_the_loop(&seat, &other, CONVERSATION), 0);
}

#[test]
fn runtime_reads_while_the_loop_computes() {
    let _alone = SEATS.lock().unwrap_or_else(PoisonError::into_inner);
    let (runtime, waiting) = (runtime(), Loop::new());
    let (client, mut connection) = in_conversation(&runtime, &waiting);
    // Nobody is in the epoll any more.
    for number in 0..20 {
        connection.write_all(format!("{number}\n").as_bytes()).unwrap();
        let message = runtime.block_on(client.recv_within(SOON)).unwrap().unwrap();
        assert_eq!(message.payload, number.to_string());
    }
    connection.shutdown(Shutdown::Both).unwrap();
    eventually("the end is seen", || client.state() != State::Connected);
}

#[test]
fn end_of_a_connection_is_seen_by_a_loop_that_waits_and_it_reads_from_the_next_one() {
    let _alone = SEATS.lock().unwrap_or_else(PoisonError::into_inner);
    let (runtime, peer, waiting) = (runtime(), Peer::start(), Loop::new());
    let client = connected(&runtime, peer.address, true);
    client.read_inline(&waiting.seat);
    for _connection in 0..3 {
        let connection = peer.accepted();
        read_by_the_loop(&waiting, &client, CONVERSATION);
        assert!(read_by_the_loop(&waiting, &client, 15) >= 8, "the seat serves each connection");
        let epoch = client.epoch();
        connection.shutdown(Shutdown::Both).unwrap();
        eventually("the end is seen", || {
            waiting.wait(Duration::from_millis(1));
            client.epoch() > epoch && client.state() == State::Connected
        });
    }
}

#[test]
fn seat_is_free_once_its_client_is_gone_and_a_process_has_32() {
    let _alone = SEATS.lock().unwrap_or_else(PoisonError::into_inner);
    let (runtime, peer) = (runtime(), Peer::start());
    let loops: Vec<Loop> = (0..32).map(|_number| Loop::new()).collect();
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
    assert!(LoopSeat::new(epoll.0.as_fd()).unwrap().is_none(), "a 33rd reader is woken by the runtime");

    let waiting = &loops[0];
    for _client in 0..3 {
        let client = connected(&runtime, peer.address, true);
        client.read_inline(&waiting.seat);
        assert!(!waiting.seat.is_free());
        read_by_the_loop(waiting, &client, CONVERSATION);
        assert!(read_by_the_loop(waiting, &client, 15) >= 8, "the seat serves one client after the other");
        drop(client);
        eventually("the seat is free", || waiting.seat.is_free());
        assert!(!waiting.wait(PAUSE), "what nobody sits behind is never readable");
        // A turn that comes too late is for nobody.
        waiting.seat.turn();
    }
    drop(loops);
    assert!(LoopSeat::new(epoll.0.as_fd()).unwrap().is_some(), "seats are given back");
}

#[test]
fn seat_that_its_loop_does_not_wait_for_gets_no_socket() {
    let _alone = SEATS.lock().unwrap_or_else(PoisonError::into_inner);
    let (runtime, peer, waiting) = (runtime(), Peer::start(), Loop::not_yet(LoopSeat::lazy));
    let client = connected(&runtime, peer.address, true);
    assert!(!waiting.seat.release(), "the loop has to wait for it before");
    client.read_inline(&waiting.seat);
    assert_eq!(read_by_the_loop(&waiting, &client, 2 * CONVERSATION), 0);
    assert!(!waiting.seat.is_taken());

    waiting.add_seat();
    read_by_the_loop(&waiting, &client, CONVERSATION);
    assert!(waiting.seat.is_held(), "the loop has to say so");
    assert!(waiting.seat.release());
    read_by_the_loop(&waiting, &client, CONVERSATION);
    assert!(read_by_the_loop(&waiting, &client, 15) >= 8, "it is asked for again and again");
    assert!(waiting.seat.is_taken());

    let epoch = client.epoch();
    peer.accepted().shutdown(Shutdown::Both).unwrap();
    eventually("it is connected again", || {
        waiting.wait(Duration::from_millis(1));
        client.epoch() > epoch && client.state() == State::Connected
    });
    assert_eq!(read_by_the_loop(&waiting, &client, 2 * CONVERSATION), 0, "one that is lazy is held after each socket");
    assert!(waiting.seat.is_held() && waiting.seat.release());
    read_by_the_loop(&waiting, &client, CONVERSATION);
    assert!(read_by_the_loop(&waiting, &client, 15) >= 8, "the seat serves the next connection");
}

#[test]
fn seat_that_its_loop_has_dropped_gets_no_socket_any_more() {
    let _alone = SEATS.lock().unwrap_or_else(PoisonError::into_inner);
    let (runtime, peer, waiting) = (runtime(), Peer::start(), Loop::new());
    let client = connected(&runtime, peer.address, true);
    waiting.epoll.delete(waiting.seat.as_fd()).unwrap();
    client.read_inline(&waiting.seat);
    assert_eq!(read_by_the_loop(&waiting, &client, 2 * CONVERSATION), 0, "the runtime reads");
    assert!(waiting.seat.is_held() && !waiting.seat.release());
}

#[test]
fn floods_arrive_whole_and_in_order_whoever_reads() {
    let _alone = SEATS.lock().unwrap_or_else(PoisonError::into_inner);
    let (runtime, waiting) = (runtime(), Loop::new());
    let (client, mut connection) = in_conversation(&runtime, &waiting);
    let writer = thread::spawn(move || {
        for number in 0..30_000 {
            // Single messages between bursts, so that who reads changes again and again.
            connection.write_all(format!("{number}\n").as_bytes()).unwrap();
            if number % 3_000 < 10 {
                thread::sleep(Duration::from_millis(2));
            }
        }
    });
    let until = Instant::now() + 3 * SOON;
    let mut next = 0;
    while next < 30_000 {
        assert!(Instant::now() < until, "{next} have come");
        waiting.wait(Duration::from_millis(1));
        while let Some(message) = taken(&client) {
            assert_eq!(message, next.to_string());
            next += 1;
        }
    }
    writer.join().unwrap();
}
