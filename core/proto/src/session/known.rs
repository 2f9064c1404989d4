//! What few clients know: of several endpoints, of the network, of failures. A healthy one has a pointer for all of it.

use super::network::Network;
use super::segments::Segments;
use crate::Time;
use crate::endpoints::EndpointPool;
use crate::wait::Waits;
use std::ops::{Deref, DerefMut};

/// Reads as nothing known. Its room comes with the first change, and goes when it is told to [rest](Known::rest).
#[derive(Debug, Default)]
pub(super) struct Known(Option<Box<Facts>>);

#[derive(Debug)]
pub(super) struct Facts {
    pub(super) pool: EndpointPool,
    pub(super) network: Network,
    pub(super) waits: Waits,
    pub(super) segments: Segments,
    /// Attempts that failed in a row.
    pub(super) failures: u32,
    /// How often the peer refused the credentials since a greeting passed last.
    pub(super) refusals: u8,
    /// The same of the proxy.
    pub(super) proxy_refusals: u8,
    /// The attempt that was asked for last gives a silent address up earlier than most do. Of no interest afterwards.
    pub(super) leaves_early: bool,
    /// When the last connection ended, or the client was started. Of no interest while there is a connection.
    pub(super) absent_since: Time,
}

static NOTHING: Facts = Facts::new();

impl Facts {
    const fn new() -> Facts {
        Facts {
            pool: EndpointPool::one(),
            network: Network::new(),
            waits: Waits::new(),
            segments: Segments::new(),
            failures: 0,
            refusals: 0,
            proxy_refusals: 0,
            leaves_early: false,
            absent_since: Time::ZERO,
        }
    }
}

impl Known {
    /// Gives the room back, if there is a connection and nothing is worth remembering.
    pub(super) fn rest(&mut self) {
        self.0.take_if(|facts| {
            let Facts {
                pool,
                network,
                waits,
                segments,
                failures,
                refusals,
                proxy_refusals,
                leaves_early: _,
                absent_since: _,
            } = &**facts;
            let has_failed = (*failures, *refusals, *proxy_refusals) != (0, 0, 0);
            pool.is_one() && network.is_unheard_of() && waits.is_empty() && segments.is_empty() && !has_failed
        });
    }
}

impl Deref for Known {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for Known {
    fn deref_mut(&mut self) -> &mut Facts {
        self.0.get_or_insert_with(|| Box::new(Facts::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_known_takes_a_pointer_and_a_look_at_it_no_more() {
        let mut known = Known::default();
        assert_eq!(size_of_val(&known), size_of::<usize>());
        assert_eq!((known.pool.count(), known.failures), (1, 0));
        assert!(known.0.is_none());
        known.failures = 1;
        known.rest();
        assert!(known.0.is_some());
        known.failures = 0;
        known.rest();
        assert!(known.0.is_none());
    }
}
