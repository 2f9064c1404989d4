//! The bytes of one connection: read when asked for, written from a queue of its own whose size is told.
//!
//! Nothing here runs by itself: reads and writes happen in the caller's polls, on the caller's thread. So whoever does not
//! read holds the peer back through TCP, and whoever stops polling stops the queue.

use crate::error::BridgeError;
use crate::fork::Here;
use crate::guard::caught;
use crate::operation::Operation;
use bytes::{Buf, Bytes};
use keepline::Stream;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Handle;

/// The most bytes of one read: what a turn of a foreign loop copies while others wait.
const MOST_READ: usize = 64 * 1024;

/// Slices of one write: the small ones that follow each other leave in one call.
const SLICES: usize = 32;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; MOST_READ].into_boxed_slice());
}

/// One connection. It ends with an error at the boundary, and never continues on another connection.
///
/// Dropping it ends the connection: in order if it is healthy, without what is still queued.
#[derive(Debug)]
pub struct BridgeStream {
    inner: Here<Arc<Inner>>,
    runtime: Handle,
    epoch: u64,
    peer: Option<SocketAddr>,
    local: Option<SocketAddr>,
}

/// Where the writes of a stream stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteRecord {
    /// Bytes that wait for the kernel.
    pub queued: u64,
    /// Nothing waits, and nothing has to be driven by [`BridgeStream::flush`].
    pub idle: bool,
}

#[derive(Debug)]
struct Inner {
    /// `None` once it was abandoned.
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    stream: Stream,
    queue: VecDeque<Bytes>,
    queued: usize,
    /// Something was written that the stream may hold back.
    unflushed: bool,
    /// Nothing may be written any more; said to the peer once the queue is empty.
    ends: bool,
    ended: bool,
}

impl BridgeStream {
    pub(crate) fn new(mut stream: Stream, runtime: Handle) -> BridgeStream {
        // Whether the connection outlives the peer's side of it is for its user to say: by dropping it.
        stream.half_open(true);
        let (epoch, peer, local) = (stream.epoch().0, stream.peer_addr().ok(), stream.local_addr().ok());
        let (queue, queued, unflushed, ends, ended) = (VecDeque::new(), 0, false, false, false);
        let open = Open { stream, queue, queued, unflushed, ends, ended };
        let inner = Here::new(Arc::new(Inner { open: Mutex::new(Some(open)) }));
        BridgeStream { inner, runtime, epoch, peer, local }
    }

    /// The number of the connection.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The address on the other side; a Unix socket has none.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The address on this side; a Unix socket has none.
    pub fn local(&self) -> Option<SocketAddr> {
        self.local
    }

    /// Waits for bytes and gives up to `max` of them, at most 64 KiB; none at the end of what the peer sends.
    ///
    /// # Errors
    /// `unavailable` with the cause once the connection is over, also after [`BridgeStream::abandon`]; `forked`.
    ///
    /// # Cancel safety
    /// Cancel safe: bytes are taken by the poll that gives them.
    pub fn read(&self, max: usize) -> Operation<Bytes> {
        let max = max.clamp(1, MOST_READ);
        self.operation(move |open, context| open.poll_read(context, max))
    }

    /// Writes what the kernel takes now, and queues the rest, without a limit: the caller is told how much waits.
    ///
    /// # Errors
    /// As [`BridgeStream::read`]; `rejected` after [`BridgeStream::end_writes`].
    pub fn write(&self, data: &[u8]) -> Result<WriteRecord, BridgeError> {
        self.with(|open| {
            if open.ends {
                return Err(BridgeError::rejected("nothing may be written after the end of the writes was declared"));
            }
            // Whoever is driving the queue has its waker there.
            let was_idle = open.is_idle();
            let taken = if was_idle { open.write_now(data)? } else { 0 };
            if taken < data.len() {
                open.queued += data.len() - taken;
                open.queue.push_back(Bytes::copy_from_slice(&data[taken..]));
            }
            if was_idle {
                open.drive_now()?;
            }
            Ok(open.told())
        })
    }

    /// Says to the peer that nothing more comes, once everything queued is written. Reading goes on.
    ///
    /// # Errors
    /// As [`BridgeStream::read`].
    pub fn end_writes(&self) -> Result<WriteRecord, BridgeError> {
        self.with(|open| {
            let was_idle = open.is_idle();
            open.ends = true;
            if was_idle {
                open.drive_now()?;
            }
            Ok(open.told())
        })
    }

