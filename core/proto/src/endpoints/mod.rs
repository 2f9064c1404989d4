//! Which endpoint the next attempt goes to: by order or by luck, with what is remembered of failures.
//!
//! A *cycle* is one try at each endpoint. It begins anew once all of them have failed, or once a connection has proved
//! stable. Within a cycle none is tried twice.

mod blame;
mod candidates;
mod memory;

pub use blame::{Blame, blame};
pub use candidates::{Candidate, Candidates, ENDPOINTS_MAX, EndpointId, WEIGHT_MAX};

use crate::Time;
use crate::cause::{Cause, Ending, names};
use fastrand::Rng;
use memory::Memory;
use std::sync::Arc;

/// In which order endpoints are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum EndpointOrder {
    /// By luck and weight, so that a fleet spreads; a client stays where it is until that endpoint fails.
    #[default]
    Shuffled,
    /// The first that is not known to fail, in the order given.
    Ordered,
}

names!(EndpointOrder { Shuffled => "shuffled", Ordered => "ordered" });

/// How far a connection came before it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Life {
    /// It was an attempt that never became a connection.
    Failed,
    /// It was connected, and not for long enough to count as healthy.
    Unstable,
    /// It was verified and stayed up.
    Stable,
}

/// What follows from an end, as far as the endpoints are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Advice {
    /// The attempt failed, and this cycle still holds an endpoint that was not tried: it may be tried without a wait.
    pub hop: bool,
    /// Nothing is gained by trying again: the cause is fatal, at every endpoint.
    pub fatal: bool,
}

/// The endpoints of one client, and what is known of each.
///
/// ```
/// use keepline_proto::endpoints::{Candidate, Candidates, EndpointId, EndpointOrder, EndpointPool, Life};
/// use keepline_proto::{Cause, Ending, Time};
///
/// let candidates = ["a:1", "b:1"].iter().enumerate();
/// let candidates = candidates.map(|(index, name)| Candidate::new(EndpointId(index as u32), *name));
/// let mut pool = EndpointPool::new(Candidates::new(candidates.collect())?, EndpointOrder::Ordered);
/// let mut luck = fastrand::Rng::with_seed(7);
/// assert_eq!(pool.pick(Time::ZERO, None, &mut luck), EndpointId(0));
/// let advice = pool.note_end(Time::ZERO, None, EndpointId(0), &Ending::new(Cause::Refused, None), Life::Failed);
/// assert!(advice.hop);
/// assert_eq!(pool.pick(Time::ZERO, None, &mut luck), EndpointId(1));
/// # Ok::<(), keepline_proto::ConfigError>(())
/// ```
#[derive(Debug, Default)]
pub struct EndpointPool(Option<Box<Many>>);

/// Boxed: most clients have one endpoint, and nothing to choose.
#[derive(Debug, Clone)]
struct Many {
    order: EndpointOrder,
    candidates: Vec<Candidate>,
    /// Those of the list before, for the names of connections that end because of the new one.
    gone: Vec<Candidate>,
    memory: Memory,
    /// Tried in this cycle, one bit for each candidate.
    tried: u64,
    /// Of those, the ones with a fatal cause.
    fatal: u64,
    /// The network this cycle is about: another one begins anew.
    network: Option<u64>,
    /// Where the last connection went, unless it gave reason to go elsewhere.
    home: Option<EndpointId>,
    last_failed: Option<EndpointId>,
    /// When a better endpoint is tried beside the connection.
    return_at: Time,
}

impl EndpointPool {
    /// A pool of one endpoint, which is number 0.
    pub const fn one() -> EndpointPool {
        EndpointPool(None)
    }

    /// A pool of these endpoints.
    pub fn new(candidates: Candidates, order: EndpointOrder) -> EndpointPool {
        let mut pool = EndpointPool::one();
        pool.set(candidates, order);
        pool
    }

    /// Takes another list. What is known of the endpoints that are in both stays known. Says whether any is new.
    pub fn set(&mut self, candidates: Candidates, order: EndpointOrder) -> bool {
        let candidates = candidates.into_vec();
        let known = |id: EndpointId| self.contains(id);
        let has_new = candidates.iter().any(|candidate| !known(candidate.id));
        let Some(many) = &mut self.0 else {
            if !(candidates.len() == 1 && candidates[0].id == EndpointId(0)) {
                self.0 = Some(Box::new(Many::new(candidates, order)));
            }
            return has_new;
        };
        many.order = order;
        many.gone = std::mem::replace(&mut many.candidates, candidates);
        many.home = many.home.filter(|home| many.candidates.iter().any(|candidate| candidate.id == *home));
        many.begin_cycle();
        let kept = &many.candidates;
        many.memory.retain(|id| kept.iter().any(|candidate| candidate.id == id));
        has_new
    }

