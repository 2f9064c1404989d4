//! What a user declares about TLS: whom to trust, who we are, what to speak.

mod connector;
mod material;
mod pins;
mod trust;

pub(crate) use connector::{Connector, TlsSide};

use keepline_proto::race::{TLS_LEAST, TLS_ROUND_TRIPS};
use material::{Secret, Source};
use rustls::crypto::CryptoProvider;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Declares how connections are encrypted. Everything that is not set is as safe as it can be: the certificates that the
/// system trusts, the host name of the endpoint, TLS 1.2 or 1.3.
///
/// Messages never travel as early data: a recorded message could be played back to the server.
///
/// ```no_run
/// # async fn example() -> Result<(), keepline::Error> {
/// use keepline::{Client, Tls};
///
/// let client = Client::builder("plc-gateway.example:8883")
///     .tls(Tls::new().ca_file("factory-ca.pem").client_certificate_files("device.pem", "device.key"))
///     .connect()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Tls {
    roots: Vec<Source>,
    pins: Vec<String>,
    identity: Option<(Source, Secret)>,
    alpn: Vec<Vec<u8>>,
    server_name: Option<String>,
    only_tls13: bool,
    no_resumption: bool,
    accept_invalid: bool,
    provider: Option<Arc<CryptoProvider>>,
}

/// What was agreed with the peer of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsFacts {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite, by its name in the standard.
    pub cipher: &'static str,
    /// The application protocol, if some were offered.
    pub alpn: Option<String>,
    /// Whether an earlier session was resumed, without certificates and in less time.
    pub resumed: bool,
}

impl Tls {
    /// The least that a handshake is given: a second for a lost packet's retransmission, and the work of a small device.
    ///
    /// A client with one endpoint gives it as long as the TCP handshake, if that is more (8 s with the balanced profile, 21.5 s
    /// once an attempt has timed out): a busy server comes to it only when it has accepted everybody who came before. One with
    /// several endpoints doubles it after each round of all of them that ended with a timeout.
    pub const HANDSHAKE_LEAST: Duration = TLS_LEAST;

    /// How often the time that TCP took a handshake is given, if that is more: it takes two round trips, and up to three with a
    /// new address of the server's; TCP took one.
    pub const HANDSHAKE_ROUND_TRIPS: u32 = TLS_ROUND_TRIPS;

    /// Starts with the defaults.
    pub fn new() -> Tls {
        Tls::default()
    }

    /// Trusts the authorities in a file, PEM or DER, instead of those that the system trusts. Adds to earlier ones.
    ///
    /// The file is read when the client is made.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Tls {
        self.roots.push(Source::File(path.into()));
        self
    }

    /// Trusts these authorities, PEM or DER, instead of those that the system trusts. Adds to earlier ones.
    pub fn ca(mut self, certificates: impl Into<Vec<u8>>) -> Tls {
        self.roots.push(Source::Bytes(certificates.into()));
        self
    }

    /// Accepts only chains with one of these keys: SHA-256 of the public key (SPKI), as `sha256/BASE64` or 64 hex digits.
    ///
    /// At least two: one in use, and one that is kept for the day on which the first is lost. Everything else is checked
    /// as without pins.
    pub fn pins<P: Into<String>>(mut self, pins: impl IntoIterator<Item = P>) -> Tls {
        self.pins.extend(pins.into_iter().map(Into::into));
        self
    }

    /// Shows a certificate to servers that ask for one: a chain, leaf first, and its key, in PEM files.
    ///
    /// The files are read when the client is made.
    pub fn client_certificate_files(mut self, chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Tls {
        self.identity = Some((Source::File(chain.into()), Secret(Source::File(key.into()))));
        self
    }

    /// Shows a certificate to servers that ask for one: a chain, leaf first, and its key, both PEM or both DER.
    pub fn client_certificate(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Tls {
        self.identity = Some((Source::Bytes(chain.into()), Secret(Source::Bytes(key.into()))));
        self
    }

    /// Offers these application protocols, best first. A server that agrees to none of them is refused (`tls.alpn`).
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Tls {
        self.alpn.extend(protocols.into_iter().map(Into::into));
        self
    }

    /// Expects this name or address in the certificate, and asks for it (SNI), instead of the endpoint's host.
    pub fn server_name(mut self, name: impl Into<String>) -> Tls {
        self.server_name = Some(name.into());
        self
    }

    /// Refuses TLS 1.2.
    pub fn only_tls13(mut self) -> Tls {
        self.only_tls13 = true;
        self
    }

    /// Makes each connection shake hands in full: no session is kept for the next one.
    pub fn no_resumption(mut self) -> Tls {
        self.no_resumption = true;
        self
    }

    /// Takes any certificate of anybody. The connection is then encrypted to whoever answers; each one is warned of.
    pub fn danger_accept_invalid_certificates(mut self) -> Tls {
        self.accept_invalid = true;
        self
    }

    /// Sets the cryptography; that of the crate's features unless given. The process-wide default of rustls is neither
    /// used nor set.
    pub fn provider(mut self, provider: Arc<CryptoProvider>) -> Tls {
        self.provider = Some(provider);
        self
    }
}

/// Keys, and where they lie, are left out.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alpn: Vec<_> = self.alpn.iter().map(|protocol| String::from_utf8_lossy(protocol)).collect();
        f.debug_struct("Tls")
            .field("roots", &self.roots)
            .field("pins", &self.pins.len())
            .field("client_certificate", &self.identity.is_some())
            .field("alpn", &alpn)
            .field("server_name", &self.server_name)
            .field("only_tls13", &self.only_tls13)
            .field("resumption", &!self.no_resumption)
            .field("danger_accept_invalid_certificates", &self.accept_invalid)
            .finish()
    }
}
