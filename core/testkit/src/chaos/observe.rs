//! Looking at a proxy: its history, its sums, and waits for a fault to bite.

use super::fault::Direction;
use super::history::{History, Record};
use super::{ChaosProxy, Shared};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::timeout;

/// A living connection as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionView {
    /// Its number, from 1, as in the history.
    pub number: u64,
    /// The client's address.
    pub peer: SocketAddr,
    /// Bytes read from the client.
    pub received_up: u64,
    /// Bytes handed to the server's kernel.
    pub forwarded_up: u64,
    /// Bytes read from the server.
    pub received_down: u64,
    /// Bytes handed to the client's kernel.
    pub forwarded_down: u64,
    /// Whether it was idle for too long.
    pub forgotten: bool,
}

impl ChaosProxy {
    /// The living connections, oldest first.
    pub fn connections(&self) -> Vec<ConnectionView> {
        let state = self.shared().lock();
        let living = state.connections.iter().filter(|(_, connection)| !connection.is_closing());
        let view = living.map(|(number, connection)| ConnectionView {
            number: *number,
            peer: connection.peer,
            received_up: connection.up.received(),
            forwarded_up: connection.up.forwarded(),
            received_down: connection.down.received(),
            forwarded_down: connection.down.forwarded(),
            forgotten: connection.is_forgotten(),
        });
        view.collect()
    }

    /// How many connections were accepted since the start.
    pub fn accepted(&self) -> u64 {
        self.shared().lock().history.accepted()
    }

    /// How many bytes were read from the senders of a direction since the start, over all connections.
    pub fn received(&self, direction: Direction) -> u64 {
        self.shared().lock().history.received(direction)
    }

    /// How many bytes were handed to the receivers of a direction since the start, over all connections.
    pub fn forwarded(&self, direction: Direction) -> u64 {
        self.shared().lock().history.forwarded(direction)
    }

    /// The last 65,536 things that happened, oldest first.
    ///
    /// Reads (or writes) of one bulk transfer that follow each other make one record.
    pub fn history(&self) -> Vec<Record> {
        self.shared().lock().history.records()
    }

    /// The first record that `matches`, of those that [`history`](Self::history) has; nothing is copied to find it.
    pub fn find_record(&self, matches: impl Fn(&Record) -> bool) -> Option<Record> {
        self.shared().lock().history.find(0, &matches).ok()
    }

    /// Waits until `count` connections were accepted since the start, living or not.
    ///
    /// # Errors
    /// `TimedOut` if that did not happen in time.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn await_connections(&self, count: u64, within: Duration) -> io::Result<()> {
        let look = |history: &History| (history.accepted() >= count).then_some(());
        let found = wait(self.shared(), within, look).await;
        found.ok_or_else(|| late(format!("{count} connections", count = count), self.accepted()))
    }

    /// Waits until `count` bytes were read from the senders of a direction since the start, whatever became of them.
    ///
    /// `proxy.await_bytes(Up, proxy.received(Up) + 1, within)` waits for a swallowed byte, for instance.
    ///
    /// # Errors
    /// `TimedOut` if that did not happen in time.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn await_bytes(&self, direction: Direction, count: u64, within: Duration) -> io::Result<()> {
        let look = |history: &History| (history.received(direction) >= count).then_some(());
        let found = wait(self.shared(), within, look).await;
        found.ok_or_else(|| late(format!("{count} bytes {direction:?}"), self.received(direction)))
    }

    /// Waits for the first record, past or future, that `matches`.
    ///
    /// # Errors
    /// `TimedOut` if none came in time.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn await_record(&self, within: Duration, matches: impl Fn(&Record) -> bool) -> io::Result<Record> {
        let mut from = 0;
        let look = |history: &History| match history.find(from, &matches) {
            Ok(record) => Some(record),
            Err(next) => {
                from = next;
                None
            }
        };
        let found = wait(self.shared(), within, look).await;
        found.ok_or_else(|| late("a matching record".to_owned(), self.history().len() as u64))
    }
}

async fn wait<T>(shared: &Shared, within: Duration, mut look: impl FnMut(&History) -> Option<T>) -> Option<T> {
    let mut bell = shared.lock().history.subscribe();
    let search = async {
        loop {
            bell.borrow_and_update();
            if let Some(found) = look(&shared.lock().history) {
                return Some(found);
            }
            if bell.changed().await.is_err() {
                return None;
            }
        }
    };
    timeout(within, search).await.ok().flatten()
}

fn late(wanted: String, seen: u64) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("waited for {wanted}, saw {seen}"))
}
