//! Frames that each new connection begins with, in order and bounded: what the client is subscribed to.
//!
//! The list is state, not traffic: it survives every connection, whatever the policy for messages is.

use crate::Epoch;
use crate::config::Matcher;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;

/// The most subscriptions of a client: more than that many are better told by a pattern.
pub const MOST_SUBSCRIPTIONS: usize = 16_384;

/// The most bytes of keys and frames: what 16,384 of 64 bytes take. All of it is sent again with each connection.
pub const MOST_SUBSCRIPTION_BYTES: usize = 1024 * 1024;

/// A frame that each new connection begins with.
#[derive(Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The message that subscribes, in the client's framing.
    pub frame: Bytes,
    /// The frame by which the peer says that it did. `Any`, `Exact` or `Prefix`; `None` is the same as not given.
    pub confirmed_by: Option<Matcher>,
}

impl Subscription {
    /// A subscription by this message. Nothing is waited for.
    pub fn new(frame: impl Into<Bytes>) -> Subscription {
        Subscription { frame: frame.into(), confirmed_by: None }
    }

    /// Makes a new connection count as `Connected` only once the peer has answered with such a frame.
    pub fn confirmed_by(mut self, matcher: Matcher) -> Subscription {
        self.confirmed_by = match matcher {
            Matcher::None => None,
            Matcher::Any | Matcher::Exact(_) | Matcher::Prefix(_) => Some(matcher),
        };
        self
    }
}

// The bytes may name a person or hold a token: only their number is shown.
impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subscription({} bytes, {:?})", self.frame.len(), self.confirmed_by)
    }
}

macro_rules! from {
    ($($type:ty),+) => { $(
        impl From<$type> for Subscription {
            fn from(frame: $type) -> Subscription {
                Subscription::new(frame)
            }
        }
    )+ };
}
from!(Bytes, Vec<u8>, String, &'static str, &'static [u8]);

/// What the client is subscribed to.
#[derive(Debug, Default)]
pub struct Subscriptions {
    /// In the order in which they were added.
    entries: BTreeMap<u64, Entry>,
    numbers: BTreeMap<Box<str>, u64>,
    last: u64,
    bytes: usize,
    confirmed: usize,
}

#[derive(Debug)]
struct Entry {
    subscription: Subscription,
    /// The connection on which it was sent last.
    sent: Epoch,
}

/// Why the list does not take one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionsFull {
    /// There are as many as there may be.
    #[error("there are {MOST_SUBSCRIPTIONS} subscriptions already")]
    Items,
    /// They take as many bytes as they may.
    #[error("the subscriptions would take more than {MOST_SUBSCRIPTION_BYTES} bytes")]
    Bytes,
}

impl Subscriptions {
    /// Whether the list has this already, to the byte.
    pub fn has(&self, key: &str, subscription: &Subscription) -> bool {
        self.entry(key).is_some_and(|entry| entry.subscription == *subscription)
    }

    /// Whether the list would take it.
    ///
    /// # Errors
    /// Which of its limits stands against it.
    pub fn admit(&self, key: &str, subscription: &Subscription) -> Result<(), SubscriptionsFull> {
        let before = self.entry(key).map(|entry| key.len() + entry.subscription.frame.len());
        if before.is_none() && self.entries.len() >= MOST_SUBSCRIPTIONS {
            return Err(SubscriptionsFull::Items);
        }
        let after = self.bytes - before.unwrap_or(0) + key.len() + subscription.frame.len();
        if after > MOST_SUBSCRIPTION_BYTES { Err(SubscriptionsFull::Bytes) } else { Ok(()) }
    }

    /// Adds one that was admitted, or puts it in the place of the one with the same key. `sent` is the connection on which
    /// it goes out at once; epoch 0 for none.
    pub fn put(&mut self, key: &str, subscription: Subscription, sent: Epoch) {
        self.bytes += key.len() + subscription.frame.len();
        self.confirmed += usize::from(subscription.confirmed_by.is_some());
        let number = match self.numbers.get(key) {
            Some(number) => *number,
            None => {
                self.last += 1;
                self.numbers.insert(key.into(), self.last);
                self.last
            }
        };
        if let Some(before) = self.entries.insert(number, Entry { subscription, sent }) {
            self.forget(key, &before);
        }
    }

