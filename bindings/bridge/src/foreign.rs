//! What Kotlin and Swift are generated from: the bridge as objects, records and async functions of UniFFI.
//!
//! Nothing is decided here. Every call that waits takes a [`CancelToken`], because not every language drops the future of
//! a cancelled task. No thread of the runtime enters the other language: [`dispatch`] has the one thread that does.
//!
//! How the languages are generated from it: `bindings/uniffi/README.md`.

mod cancel;
mod client;
mod direct;
mod dispatch;
mod error;
mod events;
mod greeting;
mod hooks;
mod jvm;
mod making;

pub use cancel::CancelToken;
pub use client::{ForeignClient, ForeignReceipt};
pub use error::{ErrorDetail, ForeignError};
pub use events::ForeignEvents;
pub use greeting::ForeignGreeting;
pub use hooks::{ForeignHooks, HookFailure, HooksThere, ProxyCredentialsRecord};
pub use making::{connect, default_config_of, doctor, resolve_config, shut_down, start, start_with, version};

use crate::config::{ProxyUrl, SecretRecord};

uniffi::custom_newtype!(SecretRecord, Vec<u8>);
uniffi::custom_newtype!(ProxyUrl, String);
