//! One proxied connection: two sockets, a filter each way, and one poll function that moves what may move.

use super::fault::{Direction, End, Fault, IdleMode};
use super::filter::{Filter, Tail};
use super::history::What;
use super::settings::Settings;
use socket2::SockRef;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// After a FIN late bytes are still read for one second: long enough that a client on a busy machine reads the end
/// of the stream before the answer to its late bytes turns it into a reset.
const FIN_GRACE: Duration = Duration::from_secs(1);

/// A connection that is idle for `after` is forgotten.
#[derive(Debug, Clone, Copy)]
pub(super) struct IdleCut {
    pub(super) after: Duration,
    pub(super) mode: IdleMode,
}

/// What a poll came to.
#[derive(Debug)]
pub(super) enum Progress {
    /// Nothing more can move before a socket is ready or this point in time is reached.
    Waiting(Option<Instant>),
    /// The connection is over.
    Ended,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    pub(super) up: Filter,
    pub(super) down: Filter,
    pub(super) task: Option<AbortHandle>,
    client: TcpStream,
    upstream: Option<TcpStream>,
    touched: Instant,
    forgotten: Option<IdleMode>,
    closing: Option<Instant>,
    waker: Option<Waker>,
}

impl Connection {
    pub(super) fn new(client: TcpStream, peer: SocketAddr, settings: &[Settings; 2], seed: u64) -> Connection {
        let [up, down] = settings;
        Connection {
            peer,
            up: Filter::new(Direction::Up, up.clone(), seed),
            down: Filter::new(Direction::Down, down.clone(), seed.wrapping_add(1)),
            task: None,
            client,
            upstream: None,
            touched: Instant::now(),
            forgotten: None,
            closing: None,
            waker: None,
        }
    }

    /// Joins the connection to its server.
    pub(super) fn join(&mut self, upstream: TcpStream) {
        self.upstream = Some(upstream);
        self.touched = Instant::now();
        self.wake();
    }

    pub(super) fn apply(&mut self, direction: Direction, fault: &Fault, note: &mut impl FnMut(What)) {
        for each in direction.each() {
            match each {
                Direction::Up | Direction::Both => self.up.apply(fault, Instant::now(), note),
                Direction::Down => self.down.apply(fault, Instant::now(), note),
            }
        }
        self.wake();
    }

    /// Makes both directions silent for ever.
    pub(super) fn go_silent(&mut self, note: &mut impl FnMut(What)) {
        self.up.go_silent(note);
        self.down.go_silent(note);
    }

    /// Ends both streams in order; the sockets linger for a moment to take late bytes.
    pub(super) fn close(&mut self, note: &mut impl FnMut(What)) {
        if self.closing.is_some() {
            return;
        }
        // A socket that is already gone cannot be shut down, and need not be.
        let _ = shutdown_write(&self.client);
        if let Some(upstream) = &self.upstream {
            let _ = shutdown_write(upstream);
        }
        self.closing = Some(Instant::now() + FIN_GRACE);
        note(What::Closed);
        self.wake();
    }

    /// Lets dropping the connection send a reset both ways.
    pub(super) fn arm_reset(&mut self, note: &mut impl FnMut(What)) {
        reset_on_drop(&self.client);
        if let Some(upstream) = &self.upstream {
            reset_on_drop(upstream);
        }
        note(What::Reset);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    pub(super) fn is_forgotten(&self) -> bool {
        self.forgotten.is_some()
    }

    pub(super) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Moves every byte that may move now.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        scratch: &mut [u8],
        cut: Option<IdleCut>,
        note: &mut impl FnMut(What),
    ) -> Progress {
        // Taken before anything moves: what falls due meanwhile still counts as due later, and is not slept through.
        let before = Instant::now();
        self.waker = Some(context.waker().clone());
        if let Some(deadline) = self.closing {
            return self.poll_closing(context, scratch, deadline);
        }
        for direction in [Direction::Up, Direction::Down] {
            match self.pump(direction, context, scratch, note) {
                None => {}
                Some(End::Fin) => {
                    self.close(note);
                    self.waker = Some(context.waker().clone());
                    return Progress::Waiting(self.closing);
                }
                Some(End::Rst) => {
                    self.arm_reset(note);
                    return Progress::Ended;
                }
            }
        }
        if self.up.is_over() && self.down.is_over() {
            return Progress::Ended;
        }
        let expiry = self.expire(cut, note);
        Progress::Waiting([expiry, self.up.next_due(before), self.down.next_due(before)].into_iter().flatten().min())
    }

