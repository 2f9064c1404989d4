//! The loop: one agenda of events, from the loss of the server until everybody is back or nobody comes any more.

use super::agenda::{Agenda, Timed};
use super::keepline::LOST_AT;
use super::outcome::{Bins, Outcome};
use super::server::{Node, SYN_AT};
use super::{Caller, Down, Fact, Scenario, Step};
use fastrand::Rng;
use keepline_proto::Time;
use std::collections::VecDeque;
use std::time::Duration;

/// Runs a scenario with clients that are made by `connect`, each from its own seed.
pub fn run<C: Caller>(scenario: &Scenario, connect: impl FnMut(u64) -> C) -> Outcome {
    let mut world = World::new(scenario, connect);
    while world.step() {}
    world.finish()
}

struct World<'a, C> {
    scenario: &'a Scenario,
    clients: Vec<Client>,
    /// What decides for each client; dropped as soon as it is back for good.
    callers: Vec<Option<C>>,
    nodes: Vec<Node>,
    restarts: VecDeque<(Time, u8, Restart)>,
    events: Agenda<Event>,
    /// What is to happen to the one client that is being followed by itself.
    own: Option<Vec<Event>>,
    rng: Rng,
    /// When a server is there again.
    back_at: Time,
    /// When the run ends, whoever is missing.
    until: Time,
    /// Clients that are away.
    away: usize,
    before: Bins,
    after: Bins,
    outcome: Outcome,
}

