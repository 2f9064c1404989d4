//! What the silent death of one connection says to the others from the same local address.

use super::Driver;
use crate::clock;
use keepline_proto::event::Disconnected;
use keepline_proto::{Cause, Epoch, KernelFigures};
use std::net::IpAddr;

/// What a connection leaves behind when it is closed.
pub(super) struct Remains {
    /// What the kernel knew. All unknown where it does not tell.
    pub(super) figures: KernelFigures,
    /// The address it had on this side.
    local: Option<IpAddr>,
}

impl Driver {
    /// What is left of a connection that is about to be closed.
    pub(super) fn remains(&self, epoch: Epoch) -> Option<Remains> {
        let figures = self.kernel_figures(epoch);
        let local = self.local_ip(epoch);
        (local.is_some() || figures != KernelFigures::default()).then_some(Remains { figures, local })
    }

    /// Warns the others, if this was a connection whose path fell silent.
    pub(super) fn warn_siblings(&self, end: &Disconnected, remains: Option<&Remains>) {
        if end.up_for.is_some()
            && end.ending.cause == Cause::PathSilent
            && self.shared.config.sibling_probes
            && let Some(local) = remains.and_then(|remains| remains.local)
        {
            self.seat.wheel().warn_siblings(local, clock::now());
        }
    }

    pub(super) fn has_news_of_siblings(&self) -> bool {
        self.seat.wheel().warnings() != self.siblings_heard
    }

    /// Has the connection asked for a sign of life, if another one from its address has died of silence.
    pub(super) fn hear_of_siblings(&mut self) {
        let told = self.seat.wheel().warnings();
        if told == self.siblings_heard {
            return;
        }
        self.siblings_heard = told;
        let Some(local) = self.local_ip(self.session.epoch()) else { return };
        if let Some(died_at) = self.seat.wheel().silent_since(local) {
            let last_received = self.last_received();
            self.session.handle_sibling_died(clock::now(), died_at, last_received);
            self.act();
        }
    }

    fn local_ip(&self, epoch: Epoch) -> Option<IpAddr> {
        Some(self.tcp(epoch)?.local_addr().ok()?.as_socket()?.ip())
    }
}
