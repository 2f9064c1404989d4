//! Fault injection for code that talks TCP.
//!
//! [`chaos::ChaosProxy`] stands between a client and its server and does harm on request; [`servers`] are small servers
//! in the same process that can be stopped, started and frozen; [`process`] runs real ones (Redis, Modbus) that can be
//! killed. Nothing of this needs privileges; `lab`, networks of their own for the faults of real kernels, needs root.

pub mod chaos;
pub mod herd;
pub mod history;
#[cfg(target_os = "linux")]
pub mod lab;
pub mod port;
pub mod process;
pub mod servers;
pub mod sim;

pub use chaos::ChaosProxy;
pub use sim::SimWorld;

// The examples of the README are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
