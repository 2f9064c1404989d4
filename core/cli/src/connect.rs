//! `keepline connect`: stdin goes out, messages come to stdout, events to stderr, through any number of connections.

use crate::args::Connect;
use crate::encoding::Encoding;
use crate::exit::{Exit, Failure};
use crate::input::{self, Input};
use crate::output::Output;
use crate::paint::{Colour, Paint};
use crate::report;
use crate::stop::Stop;
use crate::words;
use keepline::{Client, Ending, Event, EventKind, Overflow, State};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// 20 ms between two looks at the outbox while it drains: unseen by people, nothing for the processor.
const DRAIN_STEP: Duration = Duration::from_millis(20);

/// Runs the command until stdin ends, the connection is given up, or somebody asks it to stop.
pub(crate) async fn run(arguments: Connect, no_color: bool, verbose: u8) -> Result<Exit, Failure> {
    let mut stop = Stop::listen().map_err(|error| Failure::local(format!("no signals: {error}")))?;
    // Stdin can wait: whoever pipes a file wants all of it to arrive.
    let builder = arguments.tuning.builder(arguments.endpoints()?)?.overflow(Overflow::Wait);
    let builder = arguments.tls.over(builder);
    let config = builder.validate()?;
    let framing = config.framing.clone();
    let encoding = Encoding::of(&framing, arguments.encoding);
    let paint = Paint::of(&io::stderr(), no_color);
    if !arguments.quiet && verbose == 0 {
        for notice in &config.notices {
            eprintln!("{}", paint.text(Colour::Dim, &format!("note: {notice}")));
        }
    }
    let client = builder.start()?;
    let output = Arc::new(Output::new(framing.clone(), encoding, arguments.json));
    let (life, watcher) = watch::channel(Life::default());
    let teller = Teller {
        client: client.clone(),
        output: output.clone(),
        paint,
        is_json: arguments.json,
        with_reports: verbose > 0,
    };
    let mut told = tokio::spawn(teller.tell(arguments.quiet, life));
    let (writer_client, writer_output) = (client.clone(), output);
    let written = tokio::spawn(async move { writer_output.write_messages(&writer_client).await });

    let mut session = Session { client, watcher, stop: &mut stop, written: Some(written), unsent: 0 };
    let mut exit = session.first_connection(config.connect_within).await?;
    if exit.is_none() {
        let input = (!arguments.no_stdin).then(|| input::read(framing, encoding));
        exit = session.talk(input, arguments.once).await?;
    }
    let exit = match exit {
        Some(exit) => {
            session.client.abort();
            exit
        }
        None => session.drain(arguments.drain).await?,
    };
    if exit == Exit::Interrupted {
        return Ok(exit);
    }
    let written = session.written.take();
    let ended = async {
        if let Some(written) = written {
            finished(written.await)?;
        }
        // Its only failure is the same closed pipe.
        let _ = (&mut told).await;
        Ok(exit)
    };
    tokio::select! {
        ended = ended => ended,
        () = stop.asked() => Ok(Exit::Interrupted),
    }
}

/// What the events say about the client's life so far.
#[derive(Debug, Clone, Copy, Default)]
struct Life {
    connected: bool,
    lost: bool,
    /// Why there is no connection, if there is none.
    absent: Option<Ending>,
    closed: Option<Ending>,
}

/// Tells events: words to stderr, or JSON to stdout.
struct Teller {
    client: Client,
    output: Arc<Output>,
    paint: Paint,
    is_json: bool,
    /// Every end is told with its timeline.
    with_reports: bool,
}

impl Teller {
    async fn tell(self, is_quiet: bool, life: watch::Sender<Life>) -> io::Result<()> {
        let mut events = self.client.events();
        let mut start = None;
        while let Some(event) = events.recv().await {
            let start = *start.get_or_insert(event.at);
            life.send_modify(|life| life.follow(&event));
            if self.is_json {
                self.output.write_json(&words::json(&event, start)).await?;
            } else if let Some(sentence) = words::sentence(&event.kind).filter(|_| !is_quiet) {
                eprintln!("{}", self.paint.text(colour(&event.kind), &sentence));
                if self.with_reports
                    && let EventKind::Disconnected(lost) = &event.kind
                    && let Some(report) = &lost.report
                {
                    eprintln!("{}", self.paint.text(Colour::Dim, &report::block(report)));
                }
            }
        }
        Ok(())
    }
}

impl Life {
    fn follow(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Connected { .. } => self.connected = true,
            EventKind::Disconnected(lost) => {
                self.lost |= lost.up_for.is_some();
                self.absent = Some(lost.ending);
            }
            EventKind::Closed(ending) => self.closed = Some(*ending),
            EventKind::Connecting { .. }
            | EventKind::Suspect { .. }
            | EventKind::Recovered { .. }
            | EventKind::Stalled { .. }
            | EventKind::InboxFull { .. }
            | EventKind::Offline
            | EventKind::Paused
            | EventKind::Resumed
            | EventKind::Missed { .. } => {}
            // The list may grow by what changes nothing here.
            _ => {}
        }
    }
}

struct Session<'a> {
    client: Client,
    watcher: watch::Receiver<Life>,
    stop: &'a mut Stop,
    /// Taken where its end has been seen.
    written: Option<JoinHandle<io::Result<()>>>,
    unsent: u64,
}

