//! How connections are encrypted, as a flat record. Keys stay in their files: no record holds one.

use keepline::Tls;
use serde::{Deserialize, Serialize};

/// What is declared about TLS; the defaults are the system's certificates and the endpoint's host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(default, deny_unknown_fields)]
pub struct TlsRecord {
    /// Files of authorities, PEM or DER, that are trusted instead of the system's.
    pub ca_files: Vec<String>,
    /// Authorities in PEM, that are trusted instead of the system's.
    pub ca_pem: Option<String>,
    /// Keys of which one must be in the chain: `sha256/BASE64` or 64 hexadecimal digits; two at least.
    pub pins: Vec<String>,
    /// The file of the client's certificate chain, in PEM.
    pub client_cert_file: Option<String>,
    /// The file of its key, in PEM.
    pub client_key_file: Option<String>,
    /// Application protocols, best first.
    pub alpn: Vec<String>,
    /// The name that is expected instead of the endpoint's host.
    pub server_name: Option<String>,
    /// TLS 1.2 is refused.
    pub only_tls13: bool,
    /// No session is kept for the next connection.
    pub no_resumption: bool,
    /// Any certificate of anybody is taken.
    pub danger_accept_invalid_certificates: bool,
}

impl TlsRecord {
    /// Turns the record into the core's declaration.
    pub(crate) fn declared(&self) -> Tls {
        let mut tls = self.ca_files.iter().fold(Tls::new(), |tls, file| tls.ca_file(file));
        if let Some(pem) = &self.ca_pem {
            tls = tls.ca(pem.as_bytes());
        }
        tls = tls.pins(self.pins.iter().map(String::as_str)).alpn(self.alpn.iter().map(String::as_str));
        // A certificate without its key, or the reverse, is missed as a file that cannot be read.
        if self.client_cert_file.is_some() || self.client_key_file.is_some() {
            let chain = self.client_cert_file.clone().unwrap_or_default();
            tls = tls.client_certificate_files(chain, self.client_key_file.clone().unwrap_or_default());
        }
        if let Some(name) = &self.server_name {
            tls = tls.server_name(name.clone());
        }
        if self.only_tls13 {
            tls = tls.only_tls13();
        }
        if self.no_resumption {
            tls = tls.no_resumption();
        }
        if self.danger_accept_invalid_certificates {
            tls = tls.danger_accept_invalid_certificates();
        }
        tls
    }
}
