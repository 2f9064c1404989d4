//! What the lab tests share: a lab per test, a quick configuration, a journal of events, bounds with slack.

use keepline::cause::Cause;
use keepline::{
    Builder, Client, Disconnected, Epoch, Event, EventKind, Events, Framing, Heartbeat, Keepalive, Matcher,
};
use keepline_testkit::lab::{Lab, LabOptions, LabPeer, PeerOptions, Role, SERVER, require};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Where the peer of nearly every test listens.
pub(crate) const PORT: u16 = 7000;
/// For what happens soon unless something is broken: generous, because two cores carry several labs.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// Ends a test from inside.
const TEST_LIMIT: Duration = Duration::from_secs(90);

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Runs a test on the client's side of a healthy lab; says loudly that it was skipped where there can be none.
pub(crate) fn in_lab(options: LabOptions, body: impl AsyncFnOnce(&Lab) + Send) {
    in_lab_within(TEST_LIMIT, options, body);
}

/// As [`in_lab`], for a test that takes longer than others.
pub(crate) fn in_lab_within(limit: Duration, options: LabOptions, body: impl AsyncFnOnce(&Lab) + Send) {
    let Some(lab) = require(&test_name(), Lab::up(options)) else { return };
    let limited = async || {
        if tokio::time::timeout(limit, body(&lab)).await.is_err() {
            panic!("the test did not end within {limit:?}\n{}", lab.status());
        }
    };
    lab.run_inside(Role::Client, limited).unwrap();
}

/// As [`in_lab`], with everything of the client on one thread: what blocks the test blocks the client.
pub(crate) fn on_one_thread_in_lab(options: LabOptions, body: impl AsyncFnOnce(&Lab) + Send) {
    let Some(lab) = require(&test_name(), Lab::up(options)) else { return };
    lab.run_on_one_thread(Role::Client, async || body(&lab).await).unwrap();
}

fn test_name() -> String {
    std::thread::current().name().unwrap_or("a lab test").to_owned()
}

/// The usual peer, in the server's network.
pub(crate) fn peer(lab: &Lab) -> LabPeer {
    lab.peer(PeerOptions::on(Role::Server, PORT)).unwrap()
}

/// A client that notices a dead peer within seconds: a heartbeat after 1 s of silence, 2 s for the reply (D_app 3 s),
/// probes after 1 s every second, three of them, and the user timeout that follows from them, 4 s.
pub(crate) fn quick() -> Builder {
    lines().heartbeat(ping().every(secs(1)).reply_within(secs(2)))
}

/// The same without a heartbeat: the kernel decides alone.
pub(crate) fn lines() -> Builder {
    Client::builder((SERVER, PORT))
        .framing(Framing::lines())
        .keepalive(Keepalive { idle: secs(1), interval: secs(1), retries: 3 })
        .rto_max(secs(1))
        .first_spread(millis(200))
        .backoff_initial(millis(200))
        .backoff_max(secs(1))
        .connect_per_address(secs(3))
        .connect_total(secs(6))
}

/// A heartbeat that the peers of the lab answer.
pub(crate) fn ping() -> Heartbeat {
    Heartbeat::new("PING").reply(Matcher::Exact("PONG".into()))
}

/// Sends a line and waits until it comes back.
pub(crate) async fn echo(client: &Client, line: &str) -> Epoch {
    client.send_within(line, SOON).await.unwrap();
    let message = client.recv_within(SOON).await.unwrap().expect("the client is open");
    assert_eq!(message.payload, line.as_bytes());
    message.epoch
}

/// An event, and when it was told.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) at: Instant,
    pub(crate) event: Event,
}

/// Everything that a client tells, stamped as it comes, while the test is busy with something else.
pub(crate) struct Journal {
    told: watch::Receiver<Vec<Told>>,
    /// What comes before was waited for already.
    cursor: usize,
}

impl Journal {
    pub(crate) fn of(client: &Client) -> Journal {
        let (sender, told) = watch::channel(Vec::new());
        tokio::spawn(keep(client.events_after(0), sender));
        Journal { told, cursor: 0 }
    }

