//! What a writer holds: chunks on their way to the kernel, and urgent frames that overtake at a frame boundary.

use super::Standing;
use super::chunk::{Chunk, Special};
use super::queue::Queue;
use super::urgent::{Urgent, UrgentQueue};
use crate::correlator::Ticket;
use bytes::Bytes;
use std::collections::VecDeque;
use std::io::IoSlice;

/// What was handed to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandedOver {
    /// A part of a frame.
    Part,
    /// So many plain messages.
    Messages(usize),
    /// One message that somebody waits for, or that could have expired.
    Ticket {
        /// Who waits.
        ticket: Option<Ticket>,
        /// Whether it is a request.
        request: bool,
    },
    /// An urgent frame.
    Urgent(Urgent),
}

/// What the writing of some bytes came to.
pub(super) enum Step {
    /// Something was handed over; so many bytes of messages belong to it.
    HandedOver(HandedOver, usize),
    /// A chunk is handed over whole.
    Finished(Chunk),
}

/// Chunks on their way to the kernel. Owned by the writer of one connection.
#[derive(Debug, Default)]
pub struct Flight {
    chunks: Queue<Chunk>,
    urgent: UrgentQueue,
}

impl Flight {
    /// Makes an empty flight.
    pub fn new() -> Flight {
        Flight::default()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.urgent.is_empty()
    }

    /// Bytes of messages to write, urgent frames not counted.
    pub fn bytes(&self) -> usize {
        self.chunks.iter().map(Chunk::bytes).sum()
    }

    /// Bytes of urgent frames that wait.
    pub fn urgent_bytes(&self) -> usize {
        self.urgent.bytes()
    }

    /// Bytes of automatic answers that wait.
    pub fn answer_bytes(&self) -> usize {
        self.urgent.answer_bytes()
    }

    /// Queues a frame that overtakes at the next frame boundary.
    pub fn push_urgent(&mut self, frame: Bytes, kind: Urgent) {
        self.urgent.push_back((frame, kind));
    }

    /// Gives back the room for chunks: a burst is over.
    pub fn rest(&mut self) {
        self.chunks.rest();
    }

    pub(super) fn push(&mut self, chunk: Chunk) {
        self.chunks.push_back(chunk);
    }

    /// Fills `slices` with what comes next on the wire; says how many were filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        let mut put = |bytes: &'a [u8]| {
            if bytes.is_empty() || filled == slices.len() {
                return;
            }
            slices[filled] = IoSlice::new(bytes);
            filled += 1;
        };
        if !self.urgent.is_empty() {
            if !self.urgent.is_begun()
                && let Some(chunk) = self.chunks.front()
            {
                chunk.rest(chunk.rest_of_frame()).into_iter().for_each(&mut put);
            }
            self.urgent.rests().for_each(put);
            return filled;
        }
        for chunk in self.chunks.iter() {
            chunk.rest(usize::MAX).into_iter().for_each(&mut put);
        }
        filled
    }

    /// Tells that `written` bytes of what [`Flight::slices`] showed are handed over, the first of them at `offset` of the
    /// stream. `report` gets what was completed.
    pub(super) fn advance(&mut self, mut offset: u64, mut written: usize, mut report: impl FnMut(Step)) {
        if !self.urgent.is_empty() && !self.urgent.is_begun() {
            let rest = self.chunks.front().map_or(0, Chunk::rest_of_frame).min(written);
            written -= rest;
            self.advance_chunk(offset, rest, &mut report);
            offset += rest as u64;
        }
        while written > 0 && !self.urgent.is_empty() {
            let (step, whole) = self.urgent.advance(written);
            written -= step;
            offset += step as u64;
            if let Some(kind) = whole {
                report(Step::HandedOver(HandedOver::Urgent(kind), 0));
            }
        }
        while written > 0 {
            let Some(chunk) = self.chunks.front() else { break };
            debug_assert!(!chunk.is_done(), "a chunk without bytes in flight");
            let step = chunk.bytes().min(written);
            written -= step.max(1);
            self.advance_chunk(offset, step, &mut report);
            offset += step as u64;
        }
    }

    /// Tells that `written` bytes are handed over on a connection that has no messages yet. `report` gets each frame that
    /// was completed.
    pub fn advance_urgent(&mut self, written: usize, mut report: impl FnMut(Urgent)) {
        self.advance(0, written, |step| match step {
            Step::HandedOver(HandedOver::Urgent(kind), _) => report(kind),
            Step::HandedOver(HandedOver::Part | HandedOver::Messages(_) | HandedOver::Ticket { .. }, _)
            | Step::Finished(_) => {}
        });
    }

    fn advance_chunk(&mut self, offset: u64, count: usize, report: &mut impl FnMut(Step)) {
        let Some(chunk) = self.chunks.front_mut() else { return };
        if count == 0 {
            return;
        }
        report(Step::HandedOver(HandedOver::Part, count));
        chunk.note(offset);
        chunk.advance(count, |frames, special| {
            let handed_over = match special {
                None => HandedOver::Messages(frames),
                Some(special) => HandedOver::Ticket { ticket: special.ticket, request: special.request },
            };
            report(Step::HandedOver(handed_over, 0));
        });
        if chunk.is_done()
            && let Some(chunk) = self.chunks.pop_front()
        {
            report(Step::Finished(chunk));
        }
    }

    /// Reports the acknowledged frames of the chunk that is being written.
    pub(super) fn settle(&mut self, standing: Standing, report: impl FnMut(usize, Option<Special>)) {
        if let Some(chunk) = self.chunks.front_mut() {
            chunk.settle(standing, report);
        }
    }

    /// Takes the frames that are handed over as settled: nobody will ask for their outcome.
    pub(super) fn forget_done(&mut self) {
        if let Some(chunk) = self.chunks.front_mut() {
            chunk.forget_done();
        }
    }

    /// Gives back the chunks; urgent frames die with their connection.
    pub(super) fn drain(&mut self) -> VecDeque<Chunk> {
        std::mem::take(self).chunks.take()
    }
}
