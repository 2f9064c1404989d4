//! Certificates and keys, from files or memory, PEM or DER.

use keepline_proto::ConfigError;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

/// The most bytes of one file: twenty times the largest list of authorities that a system ships.
const LARGEST: usize = 4 * 1024 * 1024;

/// Where certificates come from.
#[derive(Clone)]
pub(super) enum Source {
    File(PathBuf),
    Bytes(Vec<u8>),
}

/// Where a key comes from. Never shown.
#[derive(Clone)]
pub(super) struct Secret(pub(super) Source);

impl Source {
    /// The certificates, at least one.
    pub(super) fn certificates(&self, field: &'static str) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
        let bytes = self.read(field)?;
        if !is_pem(&bytes) {
            return Ok(vec![CertificateDer::from(bytes.into_owned())]);
        }
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        match certificates {
            Ok(certificates) if !certificates.is_empty() => Ok(certificates),
            Ok(_) => Err(ConfigError::new(field, self.shown(), "must hold a certificate in PEM or DER")),
            Err(error) => Err(ConfigError::new(field, self.shown(), format!("must be valid PEM: {error}"))),
        }
    }

    fn read(&self, field: &'static str) -> Result<Cow<'_, [u8]>, ConfigError> {
        let bytes = match self {
            Source::Bytes(bytes) => Cow::Borrowed(bytes.as_slice()),
            Source::File(path) => {
                let unreadable =
                    |error| ConfigError::new(field, self.shown(), format!("must be a file that can be read: {error}"));
                let mut bytes = Vec::new();
                // One byte more shows that there is more. What a file says of its own size is not asked: a device says none.
                let file = File::open(path).map_err(unreadable)?;
                file.take(LARGEST as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
                Cow::Owned(bytes)
            }
        };
        if bytes.is_empty() || bytes.len() > LARGEST {
            return Err(ConfigError::new(field, self.shown(), "must hold 1 byte to 4 MiB"));
        }
        Ok(bytes)
    }

    fn shown(&self) -> String {
        match self {
            Source::File(path) => format!("{:?}", path.to_string_lossy()),
            Source::Bytes(bytes) => format!("{} bytes", bytes.len()),
        }
    }
}

impl Secret {
    /// The private key: PKCS#8, PKCS#1 or SEC1.
    pub(super) fn key(&self, field: &'static str) -> Result<PrivateKeyDer<'static>, ConfigError> {
        let bytes = self.0.read(field)?;
        // Neither the key nor what is wrong with it: a parser's error may quote its input.
        let wrong = || ConfigError::new(field, self.0.shown(), "must hold an unencrypted private key in PEM or DER");
        if is_pem(&bytes) {
            return PrivateKeyDer::from_pem_slice(&bytes).map_err(|_secret| wrong());
        }
        PrivateKeyDer::try_from(bytes.into_owned()).map_err(|_secret| wrong())
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("secret")
    }
}

fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(10).any(|window| window == b"-----BEGIN")
}
