//! A message's way through the outbox, without the lock and without the socket.

use bytes::{Bytes, BytesMut};
use criterion::{BenchmarkId, Criterion, Throughput};
use keepline_proto::config::OutboxLimits;
use keepline_proto::framing::{Framing, FramingError};
use keepline_proto::outbox::{Accounting, Flight, Meta, Outbox};
use keepline_proto::{Epoch, Time};

/// Messages between two turns of the driver.
const TURN: u64 = 1000;

/// Pushes a turn's messages, takes them write by write, and tells the outbox that they are handed over.
pub(crate) fn push_and_take(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("outbox push, take, advance");
    group.throughput(Throughput::Elements(TURN));
    for size in [16, 256, 4096] {
        let payload = Bytes::from(vec![7; size]);
        let mut queue = Queue::new();
        group.bench_function(BenchmarkId::from_parameter(format!("{size} B")), |bencher| {
            bencher.iter(|| queue.turn(&payload).expect("a message of this size fits"));
        });
    }
    group.finish();
}

struct Queue {
    framing: Framing,
    outbox: Outbox,
    flight: Flight,
}

impl Queue {
    fn new() -> Queue {
        let limits = OutboxLimits { messages: 1 << 20, bytes: 1 << 30, age: None };
        let mut outbox = Outbox::new(limits);
        outbox.open(Epoch(1), Accounting::HandedOver, 0);
        // As while there is traffic: the buffers go round.
        outbox.cork();
        Queue { framing: Framing::length_prefixed(4), outbox, flight: Flight::new() }
    }

    fn turn(&mut self, payload: &Bytes) -> Result<(), FramingError> {
        for _ in 0..TURN {
            let size = self.framing.encoded_len_hint(payload.len());
            let encode = |out: &mut BytesMut| self.framing.encode(payload, out);
            self.outbox.push(Meta::default(), size, encode)?;
        }
        let mut settled = Vec::new();
        while self.outbox.has_waiting() {
            self.outbox.take(Time::ZERO, &mut self.flight, &mut settled);
            let bytes = self.flight.bytes();
            self.outbox.advance(&mut self.flight, bytes, |_, _| {});
        }
        assert!(self.outbox.is_empty() && settled.is_empty());
        Ok(())
    }
}
