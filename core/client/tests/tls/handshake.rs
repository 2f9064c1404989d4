//! Handshakes that fail for other reasons than a certificate of the server's, and how long they may take.

use crate::authority::Authority;
use crate::server::{BOTH, ONLY_12, ONLY_13, Plan};
use crate::support::{SOON, await_event, millis, secs};
use keepline::cause::TlsFailure;
use keepline::{Cause, Client, Disconnected, Ending, EventKind, Hint, Tls};
use keepline_testkit::chaos::{ChaosProxy, Direction};
use keepline_testkit::servers::{Server, Service};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_client_certificate_is_shown_where_it_is_asked_for() {
    let (authority, clients) = (Authority::new("tests"), Authority::new("clients"));
    let (identity, device) = (authority.sign(&["127.0.0.1"]), clients.sign(&["device-7"]));
    for versions in [BOTH, ONLY_12] {
        let server = Plan { clients: Some(&clients), versions, ..Plan::new(&identity) }.start().await;
        let tls = trusting(&authority).client_certificate(device.chain_pem.clone(), device.key_pem.clone());
        let client = Client::builder(server.addr()).tls(tls).connect().await.unwrap();
        client.send("hello").await.unwrap();
        assert_eq!(&tokio::time::timeout(SOON, client.recv()).await.unwrap().unwrap().payload[..], b"hello");
    }
}

#[tokio::test]
async fn the_cryptography_of_the_process_is_left_to_its_own_choice() {
    let authority = Authority::new("tests");
    let server = Plan::new(&authority.sign(&["127.0.0.1"])).start().await;
    let client = Client::builder(server.addr()).tls(trusting(&authority)).connect().await.unwrap();
    client.send("hello").await.unwrap();
    assert_eq!(&tokio::time::timeout(SOON, client.recv()).await.unwrap().unwrap().payload[..], b"hello");
    assert!(rustls::crypto::CryptoProvider::get_default().is_none());
}

#[tokio::test]
async fn a_missing_and_a_refused_client_certificate_end_the_client_before_it_ever_counts_as_connected() {
    let (authority, clients, strangers) =
        (Authority::new("tests"), Authority::new("clients"), Authority::new("strangers"));
    let (identity, stranger) = (authority.sign(&["127.0.0.1"]), strangers.sign(&["device-7"]));
    for versions in [BOTH, ONLY_12] {
        let server = Plan { clients: Some(&clients), versions, ..Plan::new(&identity) }.start().await;
        let refused = trusting(&authority).client_certificate(stranger.chain_pem.clone(), stranger.key_pem.clone());
        for (tls, hint) in
            [(trusting(&authority), Hint::NoClientCertificate), (refused, Hint::ClientCertificateRefused)]
        {
            let ended = first_failure(server.addr(), tls).await;
            assert_eq!((ended.ending.cause, ended.ending.hint), (Cause::Tls(TlsFailure::ClientAuth), Some(hint)));
            assert_eq!((ended.up_for, ended.retry_in), (None, None));
        }
    }
}

#[tokio::test]
async fn versions_and_protocols_that_do_not_meet_are_refused_and_nothing_is_tried_in_the_clear() {
    let authority = Authority::new("tests");
    let identity = authority.sign(&["127.0.0.1"]);
    for (versions, offered, tls, failure) in [
        (ONLY_12, &[][..], trusting(&authority).only_tls13(), TlsFailure::Version),
        (BOTH, &["mqtt"], trusting(&authority).alpn(["h2"]), TlsFailure::Alpn),
        // A server that says nothing agreed to nothing.
        (BOTH, &[], trusting(&authority).alpn(["h2"]), TlsFailure::Alpn),
    ] {
        let server = Plan { versions, alpn: offered, ..Plan::new(&identity) }.start().await;
        let ended = first_failure(server.addr(), tls).await;
        assert_eq!((ended.ending.cause, ended.retry_in), (Cause::Tls(failure), None));
        assert_eq!(server.accepted(), 1);
    }
    // What servers said before there was TLS 1.2: an alert, or a hello of their own.
    for answer in [&b"\x15\x03\x01\x00\x02\x02\x46"[..], TLS10_HELLO] {
        let server = Server::serving(Answers(answer)).await.unwrap();
        let ended = first_failure(server.addr(), trusting(&authority)).await;
        assert_eq!((ended.ending.cause, ended.retry_in), (Cause::Tls(TlsFailure::Version), None));
    }
}

