//! RESP2 and RESP3, the protocol of Redis: where one value ends, aggregates and attributes included.
//!
//! The scanner does not recurse and keeps no stack: it counts the elements that are still to come, which is all that
//! the end of a value depends on. Only the limit on nesting needs more; a second pass checks it, each time when twice
//! as many bytes were scanned, so that all passes together stay linear.

use super::framer::{Framer, Scan};
use super::search::find_line_end;
use super::{FramingError, LARGEST_MAX};

/// `_\r\n`: a count of elements announces at least this many bytes for each.
pub(super) const SMALLEST_VALUE: usize = 3;

/// 32: deeper than any reply of a server, shallow enough for every parser that recurses.
const DEEPEST: usize = 32;

/// Nothing shorter than 32 headers of four bytes can be too deep.
const FIRST_DEPTH_CHECK: u32 = 4 * DEEPEST as u32;

/// The digits of 2^64 − 1.
const MOST_DIGITS: usize = 20;

pub(super) fn scan(framer: &mut Framer, max: usize, buffer: &[u8]) -> Result<Scan, FramingError> {
    let scan = advance(framer, max.min(LARGEST_MAX), buffer);
    let is_depth_due = match scan {
        Ok(Scan::Incomplete) => framer.position / 2 >= framer.depth_checked.max(FIRST_DEPTH_CHECK / 2),
        // Before an error too: which of two faults is reported must not depend on how the bytes were cut.
        Ok(Scan::Frame { .. }) | Err(_) => true,
    };
    if framer.is_nested && is_depth_due {
        check_depth(&buffer[..(framer.position as usize).min(buffer.len())])?;
        framer.depth_checked = framer.position;
    }
    if let Ok(Scan::Frame { .. }) = scan {
        framer.reset();
    }
    scan
}

/// Checks an inline command: a line of words that starts with a letter.
pub(super) fn check_inline(message: &[u8], max: usize) -> Result<(), FramingError> {
    FramingError::check_size(message.len(), max)?;
    match find_line_end(message) {
        Some(place) if &message[place..] == b"\r\n" => Ok(()),
        Some(place) => Err(FramingError::malformed("an inline command is one line that ends with \\r\\n", place)),
        None => Err(FramingError::malformed("an inline command ends with \\r\\n", message.len())),
    }
}

/// One element of the wire: a value without parts, or the header of one with parts.
enum Element {
    Incomplete,
    Leaf {
        next: usize,
    },
    Aggregate {
        next: usize,
        elements: usize,
    },
    /// Stands before the value that it describes and takes no place itself.
    Attribute {
        next: usize,
        elements: usize,
    },
}

/// How far the element at hand may reach, so that those after it still fit.
#[derive(Clone, Copy)]
struct Limit {
    max: usize,
    end: usize,
}

impl Limit {
    /// Takes an end that the element announces.
    fn take(self, end: u64) -> Result<usize, FramingError> {
        match usize::try_from(end) {
            Ok(end) if end <= self.end => Ok(end),
            Ok(_) | Err(_) => {
                let size = end.saturating_add((self.max - self.end) as u64);
                Err(FramingError::TooLarge { size, max: self.max })
            }
        }
    }
}

fn advance(framer: &mut Framer, max: usize, buffer: &[u8]) -> Result<Scan, FramingError> {
    if framer.position == 0 {
        framer.pending = 1;
        if max < SMALLEST_VALUE {
            return Err(FramingError::over(max));
        }
    }
    while framer.pending > 0 {
        let position = framer.position as usize;
        // Never less than the smallest value: every count was checked against the maximum when it was read.
        let limit = Limit { max, end: max - (framer.pending as usize - 1) * SMALLEST_VALUE };
        let (next, added, is_nested) = match element(buffer, position, &mut framer.scanned, limit)? {
            Element::Incomplete => return Ok(Scan::Incomplete),
            Element::Leaf { next } => {
                framer.pending -= 1;
                (next, 0, false)
            }
            Element::Aggregate { next, elements } => {
                framer.pending -= 1;
                (next, elements, position > 0)
            }
            Element::Attribute { next, elements } => (next, elements, position > 0),
        };
        // Both stay below LARGEST_MAX, which fits.
        framer.position = next as u32;
        framer.pending += added as u32;
        framer.is_nested |= is_nested;
    }
    let size = framer.position as usize;
    Ok(Scan::Frame { consumed: size, message: 0..size })
}

