//! What each framing writes, row by row, and what it refuses to write.

use bytes::BytesMut;
use keepline_proto::cause::ProtocolFailure;
use keepline_proto::framing::{Codec, Endian, Framer, Framing, FramingError, LengthPrefixed, Scan};

#[test]
fn every_framing_writes_what_it_reads() {
    let rows: Vec<(Framing, &[u8], &[u8])> = vec![
        (Framing::Raw, b"a\nb", b"a\nb"),
        (Framing::lines(), b"hello", b"hello\n"),
        (Framing::lines(), b"", b"\n"),
        (Framing::lines(), b"NICK a\r", b"NICK a\r\n"),
        (Framing::delimiter(&b"\r\n"[..]), b"a\rb\n", b"a\rb\n\r\n"),
        (Framing::length_prefixed(1), b"abc", b"\x03abc"),
        (Framing::length_prefixed(2), b"abc", b"\x00\x03abc"),
        (Framing::length_prefixed(4), b"", b"\x00\x00\x00\x00"),
        (Framing::length_prefixed(8), b"abc", b"\x00\x00\x00\x00\x00\x00\x00\x03abc"),
        (LengthPrefixed::new(4).endian(Endian::Little).into(), b"abc", b"\x03\x00\x00\x00abc"),
        (LengthPrefixed::new(2).adjustment(-2).into(), b"abc", b"\x00\x05abc"),
        (LengthPrefixed::new(1).adjustment(2).into(), b"abc", b"\x01abc"),
        (LengthPrefixed::new(1).strip(false).into(), b"\x03abc", b"\x03abc"),
        (LengthPrefixed::new(1).offset(2).into(), b"hh\x01x", b"hh\x01x"),
        (Framing::fixed(3), b"abc", b"abc"),
        (Framing::modbus_tcp(), b"\0\x01\0\0\0\x02\x11\x07", b"\0\x01\0\0\0\x02\x11\x07"),
        (Framing::resp(), b"*1\r\n$4\r\nPING\r\n", b"*1\r\n$4\r\nPING\r\n"),
        (Framing::resp(), b"PING\r\n", b"PING\r\n"),
        (Framing::codec(Doubled), b"a", b"aa"),
    ];
    for (framing, message, wire) in rows {
        let mut out = BytesMut::from(&b"before"[..]);
        assert_eq!(framing.encode(message, &mut out), Ok(()), "{framing:?}");
        assert_eq!(&out[..], [b"before", wire].concat(), "{framing:?}");
        assert_eq!(framing.check(message), Ok(()), "{framing:?}");
        assert!(framing.encoded_len_hint(message.len()) >= wire.len(), "{framing:?}");
        if framing.is_reference_ok() {
            assert_eq!(message, wire, "{framing:?}");
        }
    }
}

