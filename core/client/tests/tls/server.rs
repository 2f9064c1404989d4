//! A TLS server of the tests: echoes lines, and can be told to be strict, old, or rude.

use crate::authority::{Authority, Identity};
use keepline_testkit::servers::{Server, Service};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// The versions of a server.
pub(crate) type Versions = &'static [&'static SupportedProtocolVersion];

pub(crate) static BOTH: Versions = &[&rustls::version::TLS12, &rustls::version::TLS13];
pub(crate) static ONLY_12: Versions = &[&rustls::version::TLS12];
pub(crate) static ONLY_13: Versions = &[&rustls::version::TLS13];

/// How the server ends a connection whose client says `bye`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// With the end of the session, then of the stream.
    Whole,
    /// With the end of the stream only.
    Short,
}

pub(crate) struct TlsEcho {
    acceptor: TlsAcceptor,
    farewell: Farewell,
    /// Sessions that were resumed.
    pub(crate) resumed: AtomicU64,
    /// Sessions that their client ended in order.
    pub(crate) finished: AtomicU64,
    /// Bytes that were sent to it inside of sessions.
    pub(crate) heard: AtomicU64,
}

/// What a server is made of.
pub(crate) struct Plan<'a> {
    pub(crate) identity: &'a Identity,
    /// Asks for certificates of this authority.
    pub(crate) clients: Option<&'a Authority>,
    pub(crate) versions: Versions,
    pub(crate) alpn: &'a [&'a str],
    pub(crate) farewell: Farewell,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(identity: &'a Identity) -> Plan<'a> {
        Plan { identity, clients: None, versions: BOTH, alpn: &[], farewell: Farewell::Whole }
    }

    pub(crate) async fn start(self) -> Server<TlsEcho> {
        let farewell = self.farewell;
        let echo = TlsEcho {
            acceptor: self.acceptor(),
            farewell,
            resumed: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            heard: AtomicU64::new(0),
        };
        Server::serving(echo).await.unwrap()
    }

    /// What shakes hands, for a server that then does something else.
    pub(crate) fn acceptor(self) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(self.versions).unwrap();
        let builder = match self.clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                use rustls::pki_types::pem::PemObject;
                let mut roots = RootCertStore::empty();
                let pem = authority.pem();
                roots.add(rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(self.identity.chain.clone(), self.identity.private_key()).unwrap();
        config.alpn_protocols = self.alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

impl Service for TlsEcho {
    async fn serve(&self, _connection: u64, stream: TcpStream) {
        let Ok(mut stream) = self.acceptor.accept(stream).await else { return };
        if stream.get_ref().1.handshake_kind() == Some(rustls::HandshakeKind::Resumed) {
            self.resumed.fetch_add(1, Ordering::Relaxed);
        }
        let mut bytes = vec![0; 64 * 1024];
        loop {
            let Ok(count) = stream.read(&mut bytes).await else { return };
            self.heard.fetch_add(count as u64, Ordering::Relaxed);
            if bytes[..count].starts_with(b"bye") {
                match self.farewell {
                    Farewell::Whole => drop(stream.shutdown().await),
                    Farewell::Short => drop(stream.get_mut().0.shutdown().await),
                }
                return;
            }
            if count == 0 {
                self.finished.fetch_add(1, Ordering::Relaxed);
                let _gone = stream.shutdown().await;
                return;
            }
            if stream.write_all(&bytes[..count]).await.is_err() || stream.flush().await.is_err() {
                return;
            }
        }
    }
}
