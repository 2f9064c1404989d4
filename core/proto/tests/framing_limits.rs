//! The limits of framings: just the maximum passes; hostile lengths, nesting and declarations do not.

use bytes::{Bytes, BytesMut};
use keepline_proto::cause::ProtocolFailure;
use keepline_proto::framing::{Codec, Endian, Framer, Framing, FramingError, LARGEST_MAX, LengthPrefixed, Scan};

#[test]
fn a_message_of_just_the_maximum_passes_and_one_byte_more_does_not() {
    let rows: Vec<(Framing, Vec<u8>, Vec<u8>)> = vec![
        (Framing::lines().with_max(4), b"abcd\n".to_vec(), b"abcde\n".to_vec()),
        (Framing::lines().with_max(4), b"abcd\r\n".to_vec(), b"abcde\r\n".to_vec()),
        (Framing::lines().with_max(4), b"abc\r\r\n".to_vec(), b"abcd\r\r\n".to_vec()),
        (Framing::delimiter(&b";"[..]).with_max(4), b"abcd;".to_vec(), b"abcde;".to_vec()),
        (Framing::delimiter(&b"<>"[..]).with_max(4), b"abcd<>".to_vec(), b"abcd<<>".to_vec()),
        (Framing::length_prefixed(1).with_max(4), b"\x04abcd".to_vec(), b"\x05".to_vec()),
        (LengthPrefixed::new(1).strip(false).max(4).into(), b"\x03abc".to_vec(), b"\x04".to_vec()),
        (LengthPrefixed::new(1).offset(1).max(4).into(), b"x\x02ab".to_vec(), b"x\x03".to_vec()),
        (LengthPrefixed::new(1).adjustment(1).max(4).into(), b"\x03abcd".to_vec(), b"\x04".to_vec()),
        (Framing::modbus_tcp(), modbus(254), modbus(255)[..6].to_vec()),
        (Framing::resp().with_max(5), b"+OK\r\n".to_vec(), b"+OKAY\r\n".to_vec()),
        (Framing::resp().with_max(8), b"$2\r\nab\r\n".to_vec(), b"$3\r\n".to_vec()),
        (Framing::resp().with_max(10), b"*2\r\n_\r\n_\r\n".to_vec(), b"*3\r\n".to_vec()),
        (Framing::resp().with_max(12), b"*2\r\n+ab\r\n_\r\n".to_vec(), b"*2\r\n+abc\r".to_vec()),
        (Framing::resp().with_max(10), b"%1\r\n_\r\n_\r\n".to_vec(), b"%2\r\n".to_vec()),
        (Framing::resp().with_max(13), b"|1\r\n_\r\n_\r\n_\r\n".to_vec(), b"|2\r\n".to_vec()),
        // RESP2's null is longer than the least that a count announces for each.
        (Framing::resp().with_max(13), b"*2\r\n:1\r\n$-1\r\n".to_vec(), b"*2\r\n:10\r\n$-1\r\n".to_vec()),
        (Framing::resp().with_max(14), b"*2\r\n$-1\r\n*-1\r\n".to_vec(), b"*3\r\n$-1\r\n*-1\r\n".to_vec()),
    ];
    for (framing, fits, too_large) in rows {
        assert!(read_all(&framing, &fits).is_ok(), "{framing:?}");
        assert!(read_byte_by_byte(&framing, &fits).is_ok(), "{framing:?}");
        for result in [read_all(&framing, &too_large), read_byte_by_byte(&framing, &too_large)] {
            let error = result.expect_err("larger than the maximum");
            assert!(
                matches!(error, FramingError::TooLarge { max, .. } if max == framing.max()),
                "{framing:?}: {error}"
            );
            assert_eq!(error.failure(), ProtocolFailure::TooLarge);
        }
    }
}

#[test]
fn a_stream_without_an_end_of_frame_is_cut_off_after_the_maximum() {
    let framings = [
        Framing::lines().with_max(100),
        Framing::delimiter(&b"END"[..]).with_max(100),
        Framing::resp().with_max(100),
        Framing::codec(Endless),
    ];
    for framing in framings {
        let mut framer = Framer::new(&framing);
        let wire = vec![b'+'; 200];
        let cut_off = (0..200).find(|&length| framer.scan(&framing, &wire[..length]).is_err());
        assert!(cut_off.is_some_and(|length| length <= 103), "{framing:?}: {cut_off:?}");
        assert!(matches!(Framer::new(&framing).scan(&framing, &wire), Err(FramingError::TooLarge { .. })));
    }
}

