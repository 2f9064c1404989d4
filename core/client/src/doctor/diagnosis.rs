//! What an examination found: stages in their order, and the verdict that follows.

use super::{since, words};
use keepline_proto::{Cause, Time};
use std::fmt;
use std::time::Duration;

/// Bytes of the peer, or of an error, that a fact shows at most.
const SHOWN: usize = 256;

/// A part of the way to a useful connection, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StageName {
    /// The configuration and the endpoint, checked without the network.
    Config,
    /// From the name to addresses.
    Names,
    /// Whether this machine has a way to them, and from which address of its own.
    Route,
    /// TCP with each address.
    Tcp,
    /// The proxy, if one is declared.
    Proxy,
    /// TLS, if it is declared.
    Tls,
    /// Whether the server answers: its greeting, the heartbeat, or else what it does when it is asked nothing.
    Greeting,
    /// Whether full-size packets pass; on request.
    PathMtu,
    /// Whether a connection survives silence; on request.
    Idle,
}

impl StageName {
    /// All of them, in their order.
    pub const ALL: &[StageName] = &[
        StageName::Config,
        StageName::Names,
        StageName::Route,
        StageName::Tcp,
        StageName::Proxy,
        StageName::Tls,
        StageName::Greeting,
        StageName::PathMtu,
        StageName::Idle,
    ];

    /// The name used in JSON and in every language.
    pub const fn as_str(self) -> &'static str {
        match self {
            StageName::Config => "config",
            StageName::Names => "names",
            StageName::Route => "route",
            StageName::Tcp => "tcp",
            StageName::Proxy => "proxy",
            StageName::Tls => "tls",
            StageName::Greeting => "greeting",
            StageName::PathMtu => "path_mtu",
            StageName::Idle => "idle",
        }
    }
}

/// What a stage came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Finding {
    /// All is well.
    Passed,
    /// It works, and something about it should be known.
    Warned,
    /// The way ends here.
    Failed,
}

impl Finding {
    /// All of them, from good to bad.
    pub const ALL: &[Finding] = &[Finding::Passed, Finding::Warned, Finding::Failed];

    /// The name used in JSON and in every language.
    pub const fn as_str(self) -> &'static str {
        match self {
            Finding::Passed => "passed",
            Finding::Warned => "warned",
            Finding::Failed => "failed",
        }
    }
}

/// Something that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is about.
    pub name: &'static str,
    /// What was seen; escaped and cut to 256 characters where the peer or the system chose the words.
    pub value: String,
}

impl Fact {
    pub(super) fn new(name: &'static str, value: impl fmt::Display) -> Fact {
        let value: String = value.to_string().chars().flat_map(shown).take(SHOWN).collect();
        Fact { name, value }
    }
}

/// Control characters escaped, everything else as it is.
fn shown(character: char) -> impl Iterator<Item = char> {
    let escaped = character.is_control().then(|| character.escape_default());
    let plain = escaped.is_none().then_some(character);
    escaped.into_iter().flatten().chain(plain)
}

/// One stage that was examined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Which one.
    pub name: StageName,
    /// What it came to.
    pub finding: Finding,
    /// Why, as a client would tell it; `None` where all is well, and for a bad configuration.
    pub cause: Option<Cause>,
    /// How long it took.
    pub took: Duration,
    /// What was seen.
    pub facts: Vec<Fact>,
}

/// What an examination found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The endpoint as it was given.
    pub endpoint: String,
    /// The stages that were reached. The first that failed is the last.
    pub stages: Vec<Stage>,
}

impl Diagnosis {
    /// The stage where the way ends, if it does.
    pub fn failed(&self) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.finding == Finding::Failed)
    }

    /// Whether the way is open to its end. There may be warnings.
    pub fn is_healthy(&self) -> bool {
        self.failed().is_none()
    }

    /// The stage, if it was reached.
    pub fn stage(&self, name: StageName) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    /// The verdict, for people: where it ends, why, and what to look at next.
    pub fn words(&self) -> String {
        words::verdict(self)
    }
}

/// A diagnosis in the making.
pub(super) struct Examined(Diagnosis);

impl Examined {
    pub(super) fn new(endpoint: String) -> Examined {
        Examined(Diagnosis { endpoint, stages: Vec::new() })
    }

    pub(super) fn passed(&mut self, name: StageName, begun: Time, facts: Vec<Fact>) {
        self.push(name, Finding::Passed, begun, None, facts);
    }

    pub(super) fn warned(&mut self, name: StageName, begun: Time, cause: Option<Cause>, facts: Vec<Fact>) {
        self.push(name, Finding::Warned, begun, cause, facts);
    }

    pub(super) fn failed(&mut self, name: StageName, begun: Time, cause: Option<Cause>, facts: Vec<Fact>) {
        self.push(name, Finding::Failed, begun, cause, facts);
    }

    pub(super) fn diagnosis(self) -> Diagnosis {
        self.0
    }

    fn push(&mut self, name: StageName, finding: Finding, begun: Time, cause: Option<Cause>, facts: Vec<Fact>) {
        self.0.stages.push(Stage { name, finding, cause, took: since(begun), facts });
    }
}

impl fmt::Display for StageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_escape_what_the_peer_chose_and_are_cut() {
        assert_eq!(Fact::new("said", "a\x1b[31m\r\nb é").value, "a\\u{1b}[31m\\r\\nb é");
        assert_eq!(Fact::new("said", "x".repeat(1_000)).value.len(), SHOWN);
    }
}
