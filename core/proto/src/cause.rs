//! Why a connection ended: a closed list, told with the evidence that proves it.

use crate::hint::Hint;
use std::fmt;
use std::time::Duration;

/// Why a connection, or an attempt at one, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The peer ended the connection in order (FIN), or sent the client away: then with a time to stay away.
    PeerClosed,
    /// The peer or a middlebox reset the connection (RST).
    Reset,
    /// Nothing comes back from the path: neither data nor acknowledgements.
    PathSilent,
    /// The peer's kernel answers, its process does not.
    PeerUnresponsive,
    /// The peer kept its window shut longer than `stall_limit`.
    PeerStalled,
    /// A write made no progress within the limit.
    WriteStalled,
    /// Nobody listens at the endpoint.
    Refused,
    /// The network says that there is no way to the endpoint.
    Unreachable,
    /// No connection within the deadline.
    ConnectTimeout,
    /// The name could not be resolved.
    Dns(DnsFailure),
    /// The TLS handshake failed.
    Tls(TlsFailure),
    /// The proxy failed or refused.
    Proxy(ProxyFailure),
    /// The greeting failed.
    Greeting(GreetingFailure),
    /// The peer broke the declared protocol.
    Protocol(ProtocolFailure),
    /// The own network is down.
    LocalNetworkDown,
    /// A local resource ran out: ports, descriptors, buffers.
    LocalResource,
    /// The network changed under the connection.
    NetworkChanged,
    /// Another connection of the same client took over.
    Replaced,
    /// The user asked for it.
    Requested,
}

/// How name resolution failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DnsFailure {
    /// The name does not exist.
    NotFound,
    /// No answer within the deadline.
    Timeout,
    /// The resolver could not answer now.
    Temporary,
    /// The name exists and has no usable address.
    NoAddress,
}

/// How the TLS handshake failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsFailure {
    /// The handshake did not end within its deadline.
    Timeout,
    /// The certificate's issuer is not trusted.
    UntrustedIssuer,
    /// The certificate is expired.
    Expired,
    /// The certificate is not valid yet.
    NotYetValid,
    /// The certificate is for another name.
    NameMismatch,
    /// The certificate was revoked.
    Revoked,
    /// The certificate is malformed, or not one for servers.
    BadCertificate,
    /// None of the pinned keys is in the certificate's chain.
    Pin,
    /// The peer wants a client certificate, or refused ours.
    ClientAuth,
    /// There is no version of TLS that both sides allow.
    Version,
    /// There is no application protocol (ALPN) that both sides offer.
    Alpn,
    /// The peer does not speak TLS as we do.
    Protocol,
    /// The connection ended without the end of the TLS session: the peer died, or somebody cut the stream off.
    Truncated,
}

/// How the proxy failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyFailure {
    /// The proxy wants credentials, or refused ours.
    Auth,
    /// The proxy's rules forbid the endpoint.
    Denied,
    /// The endpoint refused the proxy.
    Refused,
    /// The proxy found no way to the endpoint.
    Unreachable,
    /// Nobody listens at the proxy's address, or the proxy failed, is busy, or does not say why.
    Unavailable,
    /// The proxy cannot do what was asked: a tunnel, or this kind of address.
    Unsupported,
    /// The proxy did not let us through within the deadline.
    Timeout,
    /// The proxy ended the connection before it let us through.
    Closed,
    /// The proxy's answer is malformed, or too long.
    Protocol,
    /// There were no credentials to tell it: their provider failed, or was late.
    Credentials,
}

/// How the greeting failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GreetingFailure {
    /// The peer accepted the connection and did not answer within the deadline.
    Timeout,
    /// The peer answered something else than expected.
    Unexpected,
    /// The greeting hook returned an error.
    Rejected,
    /// The greeting hook panicked.
    Panicked,
    /// The peer refused the credentials.
    Auth,
    /// There were no credentials to send: their provider failed, or was late.
    Credentials,
}

/// How the peer broke the declared protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtocolFailure {
    /// A frame is larger than the declared maximum.
    TooLarge,
    /// A frame cannot be parsed.
    Malformed,
    /// A started frame did not end within the frame deadline.
    FrameTimeout,
    /// The connection ended in the middle of a frame.
    Truncated,
    /// Requests and replies cannot be told apart any more.
    Desync,
}

