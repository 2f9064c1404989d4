//! The endpoints a client may go to, as the machine sees them: numbers, names and weights.

use crate::error::ConfigError;
use std::fmt;
use std::sync::Arc;

/// 64: a cycle through so many that refuse takes ten seconds, as long as the longest wait of most clients; and each may
/// be a name with 32 addresses.
pub const ENDPOINTS_MAX: usize = 64;

/// 10,000: a hundredth of a percent is as fine as anybody splits a fleet.
pub const WEIGHT_MAX: u32 = 10_000;

/// The number of an endpoint within one client. Whoever hands out the numbers gives an endpoint the same one as long as
/// it stays in the list, and never the one of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EndpointId(pub u32);

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "endpoint {}", self.0)
    }
}

/// One endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its number.
    pub id: EndpointId,
    /// How events name it: as the user wrote it.
    pub name: Arc<str>,
    /// How often it is drawn beside the others; from 1 to [`WEIGHT_MAX`].
    pub weight: u32,
}

impl Candidate {
    /// Makes an endpoint of weight 1.
    pub fn new(id: EndpointId, name: impl Into<Arc<str>>) -> Candidate {
        Candidate { id, name: name.into(), weight: 1 }
    }
}

/// A list of endpoints that was checked: neither empty nor endless, each number once, no weight of zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidates(Vec<Candidate>);

impl Candidates {
    /// Checks a list.
    ///
    /// # Errors
    /// [`ConfigError`] on the fields `endpoints` and `endpoints.weight`.
    pub fn new(list: Vec<Candidate>) -> Result<Candidates, ConfigError> {
        if list.is_empty() || list.len() > ENDPOINTS_MAX {
            let rule = format!("must be 1 to {ENDPOINTS_MAX} endpoints");
            return Err(ConfigError::new("endpoints", list.len(), rule));
        }
        for (index, candidate) in list.iter().enumerate() {
            if candidate.weight == 0 || candidate.weight > WEIGHT_MAX {
                let rule = format!("must be 1 to {WEIGHT_MAX}");
                return Err(ConfigError::new("endpoints.weight", candidate.weight, rule));
            }
            if list[..index].iter().any(|other| other.id == candidate.id) {
                return Err(ConfigError::new("endpoints", &candidate.name, "must be given once each"));
            }
        }
        Ok(Candidates(list))
    }

    /// The list.
    pub fn as_slice(&self) -> &[Candidate] {
        &self.0
    }

    pub(super) fn into_vec(self) -> Vec<Candidate> {
        self.0
    }
}
