//! The doctor names the stage and the cause of what can be wrong with a proxy: a table of injected faults.

#[path = "support/fake_proxy.rs"]
mod fake_proxy;
mod support;

use fake_proxy::{FakeProxy, SOCKS_HELLO, Then};
use keepline::cause::ProxyFailure;
use keepline::doctor::{Diagnosis, Doctor, StageName};
use keepline::{Builder, Cause, Client, Profile};
use keepline_testkit::port::ReservedPort;
use support::{millis, secs};

/// Never dialled but by a proxy: nobody has this address.
const ENDPOINT: &str = "192.0.2.7:6379";

#[tokio::test]
async fn doctor_names_the_proxy_and_the_cause_of_every_answer_that_is_no_way() {
    let status = |status: u16| format!("HTTP/1.1 {status} No\r\n\r\n").into_bytes();
    let reply = |code: u8| vec![5, code, 0, 1, 0, 0, 0, 0, 0, 0];
    for (fault, scheme, answers, then, failure, words) in [
        ("407", "http", vec![status(407)], Then::Close, ProxyFailure::Auth, "other credentials"),
        ("403", "http", vec![status(403)], Then::Close, ProxyFailure::Denied, "rules forbid"),
        ("405", "http", vec![status(405)], Then::Close, ProxyFailure::Unsupported, "no tunnels"),
        ("502", "http", vec![status(502)], Then::Close, ProxyFailure::Unreachable, "finds no way"),
        ("503", "http", vec![status(503)], Then::Close, ProxyFailure::Unavailable, "busy, or failed"),
        (
            "a header without an end",
            "http",
            vec![b"HTTP/1.1 200 OK\r\n".to_vec()],
            Then::Flood,
            ProxyFailure::Protocol,
            "does not speak",
        ),
        (
            "no proxy at all",
            "http",
            vec![b"SSH-2.0-x\r\n".to_vec()],
            Then::Hang,
            ProxyFailure::Protocol,
            "does not speak",
        ),
        ("closes", "http", vec![], Then::Close, ProxyFailure::Closed, "ended the connection"),
        ("is silent", "http", vec![], Then::Hang, ProxyFailure::Timeout, "did not answer"),
        ("wants a login", "socks5", vec![vec![5, 0xff]], Then::Close, ProxyFailure::Auth, "other credentials"),
        ("is silent", "socks5", vec![SOCKS_HELLO.to_vec()], Then::Hang, ProxyFailure::Timeout, "did not answer"),
        (
            "reply 1",
            "socks5",
            vec![SOCKS_HELLO.to_vec(), reply(1)],
            Then::Close,
            ProxyFailure::Unavailable,
            "busy, or failed",
        ),
        ("reply 2", "socks5", vec![SOCKS_HELLO.to_vec(), reply(2)], Then::Close, ProxyFailure::Denied, "rules forbid"),
        (
            "reply 3",
            "socks5",
            vec![SOCKS_HELLO.to_vec(), reply(3)],
            Then::Close,
            ProxyFailure::Unreachable,
            "finds no way",
        ),
        (
            "reply 4",
            "socks5",
            vec![SOCKS_HELLO.to_vec(), reply(4)],
            Then::Close,
            ProxyFailure::Unreachable,
            "finds no way",
        ),
        (
            "reply 5",
            "socks5",
            vec![SOCKS_HELLO.to_vec(), reply(5)],
            Then::Close,
            ProxyFailure::Refused,
            "behind it nothing listens",
        ),
        (
            "reply 6",
            "socks5",
            vec![SOCKS_HELLO.to_vec(), reply(6)],
            Then::Close,
            ProxyFailure::Unreachable,
            "finds no way",
        ),
        (
            "reply 7",
            "socks5",
            vec![SOCKS_HELLO.to_vec(), reply(7)],
            Then::Close,
            ProxyFailure::Unsupported,
            "no tunnels",
        ),
        (
            "reply 8",
            "socks5",
            vec![SOCKS_HELLO.to_vec(), reply(8)],
            Then::Close,
            ProxyFailure::Unsupported,
            "no tunnels",
        ),
    ] {
        let answers: Vec<&[u8]> = answers.iter().map(Vec::as_slice).collect();
        let proxy = FakeProxy::start(scheme, &answers, then).await;
        let builder = Client::builder(ENDPOINT).proxy(format!("{scheme}://{}", proxy.addr));
        assert_failed(&format!("{scheme} {fault}"), builder, failure, words).await;
    }
}

#[tokio::test]
async fn doctor_names_the_proxy_where_nobody_listens_at_its_address() {
    let nobody = ReservedPort::loopback().unwrap();
    let builder = Client::builder(ENDPOINT).proxy(format!("socks5://{}", nobody.addr()));
    assert_failed("nobody listens", builder, ProxyFailure::Unavailable, "Nothing listens at the proxy's address").await;
}

async fn assert_failed(fault: &str, builder: Builder, failure: ProxyFailure, words: &str) {
    let diagnosis = examine(builder).await;
    let failed = diagnosis.failed().unwrap_or_else(|| panic!("{fault}: {diagnosis:#?}"));
    assert_eq!((failed.name, failed.cause), (StageName::Proxy, Some(Cause::Proxy(failure))), "{fault}: {diagnosis:#?}");
    assert!(diagnosis.words().contains(words), "{fault}: {}", diagnosis.words());
}

async fn examine(builder: Builder) -> Diagnosis {
    // Its share for one address is short enough for a silent proxy to be waited out.
    let builder = builder.profile(Profile::Balanced).connect_per_address(millis(500));
    Doctor::of(builder).patience(secs(1)).listen(millis(100)).examine().await
}
