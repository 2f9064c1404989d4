//! One direction of one connection: what becomes of the bytes between reading and writing. Pure; time is an argument.

use super::fault::{Direction, End, Fault};
use super::history::What;
use super::settings::Settings;
use fastrand::Rng;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// 1 MiB may wait in the proxy per direction; beyond it the sender feels back-pressure, as behind a real queue.
const QUEUE_LIMIT: usize = 1024 * 1024;
/// 16 MiB while held: what is held looks delivered to the sender, so it must not end too early.
const HOLD_LIMIT: usize = 16 * 1024 * 1024;
/// A slow line takes in bytes for a quarter second ahead, so that setting it does not hide megabytes in the proxy.
const AHEAD: Duration = Duration::from_millis(250);
/// A slow line is fed in steps of a fiftieth of a second: smooth, and far above the timer's grain of 1 ms.
const STEPS_PER_SECOND: u64 = 50;

/// What happens to the connection once the queue is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// The receiver reads the end of the stream.
    Finish,
    /// The whole connection ends.
    Cut(End),
}

/// The bytes of one direction on their way.
#[derive(Debug)]
pub(super) struct Filter {
    direction: Direction,
    settings: Settings,
    rng: Rng,
    received: u64,
    forwarded: u64,
    queue: VecDeque<Piece>,
    queued: usize,
    /// When the last queued piece is due; none may be due before it.
    horizon: Option<Instant>,
    silent: bool,
    half_closed: bool,
    source_over: bool,
    sink_over: bool,
}

#[derive(Debug)]
struct Piece {
    due: Instant,
    bytes: Vec<u8>,
    written: usize,
}

impl Filter {
    pub(super) fn new(direction: Direction, settings: Settings, seed: u64) -> Filter {
        Filter {
            direction,
            settings,
            rng: Rng::with_seed(seed),
            received: 0,
            forwarded: 0,
            queue: VecDeque::new(),
            queued: 0,
            horizon: None,
            silent: false,
            half_closed: false,
            source_over: false,
            sink_over: false,
        }
    }

    /// Takes a fault on, in the middle of the stream.
    pub(super) fn apply(&mut self, fault: &Fault, now: Instant, note: &mut impl FnMut(What)) {
        self.silent = self.is_silent();
        self.settings.apply(fault, self.received);
        match fault {
            Fault::Pass => {
                for piece in &mut self.queue {
                    piece.due = now;
                }
                self.horizon = None;
            }
            Fault::DropAfter { bytes: 0 } => self.go_silent(note),
            Fault::Inject { bytes } => {
                if !self.is_silent() && !self.half_closed && !self.sink_over {
                    let (offset, count) = (self.forwarded + self.queued as u64, bytes.len() as u64);
                    note(What::Injected { direction: self.direction, offset, bytes: count });
                    self.enqueue(bytes, now);
                }
            }
            Fault::HalfClose => self.half_closed = true,
            Fault::Latency { .. }
            | Fault::Rate { .. }
            | Fault::Slice { .. }
            | Fault::Limit { .. }
            | Fault::Stall
            | Fault::Hold
            | Fault::Release
            | Fault::DropAfter { .. }
            | Fault::Corrupt { .. }
            | Fault::Duplicate => {}
        }
    }

    /// Drops what is on its way and everything later, for ever.
    pub(super) fn go_silent(&mut self, note: &mut impl FnMut(What)) {
        self.silent = true;
        self.discard_queue(note);
    }

    pub(super) fn is_silent(&self) -> bool {
        self.silent || self.settings.silent_from.is_some_and(|from| self.received >= from)
    }

    /// How many bytes to read now; `None` if nothing is to be read.
    pub(super) fn appetite(&self, now: Instant) -> Option<usize> {
        let limit = if self.settings.hold { HOLD_LIMIT } else { QUEUE_LIMIT };
        let ahead = self.horizon.map_or(Duration::ZERO, |due| due.saturating_duration_since(now));
        let reach = self.settings.delay + self.settings.jitter + AHEAD;
        let closed = self.source_over || self.settings.stall || self.limit_reached();
        if closed || self.queued >= limit || (ahead > reach && !self.is_silent()) {
            return None;
        }
        let by_rate = self.settings.rate.map_or(u64::MAX, |rate| rate / STEPS_PER_SECOND);
        let by_rate = usize::try_from(by_rate).unwrap_or(usize::MAX);
        let by_slice = self.settings.slice.map_or(usize::MAX, |(size, _)| size);
        Some(by_rate.min(by_slice).max(1))
    }

