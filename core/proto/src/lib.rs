//! The pure machine behind Keepline: no sockets, no clock, no ambient randomness.
#![forbid(unsafe_code)]
#![warn(clippy::wildcard_enum_match_arm)]

pub mod backoff;
pub mod cause;
pub mod config;
pub mod correlator;
pub mod endpoints;
pub mod error;
pub mod event;
pub mod framing;
pub mod governor;
pub mod hint;
pub mod kernel;
mod liveness;
pub mod netlink;
pub mod outbox;
pub mod output;
pub mod proxy;
pub mod race;
pub mod recorder;
pub mod secret;
pub mod session;
pub mod subscriptions;
pub mod time;
mod timer;
pub mod wait;

pub use cause::{Cause, Detector, Ending};
pub use correlator::{Correlation, Correlator, Ticket};
pub use endpoints::{EndpointId, EndpointOrder, EndpointPool};
pub use error::{ConfigError, ErrorKind};
pub use event::{Event, EventKind, State};
pub use framing::{Endian, Framer, Framing};
pub use hint::Hint;
pub use kernel::KernelFigures;
pub use output::{CloseHow, Output};
pub use recorder::Report;
pub use secret::Secret;
pub use session::{Command, NetworkChange, NetworkKind, NetworkPath, Session};
pub use time::{Epoch, Time};
pub use wait::{WaitBounds, WaitClass, Waits};