#[tokio::test]
async fn both_versions_and_an_agreed_protocol_are_told() {
    let authority = Authority::new("tests");
    let identity = authority.sign(&["127.0.0.1"]);
    for (versions, told) in [(ONLY_12, "TLSv1.2"), (ONLY_13, "TLSv1.3"), (BOTH, "TLSv1.3")] {
        let server = Plan { versions, alpn: &["mqtt", "h2"], ..Plan::new(&identity) }.start().await;
        let tls = trusting(&authority).alpn(["h2", "mqtt"]);
        let client = Client::builder(server.addr()).tls(tls).connect().await.unwrap();
        let facts = client.stats().tls.expect("encrypted");
        assert_eq!((facts.version, facts.alpn.as_deref(), facts.resumed), (told, Some("mqtt"), false));
        assert!(facts.cipher.starts_with("TLS"), "{}", facts.cipher);
    }
}

#[tokio::test]
async fn a_peer_that_speaks_something_else_is_told_with_what_it_seems_to_speak() {
    let authority = Authority::new("tests");
    for (answer, hint) in [
        (
            &b"HTTP/1.1 302 Found\r\nLocation: http://portal.test/login\r\nContent-Length: 0\r\n\r\n"[..],
            Some(Hint::Http),
        ),
        (b"-ERR Protocol error: unbalanced quotes\r\n", Some(Hint::PlainText)),
        (b"220 mail.test ESMTP ready, and a greeting that is long enough to be one\r\n", Some(Hint::PlainText)),
        (b"\x00\x01\x02\x03\xff\xfe\xfd\xfc\x00\x00\x00\x00\x00\x00\x00\x00", None),
    ] {
        let server = Server::serving(Answers(answer)).await.unwrap();
        let ended = first_failure(server.addr(), trusting(&authority)).await;
        assert_eq!((ended.ending.cause, ended.ending.hint), (Cause::Tls(TlsFailure::Protocol), hint));
        assert!(ended.retry_in.is_some(), "a captive portal goes away");
    }
}

#[tokio::test]
async fn a_captive_portal_is_told_for_what_it_is_and_outlived_and_one_with_a_certificate_is_believed_nothing() {
    let authority = Authority::new("tests");
    let server = Plan::new(&authority.sign(&["127.0.0.1"])).start().await;
    let portal =
        Server::serving(Answers(b"HTTP/1.1 302 Found\r\nLocation: http://portal.test/\r\n\r\n")).await.unwrap();
    let network = ChaosProxy::start(portal.addr()).await.unwrap();
    let client = Client::builder(network.addr()).tls(trusting(&authority)).start().unwrap();
    let mut events = client.events();
    let ended = await_event(&mut events, "disconnected", SOON).await;
    let EventKind::Disconnected(ended) = ended.kind else { panic!("{ended:?}") };
    assert_eq!((ended.ending.cause, ended.ending.hint), (Cause::Tls(TlsFailure::Protocol), Some(Hint::Http)));
    // Somebody has logged in.
    network.set_upstream(server.addr());
    await_event(&mut events, "connected", SOON).await;

    let posing = Plan::new(&Authority::new("portal").sign(&["127.0.0.1"])).start().await;
    let ended = first_failure(posing.addr(), trusting(&authority)).await;
    assert_eq!((ended.ending.cause, ended.retry_in), (Cause::Tls(TlsFailure::UntrustedIssuer), None));
}

#[tokio::test]
async fn a_peer_that_hangs_up_in_the_handshake_is_no_failure_of_tls_but_says_where_it_was() {
    let authority = Authority::new("tests");
    let server = Server::serving(Answers(b"")).await.unwrap();
    let ended = first_failure(server.addr(), trusting(&authority)).await;
    assert_eq!((ended.ending.cause, ended.ending.hint), (Cause::PeerClosed, Some(Hint::ClosedInHandshake)));
    assert!(ended.retry_in.is_some());
}

