//! Keeps a long-lived TCP connection useful through everything that kills one: idle timeouts of NATs and firewalls,
//! server restarts, half-open peers, frozen processes, changes of network, sleep.
//!
//! A [`Client`] survives any number of connections. One task, the driver, dials, reads and writes; the pure machine of
//! [`keepline_proto`] decides. Messages of different connections never mix: each carries its [`Epoch`].
//!
//! ```no_run
//! use keepline::{Client, Framing, Heartbeat, Matcher};
//! use std::time::Duration;
//!
//! # async fn example() -> Result<(), keepline::Error> {
//! let client = Client::builder("127.0.0.1:6379")
//!     .framing(Framing::resp())
//!     .heartbeat(Heartbeat::new(&b"PING\r\n"[..]).reply(Matcher::Exact("+PONG\r\n".into())))
//!     .detect_within(Duration::from_secs(10))
//!     .connect()
//!     .await?;
//! client.send("SET greeting hello\r\n").await?;
//! while let Some(message) = client.recv().await {
//!     println!("{}: {:?}", message.epoch, message.payload);
//! }
//! # Ok(())
//! # }
//! ```

mod alarm;
mod ask;
mod bell;
mod builder;
mod client;
mod clock;
pub mod doctor;
mod driver;
mod endpoint;
mod error;
mod events;
mod extras;
mod governor;
mod greeting;
mod hooks;
mod inbox;
#[cfg(target_os = "linux")]
mod inline_reads;
mod io;
mod message;
mod network;
mod proxy;
mod receipt;
mod resolver;
mod shared;
mod stats;
mod streams;
#[cfg(feature = "tls")]
mod tls;
mod wheel;
mod writer;

pub use builder::Builder;
pub use client::Client;
pub use endpoint::{Endpoint, IntoEndpoint, IntoEndpoints, Scheme};
pub use error::Error;
pub use events::Events;
pub use governor::Governor;
pub use greeting::{
    CredentialRequest, CredentialsFuture, CredentialsResult, GreetingError, GreetingFuture, GreetingIo,
};
pub use hooks::DialSocket;
#[cfg(target_os = "linux")]
pub use inline_reads::LoopSeat;
pub use io::sockopt::SocketOptions;
pub use message::{Idempotent, Message, Payload};
pub use proxy::{IntoProxy, ProxyCredentialsResult, system_proxy};
pub use receipt::Receipt;
pub use resolver::{ResolveError, Resolver, Resolving, SystemResolver};
pub use stats::Stats;
pub use streams::{Stream, Streams};
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsFacts};

pub use keepline_proto as proto;
pub use keepline_proto::cause;
pub use keepline_proto::config::{
    Addresses, AutoReply, Bound, Choice, Config, Credentials, DetectionBounds, Heartbeat, Jitter, Keepalive, Matcher,
    Notice, Overflow, Profile, RetryAfter, Script, Step, Unsolicited, ValidConfig, WhileDown,
};
pub use keepline_proto::correlator::{Correlation, IdField};
pub use keepline_proto::endpoints::EndpointOrder;
pub use keepline_proto::event::{Disconnected, MessageCounts, Suspicion};
pub use keepline_proto::framing::{self, Endian, Framing, LengthPrefixed};
pub use keepline_proto::governor::RetryBudget;
pub use keepline_proto::outbox::{AckedBy, Outcome};
pub use keepline_proto::proxy::{Credentials as ProxyCredentials, Proxy, ProxyNames, ProxyProtocol};
pub use keepline_proto::recorder::{self, Report};
pub use keepline_proto::session::{NetworkKind, NetworkPath};
pub use keepline_proto::subscriptions::Subscription;
pub use keepline_proto::{
    Cause, ConfigError, Detector, Ending, Epoch, ErrorKind, Event, EventKind, Hint, KernelFigures, Secret, State, Time,
    WaitBounds, WaitClass,
};
