//! Messages that end with a delimiter, and lines, whose delimiter may have a carriage return before it.

use super::FramingError;
use super::framer::{Framer, Scan};
use super::search::{find, find_byte};
use bytes::{BufMut, BytesMut};

const CONTAINS_DELIMITER: &str = "the message contains the delimiter";

#[inline]
pub(super) fn scan_line(framer: &mut Framer, max: usize, buffer: &[u8]) -> Result<Scan, FramingError> {
    // The longest line is `max` bytes, a carriage return and a line feed.
    let end = buffer.len().min(max.saturating_add(2));
    let from = (framer.scanned as usize).min(end);
    match find_byte(&buffer[from..end], b'\n') {
        Some(place) => {
            let line_feed = from + place;
            let length = match buffer[..line_feed] {
                [.., b'\r'] => line_feed - 1,
                _ => line_feed,
            };
            if length > max {
                return Err(FramingError::over(max));
            }
            framer.scanned = 0;
            Ok(Scan::Frame { consumed: line_feed + 1, message: 0..length })
        }
        None => {
            let is_full = match buffer.get(max) {
                None => false,
                Some(b'\r') => end > max + 1,
                Some(_) => true,
            };
            if is_full {
                return Err(FramingError::over(max));
            }
            framer.scanned = saturated(end);
            Ok(Scan::Incomplete)
        }
    }
}

pub(super) fn scan(framer: &mut Framer, delimiter: &[u8], max: usize, buffer: &[u8]) -> Result<Scan, FramingError> {
    let limit = max.saturating_add(delimiter.len());
    let end = buffer.len().min(limit);
    let from = (framer.scanned as usize).min(end);
    match find(&buffer[from..end], delimiter) {
        Some(place) => {
            let length = from + place;
            framer.scanned = 0;
            Ok(Scan::Frame { consumed: length + delimiter.len(), message: 0..length })
        }
        None if buffer.len() >= limit => Err(FramingError::over(max)),
        None => {
            // The last bytes may be the start of a delimiter that is still on its way.
            framer.scanned = saturated(end.saturating_sub(delimiter.len().saturating_sub(1)));
            Ok(Scan::Incomplete)
        }
    }
}

#[inline]
pub(super) fn check_line(message: &[u8], max: usize) -> Result<(), FramingError> {
    FramingError::check_size(message.len(), max)?;
    match find_byte(message, b'\n') {
        Some(place) => Err(FramingError::malformed(CONTAINS_DELIMITER, place)),
        None => Ok(()),
    }
}

#[inline]
pub(super) fn encode_line(message: &[u8], max: usize, out: &mut BytesMut) -> Result<(), FramingError> {
    check_line(message, max)?;
    out.reserve(message.len() + 1);
    out.extend_from_slice(message);
    out.put_u8(b'\n');
    Ok(())
}

/// Checks that the first delimiter in `message` followed by `delimiter` is the one that ends it.
pub(super) fn check(message: &[u8], delimiter: &[u8], max: usize) -> Result<(), FramingError> {
    FramingError::check_size(message.len(), max)?;
    if let Some(place) = find(message, delimiter) {
        return Err(FramingError::malformed(CONTAINS_DELIMITER, place));
    }
    // `xab` + `abab` would be read as `x`, `abab`, and `ab` left over.
    for overlap in (1..delimiter.len()).rev() {
        let (head, tail) = delimiter.split_at(overlap);
        if message.ends_with(head) && delimiter.starts_with(tail) {
            let rule = "the end of the message and the delimiter make a delimiter that comes too early";
            return Err(FramingError::malformed(rule, message.len() - overlap));
        }
    }
    Ok(())
}

/// Saturating is safe: a smaller number only means that bytes are searched again.
fn saturated(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
