//! Modbus TCP: the header of seven bytes (MBAP) in front of every unit.

use super::FramingError;
use super::framer::Scan;

/// 260 bytes: 7 of header and 253 of protocol data, as the specification has it.
pub(super) const MAX: usize = 260;

/// Transaction, protocol and length: what stands before the bytes that the length counts.
const BEFORE_LENGTH_COUNTS: usize = 6;

/// The unit and one byte of protocol data.
const SMALLEST_LENGTH: usize = 2;

#[inline]
pub(super) fn scan(buffer: &[u8]) -> Result<Scan, FramingError> {
    for position in [2, 3] {
        if buffer.get(position).is_some_and(|&byte| byte != 0) {
            return Err(FramingError::malformed("the protocol id must be 0", position));
        }
    }
    let Some(&[_, _, _, _, high, low]) = buffer.first_chunk::<BEFORE_LENGTH_COUNTS>() else {
        return Ok(Scan::Incomplete);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length < SMALLEST_LENGTH {
        return Err(FramingError::malformed("the length must be at least 2", 4));
    }
    let size = BEFORE_LENGTH_COUNTS + length;
    FramingError::check_size(size, MAX)?;
    if buffer.len() < size {
        return Ok(Scan::Incomplete);
    }
    Ok(Scan::Frame { consumed: size, message: 0..size })
}