    /// Waits for the next event of this name, and passes over the ones before it.
    pub(crate) async fn next(&mut self, name: &str, within: Duration) -> Told {
        self.next_that(name, within, |kind| kind.name() == name).await
    }

    /// Waits for the next end of a connection or an attempt.
    pub(crate) async fn next_end(&mut self, within: Duration) -> (Instant, Disconnected) {
        let told = self.next("disconnected", within).await;
        let EventKind::Disconnected(disconnected) = told.event.kind else { panic!("{told:?}") };
        (told.at, *disconnected)
    }

    /// Waits for the next end with this cause, and passes over others.
    pub(crate) async fn next_end_by(&mut self, cause: Cause, within: Duration) -> (Instant, Disconnected) {
        let by = |kind: &EventKind| matches!(kind, EventKind::Disconnected(end) if end.ending.cause == cause);
        let told = self.next_that(cause.as_str(), within, by).await;
        let EventKind::Disconnected(disconnected) = told.event.kind else { panic!("{told:?}") };
        (told.at, *disconnected)
    }

    async fn next_that(&mut self, what: &str, within: Duration, is_it: impl Fn(&EventKind) -> bool) -> Told {
        let cursor = self.cursor;
        let found = |told: &Vec<Told>| told[cursor..].iter().position(|told| is_it(&told.event.kind));
        let _ = tokio::time::timeout(within, self.told.wait_for(|told| found(told).is_some())).await;
        let told = self.told.borrow();
        let Some(place) = found(&told) else { panic!("no {what} within {within:?}: {}", listed(&told)) };
        self.cursor += place + 1;
        told[cursor + place].clone()
    }

    /// Whether there is an event of this name that was not passed over.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.told.borrow()[self.cursor..].iter().any(|told| told.event.kind.name() == name)
    }

    /// How many events of this name there have been.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.told.borrow().iter().filter(|told| told.event.kind.name() == name).count()
    }

    /// Asserts that no connection has ended that was not waited for.
    pub(crate) fn assert_unbroken(&self) {
        assert!(!self.has("disconnected") && !self.has("closed"), "{self}");
    }

    /// Asserts that this came before what was waited for last.
    pub(crate) fn assert_told(&self, name: &str) {
        let told = self.told.borrow();
        let before = told[..self.cursor].iter().any(|told| told.event.kind.name() == name);
        assert!(before, "no {name}: {}", listed(&told));
    }
}

impl std::fmt::Display for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&listed(&self.told.borrow()))
    }
}

async fn keep(mut events: Events, told: watch::Sender<Vec<Told>>) {
    while let Some(event) = events.recv().await {
        told.send_modify(|told| told.push(Told { at: Instant::now(), event }));
    }
}

fn listed(told: &[Told]) -> String {
    let Some(first) = told.first() else { return "nothing was told".to_owned() };
    let line = |told: &Told| format!("\n  {:>8.3} s {:?}", (told.at - first.at).as_secs_f64(), told.event.kind);
    told.iter().map(line).collect()
}

/// Asserts that something was noticed after its fault, and no later than its bound with the slack of a busy machine.
pub(crate) fn assert_noticed(fault: Instant, noticed: Instant, bound: Option<Duration>) {
    let bound = bound.expect("the fault has a bound");
    let slack = secs(2).max(bound.mul_f64(0.3));
    assert!(noticed >= fault, "noticed {:?} before the fault", fault - noticed);
    assert!(noticed - fault <= bound + slack, "noticed after {:?}; bound {bound:?}, slack {slack:?}", noticed - fault);
}

/// Asserts that every message has exactly one place.
pub(crate) fn assert_balanced(client: &Client) {
    let counts = client.stats().messages;
    let sum = counts.acked + counts.not_sent + counts.unknown + counts.expired + counts.queued + counts.in_flight;
    assert_eq!(counts.accepted, sum, "{counts:?}");
}
