//! The handshake: from a TCP connection to a session, within one deadline for all of it.

use super::failure::{Broken, Known};
use super::session::Session;
use super::socket::TlsSocket;
use crate::io::ending_of;
use crate::tls::{Connector, TlsFacts};
use keepline_proto::cause::TlsFailure;
use keepline_proto::race::tls_within;
use keepline_proto::{Cause, Ending, Hint};
use rustls::ProtocolVersion;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long a server that asked for a certificate may take to refuse it, beyond a round trip. With TLS 1.3 the handshake is
/// over before it says so; most answer with a ticket otherwise.
const VERDICT: Duration = Duration::from_millis(200);

/// The first bytes of a server, to tell what else it speaks.
const FIRST: usize = 16;

/// What a handshake needs besides the socket.
pub(crate) struct Handshake<'a> {
    pub(crate) connector: &'a Connector,
    pub(crate) host: &'a str,
    /// The least that it is given.
    pub(crate) least: Duration,
    /// How long TCP took to connect.
    pub(crate) connected_in: Duration,
    /// What is left of the whole attempt.
    pub(crate) remaining: Duration,
}

/// Makes a session over `tcp`.
pub(crate) async fn shake_hands(tcp: TcpStream, plan: Handshake<'_>) -> Result<(TlsSocket, TlsFacts), Ending> {
    let limit = tls_within(plan.least, plan.connected_in).min(plan.remaining);
    let tls = plan.connector.session(plan.host).map_err(|error| {
        // Checked when the client was made; only a resource of this machine is left.
        tracing::error!(%error, "TLS");
        Ending::new(Cause::LocalResource, None)
    })?;
    let session = Session::new(tls, plan.connector.has_identity());
    let mut hands = Hands { tcp, session, connector: plan.connector, was_asked: false, first: Vec::new() };
    match tokio::time::timeout(limit, hands.shake(plan.connected_in)).await {
        Ok(Ok(())) => {}
        Ok(Err(ending)) => return Err(ending),
        Err(_elapsed) => return Err(Ending::new(Cause::Tls(TlsFailure::Timeout), None)),
    }
    let facts = TlsFacts::of(hands.session.tls());
    Ok((TlsSocket::new(hands.tcp, hands.session), facts))
}

struct Hands<'a> {
    tcp: TcpStream,
    session: Session,
    connector: &'a Connector,
    /// The server asked for a certificate.
    was_asked: bool,
    first: Vec<u8>,
}

impl Hands<'_> {
    async fn shake(&mut self, round_trip: Duration) -> Result<(), Ending> {
        self.session.begin();
        while self.session.tls().is_handshaking() {
            self.turn().await?;
        }
        self.flush().await?;
        if !self.connector.is_agreed(self.session.tls()) {
            tracing::debug!("the peer agreed to none of the application protocols");
            return Err(Ending::new(Cause::Tls(TlsFailure::Alpn), None));
        }
        let is_late = self.session.tls().protocol_version() == Some(ProtocolVersion::TLSv1_3);
        if self.was_asked && is_late {
            let _verdict_or_silence = self.session.take_arrived();
            match tokio::time::timeout(VERDICT + 2 * round_trip, self.turn()).await {
                Ok(verdict) => verdict?,
                // A server without tickets: its silence is no refusal.
                Err(_elapsed) => {}
            }
        }
        Ok(())
    }

    /// Sends what is to be sent, and takes what comes.
    async fn turn(&mut self) -> Result<(), Ending> {
        self.flush().await?;
        let mut bytes = [0; 4096];
        loop {
            self.tcp.readable().await.map_err(|error| self.lost(&error))?;
            match self.tcp.try_read(&mut bytes) {
                Ok(count) => {
                    let room = FIRST.saturating_sub(self.first.len()).min(count);
                    self.first.extend_from_slice(&bytes[..room]);
                    self.session.arrive(&bytes[..count]);
                    // Taken at once: another handshake of the same client may run beside this one.
                    self.was_asked |= self.connector.take_asked();
                    return self.judge(count == 0);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(self.lost(&error)),
            }
        }
    }

    fn judge(&mut self, is_over: bool) -> Result<(), Ending> {
        if let Some(error) = self.session.error() {
            let known =
                Known { was_asked: self.was_asked, has_identity: self.connector.has_identity(), first: &self.first };
            let broken = Broken::of(error, known);
            tracing::debug!(error = %broken, "TLS handshake failed");
            // The peer is told why; it costs one packet, if there is room for it.
            let _told = self.session.flush(&self.tcp);
            return Err(broken.ending());
        }
        if is_over {
            return Err(Ending { hint: Some(self.guess()), ..Ending::new(Cause::PeerClosed, None) });
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Ending> {
        loop {
            match self.session.flush(&self.tcp) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.tcp.writable().await.map_err(|error| self.lost(&error))?;
                }
                Err(error) => return Err(self.lost(&error)),
            }
        }
    }

    fn lost(&self, error: &io::Error) -> Ending {
        let ending = Ending { detector: None, ..ending_of(error) };
        let is_refusal = matches!(ending.cause, Cause::Reset | Cause::PeerClosed);
        Ending { hint: is_refusal.then(|| self.guess()), ..ending }
    }

    /// Why a server may end the connection without a word.
    fn guess(&self) -> Hint {
        match (self.was_asked, self.connector.has_identity()) {
            (false, _) => Hint::ClosedInHandshake,
            (true, false) => Hint::NoClientCertificate,
            (true, true) => Hint::ClientCertificateRefused,
        }
    }
}
