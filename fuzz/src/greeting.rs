//! What a peer may say while it is greeted: the shipped client on loopback beside a model of the rule.
//!
//! The rule: the script takes one frame for each step that expects one; a frame that does not match ends the attempt; what
//! comes after the last step is the user's, in order.

use crate::cut::{choices, ways};
use bytes::Bytes;
use keepline::framing::{Framer, Scan};
use keepline::{Client, EventKind, Framing, LengthPrefixed, Matcher, Script};
use std::cell::RefCell;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// Whatever takes longer has hung: each step is microseconds of work.
const HUNG: Duration = Duration::from_secs(8);

thread_local! {
    static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
}

/// Where the play is given, again and again: made once.
struct Stage {
    runtime: Runtime,
    listener: TcpListener,
}

pub(crate) fn run(data: &[u8]) {
    let ([kind, count, sizes], rest) = choices::<3>(data);
    let framing = match kind % 4 {
        0 => Framing::lines().with_max(64),
        1 => Framing::from(LengthPrefixed::new(1).max(64)),
        2 => Framing::resp().with_max(64),
        _ => Framing::fixed(3),
    };
    let (matchers, wire) = script(1 + count % 3, rest);
    let expected = Expected::of(&framing, &matchers, wire);
    let [whole, _one_by_one, turns] = ways(wire, sizes);
    STAGE.with_borrow_mut(|stage| {
        let stage = stage.get_or_insert_with(Stage::new);
        for pieces in [whole, turns] {
            let play = stage.play(&framing, &matchers, &pieces, &expected);
            stage.runtime.block_on(async { tokio::time::timeout(HUNG, play).await }).expect("it hangs");
        }
    });
}

/// Reads so many matchers, each a kind, a length and its bytes.
fn script(count: u8, mut rest: &[u8]) -> (Vec<Matcher>, &[u8]) {
    let mut matchers = Vec::new();
    for _ in 0..count {
        let ([kind, length], behind) = choices::<2>(rest);
        let (bytes, behind) = behind.split_at(usize::from(length % 8).min(behind.len()));
        matchers.push(match kind % 3 {
            _ if bytes.is_empty() => Matcher::Any,
            0 => Matcher::Exact(Bytes::copy_from_slice(bytes)),
            1 => Matcher::Prefix(Bytes::copy_from_slice(bytes)),
            _ => Matcher::Any,
        });
        rest = behind;
    }
    (matchers, rest)
}

/// What the rule says.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    /// Connected, and these messages for the user.
    Passes(Vec<Vec<u8>>),
    /// The attempt fails.
    Fails,
    /// It fails once the peer has gone: the script still waits.
    Waits,
    /// The script is done, and then the peer breaks the framing: either may be seen first.
    Breaks,
}

impl Expected {
    fn of(framing: &Framing, matchers: &[Matcher], wire: &[u8]) -> Expected {
        let mut framer = Framer::new(framing);
        let mut rest = wire;
        let mut frames = Vec::new();
        let is_broken = loop {
            match framer.scan(framing, rest) {
                Ok(Scan::Frame { consumed, message }) => {
                    frames.push(rest[message].to_vec());
                    rest = &rest[consumed..];
                }
                Ok(Scan::Incomplete) => break false,
                Err(_broken) => break true,
            }
        };
        let is_refused = matchers.iter().zip(&frames).any(|(matcher, frame)| !matcher.matches(frame));
        match (is_refused, frames.len() < matchers.len(), is_broken) {
            (true, _, _) | (false, true, true) => Expected::Fails,
            (false, true, false) => Expected::Waits,
            (false, false, true) => Expected::Breaks,
            (false, false, false) => Expected::Passes(frames.split_off(matchers.len())),
        }
    }
}

impl Stage {
    fn new() -> Stage {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        Stage { runtime, listener }
    }

    async fn play(&self, framing: &Framing, matchers: &[Matcher], pieces: &[&[u8]], expected: &Expected) {
        let script = matchers.iter().fold(Script::default(), |script, matcher| script.expect(matcher.clone()));
        let address = self.listener.local_addr().expect("it listens");
        let client = Client::builder(address).framing(framing.clone()).greeting(script).start().expect("it is valid");
        let mut events = client.events();
        let (mut peer, _) = self.listener.accept().await.expect("a client");
        peer.set_nodelay(true).expect("a socket");
        // Without it the ports of the loopback would run out.
        peer.set_zero_linger().expect("a socket");
        for piece in pieces {
            // A client that has seen enough may be gone.
            let _gone = peer.write_all(piece).await;
            tokio::task::yield_now().await;
        }
        if *expected == Expected::Waits {
            drop(peer);
            assert!(!is_connected(&mut events).await, "{expected:?}");
            client.abort();
            return;
        }
        let connected = is_connected(&mut events).await;
        match expected {
            Expected::Passes(messages) => {
                assert!(connected, "{expected:?}");
                for message in messages {
                    let received = client.recv().await.expect("it is connected");
                    assert_eq!(&received.payload[..], message);
                }
            }
            Expected::Fails => assert!(!connected),
            Expected::Waits | Expected::Breaks => {}
        }
        client.abort();
    }
}

/// How the first attempt ends.
async fn is_connected(events: &mut keepline::Events) -> bool {
    loop {
        match events.recv().await.expect("it ends with one of these").kind {
            EventKind::Connected { .. } => return true,
            EventKind::Disconnected(_) | EventKind::Closed(_) => return false,
            _ => {}
        }
    }
}
