//! One real attempt of the declared client: proxy, TLS and greeting as they will be, with nothing left out.

use super::diagnosis::{Examined, Fact, StageName};
use crate::builder::Builder;
use crate::client::Client;
use crate::clock;
use crate::events::Events;
use crate::message::Message;
use keepline_proto::config::ValidConfig;
use keepline_proto::event::Disconnected;
use keepline_proto::proxy::Proxy;
use keepline_proto::{Cause, Ending, EventKind, Time};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// What the attempt is made of.
pub(super) struct Attempt<'a> {
    pub(super) builder: &'a Builder,
    pub(super) config: &'a ValidConfig,
    pub(super) patience: Duration,
    /// What the endpoint is reached through, if it is.
    pub(super) proxy: Option<Proxy>,
}

impl Attempt<'_> {
    /// Makes the attempt, and watches what comes of it. Whether the way is open.
    pub(super) async fn run(&self, listen: Duration, examined: &mut Examined) -> bool {
        let begun = clock::now();
        let connected = self.connect(self.once()).await;
        let (client, mut events) = match connected {
            Ok(up) => up,
            Err(Some(end)) => {
                let facts = timeline(&end);
                examined.failed(stage_of(&end.ending), begun, Some(end.ending.cause), facts);
                return false;
            }
            Err(None) => {
                let facts = vec![Fact::new("error", "the attempt did not end in time")];
                examined.failed(StageName::Greeting, begun, Some(Cause::ConnectTimeout), facts);
                return false;
            }
        };
        if let Some(proxy) = &self.proxy {
            examined.passed(StageName::Proxy, begun, vec![Fact::new("through", proxy)]);
        }
        #[cfg(feature = "tls")]
        if let Some(agreed) = client.stats().tls {
            let facts = vec![Fact::new("version", agreed.version), Fact::new("cipher", agreed.cipher)];
            examined.passed(StageName::Tls, begun, facts);
        }
        let is_open = match self.asks() {
            Some(asked) => {
                examined.passed(StageName::Greeting, begun, vec![Fact::new("answered", asked)]);
                true
            }
            None => watch(&client, &mut events, listen, begun, examined).await,
        };
        client.abort();
        is_open
    }

    /// The declared client with one attempt. Its deadline is never below the declared one of a single address, which the
    /// configuration would refuse.
    pub(super) fn once(&self) -> Builder {
        self.builder.clone().once(self.patience.max(self.config.connect_per_address))
    }

    /// A connection of the declared client, or the end of its one attempt.
    pub(super) async fn connect(&self, builder: Builder) -> Result<(Client, Events), Option<Disconnected>> {
        let Ok(client) = builder.start() else { return Err(None) };
        let mut events = client.events_after(0);
        let limit = self.patience.saturating_mul(2).max(self.config.connect_total);
        let turned = tokio::time::timeout(limit, async {
            loop {
                match events.recv().await.map(|event| event.kind) {
                    Some(EventKind::Connected { .. }) => break Ok(()),
                    Some(EventKind::Disconnected(end)) => break Err(Some(*end)),
                    Some(EventKind::Closed(_)) | None => break Err(None),
                    Some(_) => {}
                }
            }
        });
        match turned.await {
            Ok(Ok(())) => Ok((client, events)),
            Ok(Err(end)) => Err(end),
            Err(_elapsed) => Err(None),
        }
    }

    /// What makes the server answer before the client counts as connected, if anything does.
    pub(super) fn asks(&self) -> Option<&'static str> {
        if self.config.greeting.is_some() {
            Some("the greeting passed")
        } else if self.config.heartbeat.as_ref().is_some_and(|heartbeat| heartbeat.expects_reply()) {
            Some("the heartbeat was answered")
        } else {
            None
        }
    }
}

/// What a server does that is asked nothing.
enum Unasked {
    Ended(Option<Disconnected>),
    Said(Option<Message>),
}

/// Watches a server that is asked nothing. Whether the way is open.
async fn watch(client: &Client, events: &mut Events, listen: Duration, begun: Time, examined: &mut Examined) -> bool {
    let mut ended = pin!(end_of(events));
    let mut said = pin!(client.recv());
    let first = poll_fn(|context| {
        if let Poll::Ready(end) = ended.as_mut().poll(context) {
            return Poll::Ready(Unasked::Ended(end));
        }
        said.as_mut().poll(context).map(Unasked::Said)
    });
    match tokio::time::timeout(listen, first).await {
        Ok(Unasked::Ended(end)) => {
            let cause = end.as_ref().map_or(Cause::PeerClosed, |end| end.ending.cause);
            examined.failed(StageName::Greeting, begun, Some(cause), end.as_ref().map(timeline).unwrap_or_default());
            return false;
        }
        Ok(Unasked::Said(message)) => {
            let said =
                message.map(|message| String::from_utf8_lossy(&message.payload).into_owned()).unwrap_or_default();
            let facts = vec![Fact::new("server", "speaks first"), Fact::new("said", said)];
            examined.passed(StageName::Greeting, begun, facts);
        }
        Err(_elapsed) => {
            let quiet = "accepts, and says nothing unasked; a declared heartbeat would ask it";
            examined.warned(StageName::Greeting, begun, None, vec![Fact::new("server", quiet)]);
        }
    }
    true
}

/// Waits for the end of the connection.
pub(super) async fn end_of(events: &mut Events) -> Option<Disconnected> {
    loop {
        match events.recv().await.map(|event| event.kind) {
            Some(EventKind::Disconnected(end)) => break Some(*end),
            Some(EventKind::Closed(_)) | None => break None,
            Some(_) => {}
        }
    }
}

/// The stage that an end belongs to.
pub(super) fn stage_of(ending: &Ending) -> StageName {
    if ending.hint.is_some() {
        // Hints are of the handshake, also where the stream simply ended in it.
        return StageName::Tls;
    }
    match ending.cause {
        Cause::Dns(_) => StageName::Names,
        Cause::Refused | Cause::Unreachable | Cause::ConnectTimeout | Cause::LocalResource => StageName::Tcp,
        Cause::LocalNetworkDown | Cause::NetworkChanged => StageName::Route,
        Cause::Proxy(_) => StageName::Proxy,
        Cause::Tls(_) => StageName::Tls,
        Cause::PeerClosed
        | Cause::Reset
        | Cause::PathSilent
        | Cause::PeerUnresponsive
        | Cause::PeerStalled
        | Cause::WriteStalled
        | Cause::Greeting(_)
        | Cause::Protocol(_)
        | Cause::Replaced
        | Cause::Requested => StageName::Greeting,
        // The causes may grow; whatever is not known here came after the connection was there.
        _ => StageName::Greeting,
    }
}

/// What the flight recorder saw of the end.
pub(super) fn timeline(end: &Disconnected) -> Vec<Fact> {
    let mut facts = vec![Fact::new("end", end.ending)];
    if let Some(report) = &end.report {
        facts.extend(report.entries.iter().map(|entry| {
            let after = report.after_start(entry.at).as_secs_f64() * 1_000.0;
            Fact::new("turn", format!("{after:.1} ms {}", report.sentence(entry)))
        }));
    }
    facts
}
