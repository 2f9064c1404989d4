//! A declared TLS made ready: checked once, then asked for a session at each connect.

use super::{Tls, TlsFacts, pins, trust};
use crate::endpoint::Endpoint;
use keepline_proto::ConfigError;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, SignatureScheme};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Servers whose sessions are kept: as many as a client has endpoints. Each keeps up to 8 tickets.
const SESSIONS: usize = 8;

/// An application protocol's name has a length of one byte.
const LONGEST_PROTOCOL: usize = 255;

/// What a client has of TLS: how it connects, and what its last connection agreed on.
#[derive(Debug)]
pub(crate) struct TlsSide {
    pub(crate) connector: Arc<Connector>,
    /// Whether it was declared, for every endpoint; otherwise for those with `tls://`.
    is_for_all: bool,
    facts: Mutex<Option<TlsFacts>>,
}

impl TlsSide {
    pub(crate) fn new(connector: Arc<Connector>, is_for_all: bool) -> TlsSide {
        TlsSide { connector, is_for_all, facts: Mutex::default() }
    }

    /// The endpoints as they are dialled. What is to be encrypted is never dialled without.
    pub(crate) fn over(&self, endpoints: Vec<Endpoint>) -> Result<Vec<Endpoint>, ConfigError> {
        let encrypted = |endpoint: Endpoint| {
            if self.is_for_all && endpoint.path().is_some() {
                return Err(ConfigError::new(
                    "tls",
                    endpoint,
                    "must not be set with a Unix socket: it is not encrypted",
                ));
            }
            let endpoint = if self.is_for_all { endpoint.over_tls() } else { endpoint };
            if endpoint.is_tls() {
                self.connector.check(endpoint.host())?;
            }
            Ok(endpoint)
        };
        endpoints.into_iter().map(encrypted).collect()
    }

    pub(crate) fn agree(&self, facts: TlsFacts) {
        *self.facts.lock().unwrap_or_else(PoisonError::into_inner) = Some(facts);
    }

    pub(crate) fn facts(&self) -> Option<TlsFacts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Makes the TLS session of each connection of one client.
pub(crate) struct Connector {
    config: Arc<ClientConfig>,
    identity: Arc<Identity>,
    name: Option<ServerName<'static>>,
    accept_invalid: bool,
}

impl Tls {
    /// Reads what was declared, and checks it.
    pub(crate) fn connector(&self) -> Result<Connector, ConfigError> {
        let provider = match &self.provider {
            Some(provider) => provider.clone(),
            None => default_provider().ok_or_else(|| {
                ConfigError::new("tls", "no cryptography", "must have a provider, or the feature `aws-lc-rs` or `ring`")
            })?,
        };
        let versions: &[&rustls::SupportedProtocolVersion] =
            if self.only_tls13 { &[&rustls::version::TLS13] } else { rustls::ALL_VERSIONS };
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions)
            .map_err(|error| ConfigError::new("tls.provider", "its cipher suites", error.to_string()))?;
        let mut roots = Vec::new();
        for source in &self.roots {
            roots.extend(source.certificates("tls.ca")?);
        }
        let pins = pins::parse(&self.pins)?;
        if self.accept_invalid && (!pins.is_empty() || !roots.is_empty()) {
            let rule = "must not be set together with authorities or pins, which it would make void";
            return Err(ConfigError::new("tls.danger_accept_invalid_certificates", "true", rule));
        }
        let mut verifier: Arc<dyn rustls::client::danger::ServerCertVerifier> = if self.accept_invalid {
            Arc::new(trust::Anybody(provider.signature_verification_algorithms))
        } else if roots.is_empty() {
            trust::system(&provider, self.provider.is_some())?
        } else {
            trust::only(&roots, &provider)?
        };
        if !pins.is_empty() {
            if pins::sha256(&provider).is_none() {
                return Err(ConfigError::new("tls.pins", pins.len(), "need a provider that has SHA-256"));
            }
            verifier = Arc::new(pins::Pinned { inner: verifier, pins, roots, provider: provider.clone() });
        }
        let identity = Arc::new(Identity { key: self.certified_key(&provider)?, asked: AtomicBool::new(false) });
        let mut config =
            builder.dangerous().with_custom_certificate_verifier(verifier).with_client_cert_resolver(identity.clone());
        config.resumption =
            if self.no_resumption { Resumption::disabled() } else { Resumption::in_memory_sessions(SESSIONS) };
        // Early data can be played back to the server by anybody who recorded it.
        config.enable_early_data = false;
        config.alpn_protocols = self.protocols()?;
        let name = match &self.server_name {
            None => None,
            Some(name) => Some(parse_name("tls.server_name", name)?),
        };
        Ok(Connector { config: Arc::new(config), identity, name, accept_invalid: self.accept_invalid })
    }

