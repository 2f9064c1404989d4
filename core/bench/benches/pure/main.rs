//! The pure parts alone: framing, outbox, machine, backoff; no socket, no runtime.
// The macros of criterion make public functions that nobody reads about.
#![allow(missing_docs)]

mod backoff;
mod framing;
mod outbox;
mod session;

use criterion::{Criterion, criterion_group, criterion_main};
use std::time::Duration;

/// A second each: these are nanoseconds of pure code, and what matters is a factor, not a percent.
fn short() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1))
}

criterion_group! {
    name = pure;
    config = short();
    targets = framing::encode, framing::scan, outbox::push_and_take, session::heartbeat, backoff::draw
}
criterion_main!(pure);
