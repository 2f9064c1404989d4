//! TLS on the command line.

use clap::Args;
use keepline::{Builder, Tls};
use std::path::PathBuf;

#[derive(Args)]
#[command(next_help_heading = "TLS options")]
pub(crate) struct TlsOptions {
    /// Encrypts, as tls:// before the endpoint does
    #[arg(long)]
    pub(crate) tls: bool,
    /// Trusts the authorities in this file instead of the system's; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Vec<PathBuf>,
    /// A key that must be in the server's chain, sha256/BASE64 or hex; two at least, one for the day the other is lost
    #[arg(long, value_name = "PIN")]
    pub(crate) pin: Vec<String>,
    /// The client's certificate chain in PEM
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub(crate) client_cert: Option<PathBuf>,
    /// Its key in PEM
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub(crate) client_key: Option<PathBuf>,
    /// An application protocol to agree on; may be given several times, best first
    #[arg(long, value_name = "PROTOCOL")]
    pub(crate) alpn: Vec<String>,
    /// The name that the server's certificate must have, instead of the endpoint's host
    #[arg(long, value_name = "NAME")]
    pub(crate) server_name: Option<String>,
    /// Refuses TLS 1.2
    #[arg(long)]
    pub(crate) only_tls13: bool,
    /// Keeps no session for the next connection: each shakes hands in full
    #[arg(long)]
    pub(crate) no_tls_resumption: bool,
    /// Takes any certificate of anybody: the connection is then encrypted to whoever answers
    #[arg(long)]
    pub(crate) danger_accept_invalid_certificates: bool,
}

impl TlsOptions {
    /// The client with what was given.
    pub(crate) fn over(&self, builder: Builder) -> Builder {
        match self.declared() {
            Some(tls) => builder.tls(tls),
            None => builder,
        }
    }

    /// Whether anything was given.
    pub(crate) fn is_given(&self) -> bool {
        self.tls
            || self.danger_accept_invalid_certificates
            || [self.ca_file.is_empty(), self.pin.is_empty(), self.alpn.is_empty()].contains(&false)
            || self.client_cert.is_some()
            || self.server_name.is_some()
            || self.only_tls13
            || self.no_tls_resumption
    }

    /// What was given; `None` if nothing was.
    fn declared(&self) -> Option<Tls> {
        if !self.is_given() {
            return None;
        }
        let mut tls = self.ca_file.iter().fold(Tls::new(), |tls, file| tls.ca_file(file));
        tls = tls.pins(self.pin.iter().map(String::as_str)).alpn(self.alpn.iter().map(String::as_str));
        if let (Some(chain), Some(key)) = (&self.client_cert, &self.client_key) {
            tls = tls.client_certificate_files(chain, key);
        }
        if let Some(name) = &self.server_name {
            tls = tls.server_name(name);
        }
        if self.only_tls13 {
            tls = tls.only_tls13();
        }
        if self.no_tls_resumption {
            tls = tls.no_resumption();
        }
        if self.danger_accept_invalid_certificates {
            tls = tls.danger_accept_invalid_certificates();
        }
        Some(tls)
    }
}
