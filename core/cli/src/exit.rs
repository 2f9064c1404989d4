//! The exit codes: what a script may rely on.

use keepline::{ConfigError, Error, ErrorKind};

/// How the program ends. The numbers are told in `--help` and do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    Local = 1,
    Usage = 2,
    Unreachable = 3,
    GaveUp = 4,
    Lost = 5,
    Unsent = 6,
    Names = 10,
    Route = 11,
    Tcp = 12,
    Proxy = 13,
    Tls = 14,
    Greeting = 15,
    PathMtu = 16,
    Idle = 17,
    /// 128 + SIGINT, as shells have it.
    Interrupted = 130,
}

pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done: everything was handed over
  1    a local failure: stdin, stdout or the system; demo: Keepline did not come back;
       sim --draws: a budget does not hold
  2    wrong usage or configuration; the message names the field
  3    unreachable: no connection within --connect-within
  4    gave up: --max-attempts, or a cause that no retry can mend
  5    the connection was lost (--once)
  6    ended with messages that were never sent
  130  stopped at once by a second Ctrl-C";

pub(crate) const DOCTOR_CODES: &str = "\
Exit codes:
  0    the way is open; there may be notes
  1    a local failure: stdout or the system
  2    wrong usage or configuration; the message names the field
  10   names: the name does not resolve
  11   route: this machine has no way there
  12   tcp: no address takes a connection
  13   proxy: the proxy does not connect
  14   tls: TLS fails
  15   greeting: the server does not answer as it should
  16   path_mtu: full-size packets do not arrive
  17   idle: a silent connection does not survive";

/// Why the program ends early, in words for stderr.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn local(text: impl Into<String>) -> Failure {
        Failure { exit: Exit::Local, text: text.into() }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        let option = option_of(error.field).map(|option| format!("; see {option}")).unwrap_or_default();
        Failure { exit: Exit::Usage, text: format!("{error}{option}") }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        if let Some(config) = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<ConfigError>())
        {
            return config.clone().into();
        }
        let exit = match error.kind() {
            ErrorKind::InvalidConfig => Exit::Usage,
            ErrorKind::Unavailable | ErrorKind::Timeout => Exit::Unreachable,
            ErrorKind::Exhausted => Exit::GaveUp,
            ErrorKind::Rejected | ErrorKind::Closed | ErrorKind::Internal => Exit::Local,
            // The kinds may grow; what is not known here is no usage error.
            _ => Exit::Local,
        };
        Failure { exit, text: error.to_string() }
    }
}

/// The option that sets a field of the configuration.
fn option_of(field: &str) -> Option<&'static str> {
    Some(match field {
        "detect_within" => "--detect-within",
        "heartbeat.payload" => "--heartbeat",
        "heartbeat.reply" => "--heartbeat-reply",
        "heartbeat.interval" => "--every",
        "heartbeat.reply_within" => "--reply-within",
        "keepalive.idle" | "keepalive.interval" | "keepalive.retries" => "--keepalive",
        "user_timeout" => "--user-timeout",
        "read_idle" => "--read-idle",
        "connect.within" => "--connect-within",
        "connect.per_address" => "--connect-per-address",
        "connect.total" => "--connect-total",
        "backoff.first_spread" => "--first-spread",
        "backoff.initial" => "--backoff-initial",
        "backoff.multiplier" => "--backoff-multiplier",
        "backoff.max" => "--backoff-max",
        "max_attempts" => "--max-attempts",
        "proxy" => "--proxy",
        "race_through_tls" => "--race-through-tls",
        "greeting" => "--greeting",
        "credentials" => "--credentials-env and --credentials-file",
        "credentials_within" => "--credentials-within",
        "auth_attempts" => "--auth-attempts",
        "endpoints.weight" => "--weight",
        "tls.ca" => "--ca-file",
        "tls.pins" => "--pin",
        "tls.client_certificate" => "--client-cert",
        "tls.client_key" => "--client-key",
        "tls.alpn" => "--alpn",
        "tls.server_name" => "--server-name",
        "framing.max" | "framing.size" | "framing.width" | "framing.delimiter" => "--framing",
        _ => return None,
    })
}
