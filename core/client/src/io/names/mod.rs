//! What a client knows of the names it connects to: who resolves them, and what earlier attempts taught.

pub(crate) mod pool;
#[cfg(not(unix))]
mod standard;

use crate::endpoint::Endpoint;
use crate::resolver::{ResolveError, Resolver, SystemResolver};
use keepline_proto::config::ValidConfig;
use keepline_proto::race::{Memory, interleaved, is_private};
use keepline_proto::{Cause, Ending, Epoch};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::JoinHandle;

/// 64 names: more than any list of endpoints that a person keeps.
const NAMES: usize = 64;

/// Held only by clients whose endpoint is a name, or that resolve in their own way.
pub(crate) struct Names {
    /// `None`: the system's.
    resolver: Option<Arc<dyn Resolver>>,
    /// Held by the lookup of that resolver until it has really ended.
    turn: Arc<tokio::sync::Mutex<()>>,
    desk: Mutex<Desk>,
}

#[derive(Debug, Default)]
struct Desk {
    known: Vec<Known>,
    /// The addresses that failed in this attempt.
    failed: (Epoch, u32),
}

#[derive(Debug)]
struct Known {
    endpoint: Endpoint,
    memory: Memory,
    /// The last connection to one of its addresses.
    connected: Option<(Epoch, SocketAddr)>,
}

impl Names {
    pub(crate) fn new(resolver: Option<Arc<dyn Resolver>>) -> Names {
        Names { resolver, turn: Arc::default(), desk: Mutex::default() }
    }

    /// Asks for the addresses of a name.
    pub(crate) async fn look_up(&self, endpoint: &Endpoint) -> Result<Vec<SocketAddr>, ResolveError> {
        let Some(resolver) = self.resolver.clone() else {
            return SystemResolver.resolve(endpoint.host(), endpoint.port()).await;
        };
        let endpoint = endpoint.clone();
        // One that blocks its thread cannot be ended: the next one is not started beside it, to block another.
        let turn = self.turn.clone().lock_owned().await;
        // Called inside its task: neither its panic nor its blocking is ours.
        let task = tokio::spawn(async move {
            let _turn = turn;
            resolver.resolve(endpoint.host(), endpoint.port()).await
        });
        let mut task = AbortOnDrop(task);
        (&mut task.0).await.unwrap_or_else(|_panicked| Err(ResolveError::temporary("the resolver panicked")))
    }

    /// Works on what is known of a name.
    pub(crate) fn memory<R>(&self, endpoint: &Endpoint, work: impl FnOnce(&mut Memory) -> R) -> R {
        work(&mut self.desk().known(endpoint).memory)
    }

    /// An address failed in this attempt.
    pub(crate) fn failed(&self, epoch: Epoch, endpoint: &Endpoint, address: SocketAddr, ending: &Ending) {
        let mut desk = self.desk();
        if desk.failed.0 != epoch {
            desk.failed = (epoch, 0);
        }
        desk.failed.1 = desk.failed.1.saturating_add(1);
        if !is_ours(ending.cause) {
            desk.known(endpoint).memory.failed(address);
        }
    }

    /// An address of this list answered.
    pub(crate) fn connected(&self, epoch: Epoch, endpoint: &Endpoint, winner: SocketAddr, addresses: &[SocketAddr]) {
        let mut desk = self.desk();
        let known = desk.known(endpoint);
        known.memory.connected(winner, addresses);
        known.connected = Some((epoch, winner));
    }

    /// The connection ended soon: whatever it was, its address is no recommendation.
    pub(crate) fn disappointed(&self, epoch: Epoch, ending: &Ending) {
        let mut desk = self.desk();
        let of_epoch = |known: &&mut Known| known.connected.is_some_and(|(of, _)| of == epoch);
        if !is_ours(ending.cause)
            && let Some(known) = desk.known.iter_mut().find(of_epoch)
            && let Some((_, address)) = known.connected.take()
        {
            known.memory.failed(address);
        }
    }

    /// How many addresses failed in this attempt.
    pub(crate) fn failures(&self, epoch: Epoch) -> u32 {
        let desk = self.desk();
        if desk.failed.0 == epoch { desk.failed.1 } else { 0 }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    fn known(&mut self, endpoint: &Endpoint) -> &mut Known {
        let place = self.known.iter().position(|known| known.endpoint == *endpoint).unwrap_or_else(|| {
            if self.known.len() == NAMES {
                self.known.remove(0);
            }
            let known = Known { endpoint: endpoint.clone(), memory: Memory::default(), connected: None };
            self.known.reserve_exact(1);
            self.known.push(known);
            self.known.len() - 1
        });
        &mut self.known[place]
    }
}

/// Those that are dialled, in their order, of those that a resolver knows.
pub(crate) fn usable(config: &ValidConfig, resolved: &[SocketAddr]) -> Result<Vec<SocketAddr>, ResolveError> {
    if !config.refuse_private_addresses {
        let addresses = interleaved(resolved);
        return if addresses.is_empty() { Err(ResolveError::no_address("none")) } else { Ok(addresses) };
    }
    let public: Vec<SocketAddr> = resolved.iter().copied().filter(|address| !is_private(address.ip())).collect();
    let refused = resolved.len() - public.len();
    if refused > 0 {
        tracing::warn!(refused, "the name leads to this machine or into a private network: refused");
    }
    let addresses = interleaved(&public);
    if addresses.is_empty() { Err(ResolveError::no_address("no public one")) } else { Ok(addresses) }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").field("own_resolver", &self.resolver.is_some()).finish_non_exhaustive()
    }
}

struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether the end was our own doing, and says nothing about the address.
fn is_ours(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::LocalResource | Cause::LocalNetworkDown | Cause::NetworkChanged | Cause::Replaced | Cause::Requested
    )
}
