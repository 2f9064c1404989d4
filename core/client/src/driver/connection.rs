//! One living connection: its socket, its partial frame, its writes in flight. Nothing of it survives its epoch.

use super::early::Early;
use super::frames::{self, Arrived};
use crate::clock;
use crate::io::ending_of;
use crate::io::transport::{Socket, Transport};
use crate::message::Message;
use crate::shared::Shared;
use crate::stats::add;
use bytes::{Bytes, BytesMut};
use keepline_proto::cause::{ProtocolFailure, TlsFailure};
use keepline_proto::correlator::Correlation;
use keepline_proto::framing::{Framer, Framing};
use keepline_proto::outbox::{AckedBy, Flight, Urgent};
use keepline_proto::secret::wiped;
use keepline_proto::subscriptions::Subscription;
use keepline_proto::{Cause, Ending, Epoch, KernelFigures, Time};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};

/// Automatic answers that may wait to be written; then reading stops, so that a flood of pings feeds no queue.
const URGENT_LIMIT: usize = 64 * 1024;

/// What a read brought.
pub(super) enum ReadStep {
    /// Nothing to read now, or no room for it.
    Nothing,
    /// The inbox has room again.
    Room,
    /// Bytes.
    Bytes(Arrived),
    /// The connection is over.
    Ended(Ending),
}

pub(crate) struct Connection {
    pub(super) epoch: Epoch,
    pub(super) transport: Transport,
    /// The beginning of a frame that has not arrived whole.
    pub(super) partial: Option<Box<Partial>>,
    pub(super) early: Option<Box<Early>>,
    pub(super) frame_open: bool,
    pub(super) flight: Flight,
    /// The gate is open: messages of the outbox may be taken.
    pub(super) is_open: bool,
    pub(super) blocked: bool,
    /// The last read was large.
    pub(super) is_busy: bool,
    pub(super) draining: bool,
    pub(super) half_closed: bool,
    /// When the kernel is asked next what became of messages, and how long that is after the last time.
    pub(super) look_at: Time,
    pub(super) look_pause_ms: u16,
    /// An empty turn has passed since the last message.
    pub(super) yielded: bool,
    /// The declared heartbeat waits to be written: it takes no place in the flight unless something is before it.
    pub(super) heartbeat_due: bool,
    pub(super) heartbeats_outstanding: u16,
    /// In microseconds of the clock, which come round after 71 minutes: later than any answer.
    heartbeat_sent: u32,
    pub(super) last_received: Time,
}

/// The beginning of a frame, and how far it was searched for its end.
#[derive(Default)]
pub(super) struct Partial {
    pub(super) bytes: BytesMut,
    pub(super) framer: Framer,
}

impl Connection {
    pub(super) fn new(epoch: Epoch, (socket, acked_by): (Socket, AckedBy)) -> Connection {
        let (transport, inline_half) = Transport::new(socket);
        Connection {
            epoch,
            transport,
            partial: None,
            early: Some(Box::new(Early { inline_half, acked_by, ..Early::default() })),
            frame_open: false,
            flight: Flight::new(),
            is_open: false,
            blocked: false,
            is_busy: false,
            draining: false,
            half_closed: false,
            look_at: Time::FAR_FUTURE,
            look_pause_ms: 0,
            yielded: false,
            heartbeat_due: false,
            heartbeats_outstanding: 0,
            heartbeat_sent: 0,
            last_received: clock::now(),
        }
    }

    /// Whether what arrives for the user waits for the gate.
    pub(super) fn is_held(&self) -> bool {
        !self.is_open && self.early.as_ref().is_some_and(|early| early.is_beside)
    }

    pub(super) fn kernel_figures(&self) -> KernelFigures {
        self.transport.kernel_figures()
    }

    /// The socket, and the bytes that were read from it and belong to its next owner.
    pub(crate) fn into_socket(mut self) -> (Option<Socket>, Bytes, Epoch) {
        let mut prefix = BytesMut::new();
        self.parked().for_each(|message| prefix.extend_from_slice(&message.payload));
        self.partial.iter().for_each(|partial| prefix.extend_from_slice(&partial.bytes));
        let writer = self.take_inline_half();
        (self.transport.into_socket(writer), prefix.freeze(), self.epoch)
    }

