//! The two places for connections: one is enough, until a suspect connection is challenged by a second.

use super::{Aside, Connection, Dialing, Driver};
use crate::io::os;
use crate::io::sockopt::SocketOptions;
use crate::io::transport::Socket;
#[cfg(feature = "tls")]
use crate::tls::TlsFacts;
use keepline_proto::{Epoch, KernelFigures, Time};
use socket2::SockRef;
use std::net::SocketAddr;
use std::sync::Arc;

/// What the driver holds of the outside world. A pointer, whatever it is.
#[derive(Default)]
pub(super) struct Io(Option<Box<Place>>);

pub(super) enum Place {
    Dialing(Epoch, Dialing),
    Open(Connection),
    /// A stream client's connection, in the user's hands.
    Lent(Epoch, Arc<Socket>),
}

impl Io {
    pub(super) fn holding(place: Place) -> Io {
        Io(Some(Box::new(place)))
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn place(&self) -> Option<&Place> {
        self.0.as_deref()
    }

    pub(super) fn place_mut(&mut self) -> Option<&mut Place> {
        self.0.as_deref_mut()
    }

    pub(super) fn take(&mut self) -> Option<Place> {
        self.0.take().map(|place| *place)
    }

    pub(super) fn connection(&self) -> Option<&Connection> {
        match self.place()? {
            Place::Open(connection) => Some(connection),
            Place::Dialing(..) | Place::Lent(..) => None,
        }
    }

    pub(super) fn connection_mut(&mut self) -> Option<&mut Connection> {
        match self.place_mut()? {
            Place::Open(connection) => Some(connection),
            Place::Dialing(..) | Place::Lent(..) => None,
        }
    }

    pub(super) fn epoch(&self) -> Option<Epoch> {
        match self.place()? {
            Place::Dialing(epoch, _) | Place::Lent(epoch, _) => Some(*epoch),
            Place::Open(connection) => Some(connection.epoch),
        }
    }

    /// The TCP socket, if there is one.
    pub(super) fn tcp(&self) -> Option<SockRef<'_>> {
        match self.place()? {
            Place::Open(connection) => connection.transport.tcp(),
            Place::Lent(_, socket) => socket.tcp().map(SockRef::from),
            Place::Dialing(..) => None,
        }
    }
}

impl Place {
    /// Whether the outbox was open for it, or a user has it.
    pub(super) fn has_had_the_gate(&self) -> bool {
        match self {
            Place::Open(connection) => connection.is_open,
            Place::Lent(..) => true,
            Place::Dialing(..) => false,
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
            && let Some(Place::Open(connection)) = slot.take()
            && let Some(socket) = streams.offer(connection)
        {
            *slot = Io::holding(Place::Lent(epoch, socket));
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
        self.io.is_nothing() && self.other().is_none_or(Io::is_nothing)
    }

    pub(super) fn aside(&mut self) -> &mut Aside {
        self.aside.get_or_insert_default()
    }

    /// Gives back the room for what few drivers have, where this one no longer has any of it.
    pub(super) fn tidy(&mut self) {
        self.aside.take_if(|aside| {
            let Aside { other, lent, arrival, remains, span } = &**aside;
            let is_empty = lent.is_none() && arrival.is_none() && remains.is_none() && span.is_none();
            is_empty && other.is_nothing()
        });
    }

    pub(super) fn connection(&mut self, epoch: Epoch) -> Option<&mut Connection> {
        self.slot_mut(epoch)?.connection_mut()
    }

    /// The TCP socket of this epoch, in whoever's hands.
    pub(super) fn tcp(&self, epoch: Epoch) -> Option<SockRef<'_>> {
        self.slot(epoch)?.tcp()
    }

    pub(super) fn kernel_figures(&self, epoch: Epoch) -> KernelFigures {
        self.tcp(epoch).map(|socket| os::kernel_figures(&socket)).unwrap_or_default()
    }

    /// When the last byte of the connection came in.
    pub(super) fn last_received(&self) -> Time {
        match self.slot(self.session.epoch()).and_then(Io::place) {
            Some(Place::Open(connection)) => connection.last_received,
            Some(Place::Lent(..)) => self.shared.extras.streams().map_or(Time::ZERO, |streams| streams.last_received()),
            Some(Place::Dialing(..)) | None => Time::ZERO,
        }
    }
}
