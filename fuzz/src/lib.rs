//! What a hostile peer, or a careless user, can reach: each target takes any bytes and has to keep its promises.
//!
//! No panic, no memory beyond a cap, the same verdict however the bytes were cut, and what was read is written as it was.
//! `tools/fuzz.sh` looks for inputs that break one, with libFuzzer; the committed ones are replayed by `cargo test`.

mod address;
mod connect;
mod cut;
mod framing;
mod greeting;
mod socks;

/// A target by its name, which is that of its corpus, too.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("framing", framing::run),
    ("connect", connect::run),
    ("socks", socks::run),
    ("address", address::run),
    ("greeting", greeting::run),
];

/// Finds a target.
///
/// # Panics
/// Panics if there is none of this name.
pub fn target(name: &str) -> fn(&[u8]) {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no target {name:?}")).1
}