#[test]
fn a_huge_length_is_refused_before_its_bytes_arrive() {
    let little = LengthPrefixed::new(8).endian(Endian::Little);
    let rows: &[(Framing, &[u8], u64)] = &[
        (Framing::length_prefixed(4), b"\xff\xff\xff\xff", u64::from(u32::MAX)),
        (Framing::length_prefixed(8), b"\xff\xff\xff\xff\xff\xff\xff\xff", u64::MAX),
        (Framing::length_prefixed(8), b"\x7f\xff\xff\xff\xff\xff\xff\xff", i64::MAX as u64),
        (little.into(), b"\xff\xff\xff\xff\xff\xff\xff\xff", u64::MAX),
        (little.adjustment(8).into(), b"\xff\xff\xff\xff\xff\xff\xff\xff", u64::MAX),
        (LengthPrefixed::new(8).strip(false).into(), b"\xff\xff\xff\xff\xff\xff\xff\xff", u64::MAX),
        (LengthPrefixed::new(4).offset(2).into(), b"ab\xff\xff\xff\xff", u64::from(u32::MAX) + 6),
        (Framing::modbus_tcp(), b"\0\0\0\0\xff\xff", 65_541),
        (Framing::resp(), b"$4294967295\r\n", u64::from(u32::MAX) + 15),
        (Framing::resp(), b"$18446744073709551615\r\n", u64::MAX),
        (Framing::resp(), b"$99999999999999999999\r\n", u64::MAX),
        (Framing::resp(), b"*4294967295\r\n", u64::from(u32::MAX) * 3 + 13),
        (Framing::resp(), b"*18446744073709551615\r\n", u64::MAX),
        (Framing::resp(), b"%18446744073709551615\r\n", u64::MAX),
        (Framing::resp(), b"|9223372036854775807\r\n", u64::MAX),
        (Framing::resp(), b"*1\r\n*4294967295\r\n", u64::from(u32::MAX) * 3 + 17),
    ];
    for (framing, wire, announced) in rows {
        let result = Framer::new(framing).scan(framing, wire);
        let Err(FramingError::TooLarge { size, .. }) = result else { panic!("{framing:?}: {result:?}") };
        assert_eq!(size, *announced, "{framing:?}");
    }
}

#[test]
fn nothing_that_a_scan_keeps_or_returns_owns_memory() {
    // So no length, however large, can make it allocate ahead of the bytes.
    assert!(!std::mem::needs_drop::<Framer>());
    assert!(!std::mem::needs_drop::<Result<Scan, FramingError>>());
    assert!(size_of::<Framer>() <= 24);
}

#[test]
fn resp_nests_thirty_two_deep_and_no_deeper() {
    let framing = Framing::resp();
    let nested = |depth: usize| [b"*1\r\n".repeat(depth), b":1\r\n".to_vec()].concat();
    assert!(read_all(&framing, &nested(32)).is_ok());
    assert!(read_byte_by_byte(&framing, &nested(32)).is_ok());
    for result in [read_all(&framing, &nested(33)), read_byte_by_byte(&framing, &nested(33))] {
        assert!(matches!(result, Err(FramingError::Malformed { position: 128, .. })), "{result:?}");
    }
    // Siblings are not depth.
    let wide = [b"*40\r\n".to_vec(), b"*1\r\n:1\r\n".repeat(40)].concat();
    assert!(read_all(&framing, &wide).is_ok());
    // An attribute's parts are.
    let attributed = [b"*1\r\n".repeat(31), b"|1\r\n+a\r\n*1\r\n:1\r\n:1\r\n".to_vec()].concat();
    assert!(read_all(&framing, &attributed).is_err());
}

#[test]
fn a_nesting_bomb_is_refused_long_before_its_end() {
    let framing = Framing::resp();
    let bomb = b"*1\r\n".repeat(200_000);
    let mut framer = Framer::new(&framing);
    let refused = (0..bomb.len()).find(|&end| framer.scan(&framing, &bomb[..end]).is_err());
    assert!(refused.is_some_and(|length| length <= 300), "{refused:?}");
}

