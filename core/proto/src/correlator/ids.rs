//! Replies that carry an id: which ids are in use, and by whom.

use super::{Abandoned, IdField, MOST_HEARTBEATS, ReserveError, RestoredId, Route, Ticket};
use std::collections::BTreeMap;

/// The ids of one connection.
#[derive(Debug)]
pub(super) struct Ids {
    field: IdField,
    /// Where the search for a free id goes on. It survives a reconnect: the longer an id rests, the better.
    next: u64,
    tickets: BTreeMap<Ticket, u64>,
    slots: BTreeMap<u64, Slot>,
    /// The id of a heartbeat that is not handed over yet.
    prepared_heartbeat: Option<u64>,
    heartbeats: usize,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    owner: Owner,
    /// Before that, a frame with this id is no reply.
    is_on_wire: bool,
}

#[derive(Debug, Clone, Copy)]
enum Owner {
    Request { ticket: Ticket, callers_id: u64 },
    Heartbeat,
    Tombstone,
}

impl Ids {
    pub(super) fn new(field: IdField) -> Ids {
        Ids {
            field,
            next: 1,
            tickets: BTreeMap::new(),
            slots: BTreeMap::new(),
            prepared_heartbeat: None,
            heartbeats: 0,
        }
    }

    pub(super) fn reserve(&mut self, ticket: Ticket, message: &mut [u8]) -> Result<(), ReserveError> {
        let (id, callers_id) = self.take_id(message)?;
        self.slots.insert(id, Slot { owner: Owner::Request { ticket, callers_id }, is_on_wire: false });
        let before = self.tickets.insert(ticket, id);
        debug_assert!(before.is_none(), "a ticket was given twice");
        Ok(())
    }

    /// Tells whether the request was waiting for this.
    pub(super) fn handed_over(&mut self, ticket: Ticket) -> bool {
        match self.tickets.get(&ticket).and_then(|id| self.slots.get_mut(id)) {
            Some(slot) => !std::mem::replace(&mut slot.is_on_wire, true),
            None => false,
        }
    }

    pub(super) fn heartbeat(&mut self, message: &mut [u8]) -> Result<(), ReserveError> {
        if let Some(unsent) = self.prepared_heartbeat.take() {
            self.slots.remove(&unsent);
            self.heartbeats -= 1;
        }
        if self.heartbeats >= MOST_HEARTBEATS {
            return Err(ReserveError::Full);
        }
        let (id, _) = self.take_id(message)?;
        self.slots.insert(id, Slot { owner: Owner::Heartbeat, is_on_wire: false });
        self.prepared_heartbeat = Some(id);
        self.heartbeats += 1;
        Ok(())
    }

    pub(super) fn heartbeat_handed_over(&mut self) {
        if let Some(slot) = self.prepared_heartbeat.take().and_then(|id| self.slots.get_mut(&id)) {
            slot.is_on_wire = true;
        }
    }

    pub(super) fn route(&mut self, frame: &[u8]) -> Route {
        let Some(id) = self.field.read(frame) else { return Route::Inbox };
        let owner = match self.slots.get(&id) {
            Some(Slot { owner, is_on_wire: true }) => *owner,
            Some(Slot { is_on_wire: false, .. }) | None => return Route::Inbox,
        };
        self.slots.remove(&id);
        match owner {
            Owner::Request { ticket, callers_id } => {
                self.tickets.remove(&ticket);
                Route::Reply { ticket, restore: Some(RestoredId { field: self.field, id: callers_id }) }
            }
            Owner::Heartbeat => {
                self.heartbeats -= 1;
                Route::Heartbeat
            }
            Owner::Tombstone => Route::Swallowed,
        }
    }

    pub(super) fn abandon(&mut self, ticket: Ticket) -> Abandoned {
        let Some(id) = self.tickets.remove(&ticket) else { return Abandoned::Unknown };
        match self.slots.get_mut(&id) {
            Some(slot) if slot.is_on_wire => {
                slot.owner = Owner::Tombstone;
                Abandoned::Tombstone
            }
            Some(_) | None => {
                self.slots.remove(&id);
                Abandoned::NeverSent
            }
        }
    }

    /// Tells whether the request was only reserved; nothing is changed if not.
    pub(super) fn abandon_begun(&mut self, ticket: Ticket) -> bool {
        let slot = self.tickets.get(&ticket).and_then(|id| self.slots.get_mut(id));
        match slot {
            Some(slot) if !slot.is_on_wire => {
                *slot = Slot { owner: Owner::Tombstone, is_on_wire: true };
                self.tickets.remove(&ticket);
                true
            }
            Some(_) | None => false,
        }
    }

    pub(super) fn is_handed_over(&self, ticket: Ticket) -> bool {
        self.tickets.get(&ticket).and_then(|id| self.slots.get(id)).is_some_and(|slot| slot.is_on_wire)
    }

    pub(super) fn clear(&mut self) -> Vec<Ticket> {
        let next = self.next;
        let tickets = std::mem::replace(self, Ids { next, ..Ids::new(self.field) }).tickets;
        tickets.into_keys().collect()
    }

    /// Writes a fresh id into `message`; returns it with the one that stood there.
    fn take_id(&mut self, message: &mut [u8]) -> Result<(u64, u64), ReserveError> {
        let needed = self.field.end();
        let callers_id = self.field.read(message).ok_or(ReserveError::TooShort { needed })?;
        let id = self.free_id().ok_or(ReserveError::Full)?;
        self.field.write(id, message);
        Ok((id, callers_id))
    }

    /// Finds the next id that is not in use. Never 0: many protocols read it as "no reply wanted".
    fn free_id(&mut self) -> Option<u64> {
        let last = match self.field.width {
            0 => return None,
            1..8 => (1 << (8 * self.field.width)) - 1,
            8.. => u64::MAX,
        };
        // Among one more candidate than there are ids in use, one is free, unless the field has no more ids.
        let candidates = (self.slots.len() as u64 + 1).min(last);
        for _ in 0..candidates {
            let id = self.next;
            self.next = if id >= last { 1 } else { id + 1 };
            if !self.slots.contains_key(&id) {
                return Some(id);
            }
        }
        None
    }
}
