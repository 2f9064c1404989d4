//! The declared parts of a protocol, as flat variants: framing, matchers, correlation, automatic answers.

use crate::error::BridgeError;
use keepline::{AutoReply, Correlation, Endian, Framing, IdField, LengthPrefixed, Matcher};
use serde::{Deserialize, Serialize};

/// The names of byte orders.
pub const ENDIANS: &[&str] = &["big", "little"];

/// How bytes become messages. Sizes that are `None` are the framing's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are those of the core's framing")]
pub enum FramingRecord {
    /// Bytes as they come.
    Raw,
    /// Lines that end with a line feed.
    Lines { max: Option<u64> },
    /// Messages that end with these bytes.
    Delimiter { delimiter: Vec<u8>, max: Option<u64> },
    /// Messages that start with their length.
    LengthPrefixed {
        width: u64,
        endian: Option<String>,
        offset: Option<u64>,
        adjustment: Option<i64>,
        strip: Option<bool>,
        max: Option<u64>,
    },
    /// Messages that are all of one size.
    Fixed { size: u64 },
    /// Modbus TCP units.
    ModbusTcp,
    /// Redis values.
    Resp { max: Option<u64> },
}

/// Which frame is the one that is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are those of the core's matcher")]
pub enum MatcherRecord {
    /// Any bytes at all; consumes nothing.
    Any,
    /// A frame equal to these bytes.
    Exact { bytes: Vec<u8> },
    /// A frame that starts with these bytes.
    Prefix { bytes: Vec<u8> },
    /// No reply is expected.
    None,
}

/// How replies find their requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are those of the core's id field")]
pub enum CorrelationRecord {
    /// In the order of the requests.
    Fifo,
    /// By an id at an offset.
    Id { offset: u64, width: u64, endian: Option<String> },
}

/// A frame of the server that is answered without asking the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct AutoReplyRecord {
    /// The frame that is answered.
    pub when: MatcherRecord,
    /// The answer.
    pub reply: Vec<u8>,
}

impl FramingRecord {
    pub(super) fn parse(self) -> Result<Framing, BridgeError> {
        let with_max = |framing: Framing, max: Option<u64>| match max {
            Some(max) => Ok(framing.with_max(size("framing.max", max)?)),
            None => Ok(framing),
        };
        match self {
            FramingRecord::Raw => Ok(Framing::Raw),
            FramingRecord::Lines { max } => with_max(Framing::lines(), max),
            FramingRecord::Delimiter { delimiter, max } => with_max(Framing::delimiter(delimiter), max),
            FramingRecord::LengthPrefixed { width, endian, offset, adjustment, strip, max } => {
                let mut prefix = LengthPrefixed::new(size("framing.width", width)?);
                prefix.endian = parse_endian("framing.endian", endian)?;
                prefix.offset = size("framing.offset", offset.unwrap_or(0))?;
                prefix.adjustment = adjustment.unwrap_or(prefix.adjustment);
                prefix.strip = strip.unwrap_or(prefix.strip);
                with_max(prefix.into(), max)
            }
            FramingRecord::Fixed { size: bytes } => Ok(Framing::fixed(size("framing.size", bytes)?)),
            FramingRecord::ModbusTcp => Ok(Framing::ModbusTcp),
            FramingRecord::Resp { max } => with_max(Framing::resp(), max),
        }
    }

    /// The record of a framing; a codec of Rust's own has none and is shown as raw.
    pub(super) fn of(framing: &Framing) -> FramingRecord {
        match framing {
            Framing::Raw | Framing::Codec(_) => FramingRecord::Raw,
            Framing::Lines { max } => FramingRecord::Lines { max: Some(*max as u64) },
            Framing::Delimiter { delimiter, max } => {
                FramingRecord::Delimiter { delimiter: delimiter.to_vec(), max: Some(*max as u64) }
            }
            Framing::LengthPrefixed(prefix) => FramingRecord::LengthPrefixed {
                width: prefix.width as u64,
                endian: Some(endian_name(prefix.endian)),
                offset: Some(prefix.offset as u64),
                adjustment: Some(prefix.adjustment),
                strip: Some(prefix.strip),
                max: Some(prefix.max as u64),
            },
            Framing::Fixed { size } => FramingRecord::Fixed { size: *size as u64 },
            Framing::ModbusTcp => FramingRecord::ModbusTcp,
            Framing::Resp { max } => FramingRecord::Resp { max: Some(*max as u64) },
        }
    }
}

impl From<MatcherRecord> for Matcher {
    fn from(record: MatcherRecord) -> Matcher {
        match record {
            MatcherRecord::Any => Matcher::Any,
            MatcherRecord::Exact { bytes } => Matcher::Exact(bytes.into()),
            MatcherRecord::Prefix { bytes } => Matcher::Prefix(bytes.into()),
            MatcherRecord::None => Matcher::None,
        }
    }
}

impl From<&Matcher> for MatcherRecord {
    fn from(matcher: &Matcher) -> MatcherRecord {
        match matcher {
            Matcher::Any => MatcherRecord::Any,
            Matcher::Exact(bytes) => MatcherRecord::Exact { bytes: bytes.to_vec() },
            Matcher::Prefix(bytes) => MatcherRecord::Prefix { bytes: bytes.to_vec() },
            Matcher::None => MatcherRecord::None,
        }
    }
}

impl CorrelationRecord {
    pub(super) fn parse(self) -> Result<Correlation, BridgeError> {
        match self {
            CorrelationRecord::Fifo => Ok(Correlation::Fifo),
            CorrelationRecord::Id { offset, width, endian } => Ok(Correlation::Id(IdField {
                offset: size("correlation.offset", offset)?,
                width: size("correlation.width", width)?,
                endian: parse_endian("correlation.endian", endian)?,
            })),
        }
    }

    pub(super) fn of(correlation: Correlation) -> CorrelationRecord {
        match correlation {
            Correlation::Fifo => CorrelationRecord::Fifo,
            Correlation::Id(field) => CorrelationRecord::Id {
                offset: field.offset as u64,
                width: field.width as u64,
                endian: Some(endian_name(field.endian)),
            },
        }
    }
}

impl From<AutoReplyRecord> for AutoReply {
    fn from(record: AutoReplyRecord) -> AutoReply {
        AutoReply { when: record.when.into(), reply: record.reply.into() }
    }
}

impl From<&AutoReply> for AutoReplyRecord {
    fn from(auto_reply: &AutoReply) -> AutoReplyRecord {
        AutoReplyRecord { when: (&auto_reply.when).into(), reply: auto_reply.reply.to_vec() }
    }
}

/// A size of another language, which may be wider than this machine's.
pub(super) fn size(field: &'static str, value: u64) -> Result<usize, BridgeError> {
    usize::try_from(value).map_err(|_too_large| BridgeError::invalid(field, value, "must fit the address space"))
}

fn parse_endian(field: &'static str, name: Option<String>) -> Result<Endian, BridgeError> {
    match name.as_deref() {
        None | Some("big") => Ok(Endian::Big),
        Some("little") => Ok(Endian::Little),
        Some(other) => Err(BridgeError::invalid(field, other.escape_debug(), "must be one of: big, little")),
    }
}

fn endian_name(endian: Endian) -> String {
    match endian {
        Endian::Big => "big".to_owned(),
        Endian::Little => "little".to_owned(),
    }
}