/// Reads the element at `position`. `scanned` tells how far the end of its line was searched before.
fn element(buffer: &[u8], position: usize, scanned: &mut u32, limit: Limit) -> Result<Element, FramingError> {
    let Some(&kind) = buffer.get(position) else { return Ok(Element::Incomplete) };
    match kind {
        b'+' | b'-' | b':' | b',' | b'#' | b'_' | b'(' => line(kind, buffer, position, scanned, limit),
        b'$' | b'!' | b'=' => bulk(kind, buffer, position, limit),
        b'*' | b'~' | b'>' | b'%' | b'|' => aggregate(kind, buffer, position, limit),
        b';' | b'.' => Err(FramingError::malformed(STREAMED, position)),
        _ => Err(FramingError::malformed("not a RESP type", position)),
    }
}

const STREAMED: &str = "streamed values are not accepted";

fn line(kind: u8, buffer: &[u8], position: usize, scanned: &mut u32, limit: Limit) -> Result<Element, FramingError> {
    // The carriage return must stand before the last byte that the limit leaves.
    let end = buffer.len().min(limit.end - 1);
    let from = (position + 1).max(*scanned as usize).min(end);
    let Some(place) = find_line_end(&buffer[from..end]) else {
        if buffer.len() >= limit.end - 1 {
            return Err(FramingError::over(limit.max));
        }
        *scanned = end as u32;
        return Ok(Element::Incomplete);
    };
    let line_end = from + place;
    if buffer[line_end] == b'\n' {
        return Err(FramingError::malformed("a line ends with \\r\\n", line_end));
    }
    match buffer.get(line_end + 1) {
        None => {
            *scanned = line_end as u32;
            Ok(Element::Incomplete)
        }
        Some(b'\n') if is_well_formed(kind, &buffer[position + 1..line_end]) => {
            Ok(Element::Leaf { next: line_end + 2 })
        }
        Some(b'\n') => Err(FramingError::malformed("not a value of its type", position + 1)),
        Some(_) => Err(FramingError::malformed("a line ends with \\r\\n", line_end + 1)),
    }
}

fn is_well_formed(kind: u8, text: &[u8]) -> bool {
    match kind {
        b':' | b'(' => {
            let digits = match text {
                [b'+' | b'-', digits @ ..] => digits,
                digits => digits,
            };
            !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
        }
        // Digits, sign, point, exponent, `inf`, `nan`: servers differ in the details, which are the user's to parse.
        b',' => {
            !text.is_empty()
                && text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        }
        b'#' => matches!(text, b"t" | b"f"),
        b'_' => text.is_empty(),
        _ => true,
    }
}

fn bulk(kind: u8, buffer: &[u8], position: usize, limit: Limit) -> Result<Element, FramingError> {
    let (next, length) = match header(buffer, position)? {
        Header::Incomplete => return Ok(Element::Incomplete),
        Header::Null { next } if kind == b'$' => return null(next, limit),
        Header::Null { .. } => return Err(FramingError::malformed(NEGATIVE, position + 1)),
        Header::Count { next, count } => (next, count),
    };
    if kind == b'=' && length < 4 {
        return Err(FramingError::malformed("a verbatim string starts with its format", position + 1));
    }
    let end = limit.take((next as u64).saturating_add(length).saturating_add(2))?;
    for (place, expected) in [(end - 2, b'\r'), (end - 1, b'\n')] {
        match buffer.get(place) {
            None => return Ok(Element::Incomplete),
            Some(&byte) if byte == expected => {}
            Some(_) => return Err(FramingError::malformed("a string ends with \\r\\n after its length", place)),
        }
    }
    Ok(Element::Leaf { next: end })
}

