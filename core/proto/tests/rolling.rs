//! Fault 58 of `docs/explain/faults-tested.md`: three nodes are restarted one after the other, and a fleet spreads over those that are left.

use keepline_proto::cause::{Detector, Ending};
use keepline_proto::config::{Config, ValidConfig};
use keepline_proto::endpoints::{Candidate, Candidates, EndpointId, EndpointOrder};
use keepline_proto::{Cause, Epoch, Output, Session, State, Time};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

const CLIENTS: usize = 3_000;

const NODES: usize = 3;

/// How long a node is down, and how long after it is back the next one goes.
const PACES: [(Duration, Duration); 4] =
    [(secs(1), secs(5)), (secs(5), secs(10)), (secs(20), secs(10)), (secs(60), secs(120))];

#[test]
fn rolling_restart_spreads_the_fleet_without_a_hot_spot() {
    for (down, between) in PACES {
        let mut fleet = Fleet::connected(&config(EndpointOrder::Shuffled));
        assert_even(&fleet.connections(), NODES, "at the start");
        for node in 0..NODES {
            let arrivals = fleet.restart(node, down, between);
            let case = format!("node {node}, down {down:?}, between {between:?}");
            // What one node takes over, beside an even share of what was lost.
            let lost: usize = arrivals.iter().sum();
            let mean = lost as f64 / (NODES - 1) as f64;
            let most = arrivals.iter().copied().max().unwrap_or_default();
            assert!(most as f64 <= 2.0 * mean, "{case}: {arrivals:?} arrived");
            // What one node then holds, beside an even share of all.
            assert_even(&fleet.connections(), NODES - 1, &case);
            assert_eq!(fleet.connections().iter().sum::<usize>(), CLIENTS, "{case}");
        }
    }
}

#[test]
fn ordered_fleet_moves_to_the_next_in_line_as_one() {
    let mut fleet = Fleet::connected(&config(EndpointOrder::Ordered));
    assert_eq!(fleet.connections(), [CLIENTS, 0, 0]);
    fleet.restart(0, secs(5), secs(10));
    assert_eq!(fleet.connections(), [0, CLIENTS, 0]);
}

/// No 100 ms at one node hold more than twice an even share of the first spread.
#[test]
fn clients_of_a_node_that_goes_do_not_arrive_at_the_others_at_one_instant() {
    let config = config(EndpointOrder::Shuffled);
    let mut fleet = Fleet::connected(&config);
    let lost = fleet.connections()[0];
    let begun = fleet.now;
    fleet.restart(0, secs(5), secs(10));
    let bin = Duration::from_millis(100);
    let share = lost as f64 / (NODES - 1) as f64 * bin.as_secs_f64() / config.backoff.first_spread.as_secs_f64();
    let dials: Vec<_> = fleet.dials.iter().filter(|(at, node)| *at >= begun && *node != 0).collect();
    for node in 1..NODES {
        for start in (0..2_000).step_by(20).map(|start| begun + Duration::from_millis(start)) {
            let count = dials.iter().filter(|(at, to)| *to == node && *at >= start && at.since(start) < bin).count();
            assert!(count as f64 <= 2.0 * share, "{count} dials at node {node} within 100 ms, {share} are even");
        }
    }
}

fn assert_even(connections: &[usize; NODES], nodes: usize, case: &str) {
    let mean = CLIENTS as f64 / nodes as f64;
    let most = connections.iter().copied().max().unwrap_or_default();
    assert!(most as f64 <= 2.0 * mean, "{case}: {connections:?}");
}

struct Fleet {
    clients: Vec<Session>,
    /// Where each client is, or tries to be.
    places: Vec<usize>,
    now: Time,
    deadlines: BinaryHeap<Reverse<(Time, usize)>>,
    down: [bool; NODES],
    dials: Vec<(Time, usize)>,
}

