//! Properties of all framings: the same messages however the bytes are cut, and what is written is read again.

use bytes::{Bytes, BytesMut};
use keepline_proto::framing::{Endian, Framer, Framing, FramingError, LengthPrefixed, Scan};
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn messages_are_the_same_however_the_bytes_are_cut(
        (framing, messages) in framing_with_messages(),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut wire = BytesMut::new();
        for message in &messages {
            prop_assert!(framing.encode(message, &mut wire).is_ok());
        }
        let whole = read(&framing, &wire, &[]);
        prop_assert_eq!(&whole, &(messages, Ok(wire.len())));
        prop_assert_eq!(&read(&framing, &wire, &ends(&cuts, wire.len())), &whole);
        let every: Vec<usize> = (0..wire.len()).collect();
        prop_assert_eq!(&read(&framing, &wire, &every), &whole);
    }

    #[test]
    fn arbitrary_bytes_get_the_same_verdict_however_they_are_cut(
        framing in any_framing(),
        wire in hostile_bytes(),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let whole = read(&framing, &wire, &[]);
        let cut = read(&framing, &wire, &ends(&cuts, wire.len()));
        prop_assert!(is_same(&cut, &whole), "{cut:?} != {whole:?}");
        let every: Vec<usize> = (0..wire.len()).collect();
        let cut = read(&framing, &wire, &every);
        prop_assert!(is_same(&cut, &whole), "{cut:?} != {whole:?}");
    }

    #[test]
    fn a_message_that_passes_the_check_is_read_as_it_was_written(
        framing in any_framing(),
        message in hostile_bytes(),
    ) {
        let mut wire = BytesMut::new();
        let written = framing.encode(&message, &mut wire);
        prop_assert_eq!(written, framing.check(&message));
        let is_inline_command = matches!(framing, Framing::Resp { .. }) && message.first().is_some_and(u8::is_ascii_alphabetic);
        // A line that ends with a carriage return is read without it, by intent.
        let is_crlf = matches!(framing, Framing::Lines { .. }) && message.ends_with(b"\r");
        if written.is_ok() && !is_inline_command && !is_crlf {
            prop_assert!(wire.len() <= framing.encoded_len_hint(message.len()));
            let length = wire.len();
            prop_assert_eq!(read(&framing, &wire, &[]), (vec![message], Ok(length)));
        }
    }

    #[test]
    fn no_message_is_longer_than_the_maximum(framing in any_framing(), wire in hostile_bytes()) {
        let (messages, _) = read(&framing, &wire, &[]);
        prop_assert!(messages.iter().all(|message| message.len() <= framing.max()));
    }
}

/// Nesting that is too deep may be told later, never as something else: it is checked at the end of the value and each
/// time when twice as many bytes have come.
fn is_same(one: &Verdict, other: &Verdict) -> bool {
    let is_too_deep = |verdict: &Verdict| {
        matches!(verdict.1, Err(FramingError::Malformed { rule: "aggregates are nested too deep", .. }))
    };
    one == other || (one.0 == other.0 && (is_too_deep(one) && other.1.is_ok() || is_too_deep(other) && one.1.is_ok()))
}

type Verdict = (Vec<Vec<u8>>, Result<usize, FramingError>);

/// Reads as the bytes arrive up to each of `ends` and then to the last; tells the messages and the bytes consumed.
fn read(framing: &Framing, wire: &[u8], ends: &[usize]) -> Verdict {
    let mut framer = Framer::new(framing);
    let mut messages = Vec::new();
    let mut start = 0;
    for end in ends.iter().copied().chain([wire.len()]) {
        loop {
            match framer.scan(framing, &wire[start..end]) {
                Ok(Scan::Frame { consumed, message }) => {
                    messages.push(wire[start..end][message].to_vec());
                    start += consumed;
                }
                Ok(Scan::Incomplete) => break,
                Err(error) => return (messages, Err(error)),
            }
        }
    }
    (messages, Ok(start))
}

fn ends(cuts: &[prop::sample::Index], length: usize) -> Vec<usize> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(length + 1)).collect();
    ends.sort_unstable();
    ends
}

/// Every framing but raw, whose messages are the cuts themselves, with a small maximum that hostile bytes can reach.
fn any_framing() -> impl Strategy<Value = Framing> {
    let max = 8_usize..64;
    prop_oneof![
        max.clone().prop_map(|max| Framing::Lines { max }),
        (delimiter(), max.clone()).prop_map(|(delimiter, max)| Framing::Delimiter { delimiter, max }),
        length_prefixed(max.clone()).prop_map(Framing::LengthPrefixed),
        (1_usize..20).prop_map(Framing::fixed),
        Just(Framing::ModbusTcp),
        // 600: deep enough for the limit on nesting.
        (3_usize..600).prop_map(|max| Framing::Resp { max }),
    ]
}

fn delimiter() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        Just(Bytes::from_static(b"\r\n")),
        Just(Bytes::from_static(b"\0")),
        Just(Bytes::from_static(b"\r\r\n")),
        vec(prop::sample::select(b"\r\n+".to_vec()), 1..5).prop_map(Bytes::from),
    ]
}

fn length_prefixed(max: std::ops::Range<usize>) -> impl Strategy<Value = LengthPrefixed> {
    let width = prop::sample::select(vec![1_usize, 2, 4, 8]);
    let endian = prop::sample::select(vec![Endian::Big, Endian::Little]);
    (width, endian, 0_usize..5, -12_i64..12, any::<bool>(), max).prop_map(
        |(width, endian, offset, adjustment, strip, max)| {
            LengthPrefixed::new(width).endian(endian).offset(offset).adjustment(adjustment).strip(strip).max(max + 13)
        },
    )
}