    /// Whether there is one endpoint, which is number 0.
    pub(crate) const fn is_one(&self) -> bool {
        self.0.is_none()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(1, |many| many.candidates.len())
    }

    /// Whether this endpoint is one of them.
    pub fn contains(&self, id: EndpointId) -> bool {
        match &self.0 {
            None => id == EndpointId(0),
            Some(many) => many.index(id).is_some(),
        }
    }

    /// The name of an endpoint, where there is more than one to tell apart.
    pub fn name(&self, id: EndpointId) -> Option<Arc<str>> {
        let many = self.0.as_ref()?;
        let present = many.candidates.iter().find(|candidate| candidate.id == id);
        let named = match present {
            Some(present) => (many.candidates.len() > 1).then_some(present),
            None => many.gone.iter().find(|candidate| candidate.id == id),
        };
        named.map(|candidate| candidate.name.clone())
    }

    /// Where the next attempt goes, on this network (`None`: nobody knows on which).
    pub fn pick(&mut self, now: Time, network: Option<u64>, luck: &mut Rng) -> EndpointId {
        let Some(many) = &mut self.0 else { return EndpointId(0) };
        many.enter(network);
        many.pick(now, many.tried, luck)
    }

    /// Where [`EndpointPool::pick`] would go, with the same luck; nothing changes.
    pub fn peek(&self, now: Time, network: Option<u64>, luck: &mut Rng) -> EndpointId {
        match &self.0 {
            None => EndpointId(0),
            Some(many) if many.network == network => many.pick(now, many.tried, luck),
            // Another network begins a cycle anew.
            Some(many) => Many { network, last_failed: None, ..many.as_ref().clone() }.pick(now, 0, luck),
        }
    }

    /// Where an attempt goes that runs beside a connection to `incumbent`: elsewhere, if there is another.
    pub fn pick_beside(
        &mut self,
        now: Time,
        network: Option<u64>,
        incumbent: EndpointId,
        luck: &mut Rng,
    ) -> EndpointId {
        let Some(many) = &mut self.0 else { return EndpointId(0) };
        many.enter(network);
        let incumbent = many.bit(incumbent);
        let closed = if (many.tried | incumbent) == many.all() { incumbent } else { many.tried | incumbent };
        // Alone in the pool, it is challenged by another connection to the same endpoint.
        let closed = if closed == many.all() { 0 } else { closed };
        many.pick(now, closed, luck)
    }

    /// The best endpoint that stands before `id` in an ordered list and is not known to fail.
    pub fn better_than(&self, now: Time, network: Option<u64>, id: EndpointId) -> Option<EndpointId> {
        let many = self.0.as_ref().filter(|many| many.order == EndpointOrder::Ordered)?;
        let before = &many.candidates[..many.index(id)?];
        before.iter().map(|candidate| candidate.id).find(|id| !many.memory.is_avoided(now, network, *id))
    }

    /// Whether any endpoint stands before `id` in an ordered list.
    pub fn is_second_choice(&self, id: EndpointId) -> bool {
        let ordered = self.0.as_ref().filter(|many| many.order == EndpointOrder::Ordered);
        ordered.and_then(|many| many.index(id)).is_some_and(|index| index > 0)
    }

    /// Whether an endpoint is known to fail on this network, and is tried only after those that are not.
    pub fn is_avoided(&self, now: Time, network: Option<u64>, id: EndpointId) -> bool {
        self.0.as_ref().is_some_and(|many| many.memory.is_avoided(now, network, id))
    }

    /// Takes the news that a connection to this endpoint is up.
    pub fn note_connected(&mut self, id: EndpointId) {
        if let Some(many) = &mut self.0 {
            many.home = Some(id);
        }
    }

    /// Takes the end of an attempt or a connection.
    pub fn note_end(&mut self, now: Time, network: Option<u64>, id: EndpointId, ending: &Ending, life: Life) -> Advice {
        let fatal = ending.cause.is_fatal();
        let Some(many) = &mut self.0 else { return Advice { hop: false, fatal } };
        if life == Life::Stable {
            many.begin_cycle();
            many.memory.forgive(network, id);
        }
        match blame(ending) {
            Blame::Endpoint => many.note_failure(now, network, id, fatal, life),
            Blame::Service => Advice { hop: false, fatal },
            Blame::Nobody => {
                if ending.cause == Cause::Requested {
                    // Whoever asks for another connection may want another endpoint: the order or the luck decides anew.
                    many.home = None;
                }
                Advice { hop: false, fatal }
            }
        }
    }

