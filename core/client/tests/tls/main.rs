//! Encrypted connections: every way a handshake fails, sessions that are resumed, and what becomes of messages.
#![cfg(feature = "tls")]

mod authority;
mod certificates;
mod challenger;
mod doctor;
mod handshake;
mod ledger;
mod nginx;
mod race;
mod server;
mod session;
#[path = "../support/mod.rs"]
mod support;
mod verdicts;
