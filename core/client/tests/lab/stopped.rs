//! Rows 53, 54: the client's process is stopped for a while, as a sleeping device stops it, and goes on.
//!
//! The client is in a process of its own: what stops it stops all of its threads, as `kill -STOP` does.

use super::support::{SOON, assert_noticed, in_lab, lines, peer, ping, secs};
use keepline_testkit::lab::LabOptions;
use std::io::{BufRead, BufReader, Write, stdin, stdout};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Twice the time in which a silent peer is declared dead.
const ASLEEP: Duration = secs(8);
const REPLY_WITHIN: Duration = secs(3);

#[test]
fn process_stopped_for_longer_than_the_nat_remembers_asks_once_and_connects_once() {
    in_lab(LabOptions::default().nat_timeout(secs(2)), async |lab| {
        let peer = peer(lab);
        let mut client = OtherProcess::start();
        client.next("connected", SOON);
        let before = lab.hits("nat").unwrap();
        client.stop();
        tokio::time::sleep(ASLEEP).await;
        let awake = Instant::now();
        client.go_on();
        let noticed = client.next("disconnected path_silent", SOON);
        assert_noticed(awake, noticed, Some(REPLY_WITHIN));
        client.next("connected", SOON);
        let packets = lab.hits("nat").unwrap() - before;
        // One heartbeat, sent again after 0.2, 0.4, 0.8 and 1 s, and the reset at the end. Six of them were due.
        assert!((1..=7).contains(&packets), "one probe, no storm: {packets}");
        assert_eq!(client.count("connecting"), 2, "one attempt after the first: {:?}", client.told);
        assert_eq!(peer.counts().unwrap().accepted, 2);
    });
}

#[test]
fn process_stopped_for_shorter_than_the_nat_remembers_stays_connected() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let mut client = OtherProcess::start();
        client.next("connected", SOON);
        client.stop();
        // The answer to the last heartbeat has come before the device falls silent. Sent into the silence it would wait
        // for its retransmission, and so would every answer behind it: by then that connection is slower than a new one.
        tokio::time::sleep(secs(1) / 4).await;
        lab.fault("blackhole", &[]).unwrap();
        tokio::time::sleep(ASLEEP).await;
        let pings = peer.counts().unwrap().pings;
        lab.clear().unwrap();
        client.go_on();
        peer.push("good morning").unwrap();
        client.next("message good morning", SOON);
        client.say("here still");
        client.next("message here still", SOON);
        tokio::time::sleep(secs(3)).await;
        let since = peer.counts().unwrap().pings - pings;
        // One at once, then one a second: not the eight that were missed.
        assert!((1..=5).contains(&since), "one probe, no storm: {since}");
        assert_eq!(client.count("disconnected"), 0, "{:?}", client.told);
        assert_eq!(peer.counts().unwrap().accepted, 1);
    });
}

/// Not a test by itself: what the tests of this file start in a process of its own.
#[test]
#[ignore = "the client of the tests beside it"]
fn client_in_a_process_of_its_own() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let heartbeat = ping().every(secs(1)).reply_within(REPLY_WITHIN);
        let client = lines().no_keepalive().user_timeout(secs(20)).heartbeat(heartbeat).connect().await.unwrap();
        let (asking, mut asked) = tokio::sync::mpsc::unbounded_channel();
        std::thread::spawn(move || stdin().lines().map_while(Result::ok).try_for_each(|line| asking.send(line)));
        let mut events = client.events_after(0);
        loop {
            tokio::select! {
                Some(event) = events.recv() => match event.kind {
                    keepline::EventKind::Disconnected(end) => tell(&format!("disconnected {}", end.ending.cause)),
                    kind => tell(kind.name()),
                },
                Some(message) = client.recv() => tell(&format!("message {}", message.payload.escape_ascii())),
                line = asked.recv() => match line {
                    Some(line) => client.send(line).await.unwrap(),
                    None => return,
                },
            }
        }
    });
}

/// Says which test is only there to be started by another.
const CHILD: &str = "KEEPLINE_LAB_CLIENT";
/// Tells what the client says from what the test runner says around it.
const MARK: &str = "client: ";

fn tell(what: &str) {
    // Not `println`, which the runner would keep for itself.
    let mut output = stdout();
    writeln!(output, "{MARK}{what}").unwrap();
}

/// A client in another process, in the network of the thread that starts it.
struct OtherProcess {
    child: Child,
    asks: ChildStdin,
    lines: Receiver<(Instant, String)>,
    told: Vec<String>,
}

impl OtherProcess {
    fn start() -> OtherProcess {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "stopped::client_in_a_process_of_its_own", "--ignored"]).env(CHILD, "1");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let asks = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some((_, told)) = line.split_once(MARK) {
                    let _ = sender.send((Instant::now(), told.to_owned()));
                }
            }
        });
        OtherProcess { child, asks, lines, told: Vec::new() }
    }

    /// Waits until it tells this, and says when it did.
    fn next(&mut self, what: &str, within: Duration) -> Instant {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok((at, told)) = self.lines.recv_timeout(left) else { panic!("no {what}: {:?}", self.told) };
            self.told.push(told);
            if self.told.last().is_some_and(|told| told == what) {
                return at;
            }
        }
    }

    /// How many of these it has told.
    fn count(&mut self, what: &str) -> usize {
        self.told.extend(self.lines.try_iter().map(|(_, told)| told));
        self.told.iter().filter(|told| told.starts_with(what)).count()
    }

    fn say(&mut self, line: &str) {
        writeln!(self.asks, "{line}").unwrap();
    }

    fn stop(&self) {
        self.signal("-STOP");
        let start = Instant::now();
        let stat = format!("/proc/{}/stat", self.child.id());
        while !std::fs::read_to_string(&stat).unwrap().contains(") T ") {
            assert!(start.elapsed() < SOON, "it does not stop");
            std::thread::yield_now();
        }
    }

    fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for OtherProcess {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_waited_for = self.child.wait();
    }
}