/// What a SYN asks for, apart from the callers: most SYNs of an overloaded server end here.
struct Client {
    wake_at: Option<Time>,
    /// The number of the present attempt: news of another one is void.
    attempt: u32,
    began: Time,
    lost_at: Option<Time>,
    socket: Socket,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Socket {
    None,
    /// SYNs are on their way.
    Trying,
    /// Established, in a node's queue or on the way there.
    Queued(u8),
    /// Accepted by a node.
    Accepted(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Restart {
    Stop,
    Start,
}

/// Fields in the order in which events are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    at: Time,
    client: u32,
    attempt: u32,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// A SYN reaches the server: which of the attempt's.
    Syn(u8),
    /// A reset reaches the client.
    Refused,
    /// The server's SYN-ACK reaches the client.
    Established,
    /// The server's part of the TLS handshake reaches the client.
    Secured,
    /// The first bytes of a node in this life reach the client.
    Answered(u8, u8),
    /// The client wanted to be told the time.
    Due,
}

impl Timed for Event {
    fn at(&self) -> Time {
        self.at
    }
}

impl<'a, C: Caller> World<'a, C> {
    fn new(scenario: &'a Scenario, mut connect: impl FnMut(u64) -> C) -> World<'a, C> {
        let mut rng = Rng::with_seed(scenario.seed);
        let nodes = scenario.nodes.max(1);
        let client = |number: u32| Client {
            wake_at: None,
            attempt: 0,
            began: LOST_AT,
            lost_at: None,
            socket: Socket::Accepted((number % u32::from(nodes)) as u8),
        };
        let clients = (0..scenario.clients).map(client).collect();
        let callers = (0..scenario.clients).map(|_| Some(connect(rng.u64(..)))).collect();
        let mut restarts = VecDeque::new();
        let mut at = LOST_AT;
        for node in 0..nodes {
            restarts.push_back((at, node, Restart::Stop));
            restarts.push_back((at + scenario.outage, node, Restart::Start));
            at = at + scenario.outage + scenario.pause;
        }
        // Behind a balancer there always is a server.
        let back_at = if nodes == 1 { LOST_AT + scenario.outage } else { LOST_AT };
        let last_start = restarts.back().map_or(back_at, |restart| restart.0);
        World {
            scenario,
            clients,
            callers,
            nodes: (0..nodes).map(|_| Node::new(scenario.service(), scenario.backlog)).collect(),
            restarts,
            events: Agenda::new(LOST_AT),
            own: None,
            rng,
            back_at,
            until: last_start + scenario.watched(),
            away: 0,
            before: Bins::default(),
            after: Bins::default(),
            outcome: Outcome::default(),
        }
    }

    /// Takes the next thing that happens; `false` if nothing more does, or nothing that matters.
    fn step(&mut self) -> bool {
        let next = self.events.peek().map(|event| event.at);
        if let Some((at, node, restart)) = self.restarts.front().copied()
            && next.is_none_or(|next| at <= next)
        {
            self.restarts.pop_front();
            match restart {
                Restart::Stop => self.stop(at, node),
                Restart::Start => self.nodes[usize::from(node)].start(at),
            }
            return true;
        }
        if self.away == 0 && self.restarts.is_empty() {
            return false;
        }
        let Some(event) = self.events.pop() else { return false };
        if event.at > self.until {
            return false;
        }
        self.happen(event);
        true
    }

    fn finish(self) -> Outcome {
        let mut outcome = self.outcome;
        outcome.waits.sort_unstable();
        outcome.peak_before = self.before.peak(1);
        outcome.peak_after = self.after.peak(10);
        outcome.watched = self.until.since(self.back_at);
        outcome
    }

    fn stop(&mut self, now: Time, node: u8) {
        self.nodes[usize::from(node)].stop();
        // Clients meet at servers only: while there is none, each can be followed by itself, which keeps it in the cache.
        let alone_until = self.restarts.front().map(|restart| restart.0).filter(|_| self.nodes.len() == 1);
        for number in 0..self.clients.len() {
            self.own = alone_until.map(|_| Vec::new());
            self.lose(now, number, node);
            if let Some(until) = alone_until {
                self.follow(until);
            }
        }
    }

    /// Plays what happens to one client until a server is there; the rest goes to the agenda of all.
    fn follow(&mut self, until: Time) {
        loop {
            let Some(own) = &mut self.own else { return };
            let next = own.iter().enumerate().filter(|(_, event)| event.at < until).min_by_key(|(_, event)| **event);
            let Some((index, event)) = next.map(|(index, event)| (index, *event)) else { break };
            own.swap_remove(index);
            self.happen(event);
        }
        for event in self.own.take().unwrap_or_default() {
            self.events.push(event);
        }
    }

    fn lose(&mut self, now: Time, number: usize, node: u8) {
        let client = &mut self.clients[number];
        match client.socket {
            Socket::Accepted(at) if at == node => {
                client.lost_at = Some(now);
                client.socket = Socket::None;
                self.outcome.losses += 1;
                self.away += 1;
                self.tell(now, number, Fact::Lost);
            }
            Socket::Queued(at) if at == node => {
                self.note_failure(number);
                self.clients[number].socket = Socket::None;
                self.tell(now, number, Fact::Lost);
            }
            Socket::Accepted(_) | Socket::Queued(_) | Socket::Trying | Socket::None => {}
        }
    }

    fn happen(&mut self, event: Event) {
        let number = event.client as usize;
        let client = &mut self.clients[number];
        let is_current = client.attempt == event.attempt;
        match event.what {
            What::Due => {
                if client.wake_at == Some(event.at) {
                    client.wake_at = None;
                    self.tell(event.at, number, Fact::Due);
                }
            }
            What::Syn(index) if is_current && client.socket == Socket::Trying => self.syn(event, index),
            What::Refused if is_current => {
                client.socket = Socket::None;
                self.note_failure(number);
                self.tell(event.at, number, Fact::Refused);
            }
            What::Established if is_current => self.tell(event.at, number, Fact::Established),
            What::Secured if is_current => self.tell(event.at, number, Fact::Secured),
            What::Answered(node, life) => {
                if self.nodes[usize::from(node)].generation() != life {
                    return;
                }
                if is_current {
                    self.accepted(event.at, number, node);
                } else {
                    self.outcome.dead_accepts += 1;
                }
            }
            // The client has gone: its kernel answers the server's with a reset, and nothing is queued.
            What::Syn(_) | What::Refused | What::Established | What::Secured => {}
        }
    }

    /// A SYN arrives where a node may be.
    fn syn(&mut self, event: Event, index: u8) {
        let half = self.scenario.round_trip / 2;
        let Some(node) = self.pick() else {
            match self.scenario.down {
                Down::Refused => self.push(Event { at: event.at + half, what: What::Refused, ..event }),
                Down::BlackHoled => self.syn_again(event, index),
            }
            return;
        };
        let server = &mut self.nodes[usize::from(node)];
        let life = server.generation();
        let Some(accepted) = server.queue(event.at) else {
            self.outcome.dropped_syns += 1;
            self.syn_again(event, index);
            return;
        };
        self.clients[event.client as usize].socket = Socket::Queued(node);
        self.push(Event { at: event.at + half, what: What::Established, ..event });
        // Not before the handshake is complete.
        let mut answers = accepted.max(event.at + self.scenario.round_trip);
        if !self.scenario.tls.is_zero() {
            self.push(Event { at: answers + half, what: What::Secured, ..event });
            answers = answers + self.scenario.round_trip;
        }
        self.push(Event { at: answers + half, what: What::Answered(node, life), ..event });
    }

    /// The client's kernel sends the SYN once more, or gives up.
    fn syn_again(&mut self, event: Event, index: u8) {
        let sent = SYN_AT[usize::from(index)];
        let next = SYN_AT.get(usize::from(index) + 1);
        let (after, what) = match next {
            Some(next) => (*next - sent, What::Syn(index + 1)),
            // As long again as the last pause.
            None => (sent, What::Refused),
        };
        self.push(Event { at: event.at + after, what, ..event });
    }

    /// A node that is there, each as likely as the others.
    fn pick(&mut self) -> Option<u8> {
        let up = self.nodes.iter().filter(|node| node.is_up()).count();
        if up == 0 {
            return None;
        }
        let chosen = if up == 1 { 0 } else { self.rng.usize(0..up) };
        let mut there = self.nodes.iter().enumerate().filter(|(_, node)| node.is_up());
        there.nth(chosen).map(|(index, _)| index as u8)
    }

    fn accepted(&mut self, now: Time, number: usize, node: u8) {
        let client = &mut self.clients[number];
        client.socket = Socket::Accepted(node);
        if let Some(lost_at) = client.lost_at.take() {
            self.outcome.waits.push(now.since(lost_at.max(self.back_at)));
            self.away -= 1;
        }
        self.tell(now, number, Fact::Answered);
        if self.restarts.is_empty() {
            self.callers[number] = None;
        }
    }

    fn tell(&mut self, now: Time, number: usize, fact: Fact) {
        let client = &mut self.clients[number];
        let Some(caller) = &mut self.callers[number] else { return };
        let Step { hang_up, dial, wake_at } = caller.handle(now, fact);
        if hang_up && matches!(client.socket, Socket::Trying | Socket::Queued(_)) {
            client.socket = Socket::None;
            // What is still on its way to this attempt is void.
            client.attempt += 1;
            self.note_failure(number);
        }
        let client = &mut self.clients[number];
        let is_new = client.wake_at != wake_at;
        client.wake_at = wake_at;
        if let Some(at) = wake_at.filter(|_| is_new) {
            let (client, attempt) = (number as u32, client.attempt);
            self.push(Event { at, client, attempt, what: What::Due });
        }
        if dial {
            self.dial(now, number);
        }
    }

    fn dial(&mut self, now: Time, number: usize) {
        let client = &mut self.clients[number];
        client.attempt += 1;
        client.began = now;
        client.socket = Socket::Trying;
        let attempt = client.attempt;
        if now < self.back_at {
            self.outcome.tries_before += 1;
            self.before.count(now.since(LOST_AT));
        } else {
            self.outcome.tries_after += 1;
            self.after.count(now.since(self.back_at));
        }
        let at = now + self.scenario.round_trip / 2;
        self.push(Event { at, client: number as u32, attempt, what: What::Syn(0) });
    }

    /// An attempt has failed. While the server is away that is nobody's fault.
    fn note_failure(&mut self, number: usize) {
        if self.clients[number].began >= self.back_at {
            self.outcome.wasted += 1;
        }
    }

    fn push(&mut self, event: Event) {
        match &mut self.own {
            Some(own) => own.push(event),
            None => self.events.push(event),
        }
    }
}

/// Bounds what a client costs: a million of them have to fit.
const _: () = assert!(size_of::<Event>() <= 24 && size_of::<Duration>() == 16);
