//! Why a client does, or did, not connect: its way examined stage by stage, with times, facts and a verdict in words.
//!
//! ```no_run
//! use keepline::doctor::Doctor;
//! use keepline::{Client, Heartbeat};
//!
//! # async fn example() {
//! let client = Client::builder("plc-7.example:502").heartbeat(Heartbeat::new("PING"));
//! let diagnosis = Doctor::of(client).examine().await;
//! println!("{}", diagnosis.words());
//! # }
//! ```

mod attempt;
mod diagnosis;
mod idle;
mod limits;
mod path_mtu;
mod reach;
mod words;

pub use diagnosis::{Diagnosis, Fact, Finding, Stage, StageName};

use crate::builder::Builder;
use crate::clock;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::proxy::{first_hop, proxy_of};
use diagnosis::Examined;
use keepline_proto::config::ValidConfig;
use keepline_proto::{Cause, Time};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// 8 s for each stage that waits for somebody else: past the fifth retransmission of a first packet (7 s), and short enough
/// to wait for.
const PATIENCE: Duration = Duration::from_secs(8);

/// 2 s for a server that speaks first, or closes at once, to do so; most do within a round trip.
const LISTEN: Duration = Duration::from_secs(2);

/// Examines the way of one declared client. It changes nothing: its connections are its own, and are ended.
#[derive(Debug, Clone)]
pub struct Doctor {
    builder: Builder,
    patience: Duration,
    listen: Duration,
    path_mtu: bool,
    idle: Vec<Duration>,
}

impl Doctor {
    /// A doctor of the client that this builder would make; of several endpoints it examines the first.
    pub fn of(builder: Builder) -> Doctor {
        Doctor { builder: builder.first_alone(), patience: PATIENCE, listen: LISTEN, path_mtu: false, idle: Vec::new() }
    }

    /// Sets how long each stage waits for somebody else; 8 s unless given.
    pub fn patience(mut self, limit: Duration) -> Doctor {
        self.patience = limit;
        self
    }

    /// Sets how long a server that is asked nothing is watched; 2 s unless given.
    pub fn listen(mut self, limit: Duration) -> Doctor {
        self.listen = limit;
        self
    }

    /// Asks whether full-size packets reach the server: the declared heartbeat is sent many times in one go.
    pub fn path_mtu(mut self) -> Doctor {
        self.path_mtu = true;
        self
    }

    /// Asks whether a connection survives this much silence. May be given several times; they are tried from the shortest on,
    /// one after the other, until one does not survive.
    pub fn idle(mut self, silence: Duration) -> Doctor {
        self.idle.push(silence);
        self
    }

    /// Checks the declared client and what is asked of the doctor, without the network. [`Doctor::examine`] does so too, and
    /// tells what is wrong as a finding of its first stage.
    ///
    /// # Errors
    /// `InvalidConfig` names the field, the value and the rule: `patience` is 1 ms to 1 h, each `idle` 1 s to 32,767 s, and at
    /// least the shortest heartbeat interval of the profile.
    pub fn validate(&self) -> Result<(), Error> {
        self.checked().map(|_declared| ())
    }

    /// Examines the way, and says where it ends.
    ///
    /// Lasts a few round trips where all is well, and at most a few times `patience`, plus the silences that were asked for.
    /// Needs a tokio runtime.
    ///
    /// # Cancel safety
    /// Cancelling ends the connections it has made.
    pub async fn examine(&self) -> Diagnosis {
        let mut examined = Examined::new(self.builder.endpoint_text());
        let Some((endpoint, config)) = self.declared(&mut examined) else { return examined.diagnosis() };
        // A Unix socket has neither name nor route: the attempt tells all there is.
        if endpoint.path().is_none() {
            let names = self.builder.names();
            let hop = first_hop(&endpoint, &config);
            let Some(addresses) = reach::names(&hop, &names, &config, self.patience, &mut examined).await else {
                return examined.diagnosis();
            };
            let way = reach::Way { addresses: &addresses, config: &config, is_to_a_proxy: hop != endpoint };
            if !way.route(&mut examined) || !way.tcp(self.patience, &mut examined).await {
                return examined.diagnosis();
            }
        }
        let proxy = proxy_of(&endpoint, &config).cloned();
        let attempt = attempt::Attempt { builder: &self.builder, config: &config, patience: self.patience, proxy };
        if !attempt.run(self.listen, &mut examined).await {
            return examined.diagnosis();
        }
        if self.path_mtu && !path_mtu::examine(&attempt, &mut examined).await {
            return examined.diagnosis();
        }
        let mut silences = self.idle.clone();
        silences.sort();
        idle::examine(&attempt, &silences, &mut examined).await;
        examined.diagnosis()
    }

    fn checked(&self) -> Result<(Endpoint, Arc<ValidConfig>), Error> {
        let config = self.builder.validate()?;
        let endpoint = self.builder.first_endpoint()?;
        limits::patience(self.patience)?;
        for silence in &self.idle {
            limits::idle(*silence, &self.builder)?;
        }
        Ok((endpoint, config))
    }

    /// What the user declared, or a finding on what is wrong with it.
    fn declared(&self, examined: &mut Examined) -> Option<(Endpoint, Arc<ValidConfig>)> {
        let begun = clock::now();
        match self.checked() {
            Err(error) => {
                examined.failed(StageName::Config, begun, None, vec![Fact::new("error", error)]);
                None
            }
            Ok((endpoint, config)) => {
                let notices: Vec<Fact> = config.notices.iter().map(|notice| Fact::new("notice", notice)).collect();
                if notices.is_empty() {
                    examined.passed(StageName::Config, begun, notices);
                } else {
                    examined.warned(StageName::Config, begun, None, notices);
                }
                Some((endpoint, config))
            }
        }
    }
}

/// An address, and what connecting to it came to.
#[derive(Debug, Clone, Copy)]
struct Reached {
    address: SocketAddr,
    took: Duration,
    outcome: Result<(), (Cause, Option<i32>)>,
}

/// How long something has taken.
fn since(begun: Time) -> Duration {
    clock::now().since(begun)
}
