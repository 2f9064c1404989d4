//! The server as its kernel shows it: a queue of established connections in front of a process that accepts one after the
//! other.

use keepline_proto::Time;
use std::collections::VecDeque;
use std::time::Duration;

/// When a client's kernel sends its SYN, from the start of the attempt: Linux since 6.5 (`tcp_syn_linear_timeouts` = 4), as
/// measured. Others send less of them.
pub(super) const SYN_AT: [Duration; 11] = [
    Duration::ZERO,
    Duration::from_millis(1_030),
    Duration::from_millis(2_050),
    Duration::from_millis(3_080),
    Duration::from_millis(4_100),
    Duration::from_millis(5_120),
    Duration::from_millis(7_170),
    Duration::from_millis(11_260),
    Duration::from_millis(19_450),
    Duration::from_millis(35_600),
    Duration::from_millis(68_400),
];

/// One server.
#[derive(Debug)]
pub(super) struct Node {
    up: bool,
    /// How often it has started: news of an earlier life is void.
    generation: u8,
    backlog: usize,
    /// What one connection takes: its accept, and its TLS handshake.
    service: Duration,
    /// When the process will have accepted everything that is queued.
    free_at: Time,
    /// When each queued connection will be taken out.
    queue: VecDeque<Time>,
}

impl Node {
    pub(super) fn new(service: Duration, backlog: u32) -> Node {
        Node {
            up: true,
            generation: 0,
            backlog: backlog.max(1) as usize,
            service,
            free_at: Time::ZERO,
            queue: VecDeque::new(),
        }
    }

    pub(super) const fn is_up(&self) -> bool {
        self.up
    }

    pub(super) const fn generation(&self) -> u8 {
        self.generation
    }

    /// Dies; the queue with it.
    pub(super) fn stop(&mut self) {
        self.up = false;
        self.queue.clear();
        self.generation = self.generation.wrapping_add(1);
    }

    pub(super) fn start(&mut self, now: Time) {
        self.up = true;
        self.free_at = now;
    }

    /// Whether the queue takes no more.
    pub(super) fn is_full(&mut self, now: Time) -> bool {
        while self.queue.front().is_some_and(|taken| *taken <= now) {
            self.queue.pop_front();
        }
        self.queue.len() >= self.backlog
    }

    /// Takes a connection into the queue, if there is room, and says when it will have been accepted.
    ///
    /// It takes its place with the SYN, not a round trip later: a kernel counts handshakes and what waits behind them in two
    /// queues of about this length, and drops SYNs once either is full.
    pub(super) fn queue(&mut self, now: Time) -> Option<Time> {
        if self.is_full(now) {
            return None;
        }
        let taken = self.free_at.max(now);
        self.queue.push_back(taken);
        self.free_at = taken + self.service;
        Some(self.free_at)
    }
}