/// Bytes that look like frames often enough to get deep into every scanner.
fn hostile_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        vec(any::<u8>(), 0..8),
        vec(prop::sample::select(b"\r\n\0\x01\x02\x03+-:$*_,#!=(%~>|;?0123459abt".to_vec()), 0..8),
        prop::sample::select(vec![
            b"\r\n".to_vec(),
            b"*1\r\n".to_vec(),
            b"*2\r\n".to_vec(),
            b"%1\r\n".to_vec(),
            b"|1\r\n".to_vec(),
            b"$-1\r\n".to_vec(),
            b"$3\r\nabc\r\n".to_vec(),
            b":1\r\n".to_vec(),
            b"+OK\r\n".to_vec(),
            b"\0\x01\0\0\0\x02\x01\x07".to_vec(),
        ]),
        (1_usize..50).prop_map(|depth| b"*1\r\n".repeat(depth)),
    ];
    vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

/// A framing with messages that it can tell.
fn framing_with_messages() -> impl Strategy<Value = (Framing, Vec<Vec<u8>>)> {
    let bytes = || vec(any::<u8>(), 0..40);
    let many = 1_usize..8;
    prop_oneof![
        vec(without(bytes(), b"\r\n"), many.clone()).prop_map(|messages| (Framing::lines(), messages)),
        (delimiter(), vec(without(bytes(), b"\r\n+\0"), many.clone()))
            .prop_map(|(delimiter, messages)| (Framing::delimiter(delimiter), messages)),
        (length_prefixed(100..101), vec(bytes(), many.clone())).prop_map(|(prefix, bodies)| {
            let messages = bodies.into_iter().map(|body| with_length(&prefix, body)).collect();
            (Framing::LengthPrefixed(prefix), messages)
        }),
        (1_usize..20, many.clone(), any::<u8>())
            .prop_map(|(size, count, fill)| { (Framing::fixed(size), vec![vec![fill; size]; count]) }),
        vec(vec(any::<u8>(), 2..=254), many.clone()).prop_map(|bodies| {
            let messages = bodies.into_iter().map(|body| [vec![0, 9, 0, 0, 0, body.len() as u8], body].concat());
            (Framing::modbus_tcp(), messages.collect())
        }),
        vec(resp_value(), many).prop_map(|messages| (Framing::resp(), messages)),
    ]
}

fn without(bytes: impl Strategy<Value = Vec<u8>>, refused: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    bytes.prop_map(move |bytes| bytes.into_iter().filter(|byte| !refused.contains(byte)).collect())
}

/// Makes `body` a message of this framing: long enough for a positive adjustment, with its header if it is the sender's.
fn with_length(prefix: &LengthPrefixed, mut body: Vec<u8>) -> Vec<u8> {
    let shortest = usize::try_from(prefix.adjustment).unwrap_or(0);
    body.resize(body.len().max(shortest), b'.');
    if prefix.strips() {
        return body;
    }
    let value = u64::try_from(body.len() as i64 - prefix.adjustment).unwrap_or(0);
    let field = match prefix.endian {
        Endian::Big => value.to_be_bytes()[8 - prefix.width..].to_vec(),
        Endian::Little => value.to_le_bytes()[..prefix.width].to_vec(),
    };
    [vec![b'h'; prefix.offset], field, body].concat()
}

fn resp_value() -> impl Strategy<Value = Vec<u8>> {
    let text = || without(vec(any::<u8>(), 0..20), b"\r\n");
    let leaf = prop_oneof![
        (prop::sample::select(b"+-".to_vec()), text())
            .prop_map(|(kind, text)| [vec![kind], text, b"\r\n".to_vec()].concat()),
        any::<i64>().prop_map(|number| format!(":{number}\r\n").into_bytes()),
        any::<i128>().prop_map(|number| format!("({number}\r\n").into_bytes()),
        any::<f64>().prop_map(|number| format!(",{number}\r\n").into_bytes()),
        (prop::sample::select(b"$!".to_vec()), vec(any::<u8>(), 0..40)).prop_map(|(kind, data)| {
            [vec![kind], format!("{}\r\n", data.len()).into_bytes(), data, b"\r\n".to_vec()].concat()
        }),
        prop::sample::select(vec![
            b"$-1\r\n".to_vec(),
            b"*-1\r\n".to_vec(),
            b"_\r\n".to_vec(),
            b"#t\r\n".to_vec(),
            b"=5\r\nmkd:*\r\n".to_vec(),
        ]),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            (prop::sample::select(b"*~>".to_vec()), vec(inner.clone(), 0..6)).prop_map(|(kind, values)| {
                [vec![kind], format!("{}\r\n", values.len()).into_bytes(), values.concat()].concat()
            }),
            vec((inner.clone(), inner.clone()), 0..4).prop_map(|pairs| {
                let count = format!("%{}\r\n", pairs.len()).into_bytes();
                [count, pairs.into_iter().flat_map(|(key, value)| [key, value]).collect::<Vec<_>>().concat()].concat()
            }),
            (inner.clone(), inner.clone(), inner).prop_map(|(key, value, described)| [
                b"|1\r\n".to_vec(),
                key,
                value,
                described
            ]
            .concat()),
        ]
    })
}
