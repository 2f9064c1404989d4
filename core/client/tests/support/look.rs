//! What a client says of itself in the moment in which somebody is woken.

use keepline::{Client, State};
use std::sync::{Arc, Mutex};
use std::task::Wake;

/// Looks at the client whenever it is woken: its state, how many connections it counts, whether it has told of one.
pub(crate) struct Look {
    client: Client,
    pub(crate) seen: Mutex<Vec<(State, u64, bool)>>,
}

impl Look {
    pub(crate) fn at(client: Client) -> Arc<Look> {
        Arc::new(Look { client, seen: Mutex::default() })
    }
}

impl Wake for Look {
    fn wake(self: Arc<Self>) {
        let mut events = self.client.events();
        let told = std::iter::from_fn(|| events.try_recv()).any(|event| event.kind.name() == "connected");
        let seen = (self.client.state(), self.client.stats().connections, told);
        self.seen.lock().unwrap().push(seen);
    }
}