    /// When a better endpoint is tried beside the connection; [`Time::FAR_FUTURE`] for never.
    pub(crate) fn return_at(&self) -> Time {
        self.0.as_ref().map_or(Time::FAR_FUTURE, |many| many.return_at)
    }

    pub(crate) fn set_return(&mut self, at: Time) {
        if let Some(many) = &mut self.0 {
            many.return_at = at;
        }
    }
}

impl Many {
    fn new(candidates: Vec<Candidate>, order: EndpointOrder) -> Many {
        Many {
            order,
            candidates,
            gone: Vec::new(),
            memory: Memory::default(),
            tried: 0,
            fatal: 0,
            network: None,
            home: None,
            last_failed: None,
            return_at: Time::FAR_FUTURE,
        }
    }

    fn begin_cycle(&mut self) {
        (self.tried, self.fatal) = (0, 0);
    }

    /// What failed on one network may work on another.
    fn enter(&mut self, network: Option<u64>) {
        if self.network != network {
            self.network = network;
            self.last_failed = None;
            self.begin_cycle();
        }
    }

    fn pick(&self, now: Time, closed: u64, luck: &mut Rng) -> EndpointId {
        let mut open = !closed & self.all();
        // A cycle does not begin with the endpoint that the last one ended with.
        if self.order == EndpointOrder::Shuffled
            && closed == 0
            && let Some(last) = self.last_failed
            && open != self.bit(last)
        {
            open &= !self.bit(last);
        }
        let avoided = self.mask(|id| self.memory.is_avoided(now, self.network, id));
        let best = if open & !avoided == 0 { open } else { open & !avoided };
        let index = match self.order {
            EndpointOrder::Ordered => best.trailing_zeros() as usize,
            EndpointOrder::Shuffled => match self.home.and_then(|home| self.index(home)) {
                Some(home) if best & (1 << home) != 0 => home,
                Some(_) | None => self.draw(best, luck),
            },
        };
        self.candidates.get(index).map_or(EndpointId(0), |candidate| candidate.id)
    }

    /// Draws one of these by weight.
    fn draw(&self, among: u64, luck: &mut Rng) -> usize {
        let weighed = || {
            let all = self.candidates.iter().enumerate();
            all.filter(|(index, _)| among & (1 << index) != 0).map(|(index, one)| (index, u64::from(one.weight)))
        };
        let sum: u64 = weighed().map(|(_, weight)| weight).sum();
        let mut drawn = luck.u64(0..sum.max(1));
        for (index, weight) in weighed() {
            if drawn < weight {
                return index;
            }
            drawn -= weight;
        }
        // Only of an empty set.
        0
    }

    fn note_failure(&mut self, now: Time, network: Option<u64>, id: EndpointId, fatal: bool, life: Life) -> Advice {
        let bit = self.bit(id);
        if bit == 0 {
            // It is not in the list any more: nothing is kept of it.
            return Advice { hop: false, fatal: false };
        }
        self.enter(network);
        self.memory.note(now, network, id);
        self.last_failed = Some(id);
        self.home = self.home.filter(|home| *home != id);
        self.tried |= bit;
        if fatal {
            self.fatal |= bit;
        }
        if self.tried != self.all() {
            return Advice { hop: life == Life::Failed, fatal: false };
        }
        let fatal = self.fatal == self.all();
        self.begin_cycle();
        Advice { hop: false, fatal }
    }

    fn index(&self, id: EndpointId) -> Option<usize> {
        self.candidates.iter().position(|candidate| candidate.id == id)
    }

    /// No bit for an endpoint that is not in the list.
    fn bit(&self, id: EndpointId) -> u64 {
        self.index(id).map_or(0, |index| 1 << index)
    }

    fn all(&self) -> u64 {
        u64::MAX >> (ENDPOINTS_MAX - self.candidates.len())
    }

    fn mask(&self, is_in: impl Fn(EndpointId) -> bool) -> u64 {
        let all = self.candidates.iter().enumerate();
        all.filter(|(_, candidate)| is_in(candidate.id)).fold(0, |mask, (index, _)| mask | 1 << index)
    }
}
