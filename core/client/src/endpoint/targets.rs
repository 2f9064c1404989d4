//! The endpoints of one client, with the numbers by which its machine knows them.

use super::{Endpoint, Scheme};
use keepline_proto::ConfigError;
use keepline_proto::endpoints::{Candidate, Candidates, EndpointId};
use std::fmt;
use std::net::SocketAddr;

/// One endpoint, which is number 0, or several. Boxed: nearly every client has one.
pub(crate) enum Targets {
    One(Endpoint),
    Many(Box<Many>),
}

pub(crate) struct Many {
    list: Vec<(EndpointId, Endpoint)>,
    /// The number of the next endpoint that was not in a list before.
    next: u32,
}

impl Targets {
    /// Takes a list, and what the machine has to know of it unless it is number 0 alone.
    pub(crate) fn new(mut endpoints: Vec<Endpoint>) -> Result<(Targets, Option<Candidates>), ConfigError> {
        endpoints.iter().try_for_each(supported)?;
        if endpoints.len() == 1
            && let Some(endpoint) = endpoints.pop()
        {
            return Ok((Targets::One(endpoint), None));
        }
        let (many, candidates) = Many { list: Vec::new(), next: 0 }.followed_by(endpoints)?;
        Ok((Targets::Many(Box::new(many)), Some(candidates)))
    }

    /// Checks a list, without taking it.
    pub(crate) fn check(endpoints: &[Endpoint]) -> Result<(), ConfigError> {
        Many { list: Vec::new(), next: 0 }.followed_by(endpoints.to_vec()).map(drop)
    }

    /// Takes another list. An endpoint that stays keeps its number.
    pub(crate) fn replace(&mut self, endpoints: Vec<Endpoint>) -> Result<Candidates, ConfigError> {
        let before = match self {
            Targets::One(endpoint) => Many { list: vec![(EndpointId(0), endpoint.clone())], next: 1 },
            Targets::Many(many) => Many { list: many.list.clone(), next: many.next },
        };
        let (many, candidates) = before.followed_by(endpoints)?;
        *self = Targets::Many(Box::new(many));
        Ok(candidates)
    }

    pub(crate) fn get(&self, id: EndpointId) -> Option<&Endpoint> {
        match self {
            Targets::One(endpoint) => (id == EndpointId(0)).then_some(endpoint),
            Targets::Many(many) => many.list.iter().find(|(own, _)| *own == id).map(|(_, endpoint)| endpoint),
        }
    }

    /// Whether any of them has to be resolved.
    pub(crate) fn has_names(&self) -> bool {
        let is_name = |endpoint: &Endpoint| endpoint.path().is_none() && endpoint.literal().is_none();
        match self {
            Targets::One(endpoint) => is_name(endpoint),
            Targets::Many(many) => many.list.iter().any(|(_, endpoint)| is_name(endpoint)),
        }
    }

    /// The address, if there is one endpoint, which is no name.
    pub(crate) fn only_address(&self) -> Option<SocketAddr> {
        match self {
            Targets::One(endpoint) => endpoint.literal(),
            Targets::Many(many) => match &many.list[..] {
                [(_, endpoint)] => endpoint.literal(),
                [] | [_, _, ..] => None,
            },
        }
    }

    pub(crate) fn list(&self) -> Vec<Endpoint> {
        match self {
            Targets::One(endpoint) => vec![endpoint.clone()],
            Targets::Many(many) => many.list.iter().map(|(_, endpoint)| endpoint.clone()).collect(),
        }
    }
}

impl Many {
    fn followed_by(self, endpoints: Vec<Endpoint>) -> Result<(Many, Candidates), ConfigError> {
        let mut next = self.next;
        let mut number = |endpoint: &Endpoint| {
            let known = self.list.iter().find(|(_, known)| known == endpoint);
            known.map_or_else(
                || {
                    let id = EndpointId(next);
                    next = next.wrapping_add(1);
                    id
                },
                |(id, _)| *id,
            )
        };
        for (index, endpoint) in endpoints.iter().enumerate() {
            supported(endpoint)?;
            if endpoints[..index].contains(endpoint) {
                return Err(ConfigError::new("endpoints", endpoint, "must be given once each"));
            }
        }
        let list: Vec<_> = endpoints.into_iter().map(|endpoint| (number(&endpoint), endpoint)).collect();
        let candidate = |(id, endpoint): &(EndpointId, Endpoint)| Candidate {
            weight: endpoint.weight(),
            ..Candidate::new(*id, endpoint.to_string())
        };
        let candidates = Candidates::new(list.iter().map(candidate).collect())?;
        Ok((Many { list, next }, candidates))
    }
}

/// Whether this build can speak to it as it asks for: what wants TLS is never spoken to without.
fn supported(endpoint: &Endpoint) -> Result<(), ConfigError> {
    match endpoint.scheme() {
        Scheme::Tcp | Scheme::Unix => Ok(()),
        Scheme::Tls if cfg!(feature = "tls") => Ok(()),
        Scheme::Tls => Err(ConfigError::new("endpoint", endpoint, "must be host:port; this build has no TLS")),
    }
}

impl fmt::Debug for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Targets::One(endpoint) => endpoint.fmt(f),
            Targets::Many(many) => f.debug_list().entries(many.list.iter().map(|(_, endpoint)| endpoint)).finish(),
        }
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(texts: &[&str]) -> Vec<Endpoint> {
        texts.iter().map(|text| Endpoint::parse(text).unwrap()).collect()
    }

    fn numbers(candidates: &Candidates) -> Vec<u32> {
        candidates.as_slice().iter().map(|candidate| candidate.id.0).collect()
    }

    #[test]
    fn endpoint_keeps_its_number_while_it_stays_and_no_other_ever_gets_it() {
        let (mut targets, candidates) = Targets::new(endpoints(&["a:1", "b:1"])).unwrap();
        assert_eq!(numbers(&candidates.unwrap()), [0, 1]);
        assert_eq!(numbers(&targets.replace(endpoints(&["c:1", "b:1"])).unwrap()), [2, 1]);
        assert_eq!(numbers(&targets.replace(endpoints(&["a:1", "b:2", "c:1"])).unwrap()), [3, 4, 2]);
        assert_eq!(targets.get(EndpointId(3)), Some(&Endpoint::parse("a:1").unwrap()));
        assert_eq!(targets.get(EndpointId(1)), None);
        let (mut one, candidates) = Targets::new(endpoints(&["a:1"])).unwrap();
        assert!(candidates.is_none());
        assert_eq!(numbers(&one.replace(endpoints(&["b:1", "a:1"])).unwrap()), [1, 0]);
    }

    #[test]
    fn list_that_cannot_be_changes_nothing() {
        let (mut targets, _) = Targets::new(endpoints(&["a:1", "b:1"])).unwrap();
        let many: Vec<String> = (1..=65).map(|port| format!("a:{port}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for list in [&[][..], &["c:1", "c:1"], &many] {
            assert_eq!(targets.replace(endpoints(list)).unwrap_err().field, "endpoints");
        }
        assert_eq!(targets.list(), endpoints(&["a:1", "b:1"]));
    }

    #[test]
    fn a_client_of_one_endpoint_pays_nothing_for_the_others() {
        assert_eq!(size_of::<Targets>(), size_of::<Endpoint>());
    }
}
