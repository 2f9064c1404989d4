//! Two hundred random trials on the ledger over TLS: what is said of each message is true.
//!
//! The server's kernel is cut off from the wire at a random byte, everything it has is read, and the connection is reset. So
//! the test knows exactly what had arrived when the client judged by its own kernel's figures, which count ciphertext.
#![cfg(any(target_os = "linux", target_os = "android"))]

use crate::authority::{Authority, Identity};
use crate::support::{SOON, assert_balanced, eventually, millis};
use keepline::{Client, Framing, Outcome, Receipt, State, Tls};
use rustls::{ServerConfig, ServerConnection};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Each has its own sizes, its own pace and its own moment.
const TRIALS: u64 = 200;

/// Beside each other: more only wait for the processor.
const ABREAST: usize = 16;

/// For each of them: together they encrypt tens of megabytes, in a build that was not made for it.
const LONG: std::time::Duration = SOON.saturating_mul(4);

/// More than all the buffers on the way hold.
const LARGEST_TALK: usize = 2_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_of_messages_over_tls_is_true_wherever_the_connection_is_cut() {
    let seed = std::env::var("KEEPLINE_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    let authority = Arc::new(Authority::new("tests"));
    let identity = authority.sign(&["127.0.0.1"]);
    let config = Arc::new(server_config(&identity));
    let mut tally = BTreeMap::new();
    let mut running = JoinSet::new();
    for trial in 0..TRIALS {
        if running.len() == ABREAST {
            add(&mut tally, running.join_next().await.unwrap().unwrap());
        }
        let (authority, config) = (authority.clone(), config.clone());
        running.spawn(async move {
            let luck = fastrand::Rng::with_seed(seed ^ trial.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            try_once(&authority, config, luck)
                .await
                .unwrap_or_else(|lie| panic!("KEEPLINE_SEED={seed}, {trial}: {lie}"))
        });
    }
    while let Some(told) = running.join_next().await {
        add(&mut tally, told.unwrap());
    }
    // Each way out was taken: the trials would show nothing if, say, everything were unknown.
    eprintln!("{TRIALS} trials: {tally:?}");
    for way in ["acked on the first", "acked on the second", "unknown"] {
        assert!(tally.get(way).is_some_and(|count| *count > 0), "no message was {way}: {tally:?}");
    }
}

type Tally = BTreeMap<&'static str, usize>;

async fn try_once(authority: &Authority, config: Arc<ServerConfig>, mut luck: fastrand::Rng) -> Result<Tally, String> {
    let listener = listener();
    let client = Client::builder(listener.local_addr().unwrap())
        .tls(Tls::new().ca(authority.pem()))
        .framing(Framing::lines())
        .outbox_bytes(64 << 20)
        .first_spread(millis(10))
        .start()
        .unwrap();
    let cut = Cut {
        after: (luck.f64() * luck.f64() * LARGEST_TALK as f64) as u64,
        pause: if luck.bool() { millis(luck.u64(..3)) } else { millis(0) },
    };
    let server = tokio::spawn(serve(listener, config, cut));
    let talk = tokio::time::timeout(2 * LONG, talk(&client, &mut luck)).await.map_err(|_| "the talk hangs")?;
    let (first, second) = tokio::time::timeout(2 * LONG, server).await.map_err(|_| "the server hangs")?.unwrap();
    let mut tally = Tally::new();
    let (first, second) = (numbers(&first)?, numbers(&second)?);
    for (number, mut receipt) in talk.into_iter().enumerate() {
        let outcome =
            tokio::time::timeout(SOON, receipt.outcome()).await.map_err(|_| format!("{number}: no outcome"))?;
        let outcome = outcome.map_err(|error| error.to_string())?;
        let way = match (outcome, first.contains(&number), second.contains(&number)) {
            (_, true, true) => return Err(format!("{number} arrived twice, told as {outcome}")),
            (Outcome::Acked, true, false) => "acked on the first",
            (Outcome::Acked, false, true) => "acked on the second",
            (Outcome::Unknown, true, false) => "unknown that arrived",
            (Outcome::Unknown, false, false) => "unknown",
            (told, on_first, on_second) => return Err(format!("{number}: {told}, arrived: {on_first} {on_second}")),
        };
        *tally.entry(way).or_default() += 1;
    }
    // The order is that of the calls, on each connection and over both.
    let arrived: Vec<usize> = first.into_iter().chain(second).collect();
    if !arrived.is_sorted() {
        return Err(format!("out of order: {arrived:?}"));
    }
    assert_balanced(&client);
    Ok(tally)
}

/// Sends numbered lines of random sizes, and the last one that the server waits for.
async fn talk(client: &Client, luck: &mut fastrand::Rng) -> Vec<Receipt> {
    let mut receipts = Vec::new();
    let mut total = 0;
    let (largest, pauses) = ([40.0, 2_000.0, 100_000.0][luck.usize(..3)], luck.bool());
    while total < LARGEST_TALK && receipts.len() < 800 {
        let length = (luck.f64() * largest) as usize;
        total += length + 10;
        receipts.push(client.send_tracked(format!("{} {}", receipts.len(), "x".repeat(length))).await.unwrap());
        if pauses && luck.u8(..50) == 0 {
            tokio::time::sleep(millis(luck.u64(..4))).await;
        }
    }
    // A short talk may be over before its moment comes: it is cut all the same.
    // The first one may have ended in its handshake, before it counted.
    eventually("the second connection", LONG, || client.state() == State::Connected && client.stats().epoch.0 >= 2)
        .await;
    receipts.push(client.send_tracked(format!("{} end", receipts.len())).await.unwrap());
    receipts
}

/// When the first connection is cut: after so many bytes, read at this pace.
struct Cut {
    after: u64,
    pause: std::time::Duration,
}

/// What arrived on the first connection, which is cut, and on the second.
async fn serve(listener: TcpListener, config: Arc<ServerConfig>, cut: Cut) -> (Vec<u8>, Vec<u8>) {
    let mut first = Wire::accept(&listener, &config).await;
    let patience = tokio::time::Instant::now() + millis(300);
    while first.ciphertext < cut.after && tokio::time::Instant::now() < patience {
        let _idle = tokio::time::timeout_at(patience, first.read()).await;
        tokio::time::sleep(cut.pause).await;
    }
    let first = first.cut_off();
    let mut second = Wire::accept(&listener, &config).await;
    while !second.plaintext.ends_with(b" end\n") {
        if second.read().await == 0 {
            break;
        }
    }
    // Kept until the last acknowledgement was seen.
    tokio::time::sleep(millis(150)).await;
    (first, second.plaintext)
}

/// One connection of the server, with everything that arrived.
struct Wire {
    tcp: TcpStream,
    tls: ServerConnection,
    ciphertext: u64,
    plaintext: Vec<u8>,
}

impl Wire {
    async fn accept(listener: &TcpListener, config: &Arc<ServerConfig>) -> Wire {
        let (tcp, _) = listener.accept().await.unwrap();
        let tls = ServerConnection::new(config.clone()).unwrap();
        Wire { tcp, tls, ciphertext: 0, plaintext: Vec::new() }
    }

    /// Reads once; 0 at the end.
    async fn read(&mut self) -> usize {
        loop {
            self.tcp.readable().await.unwrap();
            match self.read_now() {
                Ok(count) => return count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_reset) => return 0,
            }
        }
    }

    fn read_now(&mut self) -> io::Result<usize> {
        let mut bytes = [0; 16 * 1024];
        let count = self.tcp.try_read(&mut bytes)?;
        self.ciphertext += count as u64;
        self.take(&bytes[..count]);
        while self.tls.wants_write() {
            let mut answer = Vec::new();
            self.tls.write_tls(&mut answer).unwrap();
            // A handshake's answers fit into an empty socket.
            let _reset = self.tcp.try_write(&answer);
        }
        Ok(count)
    }

    /// Nothing more arrives; what has arrived is read; the connection is reset.
    fn cut_off(mut self) -> Vec<u8> {
        let socket = socket2::SockRef::from(&self.tcp);
        // A program of one instruction: of each packet, keep nothing.
        socket.attach_filter(&[socket2::SockFilter::new(0x06, 0, 0, 0)]).unwrap();
        let (mut left, mut bytes) = (Vec::new(), vec![0; 64 * 1024]);
        while let Ok(count @ 1..) = (&*socket).read(&mut bytes) {
            left.extend_from_slice(&bytes[..count]);
        }
        socket.set_linger(Some(millis(0))).unwrap();
        self.take(&left);
        self.plaintext
    }

    fn take(&mut self, mut ciphertext: &[u8]) {
        while !ciphertext.is_empty() {
            self.tls.read_tls(&mut ciphertext).unwrap();
            self.tls.process_new_packets().unwrap();
            let _would_block = self.tls.reader().read_to_end(&mut self.plaintext);
        }
    }
}

/// The numbers of the lines that arrived whole.
fn numbers(plaintext: &[u8]) -> Result<Vec<usize>, String> {
    let whole = plaintext.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let text = std::str::from_utf8(&plaintext[..whole]).map_err(|error| error.to_string())?;
    text.lines()
        .map(|line| {
            let number = line.split(' ').next().unwrap_or_default();
            number.parse().map_err(|_| format!("not a line of the client: {number:.40}"))
        })
        .collect()
}

fn server_config(identity: &Identity) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    builder.with_no_client_auth().with_single_cert(identity.chain.clone(), identity.private_key()).unwrap()
}

/// A listener whose connections have a small receive buffer.
fn listener() -> TcpListener {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(16).unwrap();
    socket.set_nonblocking(true).unwrap();
    TcpListener::from_std(socket.into()).unwrap()
}

fn add(tally: &mut Tally, more: Tally) {
    for (way, count) in more {
        *tally.entry(way).or_default() += count;
    }
}
