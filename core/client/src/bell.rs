//! Waking those who wait, with no room for them while nobody does.

use std::sync::Arc;
use tokio::sync::Notify;

/// Lies under the lock of what is waited for. Its room comes with the first listener and stays until it [rests](Bell::rest).
#[derive(Debug, Default)]
pub(crate) struct Bell(Option<Arc<Notify>>);

impl Bell {
    /// For whoever is going to wait: what is rung after this, and after a `notified()` of it, is not missed.
    pub(crate) fn listen(&mut self) -> Arc<Notify> {
        self.0.get_or_insert_default().clone()
    }

    /// What to pull once the lock is released.
    pub(crate) fn rope(&self) -> Rope {
        Rope(self.0.clone())
    }

    /// Wakes one more at once: for one who was woken, and leaves something for the next.
    pub(crate) fn pass_on(&self) {
        if let Some(listened) = &self.0 {
            listened.notify_one();
        }
    }

    /// Gives the room back unless somebody listens. A sign that nobody waited for goes with it: whoever comes looks first.
    pub(crate) fn rest(&mut self) {
        // Another holder can only be made under the lock.
        self.0.take_if(|listened| Arc::strong_count(listened) == 1);
    }
}

/// Rings a bell without its lock: what wakes may want it at once.
#[must_use = "whoever waits has to be woken"]
pub(crate) struct Rope(Option<Arc<Notify>>);

impl Rope {
    /// Wakes everybody who listens.
    pub(crate) fn ring(self) {
        if let Some(listened) = self.0 {
            listened.notify_waiters();
        }
    }

    /// Wakes one, or the next who waits.
    pub(crate) fn ring_one(self) {
        if let Some(listened) = self.0 {
            listened.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sign_between_the_look_and_the_wait_is_not_missed() {
        let mut bell = Bell::default();
        bell.rope().ring();
        let listened = bell.listen();
        let all = listened.notified();
        bell.rope().ring();
        all.await;
        let one = listened.notified();
        bell.rope().ring_one();
        one.await;
    }

    #[test]
    fn room_goes_once_nobody_listens() {
        let mut bell = Bell::default();
        assert_eq!(size_of_val(&bell), size_of::<usize>());
        let listened = bell.listen();
        bell.rest();
        assert!(bell.0.is_some());
        drop(listened);
        bell.rest();
        assert!(bell.0.is_none());
    }
}
