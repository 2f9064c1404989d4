//! A policy by name: what a table has a row for.

use super::{Keepline, Outcome, Peer, Proof, Scenario, run};
use keepline_proto::ConfigError;
use keepline_proto::config::{Config, Profile, ValidConfig};
use std::sync::Arc;

/// How a client comes back.
#[derive(Debug, Clone)]
pub enum Policy {
    /// The shipped machine with a configuration.
    Keepline {
        /// What the row is called.
        name: String,
        /// The configuration.
        config: Arc<ValidConfig>,
    },
    /// Another client.
    Peer(Peer),
}

impl Policy {
    /// The shipped machine with this configuration; a greeting is added where the server has to speak.
    ///
    /// # Errors
    /// As [`Config::parse`].
    pub fn keepline(name: impl Into<String>, config: Config, proof: Proof) -> Result<Policy, ConfigError> {
        Ok(Policy::Keepline { name: name.into(), config: Keepline::prepare(config, proof)? })
    }

    /// The shipped machine with the numbers of a profile.
    ///
    /// # Panics
    /// Never: profiles are valid.
    pub fn profile(profile: Profile, scenario: &Scenario) -> Policy {
        let config = Config { profile, ..Config::default() };
        match Policy::keepline(format!("Keepline, {profile}"), config, scenario.proof) {
            Ok(policy) => policy,
            Err(error) => panic!("the profile {profile} is invalid: {error}"),
        }
    }

    /// The shipped machine as it is by default.
    pub fn balanced(scenario: &Scenario) -> Policy {
        Policy::profile(Profile::Balanced, scenario)
    }

    /// Every other client.
    pub fn peers() -> impl Iterator<Item = Policy> {
        Peer::ALL.iter().copied().map(Policy::Peer)
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        match self {
            Policy::Keepline { name, .. } => name,
            Policy::Peer(peer) => peer.name,
        }
    }

    /// Runs a scenario with as many seeds as its fleet needs for percentiles that mean something.
    pub fn run_pooled(&self, scenario: &Scenario) -> Outcome {
        self.run_with_seeds(scenario, scenario.seeds())
    }

    /// Runs a scenario with so many seeds, from its own upwards, and joins the figures.
    pub fn run_with_seeds(&self, scenario: &Scenario, seeds: u64) -> Outcome {
        let seeded = |number: u64| Scenario { seed: scenario.seed.wrapping_add(number), ..scenario.clone() };
        let runs = (0..seeds.max(1)).map(|number| self.run(&seeded(number)));
        runs.reduce(Outcome::join).unwrap_or_default()
    }

    /// Runs a scenario.
    pub fn run(&self, scenario: &Scenario) -> Outcome {
        match self {
            Policy::Keepline { config, .. } if scenario.tls.is_zero() => {
                run(scenario, |seed| Keepline::connected(config, seed))
            }
            Policy::Keepline { config, .. } => run(scenario, |seed| Keepline::connected_over_tls(config, seed)),
            Policy::Peer(peer) => run(scenario, |seed| peer.connected(scenario.proof, seed)),
        }
    }
}
