//! How bytes become messages and messages become bytes: the declared framings and what they may look like.
//!
//! [`Framing`] is the declaration, shared by all connections. [`Framer`] is what one connection remembers of the
//! frame it is in. Neither buffers: they only say where a message starts and ends.

mod codec;
mod delimiter;
mod encode;
mod endian;
mod error;
mod framer;
mod length;
mod modbus;
mod resp;
mod search;

pub use codec::Codec;
pub use encode::Header;
pub use endian::Endian;
pub use error::FramingError;
pub use framer::{Framer, Scan};
pub use length::LengthPrefixed;

use crate::error::ConfigError;
use bytes::Bytes;
use std::sync::Arc;

/// 1 MiB: above every message of the line and command protocols met in practice, small enough that a peer gone mad
/// cannot hurt a process with hundreds of clients.
pub const DEFAULT_MAX: usize = 1 << 20;

/// 1 GiB: the largest maximum that can be declared. Whatever is larger belongs into a stream client.
pub const LARGEST_MAX: usize = 1 << 30;

/// 128 bytes: document boundaries (MIME: 74) still fit. A longer delimiter makes hostile input expensive to search.
pub const LONGEST_DELIMITER: usize = 128;

/// How bytes become messages.
///
/// ```
/// use bytes::BytesMut;
/// use keepline_proto::framing::{Framer, Framing, Scan};
///
/// let framing = Framing::lines();
/// let mut wire = BytesMut::new();
/// framing.encode(b"hello", &mut wire)?;
/// assert_eq!(&wire[..], b"hello\n");
///
/// let mut framer = Framer::new(&framing);
/// assert_eq!(framer.scan(&framing, b"hel")?, Scan::Incomplete);
/// assert_eq!(framer.scan(&framing, b"hello\nwor")?, Scan::Frame { consumed: 6, message: 0..5 });
/// # Ok::<(), keepline_proto::framing::FramingError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub enum Framing {
    /// Bytes as they come: what one read brings is one message.
    #[default]
    Raw,
    /// Lines that end with `\n`, or with `\r\n`; the message is without either. Written with `\n`: a message that
    /// ends with `\r` is written as a line with `\r\n`.
    Lines {
        /// The longest message in bytes.
        max: usize,
    },
    /// Messages that end with these bytes; the message is without them.
    Delimiter {
        /// The bytes that end a message.
        delimiter: Bytes,
        /// The longest message in bytes.
        max: usize,
    },
    /// Messages that start with their length.
    LengthPrefixed(LengthPrefixed),
    /// Messages that are all of one size.
    Fixed {
        /// The size in bytes.
        size: usize,
    },
    /// Modbus TCP: the message is the whole unit, the header of 7 bytes included. At most 260 bytes, as the
    /// specification has it.
    ModbusTcp,
    /// Redis, RESP2 and RESP3: the message is one whole value as it stands on the wire, with its attributes.
    ///
    /// Aggregates may nest 32 deep. Streamed values (`$?`, `*?`), which no server sends, are refused.
    Resp {
        /// The largest value in bytes.
        max: usize,
    },
    /// The user's own.
    Codec(Arc<dyn Codec>),
}

impl Framing {
    /// Lines of at most [`DEFAULT_MAX`] bytes.
    pub const fn lines() -> Framing {
        Framing::Lines { max: DEFAULT_MAX }
    }

    /// Messages of at most [`DEFAULT_MAX`] bytes that end with `delimiter`.
    pub fn delimiter(delimiter: impl Into<Bytes>) -> Framing {
        Framing::Delimiter { delimiter: delimiter.into(), max: DEFAULT_MAX }
    }

    /// Messages after a big-endian length of `width` bytes; see [`LengthPrefixed`] for other shapes.
    pub const fn length_prefixed(width: usize) -> Framing {
        Framing::LengthPrefixed(LengthPrefixed::new(width))
    }

    /// Messages of `size` bytes each.
    pub const fn fixed(size: usize) -> Framing {
        Framing::Fixed { size }
    }

