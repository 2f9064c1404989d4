//! Messages that start with their length: the shapes of the length field.

use super::encode::Header;
use super::framer::Scan;
use super::{DEFAULT_MAX, Endian, FramingError};
use crate::error::ConfigError;
use bytes::{BufMut, BytesMut};

/// Messages that start with their length.
///
/// A frame is `offset` bytes, the length field, and as many bytes as the field's value plus `adjustment` says.
///
/// ```
/// use keepline_proto::framing::{Endian, Framing, LengthPrefixed};
///
/// // Two bytes of type, then a little-endian length that counts the whole frame.
/// let framing: Framing = LengthPrefixed::new(4).endian(Endian::Little).offset(2).adjustment(-6).into();
/// assert!(framing.validate().is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LengthPrefixed {
    /// The width of the length field in bytes: 1, 2, 4 or 8.
    pub width: usize,
    /// The byte order of the length field.
    pub endian: Endian,
    /// Bytes before the length field.
    pub offset: usize,
    /// Added to the field's value to give the number of bytes after the field.
    pub adjustment: i64,
    /// Whether the message is without the length field. Holds only if `offset` is 0: with bytes before the field the
    /// message is the whole frame, and the sender writes the field.
    pub strip: bool,
    /// The longest message in bytes, with the header if it is not stripped.
    pub max: usize,
}

impl LengthPrefixed {
    /// A big-endian length of `width` bytes, stripped from the message.
    pub const fn new(width: usize) -> LengthPrefixed {
        LengthPrefixed { width, endian: Endian::Big, offset: 0, adjustment: 0, strip: true, max: DEFAULT_MAX }
    }

    /// Sets the byte order.
    pub const fn endian(mut self, endian: Endian) -> LengthPrefixed {
        self.endian = endian;
        self
    }

    /// Sets the number of bytes before the length field.
    pub const fn offset(mut self, offset: usize) -> LengthPrefixed {
        self.offset = offset;
        self
    }

    /// Sets what is added to the field's value to give the number of bytes after it.
    pub const fn adjustment(mut self, adjustment: i64) -> LengthPrefixed {
        self.adjustment = adjustment;
        self
    }

    /// Sets whether the message is without the length field.
    pub const fn strip(mut self, strip: bool) -> LengthPrefixed {
        self.strip = strip;
        self
    }

    /// Sets the longest message in bytes.
    pub const fn max(mut self, max: usize) -> LengthPrefixed {
        self.max = max;
        self
    }

    /// Whether the message the user sees is without the length field.
    #[inline]
    pub const fn strips(&self) -> bool {
        self.strip && self.offset == 0
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if !matches!(self.width, 1 | 2 | 4 | 8) {
            return Err(ConfigError::new("framing.width", self.width, "must be 1, 2, 4 or 8 bytes"));
        }
        if !self.strips() && self.offset.saturating_add(self.width) > self.max {
            let rule = format!("must leave room for the length field within framing.max ({})", self.max);
            return Err(ConfigError::new("framing.offset", self.offset, rule));
        }
        if self.adjustment.unsigned_abs() > self.max as u64 {
            let rule = format!("must not be larger than framing.max ({}) in either direction", self.max);
            return Err(ConfigError::new("framing.adjustment", self.adjustment, rule));
        }
        Ok(())
    }

    #[inline]
    pub(super) fn scan(&self, buffer: &[u8]) -> Result<Scan, FramingError> {
        let Some(size) = self.frame_size(buffer)? else { return Ok(Scan::Incomplete) };
        if buffer.len() < size {
            return Ok(Scan::Incomplete);
        }
        let start = if self.strips() { self.width } else { 0 };
        Ok(Scan::Frame { consumed: size, message: start..size })
    }

    #[inline]
    pub(super) fn encode(&self, message: &[u8], out: &mut BytesMut) -> Result<(), FramingError> {
        if self.strips() {
            let value = self.field_value(message)?;
            // A copy of fixed size is one instruction, one of variable size a call. `field_value` has checked the width.
            match (self.width, self.endian) {
                (1, Endian::Big | Endian::Little) => out.put_u8(value as u8),
                (2, Endian::Big) => out.put_u16(value as u16),
                (2, Endian::Little) => out.put_u16_le(value as u16),
                (4, Endian::Big) => out.put_u32(value as u32),
                (4, Endian::Little) => out.put_u32_le(value as u32),
                (_, Endian::Big) => out.put_u64(value),
                (_, Endian::Little) => out.put_u64_le(value),
            }
        } else {
            self.check(message)?;
        }
        out.extend_from_slice(message);
        Ok(())
    }

    /// The length field that goes before a message that is stripped of it.
    pub(super) fn header(&self, message: &[u8]) -> Result<Header, FramingError> {
        let value = self.field_value(message)?;
        Ok(Header::new(self.endian.bytes(value, self.width), self.width))
    }

    pub(super) fn check(&self, message: &[u8]) -> Result<(), FramingError> {
        if self.strips() {
            return self.field_value(message).map(|_| ());
        }
        FramingError::check_size(message.len(), self.max)?;
        match self.frame_size(message)? {
            Some(size) if size == message.len() => Ok(()),
            Some(_) => {
                Err(FramingError::malformed("the length field does not agree with the message's size", self.offset))
            }
            None => Err(FramingError::malformed("the message ends before its length field", message.len())),
        }
    }

    /// The size of the frame at the start of `buffer`, once its length field has arrived.
    #[inline]
    fn frame_size(&self, buffer: &[u8]) -> Result<Option<usize>, FramingError> {
        let header = self.offset.saturating_add(self.width);
        let Some(field) = buffer.get(self.offset..header) else { return Ok(None) };
        let value = self.endian.read(field);
        let Some(body) = value.checked_add_signed(self.adjustment) else {
            return Err(match self.adjustment {
                ..0 => FramingError::malformed("the length is negative after the adjustment", self.offset),
                0.. => FramingError::TooLarge { size: u64::MAX, max: self.max },
            });
        };
        let size = body.saturating_add(header as u64);
        let counted = if self.strips() { body } else { size };
        if counted > self.max as u64 {
            return Err(FramingError::TooLarge { size: counted, max: self.max });
        }
        usize::try_from(size).map(Some).map_err(|_| FramingError::TooLarge { size: counted, max: self.max })
    }

    /// What the length field says before `message`.
    #[inline]
    fn field_value(&self, message: &[u8]) -> Result<u64, FramingError> {
        let size = message.len();
        // No slice is larger than i64::MAX bytes.
        match (size as i64).checked_sub(self.adjustment) {
            Some(value) if size <= self.max && value >= 0 && value as u64 <= largest_value(self.width) => {
                Ok(value as u64)
            }
            Some(_) | None => Err(self.refusal(size)),
        }
    }

    /// Why a message of this size has no field value.
    #[cold]
    fn refusal(&self, size: usize) -> FramingError {
        if size <= self.max && i128::from(self.adjustment) > size as i128 {
            return FramingError::malformed("the message is too short for the adjustment of the length", 0);
        }
        // The most that the field can announce.
        let room = i128::from(largest_value(self.width)) + i128::from(self.adjustment);
        let room = usize::try_from(room.max(0)).unwrap_or(usize::MAX);
        FramingError::TooLarge { size: size as u64, max: room.min(self.max) }
    }
}

#[inline]
const fn largest_value(width: usize) -> u64 {
    match width {
        0 => 0,
        1..8 => (1 << (8 * width)) - 1,
        8.. => u64::MAX,
    }
}