    /// Carries the greeting's messages both ways and asks for its end.
    pub(super) fn poll_greeting(&mut self, context: &mut Context<'_>, shared: &Shared) -> Poll<Result<(), Ending>> {
        let Some(greeting) = self.greeting_mut() else { return Poll::Pending };
        let ended = greeting.poll(context);
        let outbound = greeting.take_outbound(context.waker());
        for message in outbound {
            // Of the right size from the start: a buffer that grows leaves a copy behind, which may be of a password.
            let mut frame = BytesMut::with_capacity(shared.config.framing.encoded_len_hint(message.len()));
            if let Err(error) = shared.config.framing.encode(&message, &mut frame) {
                tracing::warn!(%error, "greeting message does not fit the framing");
                return Poll::Ready(Err(Ending::new(
                    Cause::Greeting(keepline_proto::cause::GreetingFailure::Rejected),
                    None,
                )));
            }
            self.flight.push_urgent(wiped(frame), Urgent::Greeting);
        }
        let Poll::Ready(ended) = ended else { return Poll::Pending };
        let epoch = self.epoch;
        let early = self.early();
        early.greeting = None;
        Poll::Ready(ended.map(|unread| {
            early.parked.extend(unread.into_iter().map(|payload| Message { epoch, payload }));
        }))
    }

    /// Queues a heartbeat ahead of everything else.
    pub(super) fn heartbeat(&mut self, shared: &Shared) {
        let Some(heartbeat) = &shared.config.heartbeat else { return };
        // One that still waits to be written is not doubled.
        if self.heartbeat_due || (self.flight.urgent_bytes() > 0 && self.blocked) {
            return;
        }
        let mut writer = shared.writer();
        let reserved = match (self.own_correlator().or(writer.correlator.as_deref_mut()), shared.config.correlation) {
            (Some(correlator), Some(Correlation::Fifo)) => correlator.heartbeat(&mut []).map(|()| None),
            (Some(correlator), Some(Correlation::Id(_)) | None) => {
                let mut message = BytesMut::from(&heartbeat.payload[..]);
                correlator.heartbeat(&mut message).map(|()| {
                    let mut frame = BytesMut::new();
                    // The payload was checked when the configuration was parsed.
                    let _fits = shared.config.framing.encode(&message, &mut frame);
                    Some(frame.freeze())
                })
            }
            (None, _) => Ok(None),
        };
        drop(writer);
        // An error: earlier ones are unanswered. Their deadline is running, another proves nothing more.
        let Ok(frame) = reserved else { return };
        match frame {
            None => self.heartbeat_due = true,
            Some(frame) => self.flight.push_urgent(frame, Urgent::Heartbeat),
        }
        self.heartbeats_outstanding = self.heartbeats_outstanding.saturating_add(1);
        self.heartbeat_sent = micros_now();
    }

    /// A heartbeat was answered: how many microseconds after the last one was sent.
    pub(super) fn heartbeat_answered(&mut self) -> u32 {
        self.heartbeats_outstanding = self.heartbeats_outstanding.saturating_sub(1);
        micros_now().wrapping_sub(self.heartbeat_sent)
    }

    /// Whether a heartbeat, or anything else that is urgent, was asked for and not handed over whole.
    pub(super) fn has_urgent(&self) -> bool {
        self.heartbeat_due || self.flight.urgent_bytes() > 0 || self.transport.is_unsent()
    }

