//! Framings that users write themselves, and the guard around them.

use super::framer::Scan;
use super::{DEFAULT_MAX, FramingError};
use bytes::BytesMut;
use std::fmt;

/// A framing of the user's own.
///
/// One value serves all connections, so it keeps nothing between calls: a frame that is incomplete is scanned again
/// from its first byte when more of it has come. Keepline checks what it returns: a frame outside of the buffer, or
/// one that consumes nothing, ends the connection as malformed.
pub trait Codec: Send + Sync + fmt::Debug {
    /// The name shown in logs.
    fn name(&self) -> &str;

    /// The largest frame in bytes, overhead included. [`DEFAULT_MAX`] unless overridden.
    fn max(&self) -> usize {
        DEFAULT_MAX
    }

    /// Finds the frame that starts at the first byte of `buffer`.
    ///
    /// # Errors
    /// The bytes can never become a frame; the connection is then ended.
    fn scan(&self, buffer: &[u8]) -> Result<Scan, FramingError>;

    /// Appends the frame of `message` to `out`.
    ///
    /// # Errors
    /// The message cannot be told in this framing. What was appended is taken back.
    fn encode(&self, message: &[u8], out: &mut BytesMut) -> Result<(), FramingError>;
}

pub(super) fn scan(codec: &dyn Codec, buffer: &[u8]) -> Result<Scan, FramingError> {
    if buffer.is_empty() {
        return Ok(Scan::Incomplete);
    }
    let max = codec.max();
    match codec.scan(buffer)? {
        Scan::Frame { consumed, message } => {
            let is_inside = message.start <= message.end && message.end <= consumed && consumed <= buffer.len();
            if consumed == 0 || !is_inside {
                return Err(FramingError::malformed("the codec found a frame that is not in the buffer", 0));
            }
            FramingError::check_size(consumed, max)?;
            Ok(Scan::Frame { consumed, message })
        }
        // As large as a frame may be and still not one: the next byte is one too many.
        Scan::Incomplete if buffer.len() >= max => Err(FramingError::over(max)),
        Scan::Incomplete => Ok(Scan::Incomplete),
    }
}

pub(super) fn encode(codec: &dyn Codec, message: &[u8], out: &mut BytesMut) -> Result<(), FramingError> {
    let start = out.len();
    let result = codec
        .encode(message, out)
        .and_then(|()| FramingError::check_size(out.len().saturating_sub(start), codec.max()));
    if result.is_err() {
        out.truncate(start);
    }
    result
}
