//! What each framing reads, row by row, and what it refuses to read.

use bytes::BytesMut;
use keepline_proto::cause::ProtocolFailure;
use keepline_proto::framing::{Codec, Endian, Framer, Framing, FramingError, LengthPrefixed, Scan};

#[test]
fn every_framing_finds_the_messages_of_its_stream() {
    let rows: &[Row] = &[
        (Framing::Raw, b"abc", &[b"abc"]),
        (Framing::fixed(2), b"aabbcc", &[b"aa", b"bb", b"cc"]),
        (Framing::lines(), b"one\ntwo\r\n\n\r\nlast\n", &[b"one", b"two", b"", b"", b"last"]),
        (Framing::lines(), b"a\rb\r\r\n", &[b"a\rb\r"]),
        (Framing::delimiter(&b"\r\n"[..]), b"a\rb\r\n\r\nc\n\r\n", &[b"a\rb", b"", b"c\n"]),
        (Framing::delimiter(&b"aab"[..]), b"xaaabaab", &[b"xa", b""]),
        (Framing::length_prefixed(1), b"\x03abc\x00\x01z", &[b"abc", b"", b"z"]),
        (Framing::length_prefixed(2), b"\x00\x03abc", &[b"abc"]),
        (Framing::length_prefixed(4), b"\x00\x00\x00\x03abc", &[b"abc"]),
        (Framing::length_prefixed(8), b"\x00\x00\x00\x00\x00\x00\x00\x03abc", &[b"abc"]),
        (LengthPrefixed::new(2).endian(Endian::Little).into(), b"\x03\x00abc", &[b"abc"]),
        (LengthPrefixed::new(4).endian(Endian::Little).into(), b"\x03\x00\x00\x00abc", &[b"abc"]),
        (LengthPrefixed::new(2).strip(false).into(), b"\x00\x03abc", &[b"\x00\x03abc"]),
        (LengthPrefixed::new(2).adjustment(-2).into(), b"\x00\x05abc\x00\x02", &[b"abc", b""]),
        (LengthPrefixed::new(1).adjustment(2).into(), b"\x01abc", &[b"abc"]),
        (LengthPrefixed::new(1).offset(2).into(), b"hh\x03abchh\x00", &[b"hh\x03abc", b"hh\x00"]),
        (Framing::modbus_tcp(), b"\0\x01\0\0\0\x03\x11\x83\x02", &[b"\0\x01\0\0\0\x03\x11\x83\x02"]),
        (Framing::codec(Doubled), b"aabb", &[b"a", b"b"]),
    ];
    for (framing, wire, messages) in rows {
        assert_eq!(read_all(framing, wire), Ok((messages.concat_each(), wire.len())), "{framing:?}");
    }
}

#[test]
fn every_resp_type_is_one_message() {
    let values: &[&[u8]] = &[
        b"+OK\r\n",
        b"+\r\n",
        b"-ERR no such key\r\n",
        b":1000\r\n",
        b":-1\r\n",
        b":+1\r\n",
        b"$5\r\nhello\r\n",
        b"$0\r\n\r\n",
        b"$4\r\n\r\n\r\n\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"*0\r\n",
        b"*2\r\n$1\r\na\r\n:1\r\n",
        b"_\r\n",
        b",3.14\r\n",
        b",-1.5e-7\r\n",
        b",inf\r\n",
        b",nan\r\n",
        b"#t\r\n",
        b"#f\r\n",
        b"!5\r\nERR x\r\n",
        b"=7\r\ntxt:abc\r\n",
        b"(3492890328409238509324850943850943825024385\r\n",
        b"%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n",
        b"%0\r\n",
        b"~2\r\n+a\r\n+b\r\n",
        b">3\r\n+message\r\n+channel\r\n$2\r\nhi\r\n",
        b"|1\r\n+ttl\r\n:3600\r\n*1\r\n|1\r\n+a\r\n+b\r\n:7\r\n",
        b"|0\r\n+OK\r\n",
        b"*3\r\n*2\r\n:1\r\n*1\r\n:2\r\n*0\r\n%1\r\n+k\r\n~1\r\n_\r\n",
    ];
    let framing = Framing::resp();
    for value in values {
        assert_eq!(read_all(&framing, value), Ok((vec![value.to_vec()], value.len())), "{}", value.escape_ascii());
        assert_eq!(framing.check(value), Ok(()), "{}", value.escape_ascii());
    }
    let wire = values.concat();
    assert_eq!(read_all(&framing, &wire), Ok((values.concat_each(), wire.len())));
}