#[tokio::test]
async fn the_deadline_is_for_the_whole_handshake_and_not_for_each_byte() {
    let authority = Authority::new("tests");
    let server = Plan::new(&authority.sign(&["127.0.0.1"])).start().await;
    let proxies = [ChaosProxy::start(server.addr()).await.unwrap(), ChaosProxy::start(server.addr()).await.unwrap()];
    for proxy in &proxies {
        proxy.slice(Direction::Down, 1, secs(1));
    }
    // Of two endpoints the other may have time: 3 s, for the loopback is fast. One alone is given as long as TCP.
    for (endpoints, least) in [(2, secs(3)), (1, secs(5))] {
        let client = Client::builder(proxies[0].addr()).tls(trusting(&authority)).connect_per_address(secs(5));
        let others = proxies[1..endpoints].iter();
        let client = others.fold(client, |client, proxy| client.endpoint(proxy.addr())).start().unwrap();
        let begun = Instant::now();
        let ended = await_event(&mut client.events(), "disconnected", SOON).await;
        let EventKind::Disconnected(ended) = ended.kind else { panic!("{ended:?}") };
        assert_eq!(ended.ending.cause, Cause::Tls(TlsFailure::Timeout));
        // And not the 60 s of the whole attempt.
        let took = begun.elapsed();
        assert!(took >= least && took < least + secs(2) + secs(5), "{endpoints} endpoints: {took:?}");
        client.close(secs(0)).await;
    }
}

#[tokio::test]
async fn the_attempt_s_own_deadline_bounds_a_silent_handshake() {
    let authority = Authority::new("tests");
    let server = Server::serving(Silent).await.unwrap();
    let client = Client::builder(server.addr())
        .tls(trusting(&authority))
        .connect_per_address(millis(300))
        .connect_total(secs(1))
        .start()
        .unwrap();
    let begun = Instant::now();
    let ended = await_event(&mut client.events(), "disconnected", SOON).await;
    let EventKind::Disconnected(ended) = ended.kind else { panic!("{ended:?}") };
    assert_eq!(ended.ending, Ending::new(Cause::Tls(TlsFailure::Timeout), None));
    assert!(begun.elapsed() < secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_plain_client_and_a_tls_server_do_not_meet_and_neither_does_the_reverse() {
    let authority = Authority::new("tests");
    let server = Plan::new(&authority.sign(&["127.0.0.1"])).start().await;
    let client = Client::builder(server.addr()).connect().await.unwrap();
    client.send("GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let ended = await_event(&mut client.events(), "disconnected", SOON).await;
    let EventKind::Disconnected(ended) = ended.kind else { panic!("{ended:?}") };
    assert!(matches!(ended.ending.cause, Cause::PeerClosed | Cause::Reset), "{}", ended.ending);
}

/// A hello of a server of 2011, which has nothing newer than TLS 1.0.
const TLS10_HELLO: &[u8] = b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01\
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\x00\x00\x2f\x00";

/// Answers the first bytes it gets with these, then ends the stream.
struct Answers(&'static [u8]);

impl Service for Answers {
    async fn serve(&self, _connection: u64, mut stream: TcpStream) {
        let mut hello = vec![0; 64 * 1024];
        if stream.read(&mut hello).await.is_err() || stream.write_all(self.0).await.is_err() {
            return;
        }
        let _gone = stream.shutdown().await;
        // Its reset would overtake the answer.
        while stream.read(&mut hello).await.is_ok_and(|count| count > 0) {}
    }
}

/// Accepts and never says anything.
struct Silent;

impl Service for Silent {
    async fn serve(&self, _connection: u64, stream: TcpStream) {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    }
}

fn trusting(authority: &Authority) -> Tls {
    Tls::new().ca(authority.pem())
}

async fn first_failure(addr: SocketAddr, tls: Tls) -> Disconnected {
    let client = Client::builder(addr).tls(tls).start().unwrap();
    let mut events = client.events();
    loop {
        let event = tokio::time::timeout(SOON, events.recv()).await.expect("soon").expect("an event");
        match event.kind {
            EventKind::Disconnected(ended) => return *ended,
            EventKind::Connected { .. } => panic!("connected"),
            _ => {}
        }
    }
}
