//! The outbox with what belongs under its lock: the way to write inline, the correlator, and who waits for what.

mod news;

use crate::bell::Bell;
use crate::error::Error;
use crate::io::inline_half::InlineHalf;
use crate::message::Payload;
use bytes::{Bytes, BytesMut};
use keepline_proto::config::{ValidConfig, WhileDown};
use keepline_proto::correlator::{Correlator, Ticket};
use keepline_proto::framing::{Framing, FramingError, Header};
use keepline_proto::outbox::{AckedBy, BY_REFERENCE, Gate, Inline, Meta, Outbox, Outcome, Refusal, Settled};
use keepline_proto::subscriptions::{Subscription, Subscriptions};
use keepline_proto::{Ending, Epoch, ErrorKind};
pub(crate) use news::News;
use news::Told;
use std::collections::BTreeMap;
use std::io::IoSlice;
use std::num::NonZeroU64;
use tokio::sync::oneshot;

/// How a request ended for the one who waits.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The reply, with the caller's id restored.
    Frame(Bytes),
    /// The connection ended first.
    Lost {
        /// Why.
        ending: Option<Ending>,
        /// Whether any of it had been handed over.
        maybe_executed: bool,
    },
}

/// Who waits behind a ticket.
#[derive(Debug)]
enum Waiter {
    Receipt(oneshot::Sender<(Outcome, AckedBy)>),
    Request { reply: oneshot::Sender<Reply>, handed_over: bool },
}

/// Why a message was not accepted.
pub(crate) enum NotAccepted {
    /// There is no room now.
    Full,
    /// There never will be, or not on this client.
    Failed(Error),
}

/// The correlator of one connection, where replies have to find their requests.
pub(crate) fn correlator(config: &ValidConfig) -> Option<Box<Correlator>> {
    let correlation = config.correlation?;
    Some(Box::new(Correlator::new(correlation, config.push.clone(), config.max_in_flight)))
}

/// What is behind the writer lock.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) outbox: Outbox,
    pub(crate) correlator: Option<Box<Correlator>>,
    /// The socket, while callers may write by themselves.
    pub(crate) inline: Option<InlineHalf>,
    /// Bytes handed to the kernel, by the driver and by callers.
    pub(crate) bytes_out: u64,
    /// Boxed: who only sends and receives has none.
    asked: Option<Box<Asked>>,
    /// Whose kernel acknowledges on the connection that has the gate, or had it last.
    pub(crate) acked_by: AckedBy,
    /// Nothing more is accepted: draining or closed.
    pub(crate) ended: bool,
    /// Somebody wants room in the outbox.
    pub(crate) wanted: bool,
    /// Somebody waits for room in the outbox, a free request slot or an open gate.
    pub(crate) room: Bell,
}

/// What outlasts the message that it was asked with.
#[derive(Debug, Default)]
struct Asked {
    waiters: BTreeMap<Ticket, Waiter>,
    last_ticket: u64,
    /// What each connection begins with.
    subscriptions: Subscriptions,
}

impl Writer {
    pub(crate) fn new(config: &ValidConfig) -> Writer {
        Writer {
            outbox: Outbox::new(config.outbox),
            correlator: correlator(config),
            inline: None,
            bytes_out: 0,
            asked: None,
            acked_by: AckedBy::Peer,
            ended: false,
            wanted: false,
            room: Bell::default(),
        }
    }

    /// Whether the peer confirms any of the subscriptions.
    pub(crate) fn confirms_subscriptions(&self) -> bool {
        self.subscriptions().is_some_and(Subscriptions::is_confirmed)
    }

    /// What the greeting of this connection ends with: all subscriptions, if the peer confirms any.
    pub(crate) fn confirmed_subscriptions(&mut self, epoch: Epoch) -> Vec<Subscription> {
        if self.confirms_subscriptions() { self.unsent_subscriptions(epoch) } else { Vec::new() }
    }

    /// What each connection begins with, if the user ever asked for anything.
    pub(crate) fn subscriptions(&self) -> Option<&Subscriptions> {
        self.asked.as_ref().map(|asked| &asked.subscriptions)
    }

