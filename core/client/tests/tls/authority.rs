//! Certificates made for the tests: an authority, and whatever it would never sign.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// An authority, with its certificate.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A chain, leaf first, and the key of the leaf.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: Vec<u8>,
    pub(crate) chain_pem: String,
    pub(crate) key_pem: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Authority {
        let issuer = CertifiedIssuer::self_signed(authority(name), KeyPair::generate().unwrap()).unwrap();
        Authority { issuer }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// The hash of its public key.
    pub(crate) fn pin(&self) -> String {
        pin_of(self.issuer.der())
    }

    /// Signs for these names; the first one is the subject.
    pub(crate) fn sign(&self, names: &[&str]) -> Identity {
        self.sign_with(names, |_| {})
    }

    /// Signs what `change` makes of an ordinary certificate.
    pub(crate) fn sign_with(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = leaf(names);
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity::new(vec![certificate.der().clone()], certificate.pem(), &key)
    }

    /// Signs through `depth` authorities below this one.
    pub(crate) fn sign_deep(&self, names: &[&str], depth: usize) -> Identity {
        let mut chain = Vec::new();
        let mut pems = Vec::new();
        let mut issuers: Vec<CertifiedIssuer<'static, KeyPair>> = Vec::new();
        for number in 0..depth {
            let above = issuers.last().unwrap_or(&self.issuer);
            let params = authority(&format!("intermediate {number}"));
            let issuer = CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), above).unwrap();
            chain.insert(0, issuer.der().clone());
            pems.insert(0, issuer.pem());
            issuers.push(issuer);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = leaf(names).signed_by(&key, issuers.last().unwrap_or(&self.issuer)).unwrap();
        chain.insert(0, certificate.der().clone());
        pems.insert(0, certificate.pem());
        Identity::new(chain, pems.concat(), &key)
    }
}

impl Identity {
    fn new(chain: Vec<CertificateDer<'static>>, chain_pem: String, key: &KeyPair) -> Identity {
        Identity { chain, key: key.serialize_der(), chain_pem, key_pem: key.serialize_pem() }
    }

    /// Signed by its own key.
    pub(crate) fn self_signed(names: &[&str]) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = leaf(names).self_signed(&key).unwrap();
        Identity::new(vec![certificate.der().clone()], certificate.pem(), &key)
    }

    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()))
    }

    /// The hash of the public key of the certificate at `index` of the chain.
    pub(crate) fn pin(&self, index: usize) -> String {
        pin_of(&self.chain[index])
    }
}

/// A pin of nobody's key.
pub(crate) fn backup_pin() -> String {
    "b7".repeat(32)
}

fn pin_of(certificate: &CertificateDer<'_>) -> String {
    let parsed = rustls::server::ParsedCertificate::try_from(certificate).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let suite = provider.cipher_suites.iter().find_map(|suite| suite.tls13()).unwrap();
    let suites = provider.cipher_suites.iter().filter_map(|suite| suite.tls13());
    let sha256 = suites
        .map(|suite| suite.common.hash_provider)
        .find(|hash| hash.output_len() == 32)
        .unwrap_or(suite.common.hash_provider);
    let digest = sha256.hash(&parsed.subject_public_key_info());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, *names.first().unwrap_or(&"nobody"));
    params.subject_alt_names = names
        .iter()
        .map(|name| match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_name) => SanType::DnsName((*name).try_into().unwrap()),
        })
        .collect();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}
