//! The command line: what can be asked for, and the configuration that follows from it.

use crate::demo::FaultName;
use crate::encoding::Encoding;
use crate::exit::{DOCTOR_CODES, EXIT_CODES};
use crate::login::LoginOptions;
use crate::sim::Sim;
use crate::tls::TlsOptions;
use crate::values;
use bytes::Bytes;
use clap::{ArgAction, Args, Parser, Subcommand};
use keepline::{
    Addresses, Builder, Choice, Client, Config, ConfigError, Endpoint, EndpointOrder, Framing, Heartbeat,
    IntoEndpoints, Keepalive, Matcher, Profile, Proxy, WhileDown, system_proxy,
};
use std::net::IpAddr;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  keepline connect localhost:6379 --framing resp --heartbeat 'PING\\r\\n'
  keepline connect plc:502 --framing modbus --profile industrial
  keepline connect a.example:4222 b.example:4222 --endpoint-order ordered
  keepline connect localhost:6379 --framing resp --credentials-env TOKEN \\
      --greeting 'credentials:AUTH {}\\r\\n' --greeting 'expect:+OK\\r\\n'
  keepline explain --detect-within 10s --heartbeat PING
  keepline doctor plc:502 --framing modbus
  keepline demo
  keepline sim --clients 20000 --outage 5s --outage 60s";

/// Keeps a TCP connection useful through everything that kills one.
#[derive(Parser)]
#[command(name = "keepline", version, before_help = EXAMPLES, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// No colours; so does a NO_COLOR in the environment
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Tells more on stderr: -v what led to the end of each connection, -vv the turns, -vvv every frame
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// A netcat that survives: stdin goes out, messages come to stdout, events to stderr
    #[command(after_help = EXIT_CODES)]
    Connect(Connect),
    /// Prints every option in force, where it came from, and how long each fault can go unnoticed
    #[command(after_help = EXIT_CODES)]
    Explain(Explain),
    /// Why it does not connect: names, route, TCP, TLS, greeting, one after the other, with a verdict in words
    #[command(after_help = DOCTOR_CODES)]
    Doctor(Doctor),
    /// Shows how a naive client and a Keepline client fare through five faults, measured here and now
    #[command(after_help = EXIT_CODES)]
    Demo(Demo),
    /// Shows how a herd of clients comes back to a server that was away, Keepline's beside other people's
    #[command(after_help = EXIT_CODES)]
    Sim(Sim),
}

#[derive(Args)]
pub(crate) struct Connect {
    /// Where to connect to: HOST:PORT, tls://HOST:PORT which encrypts, or unix:/PATH. Several are tried in the order of
    /// --endpoint-order
    #[arg(value_name = "HOST:PORT", required = true)]
    endpoints: Vec<String>,
    #[command(flatten)]
    weights: Weights,
    #[command(flatten)]
    pub(crate) tuning: Tuning,
    #[command(flatten)]
    pub(crate) tls: TlsOptions,
    /// How messages are written on stdin and stdout; by default text for lines, raw and delimiter, text of one line
    /// for resp, hex for modbus, escaped for the others
    #[arg(long, value_enum)]
    pub(crate) encoding: Option<Encoding>,
    /// Messages and events as JSON, one a line, on stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// No events on stderr
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Ends with exit code 5 when the connection is lost, instead of coming back
    #[arg(long)]
    pub(crate) once: bool,
    /// Does not read stdin: only receives, until it is stopped
    #[arg(long)]
    pub(crate) no_stdin: bool,
    /// The longest time for handing over what waits, after the end of stdin or a first Ctrl-C
    #[arg(long, value_name = "TIME", value_parser = values::duration, default_value = "5s")]
    pub(crate) drain: Duration,
}

#[derive(Args)]
pub(crate) struct Explain {
    /// Where a client would connect to: HOST:PORT, or unix:/PATH; only checked, never dialled
    #[arg(value_name = "HOST:PORT")]
    endpoints: Vec<String>,
    #[command(flatten)]
    weights: Weights,
    #[command(flatten)]
    pub(crate) tuning: Tuning,
    #[command(flatten)]
    pub(crate) tls: TlsOptions,
    /// As one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Doctor {
    /// What to examine
    #[arg(value_name = "HOST:PORT")]
    pub(crate) endpoint: String,
    #[command(flatten)]
    pub(crate) tuning: Tuning,
    #[command(flatten)]
    pub(crate) tls: TlsOptions,
    /// As one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// How long each stage waits for somebody else
    #[arg(long, value_name = "TIME", value_parser = values::duration, default_value = "8s")]
    pub(crate) patience: Duration,
    /// Also whether full-size packets arrive: sends the heartbeat many times in one go
    #[arg(long)]
    pub(crate) path_mtu: bool,
    /// Also whether a connection survives this much silence; may be given several times
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) idle: Vec<Duration>,
}

