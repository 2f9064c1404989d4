//! What a client does when the network misbehaves, on real kernels: NAT expiry, black holes, roaming, frozen peers.
//!
//! Each test has a network of its own (`core/testkit/netlab`), so they run beside each other. They need root, and are
//! run by `make test-lab`. The numbers are rows of `docs/explain/faults-tested.md`.

mod support;

mod backpressure;
mod doctor;
mod establish;
mod first_hop;
mod life;
mod monitor;
mod names;
mod nat;
mod noise;
mod path;
mod peer;
mod probe;
mod roam;
mod siblings;
mod starved;
mod stopped;
mod trials;
