//! Why a lab could not do what was asked.

use std::io;
use thiserror::Error;

/// Why a lab could not do what was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LabError {
    /// This machine cannot have a lab.
    #[error("no lab here: {0}")]
    Missing(String),
    /// The lab refused, in its own words.
    #[error("{what}: {text}")]
    Refused {
        /// What was asked.
        what: String,
        /// Its words.
        text: String,
    },
    /// Something that was waited for did not happen.
    #[error("{0}")]
    TimedOut(String),
    /// The process that keeps the lab, or a server in it, is gone.
    #[error("{what} is gone")]
    Gone {
        /// Which one.
        what: String,
    },
    /// The system could not do what was asked.
    #[error(transparent)]
    Io(#[from] io::Error),
}