#[derive(Args)]
pub(crate) struct Demo {
    /// Happenings and results as JSON, one a line, on stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// Only this fault; may be given several times
    #[arg(long, value_enum, value_name = "FAULT")]
    pub(crate) only: Vec<FaultName>,
    /// Watches for 10 s after each fault instead of 20 s
    #[arg(long, conflicts_with = "window")]
    pub(crate) fast: bool,
    /// How long to watch after each fault, 10 s to 10 min
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) window: Option<Duration>,
}

impl Connect {
    /// The endpoints with their weights.
    pub(crate) fn endpoints(&self) -> Result<Vec<Endpoint>, ConfigError> {
        self.weights.of(&self.endpoints)
    }
}

impl Explain {
    /// The endpoints with their weights.
    pub(crate) fn endpoints(&self) -> Result<Vec<Endpoint>, ConfigError> {
        self.weights.of(&self.endpoints)
    }
}

#[derive(Args)]
struct Weights {
    /// One of several endpoints is drawn so many times as often as one of weight 1, which all others have; 1 to 10000
    #[arg(long = "weight", value_name = "ENDPOINT=WEIGHT", value_parser = values::weight)]
    weights: Vec<(String, u32)>,
}

impl Weights {
    /// The endpoints in their order, each with its weight.
    fn of(&self, texts: &[String]) -> Result<Vec<Endpoint>, ConfigError> {
        let mut endpoints = texts.iter().map(|text| Endpoint::parse(text)).collect::<Result<Vec<_>, _>>()?;
        for (text, weight) in &self.weights {
            let weighted = Endpoint::weighted(text.as_str(), *weight)?;
            let rule = "must be one of the endpoints that are given";
            let unknown = || ConfigError::new("endpoints.weight", &weighted, rule);
            *endpoints.iter_mut().find(|endpoint| **endpoint == weighted).ok_or_else(unknown)? = weighted.clone();
        }
        Ok(endpoints)
    }
}

