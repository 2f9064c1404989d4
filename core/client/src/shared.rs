//! What a client's handles and its driver share: the locked outbox, the inbox, the events, the wake-up.

use crate::endpoint::{Endpoint, Targets};
use crate::error::Error;
use crate::events::EventRing;
use crate::extras::Extras;
use crate::governor::Governor;
use crate::inbox::Inbox;
#[cfg(target_os = "linux")]
use crate::inline_reads::InlineReads;
use crate::io::names::Names;
use crate::io::sockopt::SocketOptions;
use crate::proxy::first_hop;
use crate::stats::Counters;
use crate::writer::Writer;
use atomic_waker::AtomicWaker;
use keepline_proto::cause::{GreetingFailure, ProxyFailure};
use keepline_proto::config::ValidConfig;
use keepline_proto::endpoints::{Candidates, EndpointId};
use keepline_proto::session::{Command, NetworkPath};
use keepline_proto::{Cause, ConfigError, Ending, Epoch, ErrorKind, State};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The options that were read back last: thousands of clients with the same ones share them.
static LAST_OPTIONS: Mutex<Option<Arc<SocketOptions>>> = Mutex::new(None);

/// A wish of the user for the driver.
#[derive(Debug)]
pub(crate) enum Wish {
    /// For the machine as it is.
    Command(Command),
    /// The network changed.
    Network(Option<NetworkPath>),
    /// Other endpoints.
    Endpoints(Vec<Endpoint>),
    /// `connect()` has waited long enough.
    GiveUp,
    /// The stream of this connection met its end.
    StreamEnded(Epoch, Ending),
    /// The user is done with the stream of this connection.
    StreamLeft { epoch: Epoch, peer_closed: bool },
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Arc<ValidConfig>,
    pub(crate) extras: Extras,
    pub(crate) inline_writes: bool,
    /// The client ends with its first connection.
    pub(crate) one_connection: bool,
    writer: Mutex<Writer>,
    pub(crate) inbox: Inbox,
    pub(crate) events: EventRing,
    pub(crate) counters: Counters,
    desk: Mutex<Desk>,
    driver: AtomicWaker,
    state: AtomicU8,
    /// Clients, counted apart from what readers and receipts hold: the last one ends the client.
    handles: AtomicU32,
}

/// What passes between the handles and the driver at turns of the path.
#[derive(Debug)]
struct Desk {
    targets: Targets,
    /// Only where there is a name to resolve.
    names: Option<Arc<Names>>,
    /// What is in force on the last connection.
    options: Option<Arc<SocketOptions>>,
    /// Boxed: a client that is left alone, and never lost its connection, has none.
    news: Option<Box<News>>,
}

/// What few clients have on their desk at a time.
#[derive(Debug, Default)]
struct News {
    wishes: Vec<Wish>,
    /// The last ending, told to whoever asks while there is no connection.
    ending: Option<Ending>,
    /// Set once, at the end; the ending is then final.
    closed: bool,
}

impl Shared {
    pub(crate) fn new(config: Arc<ValidConfig>, targets: Targets, names: Option<Arc<Names>>, extras: Extras) -> Shared {
        Shared {
            writer: Mutex::new(Writer::new(&config)),
            inbox: Inbox::default(),
            events: EventRing::default(),
            counters: Counters::default(),
            desk: Mutex::new(Desk { targets, names, options: None, news: None }),
            driver: AtomicWaker::new(),
            state: AtomicU8::new(0),
            handles: AtomicU32::new(0),
            config,
            extras,
            inline_writes: true,
            one_connection: false,
        }
    }

    /// Who holds the retries of this client back; `None` if nobody does.
    pub(crate) fn governor(&self) -> Option<Governor> {
        self.config.governed.then(|| self.extras.governor().cloned().unwrap_or_else(Governor::of_process))
    }

    pub(crate) fn with_inline_writes(mut self, inline_writes: bool) -> Shared {
        self.inline_writes = inline_writes;
        self
    }

    pub(crate) fn with_one_connection(mut self, one_connection: bool) -> Shared {
        self.one_connection = one_connection;
        self
    }