impl Session<'_> {
    /// Waits for the first connection; `Some` if the program ends instead.
    async fn first_connection(&mut self, within: Duration) -> Result<Option<Exit>, Failure> {
        let first = self.watcher.wait_for(|life| life.connected || life.closed.is_some());
        let waited = tokio::select! {
            first = timeout(within, first) => first.map(|life| life.is_ok_and(|life| life.connected)),
            () = self.stop.asked() => return Ok(Some(Exit::Done)),
        };
        match waited {
            Ok(true) => Ok(None),
            Ok(false) => Ok(Some(self.gave_up())),
            Err(_elapsed) => {
                let last = self.watcher.borrow().absent.map(|ending| format!(" ({})", words::reason(&ending)));
                let (last, limit) = (last.unwrap_or_default(), words::time(within));
                eprintln!("keepline: unreachable: no connection within {limit}{last}; see --connect-within");
                Ok(Some(Exit::Unreachable))
            }
        }
    }

    /// Sends what stdin brings; `None` when what waits should be drained, `Some` if the program ends at once.
    async fn talk(&mut self, input: Option<mpsc::Receiver<Input>>, once: bool) -> Result<Option<Exit>, Failure> {
        let Session { client, watcher, stop, written, unsent } = self;
        let feeding = async {
            match input {
                Some(input) => feed(client, input, unsent).await,
                None => std::future::pending().await,
            }
        };
        let writing = async {
            match written {
                Some(written) => written.await,
                None => std::future::pending().await,
            }
        };
        let is_over = |life: &Life| life.closed.is_some() || (once && life.lost);
        // Only whether it is over: what it hands out is a lock.
        let over = async { watcher.wait_for(is_over).await.is_ok() };
        let ended = tokio::select! {
            fed = feeding => return fed.map(|()| None),
            () = stop.asked() => return Ok(None),
            _ = over => None,
            ended = writing => Some(ended),
        };
        if let Some(ended) = ended {
            self.written = None;
            finished(ended)?;
            // The client is closed, or stdout was: in any pipe that ends the program quietly.
            if self.client.state() != State::Closed {
                return Ok(Some(Exit::Done));
            }
            self.watcher.wait_for(is_over).await.map_err(|_| Failure::local("the events ended early"))?;
        }
        let is_lost = once && self.watcher.borrow().lost;
        Ok(Some(if is_lost { Exit::Lost } else { self.gave_up() }))
    }

    fn gave_up(&self) -> Exit {
        let closed = self.watcher.borrow().closed;
        let why = closed.map(|ending| format!(": {}", words::reason(&ending))).unwrap_or_default();
        eprintln!("keepline: gave up{why}");
        Exit::GaveUp
    }

    /// Hands over what waits, across a reconnect if need be, then closes; at most `limit` in all.
    async fn drain(&mut self, limit: Duration) -> Result<Exit, Failure> {
        let started = Instant::now();
        let Session { client, stop, .. } = self;
        let waiting = client.stats().messages.queued;
        if waiting > 0 && client.state() != State::Connected {
            // It may last: whoever wants to leave has to know that it is heard.
            eprintln!(
                "keepline: {waiting} messages wait for a connection, {} at most; Ctrl-C ends",
                words::time(limit)
            );
        }
        let drained = async {
            while client.stats().messages.queued > 0 && client.state() != State::Closed && started.elapsed() < limit {
                sleep(DRAIN_STEP).await;
            }
            client.close(limit.saturating_sub(started.elapsed())).await;
        };
        tokio::select! {
            _ = drained => {}
            () = stop.asked() => {
                client.abort();
                return Ok(Exit::Interrupted);
            }
        }
        let messages = self.client.stats().messages;
        let unsent = self.unsent + messages.not_sent + messages.expired;
        if unsent > 0 {
            eprintln!("keepline: {unsent} messages were never sent");
            return Ok(Exit::Unsent);
        }
        Ok(Exit::Done)
    }
}

/// Sends every message of stdin, waiting for room; what cannot be sent is told and counted.
async fn feed(client: &Client, mut input: mpsc::Receiver<Input>, unsent: &mut u64) -> Result<(), Failure> {
    while let Some(input) = input.recv().await {
        match input {
            Input::Message(message) => {
                if let Err(error) = client.send(message).await {
                    *unsent += 1;
                    eprintln!("keepline: not sent: {error}");
                }
            }
            Input::Bad { line, text } => {
                *unsent += 1;
                eprintln!("keepline: not sent: line {line} {text}");
            }
            Input::Failed(error) => return Err(Failure::local(format!("stdin: {error}"))),
        }
    }
    Ok(())
}

/// A closed pipe behind stdout is an ordinary end; everything else is a failure.
fn finished(written: Result<io::Result<()>, tokio::task::JoinError>) -> Result<(), Failure> {
    match written {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Ok(Err(error)) => Err(Failure::local(format!("stdout: {error}"))),
        Err(error) => Err(Failure::local(format!("writing ended: {error}"))),
    }
}

fn colour(kind: &EventKind) -> Colour {
    match kind {
        EventKind::Connected { .. } | EventKind::Recovered { .. } | EventKind::Resumed => Colour::Green,
        EventKind::Suspect { .. } | EventKind::Stalled { .. } | EventKind::InboxFull { .. } => Colour::Yellow,
        EventKind::Disconnected(_) | EventKind::Offline => Colour::Red,
        EventKind::Connecting { .. } | EventKind::Paused | EventKind::Missed { .. } | EventKind::Closed(_) => {
            Colour::Dim
        }
        // The list may grow; what is not known is neither good nor bad.
        _ => Colour::Dim,
    }
}
