//! The two places for connections: one is enough, until a suspect connection is challenged by a second.

use super::{Aside, Connection, Dialing, Driver};
use crate::io::os;
use crate::io::sockopt::SocketOptions;
use crate::io::transport::Socket;
#[cfg(feature = "tls")]
use crate::tls::TlsFacts;
use keepline_proto::{Epoch, KernelFigures, Time};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;

/// What the driver holds of the outside world. A pointer, whatever it is.
#[derive(Default)]
pub(super) enum Io {
    #[default]
    Nothing,
    Dialing(Box<(Epoch, Dialing)>),
    Open(Box<Connection>),
    /// A stream client's connection, in the user's hands.
    Lent(Box<(Epoch, Arc<Socket>)>),
}

impl Io {
    pub(super) fn epoch(&self) -> Option<Epoch> {
        match self {
            Io::Nothing => None,
            Io::Dialing(dialing) => Some(dialing.0),
            Io::Lent(lent) => Some(lent.0),
            Io::Open(connection) => Some(connection.epoch),
        }
    }

    /// Whether the outbox was open for it, or a user has it.
    pub(super) fn has_had_the_gate(&self) -> bool {
        match self {
            Io::Open(connection) => connection.is_open,
            Io::Lent(..) => true,
            Io::Nothing | Io::Dialing(..) => false,
        }
    }

    /// The TCP socket, if there is one.
    pub(super) fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Io::Open(connection) => connection.transport.tcp(),
            Io::Lent(lent) => lent.1.tcp(),
            Io::Nothing | Io::Dialing(..) => None,
        }
    }
}

/// What is told of a connection: where it leads, and what was agreed on it.
pub(super) struct Arrival {
    pub(super) epoch: Epoch,
    pub(super) peer: Option<SocketAddr>,
    pub(super) options: SocketOptions,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<TlsFacts>,
}

impl Driver {
    /// Makes this the connection that is told of, and whose way is watched: the only one, or the one that won.
    pub(super) fn adopt(&mut self, arrival: Arrival) {
        self.shared.set_options(arrival.options);
        #[cfg(feature = "tls")]
        if let (Some(side), Some(facts)) = (self.shared.extras.tls(), arrival.tls) {
            side.agree(facts);
        }
        self.watch(arrival.peer);
    }

    /// Gives the connection of a stream client to its user; does nothing for a client of messages.
    pub(super) fn lend(&mut self, epoch: Epoch) {
        let shared = self.shared.clone();
        if let Some(streams) = shared.extras.streams()
            && let Some(slot) = self.slot_mut(epoch)
            && let Io::Open(connection) = std::mem::replace(slot, Io::Nothing)
            && let Some(socket) = streams.offer(*connection)
        {
            *slot = Io::Lent(Box::new((epoch, socket)));
        }
    }

    /// The place of this epoch.
    pub(super) fn slot(&self, epoch: Epoch) -> Option<&Io> {
        std::iter::once(&self.io).chain(self.other()).find(|io| io.epoch() == Some(epoch))
    }

    pub(super) fn slot_mut(&mut self, epoch: Epoch) -> Option<&mut Io> {
        let other = self.aside.as_mut().map(|aside| &mut aside.other);
        std::iter::once(&mut self.io).chain(other).find(|io| io.epoch() == Some(epoch))
    }

    /// The place of a second connection, if there was reason to have one.
    pub(super) fn other(&self) -> Option<&Io> {
        self.aside.as_ref().map(|aside| &aside.other)
    }

    /// Whether there is no connection and no attempt.
    pub(super) fn has_nothing(&self) -> bool {
        matches!(self.io, Io::Nothing) && self.other().is_none_or(|other| matches!(other, Io::Nothing))
    }

    pub(super) fn aside(&mut self) -> &mut Aside {
        self.aside.get_or_insert_default()
    }

    /// Gives back the room for what few drivers have, where this one no longer has any of it.
    pub(super) fn tidy(&mut self) {
        self.aside.take_if(|aside| {
            let Aside { other, lent, arrival, remains, span } = &**aside;
            let is_empty = lent.is_none() && arrival.is_none() && remains.is_none() && span.is_none();
            is_empty && matches!(other, Io::Nothing)
        });
    }

    pub(super) fn connection(&mut self, epoch: Epoch) -> Option<&mut Connection> {
        match self.slot_mut(epoch)? {
            Io::Open(connection) => Some(connection),
            Io::Nothing | Io::Dialing(..) | Io::Lent(..) => None,
        }
    }

    /// The TCP socket of this epoch, in whoever's hands.
    pub(super) fn tcp(&self, epoch: Epoch) -> Option<&TcpStream> {
        self.slot(epoch)?.tcp()
    }

    pub(super) fn kernel_figures(&self, epoch: Epoch) -> KernelFigures {
        self.tcp(epoch).map(os::kernel_figures).unwrap_or_default()
    }

    /// When the last byte of the connection came in.
    pub(super) fn last_received(&self) -> Time {
        match self.slot(self.session.epoch()) {
            Some(Io::Open(connection)) => connection.last_received,
            Some(Io::Lent(..)) => self.shared.extras.streams().map_or(Time::ZERO, |streams| streams.last_received()),
            Some(Io::Nothing | Io::Dialing(..)) | None => Time::ZERO,
        }
    }
}