    pub(crate) fn subscriptions_mut(&mut self) -> &mut Subscriptions {
        &mut self.asked.get_or_insert_default().subscriptions
    }

    /// The subscriptions that this connection has not been told.
    pub(crate) fn unsent_subscriptions(&mut self, epoch: Epoch) -> Vec<Subscription> {
        self.asked.as_mut().map(|asked| asked.subscriptions.take_unsent(epoch)).unwrap_or_default()
    }

    /// Accepts a message that belongs to the living connection alone: it never waits for the next, which begins with the
    /// list. Unless `answered`, no reply takes a place for it.
    pub(crate) fn accept_for_now(
        &mut self,
        config: &ValidConfig,
        message: Bytes,
        answered: bool,
    ) -> Result<bool, NotAccepted> {
        self.admit(config, config.framing.encoded_len_hint(message.len()))?;
        let ticket = self.ticket();
        if !answered && let Some(correlator) = &mut self.correlator {
            correlator.expect_nothing(ticket);
        }
        let meta = Meta { ticket: Some(ticket), request: true, ..Meta::default() };
        self.accept(config, meta, message).map_err(NotAccepted::Failed)
    }

    /// A ticket nobody has had.
    pub(crate) fn ticket(&mut self) -> Ticket {
        let last_ticket = &mut self.asked.get_or_insert_default().last_ticket;
        *last_ticket += 1;
        Ticket(NonZeroU64::new(*last_ticket).unwrap_or(NonZeroU64::MIN))
    }

    pub(crate) fn await_outcome(&mut self, ticket: Ticket) -> oneshot::Receiver<(Outcome, AckedBy)> {
        let (sender, receiver) = oneshot::channel();
        self.asked.get_or_insert_default().waiters.insert(ticket, Waiter::Receipt(sender));
        receiver
    }

    pub(crate) fn await_reply(&mut self, ticket: Ticket) -> oneshot::Receiver<Reply> {
        let (sender, receiver) = oneshot::channel();
        self.asked
            .get_or_insert_default()
            .waiters
            .insert(ticket, Waiter::Request { reply: sender, handed_over: false });
        receiver
    }

    /// The user no longer waits.
    pub(crate) fn forget(&mut self, ticket: Ticket) {
        self.take_waiter(ticket);
    }

    fn take_waiter(&mut self, ticket: Ticket) -> Option<Waiter> {
        self.asked.as_mut()?.waiters.remove(&ticket)
    }

    /// Says whether a message may enter now, before any of it is copied.
    pub(crate) fn admit(&self, config: &ValidConfig, size: usize) -> Result<(), NotAccepted> {
        self.admit_any(config)?;
        match self.outbox.admit(size) {
            Ok(()) => Ok(()),
            Err(Refusal::Full) => Err(NotAccepted::Full),
            Err(Refusal::TooLarge) => Err(NotAccepted::Failed(Error::new(
                ErrorKind::Rejected,
                format!("a message of {size} bytes exceeds outbox.bytes ({})", config.outbox.bytes),
            ))),
        }
    }

    /// Says whether `count` messages of `size` bytes together may enter now.
    pub(crate) fn admit_many(&self, config: &ValidConfig, count: usize, size: usize) -> Result<(), NotAccepted> {
        self.admit_any(config)?;
        match self.outbox.admit_many(count, size) {
            Ok(()) => Ok(()),
            Err(Refusal::Full) => Err(NotAccepted::Full),
            Err(Refusal::TooLarge) => Err(NotAccepted::Failed(Error::new(
                ErrorKind::Rejected,
                format!(
                    "a batch of {count} messages and {size} bytes exceeds outbox.messages ({}) or outbox.bytes ({})",
                    config.outbox.messages, config.outbox.bytes
                ),
            ))),
        }
    }

    fn admit_any(&self, config: &ValidConfig) -> Result<(), NotAccepted> {
        if self.ended {
            return Err(NotAccepted::Failed(Error::closed(None)));
        }
        if self.outbox.gate() == Gate::Shut && config.while_down == WhileDown::Reject {
            return Err(NotAccepted::Failed(Error::unavailable(None)));
        }
        Ok(())
    }