#[test]
fn malformed_input_is_refused_at_its_first_wrong_byte_however_it_is_cut() {
    let rows: &[(Framing, &[u8], usize)] = &[
        (LengthPrefixed::new(1).adjustment(-2).into(), b"\x01", 0),
        (LengthPrefixed::new(4).offset(3).adjustment(-9).into(), b"abc\0\0\0\x08", 3),
        (Framing::modbus_tcp(), b"\0\x01\x01", 2),
        (Framing::modbus_tcp(), b"\0\x01\0\x01", 3),
        (Framing::modbus_tcp(), b"\0\x01\0\0\0\0", 4),
        (Framing::modbus_tcp(), b"\0\x01\0\0\0\x01", 4),
        (Framing::resp(), b"\r\n", 0),
        (Framing::resp(), b"HTTP/1.1 200 OK\r\n", 0),
        (Framing::resp(), b"+OK\n", 3),
        (Framing::resp(), b"+O\rK\r\n", 3),
        (Framing::resp(), b":\r\n", 1),
        (Framing::resp(), b":1x\r\n", 1),
        (Framing::resp(), b":-\r\n", 1),
        (Framing::resp(), b"(1.5\r\n", 1),
        (Framing::resp(), b",\r\n", 1),
        (Framing::resp(), b",1 2\r\n", 1),
        (Framing::resp(), b"#x\r\n", 1),
        (Framing::resp(), b"_x\r\n", 1),
        (Framing::resp(), b"$\r\n", 1),
        (Framing::resp(), b"$-2\r\n", 1),
        (Framing::resp(), b"$-\r\n", 2),
        (Framing::resp(), b"$-11\r\n", 1),
        (Framing::resp(), b"$+1\r\n", 1),
        (Framing::resp(), b"$1x", 2),
        (Framing::resp(), b"$1\rx", 3),
        (Framing::resp(), b"$000000000000000000001", 21),
        (Framing::resp(), b"$3\r\nabcd\r\n", 7),
        (Framing::resp(), b"$3\r\nabc\rx", 8),
        (Framing::resp(), b"!-1\r\n", 1),
        (Framing::resp(), b"=3\r\nabc\r\n", 1),
        (Framing::resp(), b"*-2\r\n", 1),
        (Framing::resp(), b"%-1\r\n", 1),
        (Framing::resp(), b"~-1\r\n", 1),
        (Framing::resp(), b">-1\r\n", 1),
        (Framing::resp(), b"|-1\r\n", 1),
        (Framing::resp(), b"*2\r\n:1\r\nx", 8),
        (Framing::resp(), b"$?\r\n", 1),
        (Framing::resp(), b"*?\r\n", 1),
        (Framing::resp(), b"%?\r\n", 1),
        (Framing::resp(), b"~?\r\n", 1),
        (Framing::resp(), b";4\r\n", 0),
        (Framing::resp(), b".\r\n", 0),
        (Framing::codec(Doubled), b"ab", 1),
        (Framing::codec(Broken(0)), b"ab", 0),
        (Framing::codec(Broken(9)), b"ab", 0),
    ];
    for (framing, wire, place) in rows {
        for error in [read_all(framing, wire).unwrap_err(), read_byte_by_byte(framing, wire).unwrap_err()] {
            let FramingError::Malformed { position, .. } = error else { panic!("{error} for {framing:?}") };
            assert_eq!(position, *place, "{framing:?} {}: {error}", wire.escape_ascii());
            assert_eq!(error.failure(), ProtocolFailure::Malformed);
        }
    }
}

#[test]
fn large_frames_that_come_byte_by_byte_are_scanned_in_linear_time() {
    // Quadratic, each of these would take 10^11 steps and the test would never end.
    let size = 500_000;
    let rows: Vec<(Framing, Vec<u8>)> = vec![
        (Framing::lines(), [vec![b'x'; size], b"\n".to_vec()].concat()),
        (Framing::delimiter(&b"\r\n"[..]), [vec![b'\r'; size], b"\r\n".to_vec()].concat()),
        (Framing::resp(), [b"+".to_vec(), vec![b'x'; size], b"\r\n".to_vec()].concat()),
        (Framing::resp(), [b"*100000\r\n".to_vec(), b"*1\r\n_\r\n".repeat(100_000)].concat()),
        (Framing::resp(), [format!("${size}\r\n").into_bytes(), vec![b'x'; size], b"\r\n".to_vec()].concat()),
    ];
    for (framing, wire) in rows {
        let mut framer = Framer::new(&framing);
        for end in 0..wire.len() {
            assert_eq!(framer.scan(&framing, &wire[..end]), Ok(Scan::Incomplete));
        }
        assert!(matches!(framer.scan(&framing, &wire), Ok(Scan::Frame { consumed, .. }) if consumed == wire.len()));
    }
}

#[test]
fn a_framer_that_was_reset_starts_a_new_frame() {
    let framing = Framing::resp();
    let mut framer = Framer::new(&framing);
    assert_eq!(framer.scan(&framing, b"*2\r\n:1\r\n"), Ok(Scan::Incomplete));
    framer.reset();
    assert_eq!(framer.scan(&framing, b":1\r\n"), Ok(Scan::Frame { consumed: 4, message: 0..4 }));
}

/// A framing, what is on the wire, and the messages in it.
type Row = (Framing, &'static [u8], &'static [&'static [u8]]);

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

trait ConcatEach {
    fn concat_each(&self) -> Vec<Vec<u8>>;
}

impl ConcatEach for [&[u8]] {
    fn concat_each(&self) -> Vec<Vec<u8>> {
        self.iter().map(|message| message.to_vec()).collect()
    }
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

/// Claims to have consumed so many bytes.
#[derive(Debug)]
struct Broken(usize);

impl Codec for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    fn scan(&self, _buffer: &[u8]) -> Result<Scan, FramingError> {
        Ok(Scan::Frame { consumed: self.0, message: 0..0 })
    }

    fn encode(&self, _message: &[u8], _out: &mut BytesMut) -> Result<(), FramingError> {
        Ok(())
    }
}
