//! What happens to the herd: how many clients, how long the server is away, and what it can take afterwards.

use std::time::Duration;

/// An outage and a server.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// How many clients lose their server at one instant, each a process of its own.
    pub clients: u32,
    /// How long the server is away.
    pub outage: Duration,
    /// What an attempt meets meanwhile.
    pub down: Down,
    /// How many connections the server accepts a second; with several nodes, each of them.
    pub accept_rate: u32,
    /// How many established connections wait to be accepted at most (`listen`'s second argument); with several nodes, at
    /// each of them. A SYN that finds the queue full is dropped, and the client's kernel sends it again.
    pub backlog: u32,
    /// What the server's process spends on the TLS handshake of each connection, beyond the accept; zero is plain TCP. Its
    /// first bytes then take a round trip longer, and Keepline's clients have the deadline of a handshake.
    pub tls: Duration,
    /// What makes a connection count for its client.
    pub proof: Proof,
    /// How many nodes share the clients behind a balancer. With more than one they restart one after the other: each is
    /// away for `outage`, and the next one follows after `pause`.
    pub nodes: u8,
    /// The time between the return of a node and the end of the next.
    pub pause: Duration,
    /// From client to server and back.
    pub round_trip: Duration,
    /// The luck of everybody: the same seed gives the same run.
    pub seed: u64,
}

/// What an attempt meets while the server is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Down {
    /// The host is up and nobody listens: a reset after one round trip.
    Refused,
    /// Nothing answers: the client's kernel sends its SYN again, until the client gives up or the server is back.
    BlackHoled,
}

/// What makes a connection count for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proof {
    /// The server's first bytes, as a greeting or an answer to a first heartbeat brings them: the server has accepted.
    Answer,
    /// The TCP handshake, which the server's kernel completes while the connection waits to be accepted. Clients of
    /// protocols in which the server always speaks wait for it all the same.
    Handshake,
}

impl Default for Scenario {
    /// 100,000 clients, a server that refuses for 30 s and then accepts 2,000 a second, with the backlog of Linux (4,096).
    fn default() -> Scenario {
        Scenario {
            clients: 100_000,
            outage: Duration::from_secs(30),
            down: Down::Refused,
            accept_rate: 2_000,
            backlog: 4_096,
            tls: Duration::ZERO,
            proof: Proof::Answer,
            nodes: 1,
            pause: Duration::from_secs(10),
            round_trip: Duration::from_millis(20),
            seed: 1,
        }
    }
}

impl Scenario {
    /// The seven on which budgets are stated: a short, a usual and a long outage, a black hole, a smaller fleet, a faster
    /// server, a short backlog.
    pub fn seven() -> [(&'static str, Scenario); 7] {
        let usual = Scenario::default();
        [
            ("30 s", usual.clone()),
            ("5 s", Scenario { outage: Duration::from_secs(5), ..usual.clone() }),
            ("120 s", Scenario { outage: Duration::from_secs(120), ..usual.clone() }),
            ("30 s, black-holed", Scenario { down: Down::BlackHoled, ..usual.clone() }),
            ("20,000 clients", Scenario { clients: 20_000, ..usual.clone() }),
            ("10,000 accepts/s", Scenario { accept_rate: 10_000, ..usual.clone() }),
            ("backlog 128", Scenario { backlog: 128, ..usual }),
        ]
    }

    /// The time in which the server, were it never idle, takes this share of the clients.
    pub fn ideal(&self, share: f64) -> Duration {
        self.service().mul_f64(f64::from(self.clients) * share / f64::from(self.nodes.max(1)))
    }

    /// What one connection costs a server.
    pub fn service(&self) -> Duration {
        Duration::from_secs(1) / self.accept_rate.max(1) + self.tls
    }

    /// The longest that a connection waits to be accepted.
    pub fn longest_queue(&self) -> Duration {
        let waiting = self.backlog.min(self.clients);
        self.service() * waiting
    }

    /// How long a run is watched after the server is back: who is not there by then stays away for all practical purposes.
    pub fn watched(&self) -> Duration {
        // Three minutes are enough for a wait of gRPC's 120 s + 20 %; four times the ideal for a server that serves the dead.
        Duration::from_secs(180) + self.ideal(1.0) * 4
    }
}