macro_rules! names {
    ($type:ident { $($variant:ident => $name:literal),+ $(,)? }) => {
        impl $type {
            /// Every value.
            pub const ALL: &'static [$type] = &[$($type::$variant),+];

            /// The name used in every language, in logs and in JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $($type::$variant => $name),+ }
            }
        }

        impl ::std::fmt::Display for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use names;

names!(DnsFailure {
    NotFound => "not_found", Timeout => "timeout", Temporary => "temporary", NoAddress => "no_address",
});
names!(TlsFailure {
    Timeout => "timeout", UntrustedIssuer => "untrusted_issuer", Expired => "expired", NotYetValid => "not_yet_valid",
    NameMismatch => "name_mismatch", Revoked => "revoked", BadCertificate => "bad_certificate", Pin => "pin",
    ClientAuth => "client_auth", Version => "version", Alpn => "alpn", Protocol => "protocol",
    Truncated => "truncated",
});
names!(ProxyFailure {
    Auth => "auth", Denied => "denied", Refused => "refused", Unreachable => "unreachable",
    Unavailable => "unavailable", Unsupported => "unsupported", Timeout => "timeout", Closed => "closed",
    Protocol => "protocol", Credentials => "credentials",
});
names!(GreetingFailure {
    Timeout => "timeout", Unexpected => "unexpected", Rejected => "rejected", Panicked => "panicked", Auth => "auth",
    Credentials => "credentials",
});
names!(ProtocolFailure {
    TooLarge => "too_large", Malformed => "malformed", FrameTimeout => "frame_timeout",
    Truncated => "truncated", Desync => "desync",
});

impl Cause {
    /// The name used in every language, in logs and in JSON: `peer_closed`, `dns.not_found`, `protocol.too_large`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Cause::PeerClosed => "peer_closed",
            Cause::Reset => "reset",
            Cause::PathSilent => "path_silent",
            Cause::PeerUnresponsive => "peer_unresponsive",
            Cause::PeerStalled => "peer_stalled",
            Cause::WriteStalled => "write_stalled",
            Cause::Refused => "refused",
            Cause::Unreachable => "unreachable",
            Cause::ConnectTimeout => "connect_timeout",
            Cause::Dns(DnsFailure::NotFound) => "dns.not_found",
            Cause::Dns(DnsFailure::Timeout) => "dns.timeout",
            Cause::Dns(DnsFailure::Temporary) => "dns.temporary",
            Cause::Dns(DnsFailure::NoAddress) => "dns.no_address",
            Cause::Tls(TlsFailure::Timeout) => "tls.timeout",
            Cause::Tls(TlsFailure::UntrustedIssuer) => "tls.untrusted_issuer",
            Cause::Tls(TlsFailure::Expired) => "tls.expired",
            Cause::Tls(TlsFailure::NotYetValid) => "tls.not_yet_valid",
            Cause::Tls(TlsFailure::NameMismatch) => "tls.name_mismatch",
            Cause::Tls(TlsFailure::Revoked) => "tls.revoked",
            Cause::Tls(TlsFailure::BadCertificate) => "tls.bad_certificate",
            Cause::Tls(TlsFailure::Pin) => "tls.pin",
            Cause::Tls(TlsFailure::ClientAuth) => "tls.client_auth",
            Cause::Tls(TlsFailure::Version) => "tls.version",
            Cause::Tls(TlsFailure::Alpn) => "tls.alpn",
            Cause::Tls(TlsFailure::Protocol) => "tls.protocol",
            Cause::Tls(TlsFailure::Truncated) => "tls.truncated",
            Cause::Proxy(ProxyFailure::Auth) => "proxy.auth",
            Cause::Proxy(ProxyFailure::Denied) => "proxy.denied",
            Cause::Proxy(ProxyFailure::Refused) => "proxy.refused",
            Cause::Proxy(ProxyFailure::Unreachable) => "proxy.unreachable",
            Cause::Proxy(ProxyFailure::Unavailable) => "proxy.unavailable",
            Cause::Proxy(ProxyFailure::Unsupported) => "proxy.unsupported",
            Cause::Proxy(ProxyFailure::Timeout) => "proxy.timeout",
            Cause::Proxy(ProxyFailure::Closed) => "proxy.closed",
            Cause::Proxy(ProxyFailure::Protocol) => "proxy.protocol",
            Cause::Proxy(ProxyFailure::Credentials) => "proxy.credentials",
            Cause::Greeting(GreetingFailure::Timeout) => "greeting.timeout",
            Cause::Greeting(GreetingFailure::Unexpected) => "greeting.unexpected",
            Cause::Greeting(GreetingFailure::Rejected) => "greeting.rejected",
            Cause::Greeting(GreetingFailure::Panicked) => "greeting.panicked",
            Cause::Greeting(GreetingFailure::Auth) => "greeting.auth",
            Cause::Greeting(GreetingFailure::Credentials) => "greeting.credentials",
            Cause::Protocol(ProtocolFailure::TooLarge) => "protocol.too_large",
            Cause::Protocol(ProtocolFailure::Malformed) => "protocol.malformed",
            Cause::Protocol(ProtocolFailure::FrameTimeout) => "protocol.frame_timeout",
            Cause::Protocol(ProtocolFailure::Truncated) => "protocol.truncated",
            Cause::Protocol(ProtocolFailure::Desync) => "protocol.desync",
            Cause::LocalNetworkDown => "local_network_down",
            Cause::LocalResource => "local_resource",
            Cause::NetworkChanged => "network_changed",
            Cause::Replaced => "replaced",
            Cause::Requested => "requested",
        }
    }

    /// Whether retrying by itself would be wrong until somebody changes something: verdicts on TLS, and on the credentials
    /// for a proxy. A configuration can say otherwise: [`Settings::is_fatal`](crate::config::Settings::is_fatal).
    pub const fn is_fatal(self) -> bool {
        matches!(
            self,
            Cause::Tls(
                TlsFailure::UntrustedIssuer
                    | TlsFailure::NameMismatch
                    | TlsFailure::Revoked
                    | TlsFailure::BadCertificate
                    | TlsFailure::Pin
                    | TlsFailure::ClientAuth
                    | TlsFailure::Version
                    | TlsFailure::Alpn
            ) | Cause::Proxy(ProxyFailure::Auth)
        )
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which evidence caught a dead peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Detector {
    /// An application heartbeat was not answered.
    Heartbeat,
    /// The kernel's keepalive probes were not answered.
    Keepalive,
    /// The kernel's user timeout ran out.
    UserTimeout,
    /// The kernel's figures (`TCP_INFO`) gave it away.
    KernelInfo,
    /// Nothing was received for the declared time.
    ReadIdle,
    /// The operating system reported an error or the end of the stream.
    OsError,
    /// The network changed.
    NetworkChange,
}

names!(Detector {
    Heartbeat => "heartbeat", Keepalive => "keepalive", UserTimeout => "user_timeout", KernelInfo => "kernel_info",
    ReadIdle => "read_idle", OsError => "os_error", NetworkChange => "network_change",
});

/// A cause with what proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// Why.
    pub cause: Cause,
    /// Which evidence told, if the connection was established.
    pub detector: Option<Detector>,
    /// The operating system's error number, if there was one.
    pub errno: Option<i32>,
    /// The other side's own number for it, if it told one: a SOCKS reply (1 to 8) or the status of an HTTP proxy.
    pub code: Option<u16>,
    /// How long the peer asked us to stay away, if it did.
    pub retry_after: Option<Duration>,
    /// What may help, where the cause alone does not say.
    pub hint: Option<Hint>,
}

impl Ending {
    /// An ending without an error number.
    pub const fn new(cause: Cause, detector: Option<Detector>) -> Ending {
        Ending { cause, detector, errno: None, code: None, retry_after: None, hint: None }
    }

    /// An ending told by the operating system.
    pub const fn os(cause: Cause, errno: Option<i32>) -> Ending {
        Ending { cause, detector: Some(Detector::OsError), errno, code: None, retry_after: None, hint: None }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cause)?;
        let evidence = [
            self.detector.map(|detector| format!("by {detector}")),
            self.errno.map(|errno| format!("errno {errno}")),
            self.code.map(|code| format!("code {code}")),
        ];
        let evidence: Vec<String> = evidence.into_iter().flatten().collect();
        if !evidence.is_empty() {
            write!(f, " ({})", evidence.join(", "))?;
        }
        match self.hint {
            Some(hint) => write!(f, ": {hint}"),
            None => Ok(()),
        }
    }
}
