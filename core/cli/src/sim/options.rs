//! What can be asked of the simulation.

use crate::exit::{Exit, Failure};
use crate::values;
use clap::{Args, ValueEnum};
use keepline::{Config, Profile};
use keepline_testkit::herd::{Down, Policy, Proof, Scenario};
use std::path::PathBuf;
use std::time::Duration;

/// 10 million: a client takes about a kilobyte while it is away.
const CLIENTS_MAX: u32 = 10_000_000;

#[derive(Args)]
pub(crate) struct Sim {
    /// How many clients lose their server at one instant
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=i64::from(CLIENTS_MAX)))]
    clients: u32,
    /// How long the server is away; may be given several times
    #[arg(long, value_name = "TIME", value_parser = values::duration, default_value = "30s")]
    outage: Vec<Duration>,
    /// How many connections the server accepts a second
    #[arg(long, value_name = "COUNT", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..))]
    accept_rate: u32,
    /// How many connections wait to be accepted at most; beyond it SYNs are dropped
    #[arg(long, value_name = "COUNT", default_value_t = 4_096, value_parser = clap::value_parser!(u32).range(1..))]
    backlog: u32,
    /// Attempts meet no answer while the server is away, instead of a refusal
    #[arg(long)]
    black_hole: bool,
    /// The clients speak TLS: what the handshake of each costs the server, beyond the accept
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    tls: Option<Duration>,
    /// What makes a connection count for its client: the server's first bytes, or the TCP handshake
    #[arg(long, value_enum, default_value_t = ProofName::Answer)]
    proof: ProofName,
    /// A rolling restart instead: so many nodes behind a balancer, each away for --outage, one after the other. Rate and
    /// backlog are those of each node
    #[arg(long, value_name = "NODES", value_parser = clap::value_parser!(u8).range(2..=100))]
    rolling: Option<u8>,
    /// The time between the return of a node and the end of the next
    #[arg(long, value_name = "TIME", value_parser = values::duration, default_value = "10s")]
    pause: Duration,
    /// From client to server and back
    #[arg(long, value_name = "TIME", value_parser = values::duration, default_value = "20ms")]
    round_trip: Duration,
    /// The luck of everybody; the same seed gives the same figures
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Runs each scenario with so many seeds and joins them: percentiles of a small fleet are luck
    #[arg(long, value_name = "COUNT", default_value_t = 1, conflicts_with = "draws", value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub(super) seeds: u64,
    /// Only Keepline, without the other clients
    #[arg(long)]
    alone: bool,
    /// So many scenarios drawn at random instead, each held against the budgets
    #[arg(long, value_name = "COUNT", conflicts_with_all = ["outage", "rolling", "svg", "markdown", "tls"])]
    pub(super) draws: Option<usize>,
    /// Which of the draws: every second one was used to choose the numbers of the profiles, the others were held out
    #[arg(long, value_enum, default_value_t = Half::Both, requires = "draws")]
    pub(super) half: Half,
    /// Larger fleets are drawn to this scale: clients, rate and backlog divided by one number
    #[arg(long, value_name = "CLIENTS", requires = "draws")]
    pub(super) scale: Option<u32>,
    /// As JSON, one object a line
    #[arg(long)]
    pub(super) json: bool,
    /// The table in Markdown
    #[arg(long, conflicts_with = "json")]
    pub(super) markdown: bool,
    /// Draws the way back into this file
    #[arg(long, value_name = "FILE")]
    pub(super) svg: Option<PathBuf>,
    #[command(flatten)]
    tuning: Tuning,
}

#[derive(Args)]
#[command(next_help_heading = "Keepline's numbers")]
struct Tuning {
    /// The defaults of everything else: balanced, mobile, industrial, datacenter
    #[arg(long, value_parser = values::profile)]
    profile: Option<Profile>,
    /// The window of the first retry
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    first_spread: Option<Duration>,
    /// The window of the second retry, before the multiplier
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    backoff_initial: Option<Duration>,
    /// The growth of the window
    #[arg(long, value_name = "NUMBER")]
    backoff_multiplier: Option<f64>,
    /// The largest window
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    backoff_max: Option<Duration>,
    /// The deadline for the TCP handshake
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    connect_per_address: Option<Duration>,
    /// The deadline for a whole attempt
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    connect_total: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProofName {
    Answer,
    Handshake,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Half {
    Both,
    Tuned,
    HeldOut,
}

impl Sim {
    /// One scenario for each outage.
    pub(super) fn scenarios(&self) -> Result<Vec<Scenario>, Failure> {
        let usual = self.usual();
        let day = Duration::from_secs(24 * 3600);
        for (option, time) in self.outage.iter().map(|time| ("--outage", *time)).chain([("--pause", self.pause)]) {
            if time > day {
                return Err(Failure { exit: Exit::Usage, text: format!("{option}: at most a day") });
            }
        }
        if self.round_trip > Duration::from_secs(10) {
            return Err(Failure { exit: Exit::Usage, text: "--round-trip: at most 10s".to_owned() });
        }
        if self.tls.is_some_and(|cost| cost > Duration::from_secs(10)) {
            return Err(Failure { exit: Exit::Usage, text: "--tls: at most 10s".to_owned() });
        }
        Ok(self.outage.iter().map(|outage| Scenario { outage: *outage, ..usual.clone() }).collect())
    }

    /// What draws have in common.
    pub(super) fn usual(&self) -> Scenario {
        Scenario {
            clients: self.clients,
            accept_rate: self.accept_rate,
            backlog: self.backlog,
            down: if self.black_hole { Down::BlackHoled } else { Down::Refused },
            tls: self.tls.unwrap_or_default(),
            proof: match self.proof {
                ProofName::Answer => Proof::Answer,
                ProofName::Handshake => Proof::Handshake,
            },
            nodes: self.rolling.unwrap_or(1),
            pause: self.pause,
            round_trip: self.round_trip,
            seed: self.seed,
            ..Scenario::default()
        }
    }

    /// Keepline as it was asked for.
    pub(super) fn keepline(&self) -> Result<Policy, Failure> {
        let tuning = &self.tuning;
        let profile = tuning.profile.unwrap_or_default();
        let config = Config {
            profile,
            first_spread: tuning.first_spread,
            backoff_initial: tuning.backoff_initial,
            backoff_multiplier: tuning.backoff_multiplier,
            backoff_max: tuning.backoff_max,
            connect_per_address: tuning.connect_per_address,
            connect_total: tuning.connect_total,
            ..Config::default()
        };
        Ok(Policy::keepline(format!("Keepline, {profile}"), config, self.usual().proof)?)
    }

    /// Keepline, and beside it the others unless it was to be alone.
    pub(super) fn policies(&self) -> Result<Vec<Policy>, Failure> {
        let others = Policy::peers().filter(|_| !self.alone);
        Ok(std::iter::once(self.keepline()?).chain(others).collect())
    }
}
