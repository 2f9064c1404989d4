//! What a failed handshake or a broken session means, and what may help.

use keepline_proto::cause::TlsFailure;
use keepline_proto::{Cause, Ending, Hint};
use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible, PeerMisbehaved};
use std::fmt;
use std::io;
use std::time::{Duration, SystemTime};

/// 2026-01-01, in seconds since 1970: a clock that says less was never set.
const BUILT: u64 = 1_767_225_600;

/// Why a session is over. Travels inside an [`io::Error`].
#[derive(Debug, Clone)]
pub(crate) struct Broken {
    failure: TlsFailure,
    hint: Option<Hint>,
    text: String,
}

/// What is known about the handshake besides the error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// The server asked for a certificate.
    pub(super) was_asked: bool,
    /// There was one to show.
    pub(super) has_identity: bool,
    /// The first bytes of the server.
    pub(super) first: &'a [u8],
}

impl Broken {
    pub(super) fn new(failure: TlsFailure, hint: Option<Hint>, text: impl Into<String>) -> Broken {
        Broken { failure, hint, text: text.into() }
    }

    /// What an error of the session means.
    pub(super) fn of(error: &Error, known: Known<'_>) -> Broken {
        let (failure, hint) = judge(error, known);
        Broken::new(failure, hint, error.to_string())
    }

    /// The stream ended without the end of the session.
    pub(super) fn truncated() -> Broken {
        Broken::new(TlsFailure::Truncated, None, "the connection ended without close_notify")
    }

    pub(super) fn into_io(self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, self)
    }

    /// The one that travels in `error`.
    pub(crate) fn inside(error: &io::Error) -> Option<&Broken> {
        error.get_ref()?.downcast_ref()
    }

    pub(crate) fn ending(&self) -> Ending {
        Ending { hint: self.hint, ..Ending::new(Cause::Tls(self.failure), None) }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An alert or a name may be the peer's text.
        write!(f, "{}", self.text.chars().take(256).collect::<String>().escape_debug())
    }
}

impl std::error::Error for Broken {}

fn judge(error: &Error, known: Known<'_>) -> (TlsFailure, Option<Hint>) {
    match error {
        Error::InvalidCertificate(error) => judge_certificate(error),
        Error::NoCertificatesPresented => (TlsFailure::BadCertificate, None),
        Error::AlertReceived(alert) => judge_alert(*alert, known),
        Error::NoApplicationProtocol | Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedApplicationProtocol) => {
            (TlsFailure::Alpn, None)
        }
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::ExtendedMasterSecretExtensionRequired,
        ) => (TlsFailure::Version, None),
        _ => (TlsFailure::Protocol, of_first_bytes(known.first)),
    }
}

fn judge_certificate(error: &CertificateError) -> (TlsFailure, Option<Hint>) {
    match error {
        CertificateError::ExpiredContext { time, not_after } => {
            (TlsFailure::Expired, Some(of_clock(time.as_secs(), not_after.as_secs())))
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            (TlsFailure::NotYetValid, Some(of_clock(time.as_secs(), not_before.as_secs())))
        }
        CertificateError::Expired => (TlsFailure::Expired, of_system_clock()),
        CertificateError::NotValidYet => (TlsFailure::NotYetValid, of_system_clock()),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            (TlsFailure::NameMismatch, None)
        }
        CertificateError::Revoked => (TlsFailure::Revoked, None),
        CertificateError::ApplicationVerificationFailure => (TlsFailure::Pin, None),
        CertificateError::BadEncoding
        | CertificateError::UnhandledCriticalExtension
        | CertificateError::InvalidPurpose
        | CertificateError::InvalidPurposeContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmContext { .. } => (TlsFailure::BadCertificate, None),
        // Among them an unknown issuer, a signature that is not the issuer's, or not of its kind of key (an authority of the
        // same name), and what the system says in its own words.
        _ => (TlsFailure::UntrustedIssuer, None),
    }
}

fn judge_alert(alert: AlertDescription, known: Known<'_>) -> (TlsFailure, Option<Hint>) {
    let refused = match known.has_identity {
        true => Hint::ClientCertificateRefused,
        false => Hint::NoClientCertificate,
    };
    match alert {
        AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity => (TlsFailure::Version, None),
        AlertDescription::NoApplicationProtocol => (TlsFailure::Alpn, None),
        AlertDescription::UnrecognisedName => (TlsFailure::NameMismatch, None),
        AlertDescription::CertificateRequired => (TlsFailure::ClientAuth, Some(refused)),
        // A server that complains about certificates means ours.
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => (TlsFailure::ClientAuth, Some(refused)),
        // With TLS 1.2, some have no better word for a missing certificate.
        AlertDescription::HandshakeFailure if known.was_asked => (TlsFailure::ClientAuth, Some(refused)),
        _ => (TlsFailure::Protocol, None),
    }
}

/// What a peer speaks that answers with anything else than a record.
fn of_first_bytes(first: &[u8]) -> Option<Hint> {
    if first.starts_with(b"HTTP/") {
        return Some(Hint::Http);
    }
    let is_text = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    (first.len() >= 4 && first.iter().all(is_text)).then_some(Hint::PlainText)
}

fn of_clock(now: u64, bound: u64) -> Hint {
    if now < BUILT {
        return Hint::ClockNotSet;
    }
    Hint::CheckClock { seconds: u32::try_from(now.abs_diff(bound)).unwrap_or(u32::MAX) }
}

fn of_system_clock() -> Option<Hint> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    (now.as_secs() < BUILT).then_some(Hint::ClockNotSet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::UnixTime;

    const NOTHING: Known<'_> = Known { was_asked: false, has_identity: false, first: &[] };

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn a_clock_that_was_never_set_is_told_from_one_that_may_be_wrong() {
        for (now, hint) in [(1_000, Hint::ClockNotSet), (BUILT + 60, Hint::CheckClock { seconds: 60 })] {
            let early = CertificateError::NotValidYetContext { time: at(now), not_before: at(BUILT + 120) };
            assert_eq!(judge(&early.into(), NOTHING), (TlsFailure::NotYetValid, Some(hint)));
        }
    }

    #[test]
    fn an_alert_about_certificates_is_about_ours() {
        for (has_identity, hint) in [(false, Hint::NoClientCertificate), (true, Hint::ClientCertificateRefused)] {
            let known = Known { has_identity, ..NOTHING };
            let alert = Error::AlertReceived(AlertDescription::UnknownCA);
            assert_eq!(judge(&alert, known), (TlsFailure::ClientAuth, Some(hint)));
        }
        let vague = Error::AlertReceived(AlertDescription::HandshakeFailure);
        assert_eq!(judge(&vague, NOTHING), (TlsFailure::Protocol, None));
        assert_eq!(judge(&vague, Known { was_asked: true, ..NOTHING }).0, TlsFailure::ClientAuth);
    }

    #[test]
    fn first_bytes_tell_what_the_peer_speaks() {
        assert_eq!(of_first_bytes(b"HTTP/1.1 302 Found"), Some(Hint::Http));
        assert_eq!(of_first_bytes(b"-ERR unknown command\r\n"), Some(Hint::PlainText));
        assert_eq!(of_first_bytes(&[0x00, 0xff, 0x41, 0x41]), None);
        assert_eq!(of_first_bytes(b""), None);
    }
}