    /// Forgets the connection if it was idle for too long; otherwise tells when that will be.
    fn expire(&mut self, cut: Option<IdleCut>, note: &mut impl FnMut(What)) -> Option<Instant> {
        let cut = cut.filter(|_| self.forgotten.is_none())?;
        let expiry = self.touched + cut.after;
        if Instant::now() < expiry {
            return Some(expiry);
        }
        self.forgotten = Some(cut.mode);
        note(What::Forgotten);
        match cut.mode {
            IdleMode::Silent => self.go_silent(note),
            // The reset answers the next byte, as a middlebox answers a packet it cannot place.
            IdleMode::Rst => {}
        }
        None
    }

    fn poll_closing(&mut self, context: &mut Context<'_>, scratch: &mut [u8], deadline: Instant) -> Progress {
        let client = is_drained(&self.client, context, scratch);
        let upstream = self.upstream.as_ref().is_none_or(|upstream| is_drained(upstream, context, scratch));
        if (client && upstream) || Instant::now() >= deadline {
            return Progress::Ended;
        }
        Progress::Waiting(Some(deadline))
    }

    /// Reads, filters and writes one direction; tells if the whole connection must end.
    fn pump(
        &mut self,
        direction: Direction,
        context: &mut Context<'_>,
        scratch: &mut [u8],
        note: &mut impl FnMut(What),
    ) -> Option<End> {
        let (source, sink, filter, reverse) = match direction {
            Direction::Up | Direction::Both => {
                (Some(&self.client), self.upstream.as_ref(), &mut self.up, &mut self.down)
            }
            Direction::Down => (self.upstream.as_ref(), Some(&self.client), &mut self.down, &mut self.up),
        };
        loop {
            let now = Instant::now();
            let mut moved = false;
            // Without a receiver nothing is read, so that nothing has to be kept, unless it vanishes anyway.
            let readable = source.filter(|_| sink.is_some() || filter.is_silent());
            if let (Some(source), Some(appetite)) = (readable, filter.appetite(now)) {
                let room = appetite.min(scratch.len());
                match poll_read(source, context, &mut scratch[..room]) {
                    Poll::Ready(Ok(0)) => {
                        filter.source_ended(note);
                        moved = true;
                    }
                    Poll::Ready(Ok(count)) => {
                        self.touched = now;
                        if self.forgotten == Some(IdleMode::Rst) {
                            return Some(End::Rst);
                        }
                        filter.admit(&scratch[..count], now, note);
                        moved = true;
                    }
                    // A reset is passed on at once, past everything that still waits, as a kernel does.
                    Poll::Ready(Err(_)) if filter.source_ended(note) => return Some(End::Rst),
                    Poll::Ready(Err(_)) => moved = true,
                    Poll::Pending => {}
                }
            }
            while let (Some(sink), Some(bytes)) = (sink, filter.front(now)) {
                match poll_write(sink, context, bytes) {
                    Poll::Ready(Ok(count)) => {
                        filter.handed_over(count, note);
                        moved = true;
                    }
                    // The receiver is gone; the news would travel against the stream, so a silent way back keeps it.
                    Poll::Ready(Err(_)) if reverse.is_silent() => filter.sink_ended(note),
                    Poll::Ready(Err(_)) => return Some(End::Rst),
                    Poll::Pending => break,
                }
            }
            match filter.tail() {
                Some(Tail::Cut(end)) => return Some(end),
                Some(Tail::Finish) => {
                    if let Some(sink) = sink {
                        let _ = shutdown_write(sink);
                        filter.finished(note);
                    }
                }
                None => {}
            }
            if !moved {
                return None;
            }
        }
    }
}

/// Lets dropping `stream` send a reset.
pub(super) fn reset_on_drop(stream: &TcpStream) {
    // Fails only on a socket that is already dead.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

fn shutdown_write(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).shutdown(Shutdown::Write)
}

/// Discards what has come; tells whether nothing more can come.
fn is_drained(stream: &TcpStream, context: &mut Context<'_>, scratch: &mut [u8]) -> bool {
    loop {
        match poll_read(stream, context, scratch) {
            Poll::Ready(Ok(0) | Err(_)) => return true,
            Poll::Ready(Ok(_)) => {}
            Poll::Pending => return false,
        }
    }
}

fn poll_read(stream: &TcpStream, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_read_ready(context))?;
        match stream.try_read(buffer) {
            Err(error) if is_transient(&error) => {}
            done => return Poll::Ready(done),
        }
    }
}

fn poll_write(stream: &TcpStream, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_write_ready(context))?;
        match stream.try_write(bytes) {
            Err(error) if is_transient(&error) => {}
            done => return Poll::Ready(done),
        }
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