    /// Accepts a message that was admitted: written at once if nothing is before it, else appended. Says whether the
    /// driver has to be woken.
    pub(crate) fn accept<P: Payload>(&mut self, config: &ValidConfig, meta: Meta, message: P) -> Result<bool, Error> {
        refuse_empty(&config.framing, message.as_slice())?;
        if self.outbox.allows_inline() && self.inline.is_some() {
            return self.write_inline(config, meta, message);
        }
        self.queue(config, meta, message)
    }

    /// As [`Writer::accept`], for one of many: it waits for the others even where it could be written at once.
    pub(crate) fn queue<P: Payload>(&mut self, config: &ValidConfig, meta: Meta, message: P) -> Result<bool, Error> {
        let framing = &config.framing;
        let length = message.as_slice().len();
        let was_idle = !self.outbox.has_waiting();
        if length >= BY_REFERENCE {
            let (header, body) = into_frame(framing, message)?;
            self.outbox.push_bytes(meta, header, body);
        } else {
            let hint = framing.encoded_len_hint(length);
            self.outbox.push(meta, hint, |buffer| framing.encode(message.as_slice(), buffer)).map_err(refused)?;
        }
        // A driver that has something to take already knows; one whose gate is shut has to know of an expiry only.
        Ok(was_idle && (matches!(self.outbox.gate(), Gate::Open(_)) || meta.expires.is_some()))
    }

    fn write_inline<P: Payload>(&mut self, config: &ValidConfig, meta: Meta, message: P) -> Result<bool, Error> {
        let framing = &config.framing;
        let Some(socket) = &self.inline else { return Ok(false) };
        // Ready bytes are written from where they lie. An error is met again, and judged, by the driver.
        if framing.is_reference_ok() && message.as_slice().len() < BY_REFERENCE {
            framing.check(message.as_slice()).map_err(refused)?;
            let written = socket.try_write(message.as_slice()).unwrap_or_default();
            if written == message.as_slice().len() {
                return Ok(self.wrote_inline(meta, Inline::Small(message.as_slice())));
            }
            return Ok(self.wrote_a_part(meta, (Header::NONE, message.into_bytes()), written));
        }
        if message.as_slice().len() >= BY_REFERENCE {
            let (header, body) = into_frame(framing, message)?;
            let slices = [IoSlice::new(header.as_slice()), IoSlice::new(&body)];
            let written = socket.try_write_vectored(&slices).unwrap_or_default();
            if written == header.as_slice().len() + body.len() {
                return Ok(self.wrote_inline(meta, Inline::Large(header, body)));
            }
            return Ok(self.wrote_a_part(meta, (header, body), written));
        }
        let mut frame = BytesMut::with_capacity(framing.encoded_len_hint(message.as_slice().len()));
        framing.encode(message.as_slice(), &mut frame).map_err(refused)?;
        let written = socket.try_write(&frame).unwrap_or_default();
        if written == frame.len() {
            return Ok(self.wrote_inline(meta, Inline::Small(&frame)));
        }
        Ok(self.wrote_a_part(meta, (Header::NONE, frame.freeze()), written))
    }

    /// Counts a message that is handed over whole. Says whether the driver has to be woken: to look for its outcome, if
    /// somebody waits for that. Otherwise nothing is left for it to do before its next turn, when it un-corks.
    fn wrote_inline(&mut self, meta: Meta, frame: Inline<'_>) -> bool {
        self.bytes_out += frame.size() as u64;
        self.outbox.cork();
        let settled = self.outbox.wrote_inline(meta, frame);
        self.note_handed_over(meta.ticket, meta.request);
        let is_awaited = meta.ticket.is_some() && !meta.request && settled.is_none();
        let mut news = News::default();
        self.settle(settled, &mut news);
        // Its receipt is not in anybody's hands yet: nobody is woken.
        news.tell();
        is_awaited
    }