    /// Takes one out; `false` if there is none with this key.
    pub fn remove(&mut self, key: &str) -> bool {
        let Some(number) = self.numbers.remove(key) else { return false };
        if let Some(entry) = self.entries.remove(&number) {
            self.forget(key, &entry);
        }
        true
    }

    /// What the connection `epoch` has not been told yet, in order. It counts as told after this.
    pub fn take_unsent(&mut self, epoch: Epoch) -> Vec<Subscription> {
        let unsent = self.entries.values_mut().filter(|entry| entry.sent != epoch);
        unsent
            .map(|entry| {
                entry.sent = epoch;
                entry.subscription.clone()
            })
            .collect()
    }

    /// Whether the peer answers the one with this key; `None` if there is none.
    pub fn is_answered(&self, key: &str) -> Option<bool> {
        self.entry(key).map(|entry| entry.subscription.confirmed_by.is_some())
    }

    /// Whether the peer confirms any of them.
    pub fn is_confirmed(&self) -> bool {
        self.confirmed > 0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.get(self.numbers.get(key)?)
    }

    fn forget(&mut self, key: &str, entry: &Entry) {
        self.bytes -= key.len() + entry.subscription.frame.len();
        self.confirmed -= usize::from(entry.subscription.confirmed_by.is_some());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(list: &mut Subscriptions, epoch: u64) -> Vec<Bytes> {
        list.take_unsent(Epoch(epoch)).into_iter().map(|subscription| subscription.frame).collect()
    }

    #[test]
    fn each_connection_is_told_all_of_them_once_in_the_order_they_were_added() {
        let mut list = Subscriptions::default();
        for key in ["b", "a", "c"] {
            list.put(key, Subscription::new(key), Epoch(0));
        }
        assert_eq!(frames(&mut list, 1), ["b", "a", "c"]);
        assert!(frames(&mut list, 1).is_empty());
        list.put("late", Subscription::new("late"), Epoch(1));
        list.put("later", Subscription::new("later"), Epoch(0));
        assert_eq!(frames(&mut list, 1), ["later"], "what went out at once is not sent twice");
        assert_eq!(frames(&mut list, 2), ["b", "a", "c", "late", "later"]);
    }

    #[test]
    fn the_same_key_keeps_its_place_and_takes_the_new_frame() {
        let mut list = Subscriptions::default();
        list.put("a", Subscription::new("a1").confirmed_by(Matcher::Any), Epoch(0));
        list.put("b", Subscription::new("b"), Epoch(0));
        assert!(list.has("a", &Subscription::new("a1").confirmed_by(Matcher::Any)) && list.is_confirmed());
        list.put("a", Subscription::new("a2"), Epoch(0));
        assert!(!list.has("a", &Subscription::new("a1")) && !list.is_confirmed());
        assert_eq!(frames(&mut list, 1), ["a2", "b"]);
        assert!(list.remove("a") && !list.remove("a"));
        assert_eq!(frames(&mut list, 2), ["b"]);
        assert!(list.remove("b") && list.is_empty());
        assert_eq!((list.bytes, list.numbers.len()), (0, 0));
    }

    #[test]
    fn list_is_bounded_in_items_and_in_bytes() {
        let mut list = Subscriptions::default();
        let large = Subscription::new(vec![b'x'; MOST_SUBSCRIPTION_BYTES - 1]);
        assert_eq!(list.admit("k", &large), Ok(()));
        list.put("k", large.clone(), Epoch(0));
        assert_eq!(list.admit("l", &Subscription::new("")), Err(SubscriptionsFull::Bytes));
        assert_eq!(list.admit("k", &large), Ok(()), "in its own place there is room");
        list.remove("k");
        for number in 0..MOST_SUBSCRIPTIONS {
            let key = number.to_string();
            assert_eq!(list.admit(&key, &Subscription::new("s")), Ok(()));
            list.put(&key, Subscription::new("s"), Epoch(0));
        }
        assert_eq!(list.admit("one more", &Subscription::new("s")), Err(SubscriptionsFull::Items));
        assert_eq!(list.admit("7", &Subscription::new("other")), Ok(()));
        assert_eq!(list.len(), MOST_SUBSCRIPTIONS);
    }
}