impl Fleet {
    /// Clients that have been connected for a minute.
    fn connected(config: &Arc<ValidConfig>) -> Fleet {
        let now = Time::ZERO;
        let candidates: Vec<_> =
            (0..NODES as u32).map(|id| Candidate::new(EndpointId(id), format!("node-{id}:1"))).collect();
        let candidates = Candidates::new(candidates).expect("three nodes are a list");
        let mut fleet = Fleet {
            clients: Vec::new(),
            places: vec![0; CLIENTS],
            now,
            deadlines: BinaryHeap::new(),
            down: [false; NODES],
            dials: Vec::new(),
        };
        for client in 0..CLIENTS {
            let mut session = Session::new(Arc::clone(config), client as u64, now);
            session.handle_endpoints(now, candidates.clone());
            drain(&mut session);
            session.handle_start(now);
            fleet.clients.push(session);
            fleet.follow(client);
        }
        fleet.run_until(now + secs(60));
        fleet
    }

    fn connections(&self) -> [usize; NODES] {
        let mut counts = [0; NODES];
        for (session, place) in self.clients.iter().zip(&self.places) {
            counts[*place] += usize::from(session.state() == State::Connected);
        }
        counts
    }

    /// Takes a node down and up again, waits, and tells how many clients each node took over meanwhile.
    fn restart(&mut self, node: usize, down: Duration, between: Duration) -> [usize; NODES] {
        let before = self.connections();
        let back = self.now + down;
        self.down[node] = true;
        for client in 0..CLIENTS {
            if self.places[client] == node && self.clients[client].state() == State::Connected {
                self.end(client, Ending::new(Cause::PeerClosed, Some(Detector::OsError)));
            }
        }
        self.run_until(back);
        self.down[node] = false;
        self.run_until(back + between);
        let after = self.connections();
        std::array::from_fn(|node| after[node].saturating_sub(before[node]))
    }

    fn run_until(&mut self, end: Time) {
        while let Some(Reverse((at, client))) = self.deadlines.pop() {
            if at > end {
                self.deadlines.push(Reverse((at, client)));
                break;
            }
            self.now = at;
            // A deadline that was moved meanwhile is only asked again.
            self.clients[client].handle_deadline(at, at);
            self.follow(client);
        }
        self.now = end;
    }

    /// Does what a client asks for, until it waits.
    fn follow(&mut self, client: usize) {
        let (deadline, dialed) = drain(&mut self.clients[client]);
        if let Some((epoch, endpoint)) = dialed {
            let node = endpoint.0 as usize;
            self.places[client] = node;
            self.dials.push((self.now, node));
            if self.down[node] {
                return self.end(client, Ending::new(Cause::Refused, None));
            }
            self.clients[client].handle_dialed(self.now, epoch, None);
            drain(&mut self.clients[client]);
            self.clients[client].handle_received(self.now, epoch);
            return self.follow(client);
        }
        // Of those that are connected nothing is due that matters here.
        if let Some(at) = deadline.filter(|_| self.clients[client].state() != State::Connected) {
            self.deadlines.push(Reverse((at, client)));
        }
    }

    fn end(&mut self, client: usize, ending: Ending) {
        let session = &mut self.clients[client];
        let epoch = session.epoch();
        session.handle_ended(self.now, epoch, ending);
        self.follow(client);
    }
}

/// Drains a machine: its next deadline, and where it dialled.
fn drain(session: &mut Session) -> (Option<Time>, Option<(Epoch, EndpointId)>) {
    let mut dialed = None;
    loop {
        match session.poll_output() {
            Output::Wait(deadline) => return (deadline, dialed),
            Output::Dial { epoch, endpoint, .. } => dialed = Some((epoch, endpoint)),
            _ => {}
        }
    }
}

fn config(endpoint_order: EndpointOrder) -> Arc<ValidConfig> {
    Arc::new(Config { endpoint_order, ..Config::default() }.parse().expect("defaults are valid"))
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
