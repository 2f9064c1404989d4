//! Whose certificates are taken: what the system trusts, what was configured, or, dangerously, anybody's.

use keepline_proto::ConfigError;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The system's verifier, shared by all clients while there is one: a list of authorities is half a
/// megabyte and takes milliseconds to read.
static SYSTEM: Mutex<Weak<Verifier>> = Mutex::new(Weak::new());

/// Trusts what the system trusts.
pub(super) fn system(provider: &Arc<CryptoProvider>, is_own: bool) -> Result<Arc<dyn ServerCertVerifier>, ConfigError> {
    let failed = |error: Error| {
        ConfigError::new("tls", "the system's certificates", format!("must be readable, or set tls.ca: {error}"))
    };
    // Only the cryptography of the features is the same for all.
    if is_own {
        return Ok(Arc::new(Verifier::new(provider.clone()).map_err(failed)?));
    }
    let mut shared = SYSTEM.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = shared.upgrade() {
        return Ok(known);
    }
    let fresh = Arc::new(Verifier::new(provider.clone()).map_err(failed)?);
    *shared = Arc::downgrade(&fresh);
    Ok(fresh)
}

/// Trusts these authorities and no others.
pub(super) fn only(
    roots: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, ConfigError> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).map_err(|error| {
            ConfigError::new("tls.ca", "a certificate", format!("must be one of an authority: {error}"))
        })?;
    }
    let built = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone()).build();
    let verifier = built.map_err(|error| ConfigError::new("tls.ca", roots.len(), error.to_string()))?;
    Ok(verifier)
}

/// Takes any certificate; only that the peer has its key is checked.
#[derive(Debug)]
pub(super) struct Anybody(pub(super) WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
