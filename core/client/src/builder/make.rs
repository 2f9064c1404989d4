//! From a declaration to a client.

use super::Builder;
use crate::client::Client;
use crate::driver::Driver;
use crate::endpoint::{Endpoint, Targets};
use crate::error::Error;
use crate::extras::Extras;
use crate::greeting::Login;
#[cfg(target_os = "linux")]
use crate::inline_reads::{Turn, Turns};
use crate::io::names::Names;
use crate::proxy::first_hop;
use crate::shared::Shared;
use crate::streams::Streams;
#[cfg(feature = "tls")]
use crate::tls::{Tls, TlsSide};
use keepline_proto::config::Choice;
use keepline_proto::framing::Framing;
use keepline_proto::{ConfigError, ErrorKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

impl Builder {
    /// Makes the client and waits for its first connection, retrying by policy, at most `connect_within`.
    ///
    /// # Errors
    /// `InvalidConfig`; `Unavailable` with the last cause when the time is over (the client is then closed);
    /// `Exhausted` after `max_attempts` or a fatal cause.
    ///
    /// # Cancel safety
    /// Cancelling aborts the client.
    pub async fn connect(self) -> Result<Client, Error> {
        let client = self.start()?;
        client.connected().await?;
        Ok(client)
    }

    /// Makes the client and returns at once; it dials for ever.
    ///
    /// # Errors
    /// `InvalidConfig`, also outside a tokio runtime.
    pub fn start(self) -> Result<Client, Error> {
        self.spawn(false)
    }

    /// Makes a stream client and waits for its first connection.
    ///
    /// # Errors
    /// As [`Builder::connect`]; `InvalidConfig` also for a framing, an application heartbeat, automatic answers or a
    /// correlation: the bytes of a stream are the user's.
    ///
    /// # Cancel safety
    /// Cancelling aborts the client.
    pub async fn connect_streams(self) -> Result<Streams, Error> {
        let streams = self.start_streams()?;
        streams.client().connected().await?;
        Ok(streams)
    }

    /// Makes a stream client and returns at once; it dials for ever.
    ///
    /// # Errors
    /// As [`Builder::connect_streams`], without the wait.
    pub fn start_streams(self) -> Result<Streams, Error> {
        let config = self.parsed()?;
        let refuse = |field: &'static str, value: &str| {
            Err(Error::from(ConfigError::new(
                field,
                value,
                "must not be set for a stream client, whose bytes are the user's",
            )))
        };
        if config.heartbeat.is_some() {
            return refuse("heartbeat", "set");
        }
        if !matches!(config.framing, Framing::Raw) && config.greeting.is_none() {
            return refuse("framing", config.framing.name());
        }
        if config.correlation.is_some() {
            return refuse("correlation", "set");
        }
        if !config.auto_replies.is_empty() {
            return refuse("auto_replies", "set");
        }
        if config.go_away.is_some() {
            return refuse("go_away", "set");
        }
        let given = &self.config;
        if given.outbox_messages.is_some() || given.outbox_bytes.is_some() || given.outbox_age != Choice::Auto {
            return refuse("outbox", "set");
        }
        self.spawn(true).map(Streams::new)
    }

    /// Who resolves names for the client, with nothing learned yet.
    pub(crate) fn names(&self) -> Names {
        Names::new(self.resolver.clone())
    }

    /// One attempt of this length, and no second one.
    pub(crate) fn once(mut self, total: Duration) -> Builder {
        self.config.max_attempts = Some(1);
        self.config.connect_total = Some(total);
        self
    }

    /// Leaves the connection in peace for this much silence, then sends the declared heartbeat, if there is one.
    pub(crate) fn silent_for(mut self, silence: Duration) -> Builder {
        (self.config.user_timeout, self.config.rto_max, self.config.read_idle) = (Choice::Off, Choice::Off, None);
        if let Some(heartbeat) = &mut self.config.heartbeat {
            heartbeat.interval = Some(silence);
        }
        self
    }

    fn spawn(self, streaming: bool) -> Result<Client, Error> {
        let config = self.parsed()?;
        if self.one_connection && config.concurrent_ok {
            let rule = "must not be set for a client of one connection";
            return Err(ConfigError::new("concurrent_ok", "set", rule).into());
        }
        let endpoints = self.endpoints?;
        #[cfg(feature = "tls")]
        let (endpoints, tls) = over_tls(endpoints, self.tls)?;
        let (targets, candidates) = Targets::new(endpoints)?;
        let Some(runtime) = self.runtime.or_else(|| Handle::try_current().ok()) else {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                "runtime: must be set outside a tokio runtime (got none)",
            ));
        };
        for notice in &config.notices {
            tracing::warn!(field = notice.field, "{}", notice.text);
        }
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..));
        let login = Login::of(&config, self.hook, self.provider, self.proxy_provider);
        // Those of a later list may be names, and are then resolved in the same way.
        let has_name = targets.has_names() || targets.list().iter().any(|own| is_name(&first_hop(own, &config)));
        let names = (has_name || self.resolver.is_some()).then(|| Arc::new(Names::new(self.resolver)));
        let extras = Extras::default()
            .with_login(login)
            .with_socket_hook(self.socket_hook)
            .with_governor(self.governor)
            .with_discarded(config.unsolicited)
            .with_streams(streaming);
        #[cfg(target_os = "linux")]
        let extras = extras.with_inline_reads(self.inline_reads && !streaming);
        #[cfg(feature = "tls")]
        let extras = extras.with_tls(tls);
        let shared = Shared::new(config, targets, names, extras)
            .with_inline_writes(self.inline_writes)
            .with_one_connection(self.one_connection);
        let shared = Arc::new(shared);
        if streaming {
            // Messages have no meaning on a stream client: every send is refused as closed.
            shared.writer().ended = true;
        }
        // The first attempt begins here, and the caller's thread may be none of the runtime's.
        let inside = runtime.enter();
        let driver = Driver::new(shared.clone(), &runtime, seed, candidates);
        drop(inside);
        // Its task is 384 bytes with it, and would be 512 if it grew past what tokio leaves of that: whole cache lines.
        const { assert!(size_of::<Driver>() <= 280 || cfg!(not(target_pointer_width = "64"))) };
        start(driver, &shared, &runtime);
        Ok(Client::new(shared))
    }
}

/// Gives the driver to its runtime.
fn start(driver: Driver, shared: &Shared, runtime: &Handle) {
    #[cfg(target_os = "linux")]
    if let Some(reads) = shared.extras.inline_reads() {
        let turns = Arc::new(Turns::new(driver, runtime.clone()));
        reads.set_turns(&turns);
        runtime.spawn(Turn(turns));
        return;
    }
    #[cfg(not(target_os = "linux"))]
    let _unused = shared;
    runtime.spawn(driver);
}

fn is_name(endpoint: &Endpoint) -> bool {
    endpoint.path().is_none() && endpoint.literal().is_none()
}

/// What encrypts, if anything asks for it: a declaration is for every endpoint, `tls://` for one.
#[cfg(feature = "tls")]
fn over_tls(endpoints: Vec<Endpoint>, declared: Option<Tls>) -> Result<(Vec<Endpoint>, Option<Box<TlsSide>>), Error> {
    if declared.is_none() && !endpoints.iter().any(Endpoint::is_tls) {
        return Ok((endpoints, None));
    }
    let is_for_all = declared.is_some();
    let connector = declared.unwrap_or_default().connector()?;
    let side = TlsSide::new(Arc::new(connector), is_for_all);
    Ok((side.over(endpoints)?, Some(Box::new(side))))
}