    /// Leaves the rest of a message to the driver.
    fn wrote_a_part(&mut self, meta: Meta, (header, body): (Header, Bytes), written: usize) -> bool {
        self.bytes_out += written as u64;
        self.outbox.cork();
        self.outbox.push_cut(meta, header, body, written);
        true
    }

    /// A frame is on the wire: its reply may come from now on.
    pub(crate) fn note_handed_over(&mut self, ticket: Option<Ticket>, request: bool) {
        let Some(correlator) = &mut self.correlator else { return };
        match ticket {
            Some(ticket) if request => {
                correlator.handed_over(ticket);
                if let Some(Waiter::Request { handed_over, .. }) =
                    self.asked.as_mut().and_then(|asked| asked.waiters.get_mut(&ticket))
                {
                    *handed_over = true;
                }
            }
            Some(_) | None => correlator.handed_over_plain(),
        }
    }

    /// Finds who waits for these outcomes.
    pub(crate) fn settle(&mut self, settled: impl IntoIterator<Item = Settled>, news: &mut News) {
        for settled in settled {
            if settled.request {
                // Requests are told by `fail_requests`, once, with their cause: this one never left.
                if let Some(Waiter::Request { handed_over, .. }) =
                    self.asked.as_mut().and_then(|asked| asked.waiters.get_mut(&settled.ticket))
                {
                    *handed_over = false;
                }
                continue;
            }
            if let Some(Waiter::Receipt(sender)) = self.take_waiter(settled.ticket) {
                news.0.push(Told::Outcome(sender, (settled.outcome, self.acked_by)));
            }
        }
    }

    /// Finds who waits for a reply; nobody does if the request was given up.
    pub(crate) fn reply(&mut self, ticket: Ticket, frame: Bytes, news: &mut News) {
        if let Some(Waiter::Request { reply, .. }) = self.take_waiter(ticket) {
            news.0.push(Told::Reply(reply, Reply::Frame(frame)));
        }
    }

    /// The connection ended: every request fails, once.
    pub(crate) fn fail_requests(&mut self, ending: Option<Ending>, news: &mut News) {
        let Some(correlator) = &mut self.correlator else { return };
        for ticket in correlator.clear() {
            if let Some(Waiter::Request { reply, handed_over }) = self.take_waiter(ticket) {
                news.0.push(Told::Reply(reply, Reply::Lost { ending, maybe_executed: handed_over }));
            }
        }
    }
}

/// A large message as it goes on the wire: its own buffer behind a header, where the framing allows it.
fn into_frame<P: Payload>(framing: &Framing, message: P) -> Result<(Header, Bytes), Error> {
    if let Some(header) = framing.header(message.as_slice()).map_err(refused)? {
        return Ok((header, message.into_bytes()));
    }
    let mut frame = BytesMut::with_capacity(framing.encoded_len_hint(message.as_slice().len()));
    framing.encode(message.as_slice(), &mut frame).map_err(refused)?;
    Ok((Header::NONE, frame.freeze()))
}

/// Checks what the framing and its rules can tell of a message before any of it is copied.
pub(crate) fn check(framing: &Framing, message: &[u8]) -> Result<(), Error> {
    refuse_empty(framing, message)?;
    match framing {
        // An own framing tells only when it encodes.
        Framing::Codec(_) => framing.encode(message, &mut BytesMut::new()),
        Framing::Raw
        | Framing::Lines { .. }
        | Framing::Delimiter { .. }
        | Framing::LengthPrefixed(_)
        | Framing::Fixed { .. }
        | Framing::ModbusTcp
        | Framing::Resp { .. } => framing.check(message),
    }
    .map_err(refused)
}

fn refuse_empty(framing: &Framing, message: &[u8]) -> Result<(), Error> {
    if message.is_empty() && framing.is_reference_ok() {
        return Err(Error::new(ErrorKind::Rejected, "an empty message has no meaning in this framing"));
    }
    Ok(())
}

fn refused(error: FramingError) -> Error {
    Error::new(ErrorKind::Rejected, error.to_string())
}
