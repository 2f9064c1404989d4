//! What other clients do, by their documentation and their sources: when they try again, and how long they wait for what.

mod schedule;

pub use schedule::Schedule;

use super::{Caller, Fact, Proof, Step};
use fastrand::Rng;
use keepline_proto::Time;
use std::time::Duration;

/// A policy of another client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peer {
    /// What it is called.
    pub name: &'static str,
    /// Its numbers, in words.
    pub settings: &'static str,
    /// Its waits.
    pub schedule: Schedule,
    /// How long an attempt may take: until the TCP handshake, or until the first bytes if `answer` is `None`.
    pub connect: Duration,
    /// How long the first bytes may take after the TCP handshake, where that is counted apart.
    pub answer: Option<Duration>,
    /// Whether its protocol has the server speak before anything else, so that the TCP handshake alone never counts.
    pub server_speaks: bool,
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// 10 s: what OkHttp, lettuce, Ably and Tencent's Mars give an attempt. The schedules below that are no whole client say
/// nothing of it; 10 s is kind to them, since it does not end just after the kernel has sent a SYN again.
const USUAL: Duration = secs(10);

impl Peer {
    /// All of them.
    pub const ALL: &'static [Peer] = &[
        Peer {
            name: "gRPC",
            settings: "1 s × 1.6 ± 20 %, at most 120 s, from the start of the attempt, which has 20 s",
            schedule: Schedule::Grpc,
            connect: secs(20),
            answer: None,
            server_speaks: true,
        },
        Peer {
            name: "NATS (Go)",
            settings: "2 s + up to 0.1 s; 2 s for TCP, 2 s for the greeting; its limit of 60 tries is lifted",
            schedule: Schedule::Nats,
            connect: secs(2),
            answer: Some(secs(2)),
            server_speaks: true,
        },
        Peer {
            name: "async-nats",
            settings: "0, 2 ms, 4 ms …, at most 4 s, no jitter; 5 s for an attempt",
            schedule: Schedule::AsyncNats,
            connect: secs(5),
            answer: None,
            server_speaks: true,
        },
        Peer {
            name: "Socket.IO",
            settings: "1 s × 2 ± 50 %, then at most 5 s; 20 s for an attempt",
            schedule: Schedule::SocketIo,
            connect: secs(20),
            answer: None,
            server_speaks: true,
        },
        Peer {
            name: "AWS full jitter",
            settings: "up to 1 s × 2, at most 20 s; 10 s for an attempt",
            schedule: Schedule::FullJitter { base: secs(1), cap: secs(20) },
            connect: USUAL,
            answer: None,
            server_speaks: false,
        },
        Peer {
            name: "AWS decorrelated",
            settings: "1 s to 3 × the last wait, at most 20 s; 10 s for an attempt",
            schedule: Schedule::Decorrelated { base: secs(1), cap: secs(20) },
            connect: USUAL,
            answer: None,
            server_speaks: false,
        },
        Peer {
            name: "backon",
            settings: "1 s × 2, three tries, then the error goes to the caller; 10 s for an attempt",
            schedule: Schedule::Backon { jitter: false, times: Some(3) },
            connect: USUAL,
            answer: None,
            server_speaks: false,
        },
        Peer {
            name: "backon, unlimited",
            settings: "1 s × 2, at most 60 s, + up to 100 %; 10 s for an attempt",
            schedule: Schedule::Backon { jitter: true, times: None },
            connect: USUAL,
            answer: None,
            server_speaks: false,
        },
        Peer {
            name: "fixed 1 s",
            settings: "1 s, no jitter: the loop that everybody writes first; 10 s for an attempt",
            schedule: Schedule::Fixed(secs(1)),
            connect: USUAL,
            answer: None,
            server_speaks: false,
        },
    ];

    /// A client that has been connected for long.
    pub fn connected(self, proof: Proof, seed: u64) -> PeerCaller {
        let waits_for_answer = self.server_speaks || proof == Proof::Answer;
        let rng = Rng::with_seed(seed);
        PeerCaller {
            peer: self,
            waits_for_answer,
            rng,
            tries: 0,
            last_wait: Duration::ZERO,
            began: Time::ZERO,
            phase: Phase::Up,
        }
    }
}

/// A client with a peer's policy.
#[derive(Debug)]
pub struct PeerCaller {
    peer: Peer,
    waits_for_answer: bool,
    rng: Rng,
    /// Attempts since the connection was lost.
    tries: u32,
    last_wait: Duration,
    /// When the last attempt began.
    began: Time,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Up,
    Waiting(Time),
    /// An attempt is under way, at most until then.
    Trying(Time),
    GivenUp,
}

impl PeerCaller {
    fn dial(&mut self, now: Time) -> Step {
        let until = now + self.peer.schedule.patience(self.peer.connect, self.tries);
        self.began = now;
        self.tries = self.tries.saturating_add(1);
        self.phase = Phase::Trying(until);
        Step { hang_up: false, dial: true, wake_at: Some(until) }
    }

    fn wait(&mut self, now: Time, hang_up: bool) -> Step {
        let Some(wait) = self.peer.schedule.wait(self.tries, self.last_wait, &mut self.rng) else {
            self.phase = Phase::GivenUp;
            return Step { hang_up, dial: false, wake_at: None };
        };
        self.last_wait = wait;
        let from = if self.peer.schedule.counts_from_start() { self.began } else { now };
        let until = (from + wait).max(now);
        if until == now {
            return Step { hang_up, ..self.dial(now) };
        }
        self.phase = Phase::Waiting(until);
        Step { hang_up, dial: false, wake_at: Some(until) }
    }

    fn up(&mut self) -> Step {
        self.phase = Phase::Up;
        Step::wait(None)
    }

    fn stay(&self) -> Step {
        Step::wait(match self.phase {
            Phase::Up | Phase::GivenUp => None,
            Phase::Waiting(until) | Phase::Trying(until) => Some(until),
        })
    }
}

impl Caller for PeerCaller {
    fn handle(&mut self, now: Time, fact: Fact) -> Step {
        match fact {
            Fact::Lost => {
                // Each of them starts anew after a connection that worked.
                if self.phase == Phase::Up {
                    (self.tries, self.last_wait) = (0, Duration::ZERO);
                    self.began = now;
                }
                self.wait(now, false)
            }
            Fact::Refused => self.wait(now, false),
            Fact::Established if !self.waits_for_answer => self.up(),
            Fact::Established => {
                if let Some(answer) = self.peer.answer {
                    self.phase = Phase::Trying(now + answer);
                }
                self.stay()
            }
            Fact::Secured => self.stay(),
            Fact::Answered => self.up(),
            Fact::Due => match self.phase {
                Phase::Waiting(until) if until <= now => self.dial(now),
                Phase::Trying(until) if until <= now => self.wait(now, true),
                Phase::Up | Phase::GivenUp | Phase::Waiting(_) | Phase::Trying(_) => self.stay(),
            },
        }
    }
}
