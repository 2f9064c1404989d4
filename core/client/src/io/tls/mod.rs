//! TLS over a TCP socket: the handshake, the bytes both ways, and what its failures mean.
//!
//! The sessions of rustls are driven directly: that tells which record each byte went out in, and so what the kernel's
//! figures, which count ciphertext, say of messages.

mod failure;
mod handshake;
mod session;
mod socket;

pub(crate) use failure::Broken;
pub(crate) use handshake::{Handshake, shake_hands};
pub(crate) use socket::TlsSocket;