    /// Takes in bytes that were read from the sender.
    pub(super) fn admit(&mut self, chunk: &[u8], now: Instant, note: &mut impl FnMut(What)) {
        let start = self.received;
        let length = chunk.len() as u64;
        let direction = self.direction;
        let passing = self.passing(start, length);
        self.received += length;
        note(What::Received { direction, offset: start, bytes: length });
        if passing < length {
            note(What::Dropped { direction, offset: start + passing, bytes: length - passing });
        }
        let mut bytes = chunk[..usize::try_from(passing).unwrap_or(chunk.len())].to_vec();
        self.settings.corrupt.retain(|(offset, mask)| {
            let hit = offset.checked_sub(start).and_then(|at| bytes.get_mut(usize::try_from(at).ok()?));
            if let Some(byte) = hit {
                *byte ^= mask;
                note(What::Corrupted { direction, offset: *offset, mask: *mask });
                return false;
            }
            true
        });
        self.enqueue(&bytes, now);
        if self.settings.duplicate && !bytes.is_empty() {
            note(What::Duplicated { direction, offset: start, bytes: passing });
            self.enqueue(&bytes, now);
        }
    }

    /// Notes that the sender has ended or reset its stream; tells whether anybody is to know.
    pub(super) fn source_ended(&mut self, note: &mut impl FnMut(What)) -> bool {
        self.source_over = true;
        if self.is_silent() {
            note(What::Swallowed { direction: self.direction });
        }
        !self.is_silent()
    }

    /// Notes that nothing can be written to the receiver any more.
    pub(super) fn sink_ended(&mut self, note: &mut impl FnMut(What)) {
        self.sink_over = true;
        self.discard_queue(note);
    }

    /// The bytes to write now.
    pub(super) fn front(&self, now: Instant) -> Option<&[u8]> {
        let piece = self.queue.front().filter(|piece| piece.due <= now && !self.settings.hold)?;
        piece.bytes.get(piece.written..)
    }

    /// When the next bytes are due, if that lies after `now`; earlier ones wait for the receiver, not for the clock.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        self.queue.front().map(|piece| piece.due).filter(|due| *due > now && !self.settings.hold)
    }

    /// Notes that the receiver's kernel took `count` bytes of the front.
    pub(super) fn handed_over(&mut self, count: usize, note: &mut impl FnMut(What)) {
        note(What::Forwarded { direction: self.direction, offset: self.forwarded, bytes: count as u64 });
        self.forwarded += count as u64;
        self.queued -= count;
        if let Some(piece) = self.queue.front_mut() {
            piece.written += count;
            if piece.written >= piece.bytes.len() {
                self.queue.pop_front();
            }
        }
    }

    /// What is to be done now that nothing waits to be written.
    pub(super) fn tail(&self) -> Option<Tail> {
        if !self.queue.is_empty() || self.settings.hold || self.sink_over {
            return None;
        }
        match self.settings.limit {
            Some((_, end)) if self.limit_reached() => Some(Tail::Cut(end)),
            _ if self.half_closed || (self.source_over && !self.is_silent()) => Some(Tail::Finish),
            _ => None,
        }
    }

    /// Notes that the receiver was told the end of the stream.
    pub(super) fn finished(&mut self, note: &mut impl FnMut(What)) {
        self.sink_over = true;
        note(What::Finished { direction: self.direction });
    }

    /// Whether nothing can come of this direction any more.
    pub(super) fn is_over(&self) -> bool {
        self.source_over && (self.sink_over || self.is_silent())
    }

    pub(super) fn received(&self) -> u64 {
        self.received
    }

    pub(super) fn forwarded(&self) -> u64 {
        self.forwarded
    }

    fn limit_reached(&self) -> bool {
        self.settings.limit.is_some_and(|(at, _)| self.received >= at)
    }

    /// How many of the bytes from `start` on get through.
    fn passing(&self, start: u64, length: u64) -> u64 {
        if self.silent || self.half_closed || self.sink_over {
            return 0;
        }
        let silent_from = self.settings.silent_from.unwrap_or(u64::MAX);
        let limit = self.settings.limit.map_or(u64::MAX, |(at, _)| at);
        silent_from.min(limit).saturating_sub(start).min(length)
    }

    fn discard_queue(&mut self, note: &mut impl FnMut(What)) {
        if self.queued > 0 {
            note(What::Dropped { direction: self.direction, offset: self.received, bytes: self.queued as u64 });
        }
        self.queue.clear();
        self.queued = 0;
        self.horizon = None;
    }

    fn enqueue(&mut self, bytes: &[u8], now: Instant) {
        if bytes.is_empty() {
            return;
        }
        let jitter = self.settings.jitter.mul_f64(self.rng.f64());
        let arrival = now + self.settings.delay + jitter;
        let by_rate = self.settings.rate.map_or(u64::MAX, |rate| (rate / STEPS_PER_SECOND).max(1));
        let by_slice = self.settings.slice.map_or(usize::MAX, |(size, _)| size);
        let size = usize::try_from(by_rate).unwrap_or(usize::MAX).min(by_slice);
        for piece in bytes.chunks(size) {
            // The gap and the time on the line follow the piece before; latency lets bytes travel side by side.
            let gap = self.settings.slice.map_or(Duration::ZERO, |(_, gap)| gap);
            let on_line = self.settings.rate.map_or(Duration::ZERO, |rate| time_on_line(piece.len(), rate));
            let after_last = self.horizon.map_or(arrival, |horizon| horizon + gap);
            let due = arrival.max(after_last) + on_line;
            self.horizon = Some(due);
            self.queued += piece.len();
            self.queue.push_back(Piece { due, bytes: piece.to_vec(), written: 0 });
        }
    }
}

