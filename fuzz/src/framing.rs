//! Bytes of a peer as messages, in every framing.

use crate::cut::{choices, ways, within};
use bytes::{Bytes, BytesMut};
use keepline_proto::framing::{Endian, Framer, Framing, FramingError, LengthPrefixed, Scan};
use std::ops::Range;

pub(crate) fn run(data: &[u8]) {
    let ([kind, max, shape, sizes], wire) = choices::<4>(data);
    let framing = declared(kind, max, shape);
    if framing.validate().is_err() {
        return;
    }
    let [whole, rest @ ..] = ways(wire, sizes).map(|pieces| read(&framing, wire, &pieces));
    for other in &rest {
        assert!(is_same(&whole, other), "{framing:?}: {whole:?} and, cut otherwise, {other:?}");
    }
    for (frame, message) in &whole.0 {
        let (frame, message) = (&wire[frame.clone()], &wire[message.clone()]);
        assert!(message.len() <= framing.max());
        assert_written_as_read(&framing, frame, message);
    }
}

/// A framing with a maximum that short inputs can reach.
fn declared(kind: u8, max: u8, shape: u8) -> Framing {
    let max = usize::from(max) + 1;
    match kind % 7 {
        0 => Framing::lines().with_max(max),
        1 => Framing::delimiter(Bytes::copy_from_slice(&b"\r\n\r\r\n"[usize::from(shape % 5)..])).with_max(max),
        2 => {
            let prefix = LengthPrefixed::new(1 << (shape & 3))
                .endian(if shape & 4 == 0 { Endian::Big } else { Endian::Little })
                .offset(usize::from(shape >> 3 & 3))
                .adjustment(i64::from(shape >> 5) - 4)
                .strip(shape & 128 == 0)
                .max(max);
            prefix.into()
        }
        3 => Framing::fixed(max),
        4 => Framing::ModbusTcp,
        5 => Framing::resp().with_max(max),
        // Deep enough for the limit on nesting.
        _ => Framing::resp().with_max(max * 64),
    }
}

/// Where frames and their messages are, and how many bytes were read or why no more.
type Verdict = (Vec<(Range<usize>, Range<usize>)>, Result<usize, FramingError>);

fn read(framing: &Framing, wire: &[u8], pieces: &[&[u8]]) -> Verdict {
    let mut framer = Framer::new(framing);
    let mut found = Vec::new();
    let (mut start, mut end) = (0, 0);
    for piece in pieces {
        end += piece.len();
        loop {
            // The decoder of a connection owns no memory, whatever the peer announces.
            match within(0, || framer.scan(framing, &wire[start..end])) {
                Ok(Scan::Frame { consumed, message }) => {
                    assert!(consumed > 0 && message.end <= consumed && start + consumed <= end);
                    found.push((start..start + consumed, start + message.start..start + message.end));
                    start += consumed;
                }
                Ok(Scan::Incomplete) => break,
                Err(error) => return (found, Err(error)),
            }
        }
    }
    (found, Ok(start))
}

/// Nesting that is too deep may be told later, never as something else.
fn is_same(one: &Verdict, other: &Verdict) -> bool {
    let is_too_deep = |verdict: &Verdict| {
        matches!(verdict.1, Err(FramingError::Malformed { rule: "aggregates are nested too deep", .. }))
    };
    one == other || (one.0 == other.0 && (is_too_deep(one) && other.1.is_ok() || is_too_deep(other) && one.1.is_ok()))
}

fn assert_written_as_read(framing: &Framing, frame: &[u8], message: &[u8]) {
    let mut written = BytesMut::new();
    let result = framing.encode(message, &mut written);
    match framing {
        // A line may have come with a carriage return; a stripped header had more in it than the length.
        Framing::Lines { .. } | Framing::LengthPrefixed(_) => {
            if result.is_ok() {
                let again = Framer::new(framing).scan(framing, &written);
                let Ok(Scan::Frame { consumed, message: place }) = again else { panic!("{again:?}") };
                let is_crlf = matches!(framing, Framing::Lines { .. }) && message.ends_with(b"\r");
                assert!(consumed == written.len() && (is_crlf || &written[place] == message));
            }
        }
        Framing::Delimiter { .. } | Framing::Fixed { .. } | Framing::ModbusTcp | Framing::Resp { .. } => {
            assert_eq!(result, Ok(()), "{message:?}");
            assert_eq!(&written[..], frame);
        }
        Framing::Raw | Framing::Codec(_) => {}
    }
}
