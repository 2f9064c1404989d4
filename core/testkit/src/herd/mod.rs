//! A herd: many clients lose their server at one instant, and come back to one that accepts only so many a second.
//!
//! The clients are the shipped machine ([`Keepline`]), or the documented policies of others ([`Peer`]), or whatever
//! implements [`Caller`]. The server is a process that accepts at a rate behind a queue of the kernel's; SYNs that find it
//! full are dropped and sent again by the client's kernel; a client that gives up while it is queued leaves a connection
//! behind that the server still has to accept. Time is arithmetic: the same seed gives the same figures.
//!
//! ```
//! use keepline_testkit::herd::{Policy, Scenario};
//! use std::time::Duration;
//!
//! let scenario = Scenario { clients: 500, accept_rate: 100, outage: Duration::from_secs(3), ..Scenario::default() };
//! let outcome = Policy::balanced(&scenario).run(&scenario);
//! assert_eq!(outcome.came_back(), 1.0);
//! assert_eq!(outcome.dead_accepts, 0);
//! ```

mod agenda;
mod caller;
mod draws;
mod keepline;
mod outcome;
mod peers;
mod policy;
mod scenario;
mod server;
mod world;

pub use caller::{Caller, Fact, Step};
pub use draws::{IDEAL_MAX, SMALL_FLEET, T99_OVER_IDEAL, Violation, WASTED_EACH};
pub use keepline::Keepline;
pub use outcome::Outcome;
pub use peers::{Peer, PeerCaller, Schedule};
pub use policy::Policy;
pub use scenario::{Down, Proof, Scenario};
pub use world::run;
