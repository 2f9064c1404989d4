//! Ten thousand clients lose their server at one instant: they come back spread out, and soon.

use keepline_proto::cause::{Detector, Ending};
use keepline_proto::config::{Config, ValidConfig};
use keepline_proto::{Cause, Output, Session, State, Time};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

const CLIENTS: usize = 10_000;

const BIN: Duration = Duration::from_millis(100);

#[test]
fn herd_comes_back_spread_out_after_a_blink() {
    assert_spread(millis(200));
}

#[test]
fn herd_comes_back_spread_out_after_a_restart() {
    assert_spread(millis(3_000));
}

#[test]
fn herd_comes_back_spread_out_after_an_outage() {
    assert_spread(millis(30_000));
}

/// No 100 ms of the attempts made from the moment the server is back hold more than one and a half times the share
/// that a uniform first spread would give them, wherever the 100 ms begin.
fn assert_spread(outage: Duration) {
    let config = Arc::new(Config::default().parse().expect("defaults are valid"));
    let limit = 1.5 * CLIENTS as f64 * BIN.as_secs_f64() / config.backoff.first_spread.as_secs_f64();
    let mut herd = Herd::connected(&config);
    let back = herd.now + outage;
    let attempts = herd.lose_server_until(back);
    let after: Vec<Time> = attempts.into_iter().filter(|at| *at >= back).collect();
    assert_eq!(after.len(), CLIENTS, "each client needs one attempt once the server is back");
    let latest = after.iter().max().map(|at| at.since(back)).unwrap_or_default();
    assert!(latest <= config.backoff.max + millis(1_000), "the last one is back after {latest:?}");
    let mut first = 0;
    let mut worst = 0;
    for (last, at) in after.iter().enumerate() {
        while at.since(after[first]) >= BIN {
            first += 1;
        }
        worst = worst.max(last - first + 1);
    }
    assert!(worst as f64 <= limit, "{worst} attempts within 100 ms, at most {limit}");
}

struct Herd {
    clients: Vec<Session>,
    now: Time,
    deadlines: BinaryHeap<Reverse<(Time, usize)>>,
}

impl Herd {
    /// Clients that have been connected for a minute and heard their server.
    fn connected(config: &Arc<ValidConfig>) -> Herd {
        let start = Time::ZERO;
        let mut herd = Herd { clients: Vec::new(), now: start, deadlines: BinaryHeap::new() };
        for seed in 0..CLIENTS {
            let mut session = Session::new(Arc::clone(config), seed as u64, start);
            session.handle_start(start);
            drain(&mut session);
            let epoch = session.epoch();
            session.handle_dialed(start, epoch, None);
            drain(&mut session);
            session.handle_received(start, epoch);
            drain(&mut session);
            assert_eq!(session.state(), State::Connected);
            herd.clients.push(session);
        }
        herd.now = start + Duration::from_secs(60);
        herd
    }

    /// Cuts every connection off now, refuses until `back`, and gives the times of all attempts in order.
    fn lose_server_until(&mut self, back: Time) -> Vec<Time> {
        for client in 0..CLIENTS {
            self.end(client, Ending::new(Cause::PeerClosed, Some(Detector::OsError)));
        }
        let mut attempts = Vec::new();
        while let Some(Reverse((at, client))) = self.deadlines.pop() {
            self.now = at;
            let session = &mut self.clients[client];
            session.handle_deadline(at, Time::ZERO);
            if !drain(session).1 {
                continue;
            }
            attempts.push(at);
            if at < back {
                self.end(client, Ending::new(Cause::Refused, None));
            } else {
                let epoch = session.epoch();
                session.handle_dialed(at, epoch, None);
                drain(session);
            }
        }
        attempts
    }

    fn end(&mut self, client: usize, ending: Ending) {
        let session = &mut self.clients[client];
        let epoch = session.epoch();
        session.handle_ended(self.now, epoch, ending);
        if let Some(at) = drain(session).0 {
            self.deadlines.push(Reverse((at, client)));
        }
    }
}

/// Drains a machine: its next deadline, and whether it dialled.
fn drain(session: &mut Session) -> (Option<Time>, bool) {
    let mut dialed = false;
    loop {
        match session.poll_output() {
            Output::Wait(deadline) => return (deadline, dialed),
            Output::Dial { .. } => dialed = true,
            _ => {}
        }
    }
}

const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