    /// Waits until some of what is queued was written, and tells what still waits; at once if nothing does.
    ///
    /// # Errors
    /// As [`BridgeStream::read`].
    ///
    /// # Cancel safety
    /// Cancel safe: what was not written stays queued.
    pub fn flush(&self) -> Operation<WriteRecord> {
        self.operation(Open::poll_flush)
    }

    /// Ends the connection now, without what is queued. Idempotent; what waits fails.
    pub fn abandon(&self) {
        if let Ok(inner) = self.inner.get() {
            let abandoned = inner.open().take();
            drop(abandoned);
        }
    }

    fn with<T>(&self, call: impl FnOnce(&mut Open) -> Result<T, BridgeError>) -> Result<T, BridgeError> {
        let inner = self.inner.get()?;
        // The reactor is asked: it must be the own one's.
        let _inside = self.runtime.enter();
        caught(|| call(inner.open().as_mut().ok_or_else(abandoned)?))
    }

    fn operation<T, F>(&self, mut poll: F) -> Operation<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Open, &mut Context<'_>) -> Poll<Result<T, BridgeError>> + Send + Unpin + 'static,
    {
        let inner = match self.inner.get() {
            Ok(inner) => inner.clone(),
            Err(error) => return Operation::failed(error),
        };
        Operation::new(
            self.runtime.clone(),
            poll_fn(move |context| match inner.open().as_mut() {
                Some(open) => poll(open, context),
                None => Poll::Ready(Err(abandoned())),
            }),
        )
    }
}

impl Inner {
    fn open(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn poll_read(&mut self, context: &mut Context<'_>, max: usize) -> Poll<Result<Bytes, BridgeError>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(&mut scratch[..max]);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Ok(())) => Poll::Ready(Ok(Bytes::copy_from_slice(buffer.filled()))),
                Poll::Ready(Err(error)) => Poll::Ready(Err(self.explain(&error))),
            }
        })
    }

    /// Writes until the kernel takes no more; ready once something has changed.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<WriteRecord, BridgeError>> {
        let before = self.queued;
        match self.drive(context) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(self.told())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.explain(&error))),
            Poll::Pending if self.queued < before => Poll::Ready(Ok(self.told())),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Ready when everything is written, and the end of the writes said if it was declared.
    fn drive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = self.queue.len().min(SLICES);
            for (slice, data) in slices.iter_mut().zip(&self.queue) {
                *slice = IoSlice::new(data);
            }
            let written = std::task::ready!(Pin::new(&mut self.stream).poll_write_vectored(context, &slices[..count]))?;
            self.unflushed = true;
            self.written(written);
        }
        if self.unflushed {
            std::task::ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.unflushed = false;
        }
        if self.ends && !self.ended {
            std::task::ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            self.ended = true;
        }
        Poll::Ready(Ok(()))
    }

    fn written(&mut self, mut count: usize) {
        self.queued = self.queued.saturating_sub(count);
        while let Some(first) = self.queue.front_mut() {
            if first.len() > count {
                first.advance(count);
                return;
            }
            count -= first.len();
            self.queue.pop_front();
        }
    }

    /// Drives what can be driven now. Only while nobody else does: their waker would be forgotten.
    fn drive_now(&mut self) -> Result<(), BridgeError> {
        match self.drive(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
            Poll::Ready(Err(error)) => Err(self.explain(&error)),
        }
    }

    /// Writes what the kernel takes, without a queue.
    fn write_now(&mut self, data: &[u8]) -> Result<usize, BridgeError> {
        let mut taken = 0;
        while taken < data.len() {
            let mut context = Context::from_waker(Waker::noop());
            match Pin::new(&mut self.stream).poll_write(&mut context, &data[taken..]) {
                Poll::Pending => break,
                Poll::Ready(Ok(count)) => taken += count,
                Poll::Ready(Err(error)) => return Err(self.explain(&error)),
            }
            self.unflushed = true;
        }
        Ok(taken)
    }

    fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.unflushed && self.ends == self.ended
    }

    fn told(&self) -> WriteRecord {
        WriteRecord { queued: self.queued as u64, idle: self.is_idle() }
    }

    fn explain(&self, error: &io::Error) -> BridgeError {
        self.stream.explain(error).into()
    }
}

fn abandoned() -> BridgeError {
    BridgeError::closed("the stream was closed")
}
