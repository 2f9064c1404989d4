//! Remembers that large segments vanish on the way to the peer, so that the next connections send smaller ones.
//!
//! A link on the way that takes less than the usual 1500 bytes, behind a firewall that drops the message that would say
//! so: the handshake and small messages pass, and every large one kills its connection, for ever.

use crate::Time;
use std::time::Duration;

/// Leaves room for 40 bytes of headers and a tunnel or two below 1280, the least that every IPv6 link carries.
pub(super) const CLAMPED: u16 = 1200;

/// Deaths after which large segments are blamed: one may be an outage that began during a large message.
const STRIKES: u8 = 2;

/// An hour: routes heal and change, a clamp costs a fifth of the payload of each packet, and an error two more deaths.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// What is known of large segments on the present network. Boxed: on most there is nothing to know.
#[derive(Debug, Default)]
pub(super) struct Segments(Option<Box<Deaths>>);

#[derive(Debug, Default)]
struct Deaths {
    strikes: u8,
    last: Time,
}

impl Segments {
    pub(super) const fn new() -> Segments {
        Segments(None)
    }

    /// Whether there is nothing to remember.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// A connection fell silent with large segments in flight, and had never got one through.
    pub(super) fn note_death(&mut self, now: Time) {
        if self.limit(now).is_some() {
            // Smaller ones vanish too: it was something else.
            self.forget();
            return;
        }
        let deaths = self.0.get_or_insert_default();
        if now.since(deaths.last) > REMEMBERED {
            deaths.strikes = 0;
        }
        deaths.strikes += 1;
        deaths.last = now;
    }

    /// The largest segment that the next connection may send, if it has to be limited.
    pub(super) fn limit(&self, now: Time) -> Option<u16> {
        let deaths = self.0.as_ref()?;
        (deaths.strikes >= STRIKES && now.since(deaths.last) <= REMEMBERED).then_some(CLAMPED)
    }

    /// On another network, large segments may pass.
    pub(super) fn forget(&mut self) {
        *self = Segments::default();
    }
}