#[test]
fn a_framing_that_cannot_be_is_refused_by_the_name_of_its_field() {
    let rows: Vec<(Framing, &str)> = vec![
        (Framing::lines().with_max(0), "framing.max"),
        (Framing::lines().with_max(LARGEST_MAX + 1), "framing.max"),
        (Framing::lines().with_max(usize::MAX), "framing.max"),
        (Framing::delimiter(&b";"[..]).with_max(0), "framing.max"),
        (Framing::delimiter(Bytes::new()), "framing.delimiter"),
        (Framing::delimiter(vec![b'-'; 129]), "framing.delimiter"),
        (Framing::length_prefixed(0), "framing.width"),
        (Framing::length_prefixed(3), "framing.width"),
        (Framing::length_prefixed(usize::MAX), "framing.width"),
        (Framing::length_prefixed(4).with_max(0), "framing.max"),
        (LengthPrefixed::new(4).offset(usize::MAX).into(), "framing.offset"),
        (LengthPrefixed::new(4).offset(10).max(13).into(), "framing.offset"),
        (LengthPrefixed::new(4).strip(false).max(3).into(), "framing.offset"),
        (LengthPrefixed::new(4).adjustment(i64::MIN).into(), "framing.adjustment"),
        (LengthPrefixed::new(4).adjustment(i64::MAX).into(), "framing.adjustment"),
        (Framing::fixed(0), "framing.size"),
        (Framing::fixed(usize::MAX), "framing.size"),
        (Framing::resp().with_max(2), "framing.max"),
        (Framing::resp().with_max(usize::MAX), "framing.max"),
        (Framing::codec(Unlimited), "framing.max"),
    ];
    for (framing, field) in rows {
        let error = framing.validate().expect_err("refused");
        assert_eq!(error.field, field, "{error}");
        // Not validated, it must not panic either.
        let _ = Framer::new(&framing).scan(&framing, &[0xff; 64]);
        let _ = Framer::new(&framing).scan(&framing, b"+OK\r\n");
        let _ = framing.encode(&[0xff; 64], &mut BytesMut::new());
        let _ = framing.check(b"+OK\r\n");
    }
}

#[test]
fn every_constructor_makes_a_framing_that_can_be() {
    let framings = [
        (Framing::Raw, "raw", usize::MAX),
        (Framing::lines(), "lines", 1 << 20),
        (Framing::delimiter(&b"\0"[..]), "delimiter", 1 << 20),
        (Framing::length_prefixed(4), "length_prefixed", 1 << 20),
        (Framing::fixed(16), "fixed", 16),
        (Framing::modbus_tcp(), "modbus_tcp", 260),
        (Framing::resp(), "resp", 1 << 20),
        (Framing::codec(Endless), "endless", 100),
    ];
    for (framing, name, max) in framings {
        assert_eq!(framing.validate(), Ok(()));
        assert_eq!((framing.name(), framing.max()), (name, max));
    }
    assert_eq!(Framing::default().name(), "raw");
}

type Messages = (Vec<Vec<u8>>, usize);

fn read_all(framing: &Framing, wire: &[u8]) -> Result<Messages, FramingError> {
    read_to(framing, wire, std::iter::once(wire.len()))
}

fn read_byte_by_byte(framing: &Framing, wire: &[u8]) -> Result<Messages, FramingError> {
    read_to(framing, wire, 0..=wire.len())
}

/// Reads as the bytes arrive up to each of `ends`; returns the messages and the bytes consumed.
fn read_to(framing: &Framing, wire: &[u8], ends: impl Iterator<Item = usize>) -> Result<Messages, FramingError> {
    let mut framer = Framer::new(framing);
    let mut messages = Vec::new();
    let mut start = 0;
    for end in ends {
        while let Scan::Frame { consumed, message } = framer.scan(framing, &wire[start..end])? {
            messages.push(wire[start..end][message].to_vec());
            start += consumed;
        }
    }
    Ok((messages, start))
}

fn modbus(length: u16) -> Vec<u8> {
    let mut unit = vec![0, 1, 0, 0];
    unit.extend_from_slice(&length.to_be_bytes());
    unit.resize(6 + usize::from(length), 0x11);
    unit
}

/// Never finds a frame.
#[derive(Debug)]
struct Endless;

impl Codec for Endless {
    fn name(&self) -> &str {
        "endless"
    }

    fn max(&self) -> usize {
        100
    }

    fn scan(&self, _buffer: &[u8]) -> Result<Scan, FramingError> {
        Ok(Scan::Incomplete)
    }

    fn encode(&self, _message: &[u8], _out: &mut BytesMut) -> Result<(), FramingError> {
        Ok(())
    }
}

/// Declares a maximum that cannot be.
#[derive(Debug)]
struct Unlimited;

impl Codec for Unlimited {
    fn name(&self) -> &str {
        "unlimited"
    }

    fn max(&self) -> usize {
        usize::MAX
    }

    fn scan(&self, _buffer: &[u8]) -> Result<Scan, FramingError> {
        Ok(Scan::Incomplete)
    }

    fn encode(&self, _message: &[u8], _out: &mut BytesMut) -> Result<(), FramingError> {
        Ok(())
    }
}