#[test]
fn a_message_that_would_not_come_out_as_it_went_in_is_refused_and_leaves_no_bytes() {
    let rows: Vec<(Framing, &[u8], ProtocolFailure)> = vec![
        (Framing::lines(), b"a\nb", ProtocolFailure::Malformed),
        (Framing::lines(), b"\n", ProtocolFailure::Malformed),
        (Framing::lines(), b"a message that is long enough for two blocks\n", ProtocolFailure::Malformed),
        (Framing::lines().with_max(2), b"abc", ProtocolFailure::TooLarge),
        (Framing::delimiter(&b"\r\n"[..]), b"a\r\nb", ProtocolFailure::Malformed),
        (Framing::delimiter(&b"abab"[..]), b"xab", ProtocolFailure::Malformed),
        (Framing::delimiter(&b"aa"[..]), b"xa", ProtocolFailure::Malformed),
        (Framing::delimiter(&b";"[..]).with_max(2), b"abc", ProtocolFailure::TooLarge),
        (Framing::length_prefixed(1), &[7; 256], ProtocolFailure::TooLarge),
        (LengthPrefixed::new(1).adjustment(-1).into(), &[7; 255], ProtocolFailure::TooLarge),
        (Framing::length_prefixed(2).with_max(2), b"abc", ProtocolFailure::TooLarge),
        (LengthPrefixed::new(1).adjustment(2).into(), b"a", ProtocolFailure::Malformed),
        (LengthPrefixed::new(1).strip(false).into(), b"\x02abc", ProtocolFailure::Malformed),
        (LengthPrefixed::new(1).strip(false).into(), b"", ProtocolFailure::Malformed),
        (LengthPrefixed::new(1).offset(2).into(), b"hh", ProtocolFailure::Malformed),
        (LengthPrefixed::new(1).offset(2).into(), b"hh\x02x", ProtocolFailure::Malformed),
        (LengthPrefixed::new(1).offset(2).max(3).into(), b"hh\x01x", ProtocolFailure::TooLarge),
        (Framing::fixed(3), b"ab", ProtocolFailure::Malformed),
        (Framing::fixed(3), b"abcd", ProtocolFailure::TooLarge),
        (Framing::modbus_tcp(), b"\0\x01\0\0\0", ProtocolFailure::Malformed),
        (Framing::modbus_tcp(), b"\0\x01\0\0\0\x03\x11\x07", ProtocolFailure::Malformed),
        (Framing::modbus_tcp(), b"\0\x01\0\0\0\x02\x11\x07\x07", ProtocolFailure::Malformed),
        (Framing::modbus_tcp(), b"\0\x01\0\x01\0\x02\x11\x07", ProtocolFailure::Malformed),
        (Framing::resp(), b"", ProtocolFailure::Malformed),
        (Framing::resp(), b"*1\r\n", ProtocolFailure::Malformed),
        (Framing::resp(), b"+OK\r\n+OK\r\n", ProtocolFailure::Malformed),
        (Framing::resp(), b"PING", ProtocolFailure::Malformed),
        (Framing::resp(), b"PING\n", ProtocolFailure::Malformed),
        (Framing::resp(), b"PING\r\nPING\r\n", ProtocolFailure::Malformed),
        (Framing::resp().with_max(4), b"+OK\r\n", ProtocolFailure::TooLarge),
        (Framing::codec(Doubled), b"ab", ProtocolFailure::Malformed),
    ];
    for (framing, message, failure) in rows {
        let mut out = BytesMut::from(&b"before"[..]);
        let error = framing.encode(message, &mut out).expect_err("refused");
        assert_eq!(error.failure(), failure, "{framing:?} {}: {error}", message.escape_ascii());
        assert_eq!(&out[..], b"before", "{framing:?}");
        if !matches!(framing, Framing::Codec(_)) {
            assert_eq!(framing.check(message), Err(error), "{framing:?}");
        }
    }
}

#[test]
fn the_text_of_an_error_has_no_payload() {
    let framing = Framing::resp();
    let error = Framer::new(&framing).scan(&framing, b":secret\r\n").unwrap_err();
    assert_eq!(error.to_string(), "malformed frame at byte 1: not a value of its type");
    let error = Framing::lines().with_max(4).encode(b"secret", &mut BytesMut::new()).unwrap_err();
    assert_eq!(error.to_string(), "a frame of at least 6 bytes is larger than the maximum of 4");
}

/// Messages of one byte, each sent twice.
#[derive(Debug)]
struct Doubled;

impl Codec for Doubled {
    fn name(&self) -> &str {
        "doubled"
    }

    fn scan(&self, buffer: &[u8]) -> Result<Scan, FramingError> {
        match buffer {
            [first, second, ..] if first == second => Ok(Scan::Frame { consumed: 2, message: 0..1 }),
            [_, _, ..] => Err(FramingError::Malformed { rule: "the bytes differ", position: 1 }),
            _ => Ok(Scan::Incomplete),
        }
    }

    fn encode(&self, message: &[u8], out: &mut BytesMut) -> Result<(), FramingError> {
        out.extend_from_slice(message);
        match message {
            [byte] => out.extend_from_slice(&[*byte]),
            _ => return Err(FramingError::Malformed { rule: "one byte", position: 1 }),
        }
        Ok(())
    }
}
