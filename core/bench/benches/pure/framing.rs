//! Putting a frame around a message, and finding the messages in what was read.

use bytes::BytesMut;
use criterion::{BenchmarkId, Criterion, Throughput};
use keepline_proto::framing::{Framer, Framing, Scan};
use std::hint::black_box;

/// About what one read brings.
const READ: usize = 64 * 1024;

fn framings() -> [(&'static str, Framing, Vec<u8>); 5] {
    let registers = [&[0, 1, 0, 0, 0, 13, 1, 3, 10][..], &[7; 10][..]].concat();
    [
        ("length 16 B", Framing::length_prefixed(4), vec![7; 16]),
        ("length 256 B", Framing::length_prefixed(4), vec![7; 256]),
        ("line 64 B", Framing::lines(), vec![b'x'; 64]),
        ("modbus 5 registers", Framing::modbus_tcp(), registers),
        ("resp bulk 64 B", Framing::resp(), [&b"$64\r\n"[..], &[b'x'; 64], b"\r\n"].concat()),
    ]
}

/// One message into a buffer with room.
pub(crate) fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("framing encode");
    for (name, framing, message) in framings() {
        let mut out = BytesMut::with_capacity(2 * READ);
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| {
                if out.len() > READ {
                    out.clear();
                }
                framing.encode(black_box(&message), &mut out)
            });
        });
    }
    group.finish();
}

/// All messages of one read; the figure per element is that of one message.
pub(crate) fn scan(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("framing scan");
    for (name, framing, message) in framings() {
        let mut wire = BytesMut::new();
        let mut count = 0;
        while wire.len() < READ && framing.encode(&message, &mut wire).is_ok() {
            count += 1;
        }
        assert_eq!(frames(&framing, &wire), count, "{name}");
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| frames(&framing, black_box(&wire)));
        });
    }
    group.finish();
}

fn frames(framing: &Framing, mut rest: &[u8]) -> u64 {
    let mut framer = Framer::new(framing);
    let mut count = 0;
    while let Ok(Scan::Frame { consumed, message }) = framer.scan(framing, rest) {
        black_box(&rest[message]);
        rest = &rest[consumed..];
        count += 1;
    }
    count
}