    /// A later list as it is dialled: encrypted as it was declared, or refused.
    pub(crate) fn as_dialled(&self, endpoints: Vec<Endpoint>) -> Result<Vec<Endpoint>, ConfigError> {
        #[cfg(feature = "tls")]
        if let Some(tls) = self.extras.tls() {
            return tls.over(endpoints);
        }
        match endpoints.iter().find(|endpoint| endpoint.is_tls()) {
            Some(asks) => {
                Err(ConfigError::new("endpoint", asks, "must not ask for TLS: the client was made without it"))
            }
            None => Ok(endpoints),
        }
    }

    pub(crate) fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add_handle(&self) {
        // Whoever clones a handle holds one, so the count cannot fall to zero meanwhile.
        self.handles.fetch_add(1, Ordering::Relaxed);
    }

    /// Says whether that was the last one.
    pub(crate) fn drop_handle(&self) -> bool {
        self.handles.fetch_sub(1, Ordering::AcqRel) == 1
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a wish to the driver. What is sent from now on waits for its turn: a message after a pause is not written on
    /// the connection that the pause ends.
    pub(crate) fn wish(&self, wish: Wish) {
        self.desk().news.get_or_insert_default().wishes.push(wish);
        // After the wish is there: a driver that un-corks meanwhile sees it.
        self.writer().outbox.cork();
        self.driver.wake();
    }

    /// Whether the driver has not come to a wish yet.
    pub(crate) fn has_wishes(&self) -> bool {
        self.desk().news.as_ref().is_some_and(|news| !news.wishes.is_empty())
    }

    pub(crate) fn take_wishes(&self) -> Vec<Wish> {
        let mut desk = self.desk();
        let Some(news) = &mut desk.news else { return Vec::new() };
        let wishes = std::mem::take(&mut news.wishes);
        desk.news.take_if(|news| news.ending.is_none());
        wishes
    }

    /// The endpoint of this number, if it is still in the list.
    pub(crate) fn target(&self, id: EndpointId) -> Option<Endpoint> {
        self.desk().targets.get(id).cloned()
    }

    /// What the client knows of names; `None` where there is none to resolve.
    pub(crate) fn names(&self) -> Option<Arc<Names>> {
        self.desk().names.clone()
    }

    /// Where TCP leads to, if that is one address whatever is dialled, and no name has to be resolved for it: the proxy's, or
    /// that of the only endpoint.
    pub(crate) fn only_hop(&self) -> Option<SocketAddr> {
        let desk = self.desk();
        if self.config.proxy.is_none() {
            return desk.targets.only_address();
        }
        let endpoints = desk.targets.list();
        let mut hops = endpoints.iter().map(|endpoint| first_hop(endpoint, &self.config).literal());
        let first = hops.next()??;
        hops.all(|hop| hop == Some(first)).then_some(first)
    }

    /// All endpoints.
    pub(crate) fn targets(&self) -> Vec<Endpoint> {
        self.desk().targets.list()
    }

    /// Takes a list that was checked, and gives what the machine has to know of it. Driver only.
    pub(crate) fn set_targets(&self, endpoints: Vec<Endpoint>) -> Option<Candidates> {
        let mut desk = self.desk();
        let candidates = desk.targets.replace(endpoints).ok();
        if desk.names.is_none() && desk.targets.has_names() {
            desk.names = Some(Arc::new(Names::new(None)));
        }
        candidates
    }

    pub(crate) fn set_options(&self, options: SocketOptions) {
        let mut last = LAST_OPTIONS.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last.take_if(|last| **last == options).unwrap_or_else(|| Arc::new(options));
        *last = Some(known.clone());
        drop(last);
        self.desk().options = Some(known);
    }

    pub(crate) fn options(&self) -> SocketOptions {
        self.desk().options.as_deref().copied().unwrap_or_default()
    }

    /// Gives back the room that comes with traffic and with those who wait, where there is neither.
    pub(crate) fn rest(&self) {
        self.writer().room.rest();
        self.inbox.rest();
        self.events.rest();
    }

    /// Whether the driver's turn is made by an event loop that reads by itself.
    pub(crate) fn is_caller_turn(&self) -> bool {
        #[cfg(target_os = "linux")]
        return self.extras.inline_reads().is_some_and(InlineReads::is_turn);
        #[cfg(not(target_os = "linux"))]
        false
    }

    pub(crate) fn wake_driver(&self) {
        self.driver.wake();
    }

    pub(crate) fn register_driver(&self, waker: &std::task::Waker) {
        self.driver.register(waker);
    }

    pub(crate) fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            0 => State::Idle,
            1 => State::Connecting,
            2 => State::Connected,
            3 => State::Suspect,
            4 => State::Stalled,
            5 => State::Waiting,
            6 => State::Offline,
            _ => State::Closed,
        }
    }

    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.counters.epoch.load(Ordering::Acquire).into())
    }

    /// Publishes where the machine stands. Driver only.
    pub(crate) fn publish(&self, state: State, epoch: Epoch) {
        if self.set_state(state, epoch) {
            self.events.note_change();
        }
    }

    /// Sets the state without waking anybody; whether it is another one.
    pub(crate) fn set_state(&self, state: State, epoch: Epoch) -> bool {
        let number = match state {
            State::Idle => 0,
            State::Connecting => 1,
            State::Connected => 2,
            State::Suspect => 3,
            State::Stalled => 4,
            State::Waiting => 5,
            State::Offline => 6,
            State::Closed => 7,
            _ => 7,
        };
        self.counters.epoch.store(u32::try_from(epoch.0).unwrap_or(u32::MAX), Ordering::Release);
        self.state.swap(number, Ordering::AcqRel) != number
    }

    pub(crate) fn set_ending(&self, ending: Ending) {
        let mut desk = self.desk();
        let news = desk.news.get_or_insert_default();
        if !news.closed {
            news.ending = Some(ending);
        }
    }

    pub(crate) fn ending(&self) -> Option<Ending> {
        self.desk().news.as_ref()?.ending
    }

    pub(crate) fn set_closed(&self, ending: Ending) {
        self.set_ending(ending);
        self.desk().news.get_or_insert_default().closed = true;
        self.events.note_change();
    }

    pub(crate) fn closed_with(&self) -> Option<Ending> {
        self.desk().news.as_ref().filter(|news| news.closed)?.ending
    }

    /// Waits until the client is closed.
    pub(crate) async fn closed(&self) -> Ending {
        let bell = self.events.listen();
        loop {
            let changed = bell.notified();
            if let Some(ending) = self.closed_with() {
                return ending;
            }
            changed.await;
        }
    }

    /// Waits until a connection is up, or the client is closed.
    pub(crate) async fn connected(&self) -> Result<(), Error> {
        let connected = self.first_connection().await;
        self.events.rest();
        connected
    }

    async fn first_connection(&self) -> Result<(), Error> {
        let bell = self.events.listen();
        loop {
            let changed = bell.notified();
            if let Some(ending) = self.closed_with() {
                return Err(gave_up(ending, &self.config).with_report_of(self));
            }
            if self.state().is_up() {
                return Ok(());
            }
            changed.await;
        }
    }
}

/// The error of a client that closed by itself before it was ever connected.
fn gave_up(ending: Ending, config: &ValidConfig) -> Error {
    let (kind, text) = if ending.cause == Cause::Requested {
        (ErrorKind::Closed, "the client was closed before it connected")
    } else if config.max_attempts.is_some() || config.is_fatal(ending.cause) || is_refused(ending) {
        (ErrorKind::Exhausted, "the client gave up")
    } else {
        (ErrorKind::Unavailable, "no connection within connect.within")
    };
    Error::new(kind, text).with_ending(Some(ending))
}

/// Whether the peer or the proxy refused the credentials for good.
fn is_refused(ending: Ending) -> bool {
    matches!(ending.cause, Cause::Greeting(GreetingFailure::Auth) | Cause::Proxy(ProxyFailure::Auth))
}