    fn certified_key(&self, provider: &CryptoProvider) -> Result<Option<Arc<CertifiedKey>>, ConfigError> {
        let Some((chain, key)) = &self.identity else { return Ok(None) };
        let chain = chain.certificates("tls.client_certificate")?;
        let key = key.key("tls.client_key")?;
        // What is wrong with the key is not quoted.
        let certified = CertifiedKey::from_der(chain, key, provider).map_err(|_secret| {
            ConfigError::new(
                "tls.client_key",
                "secret",
                "must be the key of the client certificate, of a kind that the provider knows",
            )
        })?;
        Ok(Some(Arc::new(certified)))
    }

    fn protocols(&self) -> Result<Vec<Vec<u8>>, ConfigError> {
        for protocol in &self.alpn {
            if protocol.is_empty() || protocol.len() > LONGEST_PROTOCOL {
                let shown = format!("{} bytes", protocol.len());
                return Err(ConfigError::new("tls.alpn", shown, "must be names of 1 to 255 bytes"));
            }
        }
        Ok(self.alpn.clone())
    }
}

impl Connector {
    /// Checks that a host can stand in a certificate.
    pub(crate) fn check(&self, host: &str) -> Result<(), ConfigError> {
        if self.name.is_some() { Ok(()) } else { parse_name("endpoint", host).map(drop) }
    }

    /// Starts the session of one connection to `host`.
    pub(crate) fn session(&self, host: &str) -> Result<ClientConnection, ConfigError> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => parse_name("endpoint", host)?,
        };
        if self.accept_invalid {
            tracing::warn!("TLS without certificates: whoever answers is believed");
        }
        ClientConnection::new(self.config.clone(), name)
            .map_err(|error| ConfigError::new("tls", "the configuration", error.to_string()))
    }

    /// Whether a server asked for a certificate since the last call: it did in what has just been read, for the handshakes of
    /// a client take turns on one task.
    pub(crate) fn take_asked(&self) -> bool {
        self.identity.asked.swap(false, Ordering::Relaxed)
    }

    /// Whether there is a certificate to show.
    pub(crate) fn has_identity(&self) -> bool {
        self.identity.key.is_some()
    }

    /// Whether the peer agreed on a protocol, if there is one to agree on.
    pub(crate) fn is_agreed(&self, session: &ClientConnection) -> bool {
        self.config.alpn_protocols.is_empty() || session.alpn_protocol().is_some()
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("name", &self.name).finish_non_exhaustive()
    }
}

impl TlsFacts {
    pub(crate) fn of(session: &ClientConnection) -> TlsFacts {
        let version = match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "unknown",
        };
        TlsFacts {
            version,
            cipher: session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or("unknown"),
            alpn: session.alpn_protocol().map(|protocol| String::from_utf8_lossy(protocol).into_owned()),
            resumed: session.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
        }
    }
}

/// The certificate that is shown to servers that ask, and whether one did.
#[derive(Debug)]
struct Identity {
    key: Option<Arc<CertifiedKey>>,
    asked: AtomicBool,
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _issuers: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        self.key.is_some()
    }
}

/// The cryptography of the features. Never installed for the process, which may have its own.
fn default_provider() -> Option<Arc<CryptoProvider>> {
    #[cfg(feature = "aws-lc-rs")]
    let provider = Some(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    #[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
    let provider = Some(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
    let provider = None;
    provider
}

/// A name or an address as certificates have it: the dot at the end of a full name is not part of it.
fn parse_name(field: &'static str, host: &str) -> Result<ServerName<'static>, ConfigError> {
    let name = host.strip_suffix('.').unwrap_or(host);
    ServerName::try_from(name.to_owned()).map_err(|_invalid| {
        ConfigError::new(field, format_args!("{host:?}"), "must be a name or an address that a certificate can have")
    })
}
