//! Declares a client, then makes it.

mod login;
mod make;
mod places;

use crate::client::Client;
use crate::endpoint::{Endpoint, IntoEndpoints, Targets};
use crate::error::Error;
use crate::governor::Governor;
use crate::greeting::{Hook, Provider};
use crate::hooks::SocketHook;
use crate::proxy::ProxyProvider;
use crate::resolver::Resolver;
use keepline_proto::ConfigError;
use keepline_proto::config::{
    Addresses, AutoReply, Choice, Config, Credentials, Greeting, Heartbeat, Jitter, Keepalive, Matcher, Overflow,
    Profile, RetryAfter, Script, Unsolicited, ValidConfig, WhileDown,
};
use keepline_proto::correlator::Correlation;
use keepline_proto::endpoints::EndpointOrder;
use keepline_proto::framing::Framing;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// Declares a client. Every value that is not given comes from `detect_within`, else from the profile.
#[derive(Clone)]
pub struct Builder {
    endpoints: Result<Vec<Endpoint>, ConfigError>,
    pub(crate) config: Config,
    valid: Option<Arc<ValidConfig>>,
    /// The first value that could not be, told when the client is made.
    pub(crate) refused: Option<ConfigError>,
    hook: Option<Hook>,
    socket_hook: Option<SocketHook>,
    resolver: Option<Arc<dyn Resolver>>,
    provider: Option<Provider>,
    pub(crate) proxy_provider: Option<ProxyProvider>,
    runtime: Option<Handle>,
    seed: Option<u64>,
    inline_writes: bool,
    #[cfg(target_os = "linux")]
    inline_reads: bool,
    one_connection: bool,
    governor: Option<Governor>,
    #[cfg(feature = "tls")]
    tls: Option<crate::tls::Tls>,
}