    /// Reads once, and hands the messages on.
    pub(super) fn read(&mut self, context: &mut Context<'_>, shared: &Shared) -> ReadStep {
        if self.is_held() {
            let held: usize = self.parked().map(|message| message.payload.len()).sum();
            if held > shared.config.inbox_bytes {
                return ReadStep::Nothing;
            }
        } else if self.greeting().is_none() && self.has_parked() {
            if !self.is_open {
                // Before the gate opens there is no reader yet: the frames keep their place.
                return ReadStep::Nothing;
            }
            shared.inbox.push(&mut self.early().parked, shared.config.inbox_bytes);
            if self.has_parked() {
                return ReadStep::Nothing;
            }
            self.leave_early();
            return ReadStep::Room;
        }
        if self.has_peer_left() {
            return ReadStep::Nothing;
        }
        let backlog = self.greeting().map_or(0, |greeting| greeting.backlog());
        if backlog > shared.config.inbox_bytes || self.is_held_by_answers() {
            return ReadStep::Nothing;
        }
        if self.is_busy {
            return self.read_owned(context, shared);
        }
        frames::with_scratch(|scratch| {
            let mut buffer = ReadBuf::new(&mut scratch.bytes);
            let read = Pin::new(&mut self.transport).poll_read(context, &mut buffer);
            let count = buffer.filled().len();
            match read {
                Poll::Pending => {
                    self.has_read_nothing();
                    ReadStep::Nothing
                }
                Poll::Ready(Err(error)) => ReadStep::Ended(self.read_failed(&error)),
                Poll::Ready(Ok(())) if count == 0 => ReadStep::Ended(self.end_of_stream()),
                Poll::Ready(Ok(())) => {
                    self.has_read(count, shared);
                    ReadStep::Bytes(frames::receive(self, shared, scratch, count))
                }
            }
        })
    }

    /// Reads into a buffer that the messages then share: worth an allocation when reads are large.
    fn read_owned(&mut self, context: &mut Context<'_>, shared: &Shared) -> ReadStep {
        let partial = self.partial.get_or_insert_default();
        partial.bytes.reserve(frames::SCRATCH);
        match tokio_util::io::poll_read_buf(Pin::new(&mut self.transport), context, &mut partial.bytes) {
            Poll::Pending => {
                self.has_read_nothing();
                self.is_busy = false;
                if !self.has_partial() {
                    self.partial = None;
                }
                ReadStep::Nothing
            }
            Poll::Ready(Err(error)) => ReadStep::Ended(self.read_failed(&error)),
            Poll::Ready(Ok(0)) => ReadStep::Ended(self.end_of_stream()),
            Poll::Ready(Ok(count)) => {
                self.has_read(count, shared);
                frames::with_scratch(|scratch| ReadStep::Bytes(frames::receive_owned(self, shared, scratch)))
            }
        }
    }

    fn has_read(&mut self, count: usize, shared: &Shared) {
        self.last_received = clock::now();
        self.is_busy = count >= frames::SCRATCH / 2;
        add(&shared.counters.bytes_in, count as u64);
    }

    /// A part of a TLS record is no message, but it is life.
    fn has_read_nothing(&mut self) {
        if self.transport.take_arrived() {
            self.last_received = clock::now();
        }
    }

    fn read_failed(&self, error: &std::io::Error) -> Ending {
        let ending = ending_of(error);
        // Many servers end a session that we have ended without a word of their own.
        let is_farewell = self.draining && ending.cause == Cause::Tls(TlsFailure::Truncated);
        if is_farewell { self.end_of_stream() } else { ending }
    }

    /// Whether nothing is read until more of the automatic answers have left.
    pub(super) fn is_held_by_answers(&self) -> bool {
        self.flight.answer_bytes() > URGENT_LIMIT
    }

    /// Whether a part of a frame has arrived.
    pub(super) fn has_partial(&self) -> bool {
        self.partial.as_ref().is_some_and(|partial| !partial.bytes.is_empty())
    }

    fn end_of_stream(&self) -> Ending {
        if !self.has_partial() || self.draining {
            Ending::os(Cause::PeerClosed, None)
        } else {
            Ending::os(Cause::Protocol(ProtocolFailure::Truncated), None)
        }
    }

    /// Whether it is over, and only the greeting has not read it yet.
    pub(super) fn has_peer_left(&self) -> bool {
        self.greeting().is_some_and(|greeting| greeting.has_peer_left())
    }

    /// Queues what a connection begins with, before anything of the outbox.
    pub(super) fn begin_with(&mut self, subscriptions: Vec<Subscription>, framing: &Framing) {
        for subscription in subscriptions {
            let mut frame = BytesMut::new();
            // It was checked when it was added.
            if framing.encode(&subscription.frame, &mut frame).is_ok() {
                let answered = subscription.confirmed_by.is_some();
                self.flight.push_urgent(frame.freeze(), Urgent::Subscription { answered });
            }
        }
    }
}

/// The low bits are meant.
fn micros_now() -> u32 {
    (clock::now().as_nanos() / 1_000) as u32
}
