//! What is wrong with a frame, told without its bytes.

use crate::cause::ProtocolFailure;

/// A frame that cannot be read, or a message that cannot be written. Its text never contains payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// The frame is larger than the declared maximum.
    #[error("a frame of at least {size} bytes is larger than the maximum of {max}")]
    TooLarge {
        /// Its size, as far as it is known; a frame without a length field is only known to be at least this large.
        size: u64,
        /// The largest size allowed.
        max: usize,
    },
    /// The frame breaks a rule of its framing.
    #[error("malformed frame at byte {position}: {rule}")]
    Malformed {
        /// The rule.
        rule: &'static str,
        /// Bytes of the frame, or of the message that was to be written, before the place where it breaks.
        position: usize,
    },
}

impl FramingError {
    /// The cause this gives the end of a connection.
    pub const fn failure(self) -> ProtocolFailure {
        match self {
            FramingError::TooLarge { .. } => ProtocolFailure::TooLarge,
            FramingError::Malformed { .. } => ProtocolFailure::Malformed,
        }
    }

    pub(super) const fn malformed(rule: &'static str, position: usize) -> FramingError {
        FramingError::Malformed { rule, position }
    }

    /// For a frame that has no length field: all that is known is that it passes `max`.
    pub(super) const fn over(max: usize) -> FramingError {
        FramingError::TooLarge { size: (max as u64).saturating_add(1), max }
    }

    /// Checks a message that is about to be written.
    #[inline]
    pub(super) const fn check_size(size: usize, max: usize) -> Result<(), FramingError> {
        if size > max { Err(FramingError::TooLarge { size: size as u64, max }) } else { Ok(()) }
    }
}