#[derive(Args)]
#[command(next_help_heading = "Connection options")]
pub(crate) struct Tuning {
    /// The defaults of everything else: balanced, mobile, industrial, datacenter
    #[arg(long, env = "KEEPLINE_PROFILE", value_parser = values::profile)]
    pub(crate) profile: Option<Profile>,
    /// One number that sets the rest: the longest time until a dead peer is noticed, at least 4s. Times are written
    /// like 500ms, 10s, 1.5s, 2m, 1h, 30d
    #[arg(long, env = "KEEPLINE_DETECT_WITHIN", value_name = "TIME", value_parser = values::duration)]
    pub(crate) detect_within: Option<Duration>,
    /// How bytes become messages: raw, lines, resp, modbus, length:BYTES[le], fixed:BYTES,
    /// delimiter:TEXT; lines unless given
    #[arg(long, env = "KEEPLINE_FRAMING", value_parser = values::framing)]
    pub(crate) framing: Option<Framing>,
    /// A message that the peer answers, sent after a silence; \n \r \t \0 \\ \xNN are escapes
    #[arg(long, value_name = "PAYLOAD", value_parser = values::payload, allow_hyphen_values = true)]
    pub(crate) heartbeat: Option<Bytes>,
    /// The answer to it: any, none, exact:TEXT (or just TEXT), prefix:TEXT
    #[arg(long, value_name = "REPLY", value_parser = values::matcher, requires = "heartbeat",
        allow_hyphen_values = true)]
    pub(crate) heartbeat_reply: Option<Matcher>,
    /// The silence after which a heartbeat is sent
    #[arg(long, value_name = "TIME", value_parser = values::duration, requires = "heartbeat")]
    pub(crate) every: Option<Duration>,
    /// The time within which a sign of life must follow a heartbeat
    #[arg(long, value_name = "TIME", value_parser = values::duration, requires = "heartbeat")]
    pub(crate) reply_within: Option<Duration>,
    /// Kernel probes: IDLE/INTERVAL/RETRIES as in 20s/5s/6, or off
    #[arg(long, value_name = "PROBES", value_parser = values::keepalive)]
    pub(crate) keepalive: Option<Choice<Keepalive>>,
    /// How long sent data may stay unacknowledged (TCP_USER_TIMEOUT), or off
    #[arg(long, value_name = "TIME", value_parser = values::duration_or_off)]
    pub(crate) user_timeout: Option<Choice<Duration>>,
    /// The longest silence of a peer that talks by itself
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) read_idle: Option<Duration>,
    /// Allows a second connection beside a suspect one: whichever proves alive first stays
    #[arg(long)]
    pub(crate) concurrent_ok: bool,
    /// Does not ask for a sign of life when another connection from the same local address died of a silent path
    #[arg(long)]
    pub(crate) no_sibling_probes: bool,
    /// In which order several endpoints are tried: shuffled (a fleet spreads), or ordered (the first is preferred)
    #[arg(long, value_name = "ORDER", value_parser = values::endpoint_order)]
    pub(crate) endpoint_order: Option<EndpointOrder>,
    /// The peer serves one connection at a time: the old one is reset before the next is dialled
    #[arg(long)]
    pub(crate) single_connection: bool,
    /// The local address to connect from
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) bind_address: Option<IpAddr>,
    /// The network interface to connect through
    #[arg(long, value_name = "NAME")]
    pub(crate) bind_interface: Option<String>,
    /// What happens to messages while there is no connection: queue or reject
    #[arg(long, value_name = "POLICY", value_parser = values::while_down)]
    pub(crate) while_down: Option<WhileDown>,
    /// How the addresses of a name are dialled: happy_eyeballs or one_at_a_time
    #[arg(long, value_name = "HOW", value_parser = values::addresses)]
    pub(crate) addresses: Option<Addresses>,
    /// The race over the addresses of a name ends with the first TLS handshake that succeeds, not with the first TCP one
    #[arg(long)]
    pub(crate) race_through_tls: bool,
    /// Goes on trying, slowly, after a verdict on TLS that gives up otherwise, such as an unknown issuer
    #[arg(long)]
    pub(crate) retry_tls_verdicts: bool,
    /// How long to wait for the first connection
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) connect_within: Option<Duration>,
    /// The longest wait between attempts after the first
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) backoff_max: Option<Duration>,
    /// Does not watch the way to the peer: changes of the network are found only by the silence that they cause
    #[arg(long)]
    pub(crate) no_network_monitor: bool,
    /// Does not count retries against the budget that the clients of a process share for one endpoint
    #[arg(long)]
    pub(crate) no_governor: bool,
    /// Gives up after so many failed attempts in a row
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_attempts: Option<u32>,
    /// What every connection goes through: socks5://[USER:PASSWORD@]HOST:PORT, http://…, or system for what ALL_PROXY,
    /// HTTPS_PROXY and NO_PROXY name
    // Text until it is checked by us: an error of the parser would show the password.
    #[arg(long, env = "KEEPLINE_PROXY", value_name = "URL", hide_env_values = true)]
    pub(crate) proxy: Option<String>,
    #[command(flatten)]
    pub(crate) login: LoginOptions,
}

impl Tuning {
    /// A client of these endpoints, as it was declared.
    pub(crate) fn builder(&self, endpoints: impl IntoEndpoints) -> Result<Builder, ConfigError> {
        Ok(self.login.over(Client::builder(endpoints).config(self.config()?)))
    }

    /// What was given, as a configuration of which only the proxy is checked.
    pub(crate) fn config(&self) -> Result<Config, ConfigError> {
        let proxy = match self.proxy.as_deref() {
            None => None,
            Some("system") => system_proxy()?,
            Some(url) => Some(Proxy::parse(url)?),
        };
        let mut config = Config {
            profile: self.profile.unwrap_or_default(),
            detect_within: self.detect_within,
            heartbeat: self.heartbeat.clone().map(|payload| Heartbeat {
                payload,
                reply: self.heartbeat_reply.clone().unwrap_or(Matcher::Any),
                interval: self.every,
                reply_within: self.reply_within,
            }),
            keepalive: self.keepalive.unwrap_or_default(),
            user_timeout: self.user_timeout.unwrap_or_default(),
            read_idle: self.read_idle,
            addresses: self.addresses,
            connect_within: self.connect_within,
            backoff_max: self.backoff_max,
            max_attempts: self.max_attempts,
            while_down: self.while_down,
            network_monitor: self.no_network_monitor.then_some(false),
            concurrent_ok: self.concurrent_ok,
            sibling_probes: self.no_sibling_probes.then_some(false),
            governed: self.no_governor.then_some(false),
            endpoint_order: self.endpoint_order.unwrap_or_default(),
            single_connection: self.single_connection.then_some(true),
            bind_address: self.bind_address,
            bind_interface: self.bind_interface.clone(),
            framing: self.framing.clone().unwrap_or_else(Framing::lines),
            race_through_tls: self.race_through_tls,
            retry_tls_verdicts: self.retry_tls_verdicts,
            proxy,
            ..Config::default()
        };
        self.login.declare(&mut config)?;
        Ok(config)
    }
}
