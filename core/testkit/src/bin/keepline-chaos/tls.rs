//! Doors that speak TLS, before a server that does not, with every certificate that a door should not have.

use super::Answer;
use super::servers::{told, wait};
use super::words::Words;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// The doors, and the authority that vouches for some of them.
#[derive(Default)]
pub(crate) struct Doors {
    doors: HashMap<String, Door>,
    authority: Option<Authority>,
}

type Authority = CertifiedIssuer<'static, KeyPair>;

/// One door; it closes when this is dropped, and ends what came through it.
struct Door {
    address: SocketAddr,
    accepted: Arc<AtomicU64>,
    listening: JoinHandle<()>,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Doors {
    /// Whether this command is one of a door.
    pub(crate) fn knows(&self, verb: &str, name: &str) -> bool {
        verb == "tls" || verb == "authority" || self.doors.contains_key(name)
    }

    /// Where a door is.
    pub(crate) fn address(&self, name: &str) -> Option<SocketAddr> {
        self.doors.get(name).map(|door| door.address)
    }

    pub(crate) async fn run(&mut self, verb: &str, name: &str, words: &mut Words<'_>) -> Answer {
        match verb {
            "authority" => return self.trusted(),
            "tls" => return self.open(name, words).await,
            _ => {}
        }
        let door = self.doors.get(name).ok_or_else(|| format!("no door {name}"))?;
        match verb {
            "address" => Ok(door.address.to_string()),
            "accepted" => Ok(door.accepted.load(Ordering::Relaxed).to_string()),
            "await-accepted" => {
                let count: u64 = words.number("a count")?;
                wait(words.millis("a limit")?, || door.accepted.load(Ordering::Relaxed) >= count).await?;
                Ok(String::new())
            }
            other => Err(format!("a door knows no {other}")),
        }
    }

    /// The certificate that clients are to trust: the body of its PEM, which fits a line.
    fn trusted(&mut self) -> Answer {
        let pem = self.authority()?.pem();
        Ok(pem.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect())
    }

    async fn open(&mut self, name: &str, words: &mut Words<'_>) -> Answer {
        let upstream = words.address()?;
        let kind = words.word("a certificate")?;
        let acceptor = TlsAcceptor::from(Arc::new(self.config(kind)?));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(told)?;
        let address = listener.local_addr().map_err(told)?;
        let accepted = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&accepted);
        let listening = tokio::spawn(async move {
            // Their end is this task's.
            let mut inside = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                inside.spawn(pass(acceptor.clone(), stream, upstream));
            }
        });
        self.doors.insert(name.to_owned(), Door { address, accepted, listening });
        Ok(address.to_string())
    }

    fn config(&mut self, kind: &str) -> Result<ServerConfig, String> {
        let mut params = leaf(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        let stranger;
        let issuer = match kind {
            "good" => self.authority()?,
            "expired" => {
                params.not_after = date_time_ymd(2020, 1, 1);
                self.authority()?
            }
            "not-yet-valid" => {
                params.not_before = date_time_ymd(2090, 1, 1);
                self.authority()?
            }
            "wrong-name" => {
                let name = "elsewhere.test".try_into().map_err(|error| format!("{error}"))?;
                params.subject_alt_names = vec![SanType::DnsName(name)];
                self.authority()?
            }
            "unknown-authority" => {
                stranger = authority("a stranger")?;
                &stranger
            }
            other => return Err(format!("no kind of certificate: {other}")),
        };
        let key = KeyPair::generate().map_err(text)?;
        let certificate = params.signed_by(&key, issuer).map_err(text)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let builder = builder.map_err(text)?.with_no_client_auth();
        builder.with_single_cert(vec![certificate.der().clone()], secret).map_err(text)
    }

    fn authority(&mut self) -> Result<&Authority, String> {
        if self.authority.is_none() {
            self.authority = Some(authority("keepline-chaos")?);
        }
        self.authority.as_ref().ok_or_else(|| "there is no authority".to_owned())
    }
}

/// Shakes hands, and passes on what comes. An end of the server's is one of the session; anything else cuts it off.
async fn pass(acceptor: TlsAcceptor, stream: TcpStream, upstream: SocketAddr) {
    let Ok(mut inside) = acceptor.accept(stream).await else { return };
    let Ok(mut server) = TcpStream::connect(upstream).await else { return };
    // Whichever side failed, both end here.
    let _ended = copy_bidirectional(&mut inside, &mut server).await;
}

fn authority(name: &str) -> Result<Authority, String> {
    let mut params = CertificateParams::new(Vec::new()).map_err(text)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().map_err(text)?).map_err(text)
}

/// A certificate for servers of this name.
fn leaf(name: SanType) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![name];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
