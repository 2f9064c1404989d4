//! What one connection remembers of the frame it is in, so that no byte is searched twice.

use super::{Framing, FramingError, codec, delimiter, modbus, resp};
use std::ops::Range;

/// Where a frame stands in the buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scan {
    /// A whole frame.
    Frame {
        /// Bytes of the buffer that belong to the frame; the next frame starts after them.
        consumed: usize,
        /// The message as the user sees it.
        message: Range<usize>,
    },
    /// More bytes are needed.
    Incomplete,
}

/// The decoder of one connection: how far the current frame was scanned, and nothing else.
///
/// It never allocates. A length field is judged as soon as it has arrived, before any byte that it announces.
#[derive(Debug, Clone, Default)]
pub struct Framer {
    // 32 bits reach further than LARGEST_MAX, and keep the state of an idle connection at 20 bytes.
    /// Bytes in which no end of the frame, or of the line at `position`, was found.
    pub(super) scanned: u32,
    /// RESP: bytes of finished elements.
    pub(super) position: u32,
    /// RESP: elements still to come after `position`.
    pub(super) pending: u32,
    /// RESP: bytes whose nesting was found to be within the limit.
    pub(super) depth_checked: u32,
    /// RESP: whether an aggregate stands inside another.
    pub(super) is_nested: bool,
}

impl Framer {
    /// Starts at the first byte of a connection.
    pub const fn new(_framing: &Framing) -> Framer {
        Framer { scanned: 0, position: 0, pending: 0, depth_checked: 0, is_nested: false }
    }

    /// Forgets the frame it is in.
    pub fn reset(&mut self) {
        *self = Framer::default();
    }

    /// Looks for the end of the frame that starts at the first byte of `buffer`.
    ///
    /// After [`Scan::Incomplete`] the next call passes the same bytes with more appended; after [`Scan::Frame`] it
    /// passes what follows the `consumed` bytes. `framing` is the same in every call.
    ///
    /// # Errors
    /// The bytes can never become a frame. The connection is of no use any more: where the next frame starts is
    /// unknown.
    #[inline]
    pub fn scan(&mut self, framing: &Framing, buffer: &[u8]) -> Result<Scan, FramingError> {
        match framing {
            Framing::Raw => Ok(whole(buffer.len(), buffer)),
            Framing::Fixed { size } => Ok(whole(*size, buffer)),
            Framing::LengthPrefixed(prefix) => prefix.scan(buffer),
            Framing::Lines { max } => delimiter::scan_line(self, *max, buffer),
            Framing::Delimiter { delimiter, max } => delimiter::scan(self, delimiter, *max, buffer),
            Framing::ModbusTcp => modbus::scan(buffer),
            Framing::Resp { max } => resp::scan(self, *max, buffer),
            Framing::Codec(codec) => codec::scan(&**codec, buffer),
        }
    }
}

#[inline]
fn whole(size: usize, buffer: &[u8]) -> Scan {
    match buffer.len() {
        // A frame of no bytes would be found for ever.
        0 => Scan::Incomplete,
        length if size == 0 || length < size => Scan::Incomplete,
        _ => Scan::Frame { consumed: size, message: 0..size },
    }
}

const _: () = assert!(size_of::<Framer>() <= 24, "the state of an idle connection stays tiny");