fn time_on_line(bytes: usize, rate: u64) -> Duration {
    let nanos = u128::from(rate.max(1));
    let nanos = (bytes as u128 * 1_000_000_000) / nanos;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_keeps_the_order_whatever_the_jitter_draws() {
        let now = Instant::now();
        let mut filter = filter(&Fault::Latency { delay: millis(10), jitter: millis(100) });
        for byte in 0..100u8 {
            filter.admit(&[byte], now + millis(u64::from(byte)), &mut ignore());
        }
        assert_eq!(drain(&mut filter, now + millis(9)), b"");
        assert_eq!(drain(&mut filter, now + millis(400)), (0..100).collect::<Vec<u8>>());
    }

    #[test]
    fn rate_lets_exactly_its_share_through() {
        let now = Instant::now();
        let mut filter = filter(&Fault::Rate { bytes_per_second: 1000 });
        filter.admit(&[7; 500], now, &mut ignore());
        assert_eq!(drain(&mut filter, now + millis(100)).len(), 100);
        assert_eq!(drain(&mut filter, now + millis(500)).len(), 400);
    }

    #[test]
    fn rate_takes_in_no_more_than_a_quarter_second_ahead() {
        let now = Instant::now();
        let mut filter = filter(&Fault::Rate { bytes_per_second: 1000 });
        while let Some(appetite) = filter.appetite(now) {
            filter.admit(&vec![1; appetite], now, &mut ignore());
        }
        assert_eq!(filter.received(), 260, "a quarter second and one step of 20 ms");
    }

    #[test]
    fn slices_are_a_gap_apart() {
        let now = Instant::now();
        let mut filter = filter(&Fault::Slice { size: 2, gap: millis(10) });
        filter.admit(b"abcde", now, &mut ignore());
        assert_eq!(drain(&mut filter, now), b"ab");
        assert_eq!(drain(&mut filter, now + millis(10)), b"cd");
        assert_eq!(drain(&mut filter, now + millis(19)), b"");
        assert_eq!(drain(&mut filter, now + millis(20)), b"e");
    }

    #[test]
    fn offsets_count_from_the_call() {
        let now = Instant::now();
        let mut filter = filter(&Fault::Pass);
        filter.admit(b"before", now, &mut ignore());
        filter.apply(&Fault::Corrupt { offset: 1, mask: 0x20 }, now, &mut ignore());
        filter.apply(&Fault::Limit { bytes: 3, end: End::Fin }, now, &mut ignore());
        filter.admit(b"ABCDE", now, &mut ignore());
        assert_eq!(drain(&mut filter, now), b"beforeAbC");
        assert_eq!(filter.tail(), Some(Tail::Cut(End::Fin)));
    }

    #[test]
    fn silence_outlives_the_clearing_of_faults() {
        let now = Instant::now();
        let mut filter = filter(&Fault::DropAfter { bytes: 2 });
        filter.admit(b"abc", now, &mut ignore());
        filter.apply(&Fault::Pass, now, &mut ignore());
        filter.admit(b"def", now, &mut ignore());
        assert_eq!(drain(&mut filter, now), b"ab");
        assert!(!filter.source_ended(&mut ignore()), "the end of the stream is swallowed as well");
    }

    #[test]
    fn held_bytes_and_the_end_of_the_stream_wait_for_the_release() {
        let now = Instant::now();
        let mut filter = filter(&Fault::Hold);
        filter.admit(b"abc", now, &mut ignore());
        filter.source_ended(&mut ignore());
        assert_eq!((filter.front(now), filter.tail()), (None, None));
        filter.apply(&Fault::Release, now, &mut ignore());
        assert_eq!(drain(&mut filter, now), b"abc");
        assert_eq!(filter.tail(), Some(Tail::Finish));
    }

    fn filter(fault: &Fault) -> Filter {
        let mut filter = Filter::new(Direction::Up, Settings::default(), 1);
        filter.apply(fault, Instant::now(), &mut ignore());
        filter
    }

    fn drain(filter: &mut Filter, now: Instant) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(bytes) = filter.front(now) {
            all.extend_from_slice(bytes);
            let count = bytes.len();
            filter.handed_over(count, &mut ignore());
        }
        all
    }

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn ignore() -> impl FnMut(What) {
        |_| {}
    }
}
