//! What a connection has until it is the one that talks: its greeting, what it keeps apart, what waits for its reader.

use super::connection::Connection;
use crate::greeting::Greeting;
use crate::io::inline_half::InlineHalf;
use crate::message::Message;
use crate::writer::correlator;
use keepline_proto::config::ValidConfig;
use keepline_proto::correlator::Correlator;
use keepline_proto::outbox::AckedBy;
use std::collections::VecDeque;

/// Behind one pointer, and given back once there is nothing in it: a healthy connection has none of it.
#[derive(Default)]
pub(super) struct Early {
    pub(super) inline_half: Option<InlineHalf>,
    pub(super) greeting: Option<Greeting>,
    /// Its own while it runs beside another: the shared one counts the requests of that.
    pub(super) correlator: Option<Box<Correlator>>,
    /// Messages that found no room in the inbox.
    pub(super) parked: VecDeque<Message>,
    /// Bytes handed over before it had the gate.
    pub(super) prelude: u64,
    /// Whose kernel acknowledges.
    pub(super) acked_by: AckedBy,
    /// It runs beside another connection, until it takes over: what arrives for the user is held.
    pub(super) is_beside: bool,
}

impl Connection {
    pub(super) fn early(&mut self) -> &mut Early {
        self.early.get_or_insert_default()
    }

    pub(super) fn greeting(&self) -> Option<&Greeting> {
        self.early.as_ref()?.greeting.as_ref()
    }

    pub(super) fn greeting_mut(&mut self) -> Option<&mut Greeting> {
        self.early.as_mut()?.greeting.as_mut()
    }

    /// Messages that wait for room in the inbox, or for the gate.
    pub(super) fn parked(&self) -> impl Iterator<Item = &Message> {
        self.early.iter().flat_map(|early| &early.parked)
    }

    pub(super) fn has_parked(&self) -> bool {
        self.parked().next().is_some()
    }

    /// Its own correlator, while it runs beside another connection.
    pub(super) fn own_correlator(&mut self) -> Option<&mut Correlator> {
        self.early.as_mut()?.correlator.as_deref_mut()
    }

    pub(super) fn take_correlator(&mut self) -> Option<Box<Correlator>> {
        self.early.as_mut()?.correlator.take()
    }

    pub(super) fn take_inline_half(&mut self) -> Option<InlineHalf> {
        self.early.as_mut()?.inline_half.take()
    }

    /// Whose kernel acknowledges; known until it has the gate.
    pub(super) fn acked_by(&self) -> AckedBy {
        self.early.as_ref().map(|early| early.acked_by).unwrap_or_default()
    }

    /// Bytes handed over before it had the gate.
    pub(super) fn prelude(&self) -> u64 {
        self.early.as_ref().map_or(0, |early| early.prelude)
    }

    pub(super) fn note_prelude(&mut self, written: usize) {
        if written > 0 {
            self.early().prelude += written as u64;
        }
    }

    /// Makes it keep to itself while another connection has the gate.
    pub(super) fn run_beside(&mut self, config: &ValidConfig) {
        let early = self.early();
        early.is_beside = true;
        early.correlator = correlator(config);
    }

    /// It has the gate: only messages that wait for their reader are left of what came before.
    pub(super) fn leave_early(&mut self) {
        self.early.take_if(|early| early.parked.is_empty() && early.greeting.is_none());
    }
}
