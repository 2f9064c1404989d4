//! Proxies that refuse, hang, close, flood and lie; and what a way through one changes: whose ack it is, who knows names.

#[path = "support/fake_proxy.rs"]
mod fake_proxy;
mod support;

use fake_proxy::{FakeProxy, HTTP_OPEN, SOCKS_HELLO, SOCKS_OPEN, Then};
use keepline::cause::ProxyFailure;
use keepline::doctor::{Doctor, StageName};
use keepline::{AckedBy, Builder, Cause, Client, Disconnected, ErrorKind, EventKind, Framing, Outcome, Proxy};
use keepline_testkit::port::ReservedPort;
use keepline_testkit::servers::EchoServer;
use std::time::Instant;
use support::{SOON, await_event, millis, secs};

/// Never dialled but by a proxy: nobody has this address.
const ENDPOINT: &str = "192.0.2.7:6379";

#[tokio::test]
async fn every_refusal_has_its_cause_and_tells_the_proxys_own_code() {
    for (code, failure) in [
        (1, ProxyFailure::Unavailable),
        (2, ProxyFailure::Denied),
        (3, ProxyFailure::Unreachable),
        (4, ProxyFailure::Unreachable),
        (5, ProxyFailure::Refused),
        (6, ProxyFailure::Unreachable),
        (7, ProxyFailure::Unsupported),
        (8, ProxyFailure::Unsupported),
    ] {
        let proxy = FakeProxy::start("socks5", &[SOCKS_HELLO, &[5, code, 0, 1, 0, 0, 0, 0, 0, 0]], Then::Close).await;
        assert_failure(&proxy, failure, Some(code.into())).await;
    }
    for (status, failure) in [
        (403, ProxyFailure::Denied),
        (405, ProxyFailure::Unsupported),
        (500, ProxyFailure::Unavailable),
        (502, ProxyFailure::Unreachable),
        (504, ProxyFailure::Unreachable),
    ] {
        let answer = format!("HTTP/1.1 {status} No\r\nContent-Length: 6\r\n\r\nsorry\n");
        let proxy = FakeProxy::start("http", &[answer.as_bytes()], Then::Hang).await;
        assert_failure(&proxy, failure, Some(status)).await;
    }
}

