//! Writing messages: what a framing refuses, and the frame it makes of the rest.

use super::framer::{Framer, Scan};
use super::{Framing, FramingError, codec, delimiter, modbus, resp};
use bytes::BytesMut;

impl Framing {
    /// Appends the frame of `message` to `out`; on an error nothing is appended.
    ///
    /// # Errors
    /// The message is too large, or would not come out at the other end as it went in.
    #[inline]
    pub fn encode(&self, message: &[u8], out: &mut BytesMut) -> Result<(), FramingError> {
        match self {
            Framing::Raw => {
                out.extend_from_slice(message);
                Ok(())
            }
            Framing::Lines { max } => delimiter::encode_line(message, *max, out),
            Framing::LengthPrefixed(prefix) => prefix.encode(message, out),
            Framing::Delimiter { .. } | Framing::Fixed { .. } | Framing::ModbusTcp | Framing::Resp { .. } => {
                self.check(message)?;
                out.extend_from_slice(message);
                if let Framing::Delimiter { delimiter, .. } = self {
                    out.extend_from_slice(delimiter);
                }
                Ok(())
            }
            Framing::Codec(codec) => codec::encode(&**codec, message, out),
        }
    }

    /// Checks that [`encode`](Framing::encode) would take `message`, without copying it. What an own framing refuses
    /// is only known when it encodes.
    ///
    /// # Errors
    /// As `encode`.
    pub fn check(&self, message: &[u8]) -> Result<(), FramingError> {
        match self {
            Framing::Raw | Framing::Codec(_) => Ok(()),
            Framing::Lines { max } => delimiter::check_line(message, *max),
            Framing::Delimiter { delimiter, max } => delimiter::check(message, delimiter, *max),
            Framing::LengthPrefixed(prefix) => prefix.check(message),
            Framing::Fixed { size } => match message.len() {
                length if length == *size => Ok(()),
                length if length > *size => Err(FramingError::TooLarge { size: length as u64, max: *size }),
                length => Err(FramingError::malformed("the message is shorter than the fixed size", length)),
            },
            Framing::ModbusTcp => is_one_frame(modbus::scan(message)?, message),
            Framing::Resp { max } => match message {
                [b'A'..=b'Z' | b'a'..=b'z', ..] => resp::check_inline(message, *max),
                message => is_one_frame(resp::scan(&mut Framer::default(), *max, message)?, message),
            },
        }
    }

    /// Whether the frame is the message itself, so that a large one can be written from where it lies after
    /// [`check`](Framing::check).
    pub const fn is_reference_ok(&self) -> bool {
        match self {
            Framing::Raw | Framing::Fixed { .. } | Framing::ModbusTcp | Framing::Resp { .. } => true,
            Framing::Lines { .. } | Framing::Delimiter { .. } | Framing::LengthPrefixed(_) | Framing::Codec(_) => false,
        }
    }

    /// What goes before a large message that is written from where it lies: nothing, or its length field. `None` where
    /// the message has to be encoded.
    ///
    /// # Errors
    /// As `encode`.
    pub fn header(&self, message: &[u8]) -> Result<Option<Header>, FramingError> {
        match self {
            Framing::LengthPrefixed(prefix) if prefix.strips() => prefix.header(message).map(Some),
            Framing::Raw
            | Framing::Fixed { .. }
            | Framing::ModbusTcp
            | Framing::Resp { .. }
            | Framing::LengthPrefixed(_) => self.check(message).map(|()| Some(Header::NONE)),
            Framing::Lines { .. } | Framing::Delimiter { .. } | Framing::Codec(_) => Ok(None),
        }
    }

    /// How long the frame of a message of this length is; a guess for an own framing.
    #[inline]
    pub fn encoded_len_hint(&self, message_len: usize) -> usize {
        let overhead = match self {
            Framing::Raw | Framing::Fixed { .. } | Framing::ModbusTcp | Framing::Resp { .. } => 0,
            Framing::Lines { .. } => 1,
            Framing::Delimiter { delimiter, .. } => delimiter.len(),
            Framing::LengthPrefixed(prefix) if prefix.strips() => prefix.width,
            Framing::LengthPrefixed(_) => 0,
            // A header of two words covers most.
            Framing::Codec(_) => 16,
        };
        message_len.saturating_add(overhead)
    }
}

/// The bytes of a frame before its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    bytes: [u8; 8],
    length: u8,
}

impl Header {
    /// No bytes.
    pub const NONE: Header = Header { bytes: [0; 8], length: 0 };

    /// These bytes, if there are at most eight.
    pub fn from_slice(bytes: &[u8]) -> Option<Header> {
        let mut header = Header::NONE;
        header.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        header.length = bytes.len() as u8;
        Some(header)
    }

    pub(super) fn new(bytes: [u8; 8], length: usize) -> Header {
        Header { bytes, length: length.min(8) as u8 }
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

fn is_one_frame(scan: Scan, message: &[u8]) -> Result<(), FramingError> {
    match scan {
        Scan::Frame { consumed, .. } if consumed == message.len() => Ok(()),
        Scan::Frame { consumed, .. } => {
            Err(FramingError::malformed("the message goes on after the end of its frame", consumed))
        }
        Scan::Incomplete => Err(FramingError::malformed("the message ends before its frame does", message.len())),
    }
}