    /// Modbus TCP.
    pub const fn modbus_tcp() -> Framing {
        Framing::ModbusTcp
    }

    /// RESP values of at most [`DEFAULT_MAX`] bytes.
    pub const fn resp() -> Framing {
        Framing::Resp { max: DEFAULT_MAX }
    }

    /// The user's own framing.
    pub fn codec(codec: impl Codec + 'static) -> Framing {
        Framing::Codec(Arc::new(codec))
    }

    /// Sets the longest message in bytes. Raw, fixed, Modbus and own framings have none to set and stay as they are.
    pub fn with_max(self, max: usize) -> Framing {
        match self {
            Framing::Lines { .. } => Framing::Lines { max },
            Framing::Delimiter { delimiter, .. } => Framing::Delimiter { delimiter, max },
            Framing::LengthPrefixed(prefix) => Framing::LengthPrefixed(prefix.max(max)),
            Framing::Resp { .. } => Framing::Resp { max },
            Framing::Raw | Framing::Fixed { .. } | Framing::ModbusTcp | Framing::Codec(_) => self,
        }
    }

    /// The name used in every language, in logs and in JSON; an own framing tells its own.
    pub fn name(&self) -> &str {
        match self {
            Framing::Raw => "raw",
            Framing::Lines { .. } => "lines",
            Framing::Delimiter { .. } => "delimiter",
            Framing::LengthPrefixed(_) => "length_prefixed",
            Framing::Fixed { .. } => "fixed",
            Framing::ModbusTcp => "modbus_tcp",
            Framing::Resp { .. } => "resp",
            Framing::Codec(codec) => codec.name(),
        }
    }

    /// The longest message in bytes; `usize::MAX` for raw bytes, which have no frame that could grow.
    pub fn max(&self) -> usize {
        match self {
            Framing::Raw => usize::MAX,
            Framing::Lines { max } | Framing::Delimiter { max, .. } | Framing::Resp { max } => *max,
            Framing::LengthPrefixed(prefix) => prefix.max,
            Framing::Fixed { size } => *size,
            Framing::ModbusTcp => modbus::MAX,
            Framing::Codec(codec) => codec.max(),
        }
    }

    /// Checks the declaration.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    pub fn validate(&self) -> Result<(), ConfigError> {
        match self {
            Framing::Raw | Framing::ModbusTcp => Ok(()),
            Framing::Lines { max } => validate_max(*max),
            Framing::Delimiter { delimiter, max } => {
                validate_max(*max)?;
                match delimiter.len() {
                    1..=LONGEST_DELIMITER => Ok(()),
                    length => {
                        let rule = format!("must have 1 to {LONGEST_DELIMITER} bytes");
                        Err(ConfigError::new("framing.delimiter", format_args!("{length} bytes"), rule))
                    }
                }
            }
            Framing::LengthPrefixed(prefix) => {
                validate_max(prefix.max)?;
                prefix.validate()
            }
            Framing::Fixed { size } => match *size {
                1..=LARGEST_MAX => Ok(()),
                size => Err(ConfigError::new("framing.size", size, format!("must be from 1 to {LARGEST_MAX} bytes"))),
            },
            Framing::Resp { max } => match *max {
                // No value is shorter than its type and a line end.
                0..resp::SMALLEST_VALUE => {
                    let rule = format!("must be from {} to {LARGEST_MAX} bytes", resp::SMALLEST_VALUE);
                    Err(ConfigError::new("framing.max", max, rule))
                }
                max => validate_max(max),
            },
            Framing::Codec(codec) => validate_max(codec.max()),
        }
    }
}

impl From<LengthPrefixed> for Framing {
    fn from(prefix: LengthPrefixed) -> Framing {
        Framing::LengthPrefixed(prefix)
    }
}

fn validate_max(max: usize) -> Result<(), ConfigError> {
    match max {
        1..=LARGEST_MAX => Ok(()),
        max => Err(ConfigError::new("framing.max", max, format!("must be from 1 to {LARGEST_MAX} bytes"))),
    }
}