#[tokio::test]
async fn a_proxy_that_breaks_off_or_speaks_another_language_is_told_at_once() {
    for (scheme, answers, then, failure) in [
        ("socks5", &[][..], Then::Close, ProxyFailure::Closed),
        ("socks5", &[SOCKS_HELLO][..], Then::Close, ProxyFailure::Closed),
        ("socks5", &[SOCKS_HELLO, b"\x05\x00\x00"], Then::Close, ProxyFailure::Closed),
        ("socks5", &[SOCKS_HELLO], Then::Reset, ProxyFailure::Closed),
        ("socks5", &[b"\x04\x00"], Then::Hang, ProxyFailure::Protocol),
        ("socks5", &[b"HTTP/1.1 400 Bad Request\r\n\r\n"], Then::Hang, ProxyFailure::Protocol),
        ("http", &[], Then::Close, ProxyFailure::Closed),
        ("http", &[b"HTTP/1.1 200 OK\r\nServ"], Then::Close, ProxyFailure::Closed),
        ("http", &[b"HTTP/1.1 200 OK\r\n"], Then::Reset, ProxyFailure::Closed),
        ("http", &[b"SSH-2.0-OpenSSH_9.9\r\n"], Then::Hang, ProxyFailure::Protocol),
        ("http", &[b"HTTP/1.1 200 OK\r\n"], Then::Flood, ProxyFailure::Protocol),
    ] {
        let proxy = FakeProxy::start(scheme, answers, then).await;
        let began = Instant::now();
        assert_failure(&proxy, failure, None).await;
        assert!(began.elapsed() < secs(5), "{scheme} {then:?} took {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_proxy_that_hangs_or_drips_is_given_up_at_the_total_deadline() {
    for (scheme, answers, then) in [
        ("socks5", &[][..], Then::Hang),
        ("socks5", &[SOCKS_HELLO][..], Then::Hang),
        ("http", &[], Then::Hang),
        ("http", &[b"HTTP/1.1 200 OK\r\n"], Then::Drip),
    ] {
        let proxy = FakeProxy::start(scheme, answers, then).await;
        let began = Instant::now();
        let lost = first_failure(through(&proxy).connect_total(secs(1))).await;
        let took = began.elapsed();
        assert_eq!(lost.ending.cause, Cause::Proxy(ProxyFailure::Timeout), "{scheme} {then:?}");
        assert!(took >= millis(900) && took < secs(3), "{scheme} {then:?} took {took:?}");
    }
}

#[tokio::test]
async fn nobody_at_the_proxys_address_is_not_taken_for_nobody_at_the_endpoint() {
    let port = ReservedPort::loopback().unwrap();
    let lost = first_failure(Client::builder(ENDPOINT).proxy(format!("socks5://{}", port.addr()))).await;
    assert_eq!(lost.ending.cause, Cause::Proxy(ProxyFailure::Unavailable));
    assert_eq!(lost.ending.errno.is_some(), cfg!(unix), "the system's own word is kept");
}

#[tokio::test]
async fn refused_credentials_end_the_client_after_one_attempt() {
    for (scheme, answers, code) in [
        (
            "http",
            &[&b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n"[..]][..],
            Some(407),
        ),
        ("socks5", &[b"\x05\xff"], None),
        ("socks5", &[b"\x05\x02", b"\x01\x01"], Some(1)),
    ] {
        let proxy = FakeProxy::start(scheme, answers, Then::Close).await;
        let error = through_as(&proxy, "robot:hunter2@").connect().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exhausted);
        assert_eq!(error.cause(), Some(Cause::Proxy(ProxyFailure::Auth)));
        assert_eq!(error.ending().unwrap().code, code);
        assert_eq!(proxy.heard().len(), 1, "no second attempt");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn a_busy_proxy_is_left_alone_for_as_long_as_it_asks() {
    let busy = b"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\n\r\n";
    let proxy = FakeProxy::start("http", &[busy], Then::Close).await;
    let lost = first_failure(through(&proxy)).await;
    assert_eq!((lost.ending.code, lost.ending.retry_after), (Some(503), Some(secs(3))));
    assert!(lost.retry_in.unwrap() >= secs(3), "{lost:?}");
}

#[tokio::test]
async fn what_the_server_says_first_is_not_swallowed_with_the_proxys_answer() {
    for (scheme, answers) in [
        ("http", vec![[HTTP_OPEN, b"220 hello\n"].concat()]),
        ("socks5", vec![SOCKS_HELLO.to_vec(), [SOCKS_OPEN, b"220 hello\n"].concat()]),
    ] {
        let answers: Vec<&[u8]> = answers.iter().map(Vec::as_slice).collect();
        let proxy = FakeProxy::start(scheme, &answers, Then::Hang).await;
        let client = through(&proxy).framing(Framing::lines()).connect().await.unwrap();
        let message = tokio::time::timeout(SOON, client.recv()).await.unwrap().unwrap();
        assert_eq!(&message.payload[..], b"220 hello");
        client.close(secs(0)).await;
    }
}

#[tokio::test]
async fn an_ack_behind_a_proxy_is_the_proxys_and_without_one_the_peers() {
    let server = EchoServer::start().await.unwrap();
    for scheme in ["socks5", "http"] {
        let proxy = FakeProxy::relaying(scheme, server.addr()).await;
        let client = through(&proxy).framing(Framing::lines()).connect().await.unwrap();
        assert_eq!(echoed(&client).await, Some(AckedBy::Proxy));
        let options = client.stats().options;
        assert_eq!(options.keepalive, client.config().keepalive, "the options are those of the way to the proxy");
        assert!(options.nodelay);
        client.close(secs(0)).await;
    }
    let client = Client::builder(server.addr()).framing(Framing::lines()).connect().await.unwrap();
    assert_eq!(echoed(&client).await, Some(AckedBy::Peer));
    client.close(secs(0)).await;
}

#[tokio::test]
async fn names_are_the_proxys_to_resolve_unless_this_host_is_told_to() {
    let server = EchoServer::start().await.unwrap();
    let endpoint = format!("localhost:{}", server.addr().port());
    for (query, says_name) in [("", true), ("?resolve=local", false)] {
        let proxy = FakeProxy::relaying("http", server.addr()).await;
        let url = format!("http://{}{query}", proxy.addr);
        let client = Client::builder(&endpoint).proxy(url).framing(Framing::lines()).connect().await.unwrap();
        let request = String::from_utf8(proxy.heard().remove(0)).unwrap();
        assert_eq!(request.starts_with(&format!("CONNECT {endpoint} HTTP/1.1\r\n")), says_name, "{request}");
        client.close(secs(0)).await;
    }
}

#[tokio::test]
async fn an_excepted_endpoint_is_dialled_directly() {
    let server = EchoServer::start().await.unwrap();
    let nobody = ReservedPort::loopback().unwrap();
    let proxy = Proxy::parse(&format!("socks5://{}", nobody.addr())).unwrap().except("127.0.0.0/8");
    let client = Client::builder(server.addr()).proxy(proxy).framing(Framing::lines()).connect().await.unwrap();
    assert_eq!(echoed(&client).await, Some(AckedBy::Peer));
    client.close(secs(0)).await;
}

#[tokio::test]
async fn a_bad_proxy_is_an_invalid_config_and_no_declaration_shows_a_password() {
    let error = Client::builder(ENDPOINT).proxy("https://robot:hunter2@p:1").start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().starts_with("proxy: "), "{error}");
    let builder = Client::builder(ENDPOINT).proxy("http://robot:hunter2@127.0.0.1:1");
    let client = builder.clone().start().unwrap();
    let shown = format!("{error} {error:?} {builder:?} {:?} {client:?}", client.config());
    assert!(!shown.contains("hunter2") && !shown.contains("robot"), "{shown}");
    client.close(secs(0)).await;
}

#[tokio::test]
async fn the_doctor_examines_the_way_to_the_proxy_and_names_it_where_it_refuses() {
    let refusing = FakeProxy::start("socks5", &[SOCKS_HELLO, b"\x05\x05\0\x01\0\0\0\0\0\0"], Then::Close).await;
    let diagnosis = Doctor::of(through(&refusing)).examine().await;
    let failed = diagnosis.failed().unwrap();
    assert_eq!((failed.name, failed.cause), (StageName::Proxy, Some(Cause::Proxy(ProxyFailure::Refused))));
    assert_eq!(refusing.heard().len(), 2, "one look at TCP, and one attempt");

    let server = EchoServer::start().await.unwrap();
    let proxy = FakeProxy::relaying("http", server.addr()).await;
    let diagnosis = Doctor::of(through(&proxy)).listen(millis(100)).examine().await;
    assert!(diagnosis.failed().is_none(), "{diagnosis:?}");
    assert!(diagnosis.stages.iter().any(|stage| stage.name == StageName::Proxy), "{diagnosis:?}");
}

async fn echoed(client: &Client) -> Option<AckedBy> {
    let mut receipt = client.send_tracked("hello").await.unwrap();
    assert_eq!(receipt.acked_by(), None, "nothing is known yet");
    let message = tokio::time::timeout(SOON, client.recv()).await.unwrap().unwrap();
    assert_eq!(&message.payload[..], b"hello");
    let outcome = tokio::time::timeout(SOON, receipt.outcome()).await.unwrap().unwrap();
    // Without kernel figures nobody knows whether anybody has it.
    let has_figures = cfg!(any(target_os = "linux", target_os = "android"));
    assert_eq!(outcome, if has_figures { Outcome::Acked } else { Outcome::Unknown });
    receipt.acked_by()
}

async fn assert_failure(proxy: &FakeProxy, failure: ProxyFailure, code: Option<u16>) {
    let lost = first_failure(through(proxy)).await;
    assert_eq!((lost.ending.cause, lost.ending.code), (Cause::Proxy(failure), code), "{:?}", lost.ending);
    assert!(lost.retry_in.is_some() && lost.up_for.is_none());
}

fn through(proxy: &FakeProxy) -> Builder {
    through_as(proxy, "")
}

fn through_as(proxy: &FakeProxy, login: &str) -> Builder {
    Client::builder(ENDPOINT).proxy(format!("{}://{login}{}", proxy.scheme, proxy.addr))
}

async fn first_failure(builder: Builder) -> Disconnected {
    let client = builder.start().unwrap();
    let event = await_event(&mut client.events(), "disconnected", SOON).await;
    let EventKind::Disconnected(lost) = event.kind else { panic!("{event:?}") };
    client.close(secs(0)).await;
    *lost
}
