//! From bytes to messages to whoever they are for: greeting, automatic answer, heartbeat, request, inbox.
//!
//! Bytes are read into one buffer per thread. A connection owns memory only while a frame is incomplete.

use super::connection::{Connection, Partial};
use crate::message::Message;
use crate::shared::Shared;
use crate::stats::add;
use crate::writer;
use bytes::{Bytes, BytesMut};
use keepline_proto::config::{Matcher, Unsolicited};
use keepline_proto::correlator::Route;
use keepline_proto::framing::{Framer, Framing, FramingError, Scan};
use keepline_proto::outbox::Urgent;
use keepline_proto::{Cause, Ending};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The read buffer of a thread. 64 KiB reads fill a 16-byte-message batch of 3,000; a larger buffer falls out of the
/// second-level cache.
pub(super) const SCRATCH: usize = 64 * 1024;

/// What the bytes of one read were.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    pub(super) heartbeat_reply: bool,
    /// A frame is waiting for its end (`true`), or no longer (`false`); `None` if nothing changed.
    pub(super) frame_open: Option<bool>,
    pub(super) inbox_full: bool,
    /// The server sent the client away for so long.
    pub(super) go_away: Option<Duration>,
    pub(super) ending: Option<Ending>,
}

pub(super) struct Scratch {
    pub(super) bytes: Box<[u8]>,
    frames: Vec<Range<usize>>,
    batch: VecDeque<Message>,
}

thread_local! {
    static THREAD: RefCell<Scratch> = RefCell::new(Scratch {
        bytes: vec![0; SCRATCH].into_boxed_slice(),
        frames: Vec::new(),
        batch: VecDeque::new(),
    });
}

pub(super) fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    THREAD.with_borrow_mut(work)
}

/// Cuts the first `count` bytes of the scratch into messages and hands them on.
pub(super) fn receive(connection: &mut Connection, shared: &Shared, scratch: &mut Scratch, count: usize) -> Arrived {
    let Scratch { bytes, frames, batch } = scratch;
    let fresh = &bytes[..count];
    if let Some(partial) = &mut connection.partial {
        partial.bytes.extend_from_slice(fresh);
        return receive_owned(connection, shared, scratch);
    }
    frames.clear();
    let framing = &shared.config.framing;
    let mut framer = Framer::new(framing);
    let (consumed, failure) = cut(&mut framer, framing, fresh, frames);
    let bytes = match frames.as_slice() {
        [only] => {
            let message = &fresh[only.clone()];
            frames[0] = 0..message.len();
            message
        }
        [] | [..] => &fresh[..consumed],
    };
    if consumed < fresh.len() {
        let bytes = BytesMut::from(&fresh[consumed..]);
        connection.partial = Some(Box::new(Partial { bytes, framer }));
    }
    hand_on(connection, shared, frames, batch, Region { bytes, owned: None }, failure)
}

/// Cuts what lies in the connection's own buffer into messages, which share it, and hands them on.
pub(super) fn receive_owned(connection: &mut Connection, shared: &Shared, scratch: &mut Scratch) -> Arrived {
    scratch.frames.clear();
    let mut partial = connection.partial.take().unwrap_or_default();
    let Partial { bytes, framer } = &mut *partial;
    let (consumed, failure) = cut(framer, &shared.config.framing, bytes, &mut scratch.frames);
    let whole = bytes.split_to(consumed).freeze();
    connection.partial = Some(partial);
    let region = Region { bytes: &whole, owned: Some(whole.clone()) };
    hand_on(connection, shared, &mut scratch.frames, &mut scratch.batch, region, failure)
}

/// The bytes of the frames of one read: owned once somebody keeps one, which the sender of a heartbeat does not.
struct Region<'a> {
    bytes: &'a [u8],
    owned: Option<Bytes>,
}

impl Region<'_> {
    fn own(&mut self) -> &Bytes {
        self.owned.get_or_insert_with(|| Bytes::copy_from_slice(self.bytes))
    }
}

fn hand_on(
    connection: &mut Connection,
    shared: &Shared,
    frames: &mut [Range<usize>],
    batch: &mut VecDeque<Message>,
    mut region: Region<'_>,
    failure: Option<FramingError>,
) -> Arrived {
    let mut news = Arrived::default();
    let is_open = connection.has_partial();
    if !is_open && !connection.is_busy {
        // An idle connection owns no buffer.
        connection.partial = None;
    }
    if !frames.is_empty() || is_open != connection.frame_open {
        // A new frame gets a new deadline, even if it follows another in the same read.
        news.frame_open = (is_open || connection.frame_open).then_some(is_open);
        connection.frame_open = is_open;
    }
    add(&shared.counters.received, frames.len() as u64);
    #[cfg(target_os = "linux")]
    if let Some(reads) = shared.extras.inline_reads() {
        reads.note(frames.len());
    }
    let epoch = connection.epoch;
    if frames.is_empty() {
        // Nothing to route.
    } else if is_direct(connection, shared) {
        let region = region.own();
        batch.extend(frames.iter().map(|frame| Message { epoch, payload: region.slice(frame.clone()) }));
    } else {
        for frame in frames.iter() {
            if route(connection, shared, &mut region, frame, &mut news) {
                batch.push_back(Message { epoch, payload: region.own().slice(frame.clone()) });
            }
        }
    }
    drop(region);
    if !batch.is_empty() {
        deliver(connection, shared, batch, &mut news);
    }
    news.ending = failure.map(|error| {
        tracing::info!(%epoch, %error, framing = shared.config.framing.name(), "the peer broke the framing");
        Ending::new(Cause::Protocol(error.failure()), None)
    });
    news
}