impl Client {
    /// Starts to declare a client of one endpoint, or of a list of them: `host:port`, `[v6]:port`, either after `tls://`,
    /// `unix:/path` or a socket address. A bad one is told when the client is made.
    pub fn builder(endpoints: impl IntoEndpoints) -> Builder {
        Builder {
            endpoints: endpoints.into_endpoints(),
            config: Config::default(),
            valid: None,
            refused: None,
            hook: None,
            socket_hook: None,
            resolver: None,
            provider: None,
            proxy_provider: None,
            runtime: None,
            seed: None,
            inline_writes: true,
            #[cfg(target_os = "linux")]
            inline_reads: false,
            one_connection: false,
            governor: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

macro_rules! setters {
    ($($(#[$meta:meta])* $name:ident($type:ty) => $field:ident = $value:expr;)+) => {
        $(
            $(#[$meta])*
            pub fn $name(mut self, value: $type) -> Builder {
                #[allow(clippy::redundant_closure_call)]
                {
                    self.config.$field = ($value)(value);
                }
                self
            }
        )+
    };
}

impl Builder {
    setters! {
        /// Sets the profile: the defaults of everything else. `Balanced` unless given.
        profile(Profile) => profile = |value| value;
        /// Sets the longest time until a dead peer is noticed; the rest is derived from it. At least 4 s.
        detect_within(Duration) => detect_within = Some;
        /// Declares the heartbeat: the only proof that the peer's process lives.
        heartbeat(Heartbeat) => heartbeat = Some;
        /// Sets the kernel's probes. Whole seconds; rounded up.
        keepalive(Keepalive) => keepalive = Choice::On;
        /// Sets `TCP_USER_TIMEOUT`: at least keepalive idle + interval × retries.
        user_timeout(Duration) => user_timeout = Choice::On;
        /// Sets `TCP_RTO_MAX_MS`, 1 s to 120 s; in force from Linux 6.15, and only with a user timeout.
        rto_max(Duration) => rto_max = Choice::On;
        /// Sets the longest silence of a peer that talks by itself.
        read_idle(Duration) => read_idle = Some;
        /// Sets the deadline of the TCP handshake with one address.
        connect_per_address(Duration) => connect_per_address = Some;
        /// Sets the deadline of a whole attempt.
        connect_total(Duration) => connect_total = Some;
        /// Sets how the addresses of a name are dialled: in a race, or one at a time.
        addresses(Addresses) => addresses = Some;
        /// Sets how long an address has for itself before the next one is dialled beside it, 100 ms to 2 s.
        address_stagger(Duration) => address_stagger = Some;
        /// Has the race over the addresses of a name end with the first TLS handshake that succeeds, not with the first TCP one:
        /// an address that connects and then says nothing costs a stagger, and not a whole handshake deadline. Off unless
        /// given. The endpoints must be encrypted.
        race_through_tls(bool) => race_through_tls = |value| value;
        /// Goes on trying after a verdict on TLS that ends the client otherwise, such as an unknown issuer, 30 s and more apart:
        /// for devices that nobody restarts. Off unless given; nothing is ever sent to such a server.
        retry_tls_verdicts(bool) => retry_tls_verdicts = |value| value;
        /// Sets how long [`Builder::connect`] waits for the first `Connected`.
        connect_within(Duration) => connect_within = Some;
        /// Sets the window of the first retry.
        first_spread(Duration) => first_spread = Some;
        /// Sets the window of the second retry, before the multiplier.
        backoff_initial(Duration) => backoff_initial = Some;
        /// Sets the growth of the window, 1 to 100.
        backoff_multiplier(f64) => backoff_multiplier = Some;
        /// Sets the longest wait after the first, the usual floor of 0.1 s included; of some classes of wait a multiple.
        backoff_max(Duration) => backoff_max = Some;
        /// Sets how a delay is drawn from its window.
        backoff_jitter(Jitter) => backoff_jitter = Some;
        /// Sets how long a verified connection must stay up before the backoff is reset.
        stable_after(Duration) => stable_after = Some;
        /// Gives up after so many failed attempts in a row.
        max_attempts(u32) => max_attempts = Some;
        /// Sets what happens to messages while there is no connection.
        while_down(WhileDown) => while_down = Some;
        /// Sets the most messages the outbox holds.
        outbox_messages(usize) => outbox_messages = Some;
        /// Sets the most bytes the outbox holds.
        outbox_bytes(usize) => outbox_bytes = Some;
        /// Sets how old a message may grow in the outbox.
        outbox_age(Duration) => outbox_age = Choice::On;
        /// Sets what `send` does when the outbox is full.
        overflow(Overflow) => overflow = Some;
        /// Sets the most bytes of received messages that wait for the user.
        inbox_bytes(usize) => inbox_bytes = Some;
        /// Sets what happens to messages that no request asked for.
        unsolicited(Unsolicited) => unsolicited = |value| value;
        /// Sets how bytes become messages. `Raw` unless given.
        framing(Framing) => framing = |value| value;
        /// Sets how long a started frame may take to end.
        frame_within(Duration) => frame_within = Choice::On;
        /// Sets how replies find their requests.
        correlation(Correlation) => correlation = Some;
        /// Sets which frames are never replies, though requests are in flight.
        push(Matcher) => push = Some;
        /// Sets the most requests in flight, late replies included.
        max_in_flight(usize) => max_in_flight = Some;
        /// Sets how long a peer may keep its window shut.
        stall_limit(Duration) => stall_limit = Some;
        /// Sets whether retries count against the budget that the clients of a process share for one endpoint; they do
        /// unless given. [`Builder::governor`] gives another budget.
        governed(bool) => governed = Some;
        /// Sets whether a connection is asked for a sign of life when another one from the same local address died of a
        /// silent path; it is unless given.
        sibling_probes(bool) => sibling_probes = Some;
        /// Sets whether the client watches the way to its peer: a change makes the connection prove itself, or be replaced,
        /// and without a network nothing is dialled. On unless given; what [`Client::network_changed`] tells counts too.
        network_monitor(bool) => network_monitor = Some;
        /// Sets in which order several endpoints are tried: shuffled unless given.
        endpoint_order(EndpointOrder) => endpoint_order = |value| value;
        /// Tries a better endpoint beside a healthy connection to a second choice, this often; from 10 s. Only with
        /// `EndpointOrder::Ordered` and [`Builder::concurrent_ok`]: the connection is left once the better one has proved
        /// alive.
        return_to_preferred(Duration) => return_to_preferred = Some;
        /// Sets whether the peer serves one connection at a time: the old one is then reset before the next is dialled.
        /// On in the industrial profile.
        single_connection(bool) => single_connection = Some;
        /// Sets the local address to connect from. Addresses of the other family are not tried.
        bind_address(IpAddr) => bind_address = Some;
        /// Declares a greeting as sends and expected replies.
        greeting(Script) => greeting = |script| Some(Greeting::Script(script));
        /// Sets how long a provider of credentials may take; at most `connect_total`.
        credentials_within(Duration) => credentials_within = Some;
        /// Gives up after the peer refused the credentials so often in a row. Twice unless given.
        auth_attempts(u32) => auth_attempts = Choice::On;
        /// Declares the frame by which the server sends the client away: it leaves, and comes back no sooner.
        go_away(RetryAfter) => go_away = Some;
    }

    /// Switches the kernel's probes off.
    pub fn no_keepalive(mut self) -> Builder {
        self.config.keepalive = Choice::Off;
        self
    }

    /// Allows a second connection beside a suspect one: whichever proves alive first stays, the other is aborted.
    ///
    /// Both are greeted at the same time; messages wait for the one that stays. Servers that serve one connection per
    /// client, as many controllers do, drop the first for the second.
    pub fn concurrent_ok(mut self) -> Builder {
        self.config.concurrent_ok = true;
        self
    }

    /// Refuses names that lead to this machine or into a private network. For names that come from outside: whoever owns
    /// a name decides where it leads.
    ///
    /// Addresses that are given as such are dialled, whatever they are.
    pub fn refuse_private_addresses(mut self) -> Builder {
        self.config.refuse_private_addresses = true;
        self
    }

    /// Sets who resolves names; the system unless given.
    pub fn resolver(mut self, resolver: impl Resolver) -> Builder {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Switches the user timeout off; the kernel's patience with data in flight is then about 939 s.
    pub fn no_user_timeout(mut self) -> Builder {
        self.config.user_timeout = Choice::Off;
        self
    }

    /// Adds an automatic answer to a frame of the server, such as its own ping.
    pub fn auto_reply(mut self, when: Matcher, reply: impl Into<bytes::Bytes>) -> Builder {
        self.config.auto_replies.push(AutoReply { when, reply: reply.into() });
        self
    }

    /// Takes a whole configuration instead of single values.
    pub fn config(mut self, config: Config) -> Builder {
        self.config = config;
        self
    }

    /// Takes a configuration that was parsed already; many clients may share it. Single values given are then ignored.
    pub fn valid_config(mut self, config: Arc<ValidConfig>) -> Builder {
        self.valid = Some(config);
        self
    }

    /// Sets the runtime that the driver lives on; the current one unless given.
    pub fn runtime(mut self, handle: Handle) -> Builder {
        self.runtime = Some(handle);
        self
    }

    /// Sets the seed of the jitter; drawn by the system unless given.
    pub fn seed(mut self, seed: u64) -> Builder {
        self.seed = Some(seed);
        self
    }

    /// Sets whether a caller may write the first message of a burst by itself. On unless given; off for callers that
    /// hold a lock of theirs, such as an interpreter's: they only append and wake.
    pub fn inline_writes(mut self, allowed: bool) -> Builder {
        self.inline_writes = allowed;
        self
    }

    /// Sets whether an event loop may be given turns of the driver ([`Client::read_inline`]): it then reads what arrives while it
    /// waits. Off unless given. Linux only.
    #[cfg(target_os = "linux")]
    pub fn inline_reads(mut self, allowed: bool) -> Builder {
        self.inline_reads = allowed;
        self
    }

    /// Makes the client end with its first connection: attempts are retried as always, but what ends the connection closes
    /// the client. For callers that ask for each connection anew. Off unless given.
    pub fn one_connection(mut self, only: bool) -> Builder {
        self.one_connection = only;
        self
    }

    /// Sets the budget of retries that this client shares with all that have the same one; that of the process unless
    /// given.
    pub fn governor(mut self, governor: Governor) -> Builder {
        self.governor = Some(governor);
        self
    }

    /// Encrypts every connection. An endpoint `tls://host:port` does the same with [`Tls::new`](crate::Tls::new).
    ///
    /// There is no way back: a server without TLS is refused.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: crate::tls::Tls) -> Builder {
        self.tls = Some(tls);
        self
    }

    /// Decides every value and checks it, without making a client.
    ///
    /// # Errors
    /// `InvalidConfig` names the field, the value and the rule.
    pub fn validate(&self) -> Result<Arc<ValidConfig>, Error> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            tls.connector()?;
        }
        self.parsed()
    }

    fn parsed(&self) -> Result<Arc<ValidConfig>, Error> {
        Targets::check(self.endpoints.as_ref().map_err(Clone::clone)?)?;
        if let Some(valid) = &self.valid {
            self.refuse_race_in_the_clear(valid.race_through_tls)?;
            return Ok(valid.clone());
        }
        self.refuse_race_in_the_clear(self.config.race_through_tls)?;
        if let Some(refused) = &self.refused {
            return Err(refused.clone().into());
        }
        places::refuse_interface(&self.config)?;
        if matches!(self.config.greeting, Some(Greeting::Hook)) && self.hook.is_none() {
            return Err(ConfigError::new("greeting", "Hook", "must be set with greeting_hook").into());
        }
        if matches!(self.config.credentials, Some(Credentials::Provider)) && self.provider.is_none() {
            return Err(ConfigError::new("credentials", "Provider", "must be set with credentials").into());
        }
        if self.config.proxy_credentials && self.proxy_provider.is_none() {
            return Err(
                ConfigError::new("proxy_credentials", "on", "must be set with Builder::proxy_credentials").into()
            );
        }
        Ok(Arc::new(self.config.clone().parse()?))
    }
}

impl Builder {
    /// A race through TLS has to have TLS to go through.
    fn refuse_race_in_the_clear(&self, is_asked_for: bool) -> Result<(), ConfigError> {
        #[cfg(feature = "tls")]
        let is_declared = self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        let is_declared = false;
        let is_encrypted = is_declared || self.endpoints.iter().flatten().any(Endpoint::is_tls);
        if is_asked_for && !is_encrypted {
            return Err(ConfigError::new("race_through_tls", "on", "must come with tls, or with an endpoint tls://…"));
        }
        Ok(())
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("endpoints", &self.endpoints).field("config", &self.config).finish()
    }
}
