//! Pins: keys of which one must be in the chain of every certificate.

use keepline_proto::ConfigError;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::hash::{Hash, HashAlgorithm};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::fmt;
use std::sync::Arc;

/// SHA-256 of a public key with its algorithm (SPKI).
type Pin = [u8; 32];

/// A pin that is lost with its key locks every client out: the second one lies in a safe.
const LEAST: usize = 2;

/// Nobody rotates among more.
const MOST: usize = 32;

/// Checks as another verifier does, and then for a pin.
pub(super) struct Pinned {
    pub(super) inner: Arc<dyn ServerCertVerifier>,
    pub(super) pins: Vec<Pin>,
    /// Authorities that were configured: servers need not send them.
    pub(super) roots: Vec<CertificateDer<'static>>,
    pub(super) provider: Arc<CryptoProvider>,
}

/// Reads `sha256/BASE64` or 64 hexadecimal digits each.
pub(super) fn parse(texts: &[String]) -> Result<Vec<Pin>, ConfigError> {
    let mut pins: Vec<Pin> = Vec::new();
    for text in texts {
        let pin = match text.strip_prefix("sha256/") {
            Some(base64) => from_base64(base64),
            None => from_hex(text),
        };
        let rule = "must be sha256/ and 44 characters of base64, or 64 hexadecimal digits";
        let pin = pin.ok_or_else(|| ConfigError::new("tls.pins", format_args!("{:?}", shortened(text)), rule))?;
        if !pins.contains(&pin) {
            pins.push(pin);
        }
    }
    if !pins.is_empty() && !(LEAST..=MOST).contains(&pins.len()) {
        let rule = "must hold 2 to 32 different pins: one in use and one kept for the day it is lost";
        return Err(ConfigError::new("tls.pins", pins.len(), rule));
    }
    Ok(pins)
}

impl Pinned {
    /// Whether a pinned key has signed the way down to this certificate, or is its own.
    ///
    /// A certificate that is only sent along proves nothing: anybody can send it. So the chain is built once more, with
    /// nothing but the pinned certificate to trust.
    fn is_pinned(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> bool {
        if self.has_pin(leaf) {
            return true;
        }
        let candidates = others.iter().chain(&self.roots).filter(|certificate| self.has_pin(certificate));
        candidates.into_iter().any(|pinned| {
            let mut only = RootCertStore::empty();
            if only.add(pinned.clone().into_owned()).is_err() {
                return false;
            }
            WebPkiServerVerifier::builder_with_provider(Arc::new(only), self.provider.clone())
                .build()
                .is_ok_and(|verifier| verifier.verify_server_cert(leaf, others, name, &[], now).is_ok())
        })
    }

    fn has_pin(&self, certificate: &CertificateDer<'_>) -> bool {
        let Some(sha256) = sha256(&self.provider) else { return false };
        let Ok(parsed) = ParsedCertificate::try_from(certificate) else { return false };
        let digest = sha256.hash(&parsed.subject_public_key_info());
        self.pins.iter().any(|pin| pin == digest.as_ref())
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.inner.verify_server_cert(leaf, others, name, ocsp, now)?;
        if self.is_pinned(leaf, others, name, now) {
            Ok(verified)
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinned").field("pins", &self.pins.len()).finish()
    }
}

/// The hash of the provider: each has it for its cipher suites.
pub(super) fn sha256(provider: &CryptoProvider) -> Option<&'static dyn Hash> {
    let hashes = provider.cipher_suites.iter().map(|suite| match suite {
        rustls::SupportedCipherSuite::Tls12(suite) => suite.common.hash_provider,
        rustls::SupportedCipherSuite::Tls13(suite) => suite.common.hash_provider,
    });
    hashes.into_iter().find(|hash| hash.algorithm() == HashAlgorithm::SHA256)
}

fn from_hex(text: &str) -> Option<Pin> {
    let mut pin = Pin::default();
    if text.len() != 2 * pin.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in pin.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(pin)
}

/// 32 bytes are 43 digits of six bits, whose last two are unused, and one `=`.
fn from_base64(text: &str) -> Option<Pin> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = text.strip_suffix('=').unwrap_or(text);
    if text.len() != 43 {
        return None;
    }
    let mut pin = Pin::default();
    let (mut bits, mut held, mut at) = (0u32, 0, 0);
    for digit in text.bytes() {
        let value = DIGITS.iter().position(|known| *known == digit)?;
        bits = bits << 6 | value as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            *pin.get_mut(at)? = (bits >> held) as u8;
            at += 1;
            bits &= (1 << held) - 1;
        }
    }
    (bits == 0).then_some(pin)
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_pin_are_read() {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let base64 = "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let other = "00".repeat(32);
        let hexes = parse(&[hex.to_owned(), other.clone()]).unwrap();
        assert_eq!(hexes, parse(&[base64.to_owned(), other]).unwrap());
        assert_eq!(hexes[0][..3], [0xe3, 0xb0, 0xc4]);
    }

    #[test]
    fn a_single_pin_and_nonsense_are_refused() {
        let pin = "ab".repeat(32);
        for (pins, rule) in [
            (vec![pin.clone()], "2 to 32"),
            (vec![pin.clone(), pin.clone()], "2 to 32"),
            (vec![pin.clone(), "sha256/short".to_owned()], "44 characters"),
            (vec![pin.clone(), "zz".repeat(32)], "64 hexadecimal"),
            (vec![pin, "é".repeat(32)], "64 hexadecimal"),
        ] {
            let error = parse(&pins).unwrap_err();
            assert_eq!(error.field, "tls.pins");
            assert!(error.rule.contains(rule), "{error}");
        }
        assert!(parse(&[]).unwrap().is_empty());
    }
}