/// Finds the frames in `data`; says how many bytes they take.
fn cut(
    framer: &mut Framer,
    framing: &Framing,
    data: &[u8],
    frames: &mut Vec<Range<usize>>,
) -> (usize, Option<FramingError>) {
    let mut start = 0;
    while start < data.len() {
        match framer.scan(framing, &data[start..]) {
            Ok(Scan::Frame { consumed, message }) => {
                frames.push(start + message.start..start + message.end);
                start += consumed;
            }
            Ok(Scan::Incomplete) => break,
            Err(error) => return (start, Some(error)),
        }
    }
    (start, None)
}

/// Whether every frame is for the inbox.
fn is_direct(connection: &Connection, shared: &Shared) -> bool {
    let heartbeat_consumes = connection.heartbeats_outstanding > 0
        && shared.config.heartbeat.as_ref().is_some_and(|heartbeat| consumes(&heartbeat.reply));
    connection.greeting().is_none()
        && shared.config.auto_replies.is_empty()
        && shared.config.go_away.is_none()
        && shared.config.correlation.is_none()
        && !heartbeat_consumes
}

fn consumes(matcher: &Matcher) -> bool {
    match matcher {
        Matcher::Exact(_) | Matcher::Prefix(_) => true,
        Matcher::Any | Matcher::None => false,
    }
}

/// Finds the one consumer of a frame; says whether that is the inbox.
fn route(
    connection: &mut Connection,
    shared: &Shared,
    region: &mut Region<'_>,
    range: &Range<usize>,
    news: &mut Arrived,
) -> bool {
    let frame = &region.bytes[range.clone()];
    if let Some(greeting) = connection.greeting() {
        greeting.deliver(region.own().slice(range.clone()));
        return false;
    }
    if let Some(auto) = shared.config.auto_replies.iter().find(|auto| auto.when.matches(frame)) {
        let mut answer = BytesMut::new();
        if shared.config.framing.encode(&auto.reply, &mut answer).is_ok() {
            connection.flight.push_urgent(answer.freeze(), Urgent::AutoReply);
        }
        return false;
    }
    if let Some(retry_after) = shared.config.go_away.as_ref().and_then(|go_away| go_away.read(frame)) {
        news.go_away = Some(retry_after);
        return false;
    }
    if shared.config.correlation.is_some() {
        return route_correlated(connection, shared, region, range, news);
    }
    if connection.heartbeats_outstanding > 0
        && let Some(heartbeat) = &shared.config.heartbeat
        && consumes(&heartbeat.reply)
        && heartbeat.reply.matches(frame)
    {
        heartbeat_answered(connection, shared, news);
        return false;
    }
    true
}

fn route_correlated(
    connection: &mut Connection,
    shared: &Shared,
    region: &mut Region<'_>,
    range: &Range<usize>,
    news: &mut Arrived,
) -> bool {
    if let Some(own) = connection.own_correlator() {
        // Beside another connection only the heartbeat asks anything.
        return match own.route(&region.bytes[range.clone()]) {
            Route::Inbox => true,
            Route::Swallowed | Route::Reply { .. } => false,
            Route::Heartbeat => {
                heartbeat_answered(connection, shared, news);
                false
            }
        };
    }
    let mut writer = shared.writer();
    let Some(correlator) = writer.correlator.as_mut() else { return false };
    match correlator.route(&region.bytes[range.clone()]) {
        Route::Inbox => true,
        Route::Swallowed => {
            let room = writer.room.rope();
            drop(writer);
            room.ring();
            false
        }
        Route::Heartbeat => {
            drop(writer);
            heartbeat_answered(connection, shared, news);
            false
        }
        Route::Reply { ticket, restore } => {
            let reply = match restore {
                None => region.own().slice(range.clone()),
                Some(restore) => {
                    let mut message = BytesMut::from(&region.bytes[range.clone()]);
                    restore.write(&mut message);
                    message.freeze()
                }
            };
            let mut told = writer::News::default();
            writer.reply(ticket, reply, &mut told);
            let room = writer.room.rope();
            drop(writer);
            told.tell();
            room.ring();
            false
        }
    }
}

fn heartbeat_answered(connection: &mut Connection, shared: &Shared, news: &mut Arrived) {
    let micros = connection.heartbeat_answered().max(1);
    shared.counters.heartbeat_rtt.store(micros, Ordering::Relaxed);
    news.heartbeat_reply = true;
}

fn deliver(connection: &mut Connection, shared: &Shared, batch: &mut VecDeque<Message>, news: &mut Arrived) {
    match shared.config.unsolicited {
        Unsolicited::Discard => {
            if let Some(discarded) = shared.extras.discarded() {
                add(discarded, batch.len() as u64);
            }
            batch.clear();
        }
        Unsolicited::Deliver => {
            if connection.is_held() {
                connection.early().parked.append(batch);
                return;
            }
            if !connection.has_parked() {
                shared.inbox.push(batch, shared.config.inbox_bytes);
            }
            if !batch.is_empty() {
                connection.early().parked.append(batch);
                news.inbox_full = true;
            }
        }
    }
}