fn aggregate(kind: u8, buffer: &[u8], position: usize, limit: Limit) -> Result<Element, FramingError> {
    let (next, count) = match header(buffer, position)? {
        Header::Incomplete => return Ok(Element::Incomplete),
        Header::Null { next } if kind == b'*' => return null(next, limit),
        Header::Null { .. } => return Err(FramingError::malformed(NEGATIVE, position + 1)),
        Header::Count { next, count } => (next, count),
    };
    let is_map = matches!(kind, b'%' | b'|');
    let elements = if is_map { count.saturating_mul(2) } else { count };
    // The value that an attribute describes needs its bytes too.
    let values = if kind == b'|' { elements.saturating_add(1) } else { elements };
    let end = limit.take(values.saturating_mul(SMALLEST_VALUE as u64).saturating_add(next as u64))?;
    let elements = usize::try_from(elements).unwrap_or(end);
    Ok(match kind {
        b'|' => Element::Attribute { next, elements },
        _ => Element::Aggregate { next, elements },
    })
}

/// RESP2's null is longer than the least that its count has announced.
fn null(next: usize, limit: Limit) -> Result<Element, FramingError> {
    Ok(Element::Leaf { next: limit.take(next as u64)? })
}

enum Header {
    Incomplete,
    Null { next: usize },
    Count { next: usize, count: u64 },
}

const NEGATIVE: &str = "the length is negative";

/// Reads the length after the type. It is short, so it is read anew until it is complete.
fn header(buffer: &[u8], position: usize) -> Result<Header, FramingError> {
    let start = position + 1;
    let is_negative = buffer.get(start) == Some(&b'-');
    let digits_start = start + usize::from(is_negative);
    let mut count = 0_u64;
    let mut at = digits_start;
    loop {
        match buffer.get(at) {
            None => return Ok(Header::Incomplete),
            Some(&digit @ b'0'..=b'9') if at - digits_start < MOST_DIGITS => {
                // Saturated means far too large, whatever the exact number is.
                count = count.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
                at += 1;
            }
            Some(b'0'..=b'9') => return Err(FramingError::malformed("the length has too many digits", at)),
            Some(b'\r') if at > digits_start => break,
            Some(b'?') if at == start => return Err(FramingError::malformed(STREAMED, at)),
            Some(_) => return Err(FramingError::malformed("the length is not a number", at)),
        }
    }
    let next = at + 2;
    match (buffer.get(at + 1), is_negative) {
        (None, _) => Ok(Header::Incomplete),
        (Some(b'\n'), false) => Ok(Header::Count { next, count }),
        // `-1` is how RESP2 writes null.
        (Some(b'\n'), true) if &buffer[digits_start..at] == b"1" => Ok(Header::Null { next }),
        (Some(b'\n'), true) => Err(FramingError::malformed(NEGATIVE, start)),
        (Some(_), _) => Err(FramingError::malformed("a line ends with \\r\\n", at + 1)),
    }
}

/// Walks elements that were scanned before and checks how deep they nest.
fn check_depth(scanned: &[u8]) -> Result<(), FramingError> {
    // Elements still to come at each level.
    let mut open = [0_usize; DEEPEST];
    let mut depth = 0;
    let mut position = 0;
    let no_limit = Limit { max: usize::MAX, end: usize::MAX };
    while position < scanned.len() {
        let (next, elements, takes_place) = match element(scanned, position, &mut 0, no_limit)? {
            Element::Incomplete => return Ok(()),
            Element::Leaf { next } => (next, 0, true),
            Element::Aggregate { next, elements } => (next, elements, true),
            Element::Attribute { next, elements } => (next, elements, false),
        };
        if takes_place && depth > 0 {
            open[depth - 1] = open[depth - 1].saturating_sub(1);
        }
        if elements > 0 {
            if depth == DEEPEST {
                return Err(FramingError::malformed("aggregates are nested too deep", position));
            }
            open[depth] = elements;
            depth += 1;
        }
        while depth > 0 && open[depth - 1] == 0 {
            depth -= 1;
        }
        position = next;
    }
    Ok(())
}
