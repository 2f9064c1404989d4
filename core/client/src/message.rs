//! Messages in and out: what is received carries its epoch, what is sent goes by slice or by reference.

use bytes::{Bytes, BytesMut};
use keepline_proto::Epoch;

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The connection it came on. Messages of different epochs never mix.
    pub epoch: Epoch,
    /// The message, without framing.
    pub payload: Bytes,
}

/// What can be sent: anything that is bytes. Owned buffers of 8 KiB and more travel by reference.
pub trait Payload {
    /// The bytes.
    fn as_slice(&self) -> &[u8];

    /// The bytes as an owned buffer; a copy where there is none.
    fn into_bytes(self) -> Bytes;

    /// Whether it may arrive twice ([`Idempotent`]).
    fn is_idempotent(&self) -> bool {
        false
    }
}

/// A message that may arrive twice: it is sent again on the next connection where nobody knows whether the last one
/// carried it. Any send takes it: `client.send(Idempotent("SET key value"))`.
///
/// Its bytes are kept until the peer's kernel acknowledges them, among the last 256 KiB handed over; one that is older
/// than that at the end of its connection is `Unknown`. Under `while_down: reject` it is not sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idempotent<P>(pub P);

impl<P: Payload> Payload for Idempotent<P> {
    fn as_slice(&self) -> &[u8] {
        self.0.as_slice()
    }

    fn into_bytes(self) -> Bytes {
        self.0.into_bytes()
    }

    fn is_idempotent(&self) -> bool {
        true
    }
}

impl Payload for Bytes {
    fn as_slice(&self) -> &[u8] {
        self
    }

    fn into_bytes(self) -> Bytes {
        self
    }
}

impl Payload for BytesMut {
    fn as_slice(&self) -> &[u8] {
        self
    }

    fn into_bytes(self) -> Bytes {
        self.freeze()
    }
}

macro_rules! owned {
    ($($type:ty),+) => { $(
        impl Payload for $type {
            fn as_slice(&self) -> &[u8] {
                self.as_ref()
            }

            fn into_bytes(self) -> Bytes {
                self.into()
            }
        }
    )+ };
}
owned!(Vec<u8>, Box<[u8]>, String);

macro_rules! borrowed {
    ($($type:ty),+) => { $(
        impl Payload for $type {
            fn as_slice(&self) -> &[u8] {
                self.as_ref()
            }

            fn into_bytes(self) -> Bytes {
                Bytes::copy_from_slice(self.as_ref())
            }
        }
    )+ };
}
borrowed!(&[u8], &str, &Vec<u8>, &String);

impl Payload for &Bytes {
    fn as_slice(&self) -> &[u8] {
        self
    }

    fn into_bytes(self) -> Bytes {
        self.clone()
    }
}

impl<const N: usize> Payload for &[u8; N] {
    fn as_slice(&self) -> &[u8] {
        *self
    }

    fn into_bytes(self) -> Bytes {
        Bytes::copy_from_slice(self)
    }
}

impl<const N: usize> Payload for [u8; N] {
    fn as_slice(&self) -> &[u8] {
        self
    }

    fn into_bytes(self) -> Bytes {
        Bytes::copy_from_slice(&self)
    }
}
