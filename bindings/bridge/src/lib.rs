//! The foreign shape of Keepline, written once for every language.
//!
//! Records are flat, times are milliseconds (`_ms`), names are the strings of the contract, and objects are made to
//! live in an `Arc`. Calls that can wait are [`Operation`]s: futures that bring their own runtime, so that any
//! executor may poll them. Pulls are keyed by sequence number, batched and idempotent.
//!
//! Nothing here panics across the border, and whatever was made before a `fork` answers `forked` after it.

pub mod client;
pub mod config;
pub mod doctor;
pub mod endpoints;
pub mod error;
pub mod event;
pub mod events;
#[cfg(feature = "uniffi")]
pub mod foreign;
mod fork;
mod guard;
pub mod hooks;
pub mod mailbox;
pub mod message;
pub mod names;
pub mod network;
pub mod operation;
pub mod operations;
pub mod receipt;
pub mod report;
pub mod runtime;
pub mod stats;
pub mod stream;
pub mod streams;

pub use client::BridgeClient;
pub use config::{ClientConfig, ResolvedConfig, default_config, resolve};
pub use doctor::{DiagnosisRecord, ExaminationRecord, FactRecord, StageRecord, examine};
pub use endpoints::EndpointRecord;
pub use error::{BridgeError, EndingRecord, ErrorRecord};
pub use event::EventRecord;
pub use events::BridgeEvents;
pub use fork::{Here, is_forked_since, process_generation};
pub use hooks::{
    Answered, BridgeGreeting, BridgeQuestions, CredentialsQuestion, HookError, Hooks, NameQuestion, Question,
    QuestionKind, SocketQuestion,
};
#[cfg(target_os = "linux")]
pub use keepline::LoopSeat;
pub use mailbox::Mailbox;
pub use message::{MessageReader, MessageRecord};
pub use network::NetworkPathRecord;
pub use operation::Operation;
pub use operations::{Operations, Progress};
pub use receipt::BridgeReceipt;
pub use report::{BridgeReport, KernelFiguresRecord, ReportEntryRecord, ReportRecord};
pub use stats::StatsRecord;
pub use stream::{BridgeStream, WriteRecord};
pub use streams::BridgeStreams;

#[cfg(feature = "uniffi")]
uniffi::setup_scaffolding!();
