//! Byte order of numbers on the wire.

/// Byte order of a number on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Endian {
    /// Most significant byte first.
    #[default]
    Big,
    /// Least significant byte first.
    Little,
}

impl Endian {
    /// Reads a number of at most 8 bytes.
    #[inline]
    pub(crate) fn read(self, bytes: &[u8]) -> u64 {
        match (self, bytes) {
            (_, &[a]) => u64::from(a),
            (Endian::Big, &[a, b]) => u64::from(u16::from_be_bytes([a, b])),
            (Endian::Little, &[a, b]) => u64::from(u16::from_le_bytes([a, b])),
            (Endian::Big, &[a, b, c, d]) => u64::from(u32::from_be_bytes([a, b, c, d])),
            (Endian::Little, &[a, b, c, d]) => u64::from(u32::from_le_bytes([a, b, c, d])),
            (Endian::Big, bytes) => bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)),
            (Endian::Little, bytes) => bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)),
        }
    }

    /// The low `width` bytes of `value` as they stand on the wire, at the start of the array.
    #[inline]
    pub(crate) fn bytes(self, value: u64, width: usize) -> [u8; 8] {
        match self {
            Endian::Big => (value << (64 - 8 * width.clamp(1, 8))).to_be_bytes(),
            Endian::Little => value.to_le_bytes(),
        }
    }
}
