//! What is said to a proxy, and what every answer of it comes to, however it is cut.

use keepline_proto::cause::ProxyFailure;
use keepline_proto::proxy::{Handshake, Progress, Proxy, ProxyNames, Refusal, Target};
use proptest::collection::vec;
use proptest::prelude::*;
use std::time::Duration;

const SOCKS: &str = "socks5://proxy.example:1080";
const SOCKS_LOGIN: &str = "socks5://robot:s3cret@proxy.example:1080";
const HTTP: &str = "http://proxy.example:3128";
const HTTP_LOGIN: &str = "http://Aladdin:open%20sesame@proxy.example:3128";

#[test]
fn socks_asks_for_names_and_addresses_as_rfc_1928_has_it() {
    for (host, request) in [
        ("plc-7.example", &b"\x05\x01\x00\x03\x0dplc-7.example\x01\xf6"[..]),
        ("192.0.2.7", b"\x05\x01\x00\x01\xc0\x00\x02\x07\x01\xf6"),
        ("::1", b"\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x01\xf6"),
    ] {
        let (mut handshake, hello) = start(SOCKS, host);
        assert_eq!(hello, b"\x05\x01\x00", "without a name and a password only one way is offered");
        let progress = handshake.receive(b"\x05\x00").unwrap();
        assert_eq!((progress.send.as_slice(), progress.is_done), (request, false));
    }
}

#[test]
fn socks_logs_in_where_the_proxy_wants_it_and_only_there() {
    let (mut handshake, hello) = start(SOCKS_LOGIN, "a.example");
    assert_eq!(hello, b"\x05\x02\x00\x02");
    assert_eq!(handshake.receive(b"\x05\x02").unwrap().send, b"\x01\x05robot\x06s3cret");
    assert!(handshake.receive(b"\x01\x00").unwrap().send.starts_with(b"\x05\x01\x00\x03\x09a.example"));
    let (mut handshake, _) = start(SOCKS_LOGIN, "a.example");
    assert!(handshake.receive(b"\x05\x00").unwrap().send.starts_with(b"\x05\x01\x00"), "it did not ask");
}

#[test]
fn socks_success_ends_with_its_address_and_not_a_byte_later() {
    for reply in [
        &b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"[..],
        b"\x05\x00\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\x05\x00\x00\x03\x03abc\x00\x50",
        b"\x05\x00\x00\x03\x00\x00\x50",
    ] {
        let (mut handshake, _) = asked();
        let told = [reply, b"220 hello\r\n"].concat();
        let progress = handshake.receive(&told).unwrap();
        assert_eq!(progress, Progress { consumed: reply.len(), send: Vec::new(), is_done: true });
    }
}

#[test]
fn each_socks_reply_has_its_own_cause_and_tells_its_code() {
    for (code, failure) in [
        (1, ProxyFailure::Unavailable),
        (2, ProxyFailure::Denied),
        (3, ProxyFailure::Unreachable),
        (4, ProxyFailure::Unreachable),
        (5, ProxyFailure::Refused),
        (6, ProxyFailure::Unreachable),
        (7, ProxyFailure::Unsupported),
        (8, ProxyFailure::Unsupported),
        (9, ProxyFailure::Protocol),
        (255, ProxyFailure::Protocol),
    ] {
        // Some proxies leave the address out of a refusal: the code alone decides.
        let (mut handshake, _) = asked();
        let refusal = handshake.receive(&[5, code]).unwrap_err();
        assert_eq!((refusal.failure, refusal.code), (failure, Some(code.into())));
    }
}

#[test]
fn socks_answers_that_are_none_are_told_at_the_byte_that_shows_it() {
    for (url, answers, failure, code) in [
        (SOCKS, &b"H"[..], ProxyFailure::Protocol, None),
        (SOCKS, b"\x04", ProxyFailure::Protocol, None),
        (SOCKS, b"\x05\xff", ProxyFailure::Auth, None),
        (SOCKS, b"\x05\x02", ProxyFailure::Protocol, None),
        (SOCKS, b"\x05\x01", ProxyFailure::Protocol, None),
        (SOCKS_LOGIN, b"\x05\xff", ProxyFailure::Auth, None),
        (SOCKS_LOGIN, b"\x05\x02\x01\x01", ProxyFailure::Auth, Some(1)),
        (SOCKS_LOGIN, b"\x05\x02\x01\xff", ProxyFailure::Auth, Some(255)),
        (SOCKS, b"\x05\x00\x04", ProxyFailure::Protocol, None),
        (SOCKS, b"\x05\x00\x05\x00\x00\x02", ProxyFailure::Protocol, None),
    ] {
        let (mut handshake, _) = start(url, "a.example");
        let refusal = feed_bytes(&mut handshake, answers).unwrap_err();
        assert_eq!((refusal.failure, refusal.code), (failure, code), "{answers:?}");
    }
}

#[test]
fn connect_asks_for_a_tunnel_with_the_address_in_both_places() {
    for (host, request) in [
        ("plc-7.example", "CONNECT plc-7.example:502 HTTP/1.1\r\nHost: plc-7.example:502\r\n\r\n"),
        ("192.0.2.7", "CONNECT 192.0.2.7:502 HTTP/1.1\r\nHost: 192.0.2.7:502\r\n\r\n"),
        ("::1", "CONNECT [::1]:502 HTTP/1.1\r\nHost: [::1]:502\r\n\r\n"),
    ] {
        assert_eq!(String::from_utf8(start(HTTP, host).1).unwrap(), request);
    }
    // The example of RFC 7617.
    let request = String::from_utf8(start(HTTP_LOGIN, "a.example").1).unwrap();
    assert!(request.ends_with("\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"), "{request}");
}

#[test]
fn a_name_cannot_write_a_header() {
    for name in ["a\r\nX: y", "a b", "a/b", "a:1", "a\0", "", "ä.example", "a@b", "fe80::1%eth0", &"a".repeat(254)] {
        for url in [SOCKS, HTTP] {
            let proxy = Proxy::parse(url).unwrap();
            let refusal = Handshake::start(&proxy, &Target::Name(name, 1)).unwrap_err();
            assert_eq!(refusal.failure, ProxyFailure::Unsupported, "{name:?}");
        }
    }
}

#[test]
fn connect_ends_with_the_blank_line_and_not_a_byte_later() {
    for answer in [
        "HTTP/1.1 200 Connection established\r\n\r\n",
        "HTTP/1.0 200\r\nProxy-agent: x\r\n\r\n",
        "HTTP/1.1 204 Fine\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 Bare\nA: b\n\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        let (mut handshake, _) = start(HTTP, "a.example");
        let progress = handshake.receive(format!("{answer}220 hello\r\n").as_bytes()).unwrap();
        assert_eq!(progress, Progress { consumed: answer.len(), send: Vec::new(), is_done: true }, "{answer:?}");
    }
}

#[test]
fn each_status_has_its_cause_and_tells_its_code() {
    for (status, failure) in [
        (300, ProxyFailure::Protocol),
        (302, ProxyFailure::Protocol),
        (400, ProxyFailure::Unsupported),
        (401, ProxyFailure::Auth),
        (403, ProxyFailure::Denied),
        (404, ProxyFailure::Unsupported),
        (405, ProxyFailure::Unsupported),
        (407, ProxyFailure::Auth),
        (418, ProxyFailure::Denied),
        (429, ProxyFailure::Unavailable),
        (500, ProxyFailure::Unavailable),
        (501, ProxyFailure::Unsupported),
        (502, ProxyFailure::Unreachable),
        (503, ProxyFailure::Unavailable),
        (504, ProxyFailure::Unreachable),
    ] {
        let (mut handshake, _) = start(HTTP, "a.example");
        let refusal = handshake.receive(format!("HTTP/1.1 {status} No\r\n\r\n<html>").as_bytes()).unwrap_err();
        assert_eq!((refusal.failure, refusal.code, refusal.retry_after), (failure, Some(status), None));
    }
}

#[test]
fn busy_proxy_says_when_to_come_back_in_seconds_only() {
    for (value, retry_after) in [
        ("120", Some(Duration::from_secs(120))),
        (" 3 ", Some(Duration::from_secs(3))),
        ("99999999999999999999999", Some(Duration::from_secs(u32::MAX.into()))),
        ("", None),
        ("-1", None),
        ("Fri, 31 Dec 1999 23:59:59 GMT", None),
    ] {
        let (mut handshake, _) = start(HTTP, "a.example");
        let answer = format!("HTTP/1.1 503 Busy\r\nretry-AFTER:{value}\r\n\r\n");
        let refusal = handshake.receive(answer.as_bytes()).unwrap_err();
        assert_eq!((refusal.failure, refusal.retry_after), (ProxyFailure::Unavailable, retry_after), "{value:?}");
    }
}

#[test]
fn what_is_no_answer_of_http_is_told_at_the_byte_that_shows_it() {
    for answer in [
        "S",
        "HTTP/2",
        "HTTP/1.1 2xx\r\n",
        "HTTP/1.1 99 x\r\n",
        "HTTP/1.1 600 x\r\n",
        "HTTP/1.x 200 x\r\n",
        "HTTP/1.1\r\n",
        "HTTP/1.1 2000\r\n",
        "\r\n",
        "HTTP/1.1 101 Switching\r\n\r\nx",
    ] {
        let (mut handshake, _) = start(HTTP, "a.example");
        let refusal = feed_bytes(&mut handshake, answer.as_bytes()).unwrap_err();
        assert_eq!((refusal.failure, refusal.code), (ProxyFailure::Protocol, None), "{answer:?}");
    }
}

#[test]
fn a_header_above_16_kb_is_refused_and_none_of_it_is_kept_beyond() {
    for piece in ["HTTP/1.1 200 OK\r\n", "X: ", "HTTP/1.1 100 Go on\r\n\r\n"] {
        let (mut handshake, _) = start(HTTP, "a.example");
        let mut sent = 0;
        let endless = [piece.as_bytes(), &[b'a'; 100], b"\r\n"].concat();
        let first = if piece.starts_with("HTTP") { piece } else { "HTTP/1.1 200 OK\r\n" };
        handshake.receive(first.as_bytes()).unwrap();
        let refusal = loop {
            let piece = if piece.ends_with("\r\n\r\n") { piece.as_bytes() } else { &endless[..] };
            sent += piece.len();
            assert!(sent <= 17 * 1024, "it takes {sent} bytes");
            assert!(handshake.held() <= 16 * 1024);
            if let Err(refusal) = handshake.receive(piece) {
                break refusal;
            }
        };
        assert_eq!(refusal.failure, ProxyFailure::Protocol);
        assert!(refusal.rule.contains("16 kB"));
    }
}

#[test]
fn proxies_are_parsed_once_and_never_show_their_credentials() {
    for (text, shown) in [
        ("socks5://p:1080", "socks5://p:1080"),
        ("SOCKS5H://p.example:1/", "socks5://p.example:1"),
        ("http://[::1]:3128", "http://[::1]:3128"),
        ("http://user:pass@10.0.0.1:3128/", "http://10.0.0.1:3128"),
        ("socks5://us%40er:p%3Ass%25@p:1?resolve=local", "socks5://p:1"),
        ("socks5://p:1?except=localhost,10.0.0.0/8&resolve=local", "socks5://p:1"),
        ("http://u:a@b@p:1", "http://p:1"),
        ("http://u@p:1", "http://p:1"),
    ] {
        let proxy = Proxy::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(proxy.to_string(), shown);
        assert!(!format!("{proxy:?} {:?}", proxy.credentials()).contains("ss"), "{proxy:?}");
        assert_eq!(Proxy::parse(&proxy.to_secret_url()).as_ref(), Ok(&proxy));
    }
    let proxy = Proxy::parse("socks5://us%40er:p%3Ass%25@p:1?resolve=local").unwrap();
    let credentials = proxy.credentials().unwrap();
    assert_eq!((credentials.user(), credentials.password()), ("us@er", "p:ss%"));
    assert_eq!(proxy.names(), ProxyNames::Local);
    let proxy = Proxy::parse("socks5://p:1?except=localhost,10.0.0.0/8").unwrap();
    assert!(!proxy.is_for("10.1.2.3", 1) && proxy.is_for("192.0.2.1", 1));
}

#[test]
fn bad_proxies_name_the_field_and_the_rule_and_hide_what_may_be_a_password() {
    for (text, rule) in [
        ("", "must be socks5://host:port or http://host:port"),
        ("proxy:1080", "must be socks5://host:port or http://host:port"),
        ("https://p:1", "no TLS to a proxy"),
        ("socks4://p:1", "must be socks5:// or http://"),
        ("ftp://u:hunter2@p:1", "must be socks5:// or http://"),
        ("http://user:hunter2", "port of 1 to 65535"),
        ("http://p", "must name a port"),
        ("http://:1", "must name a host"),
        ("http://a b:1", "must name a host"),
        ("http://a\r\nX:1", "must name a host"),
        ("http://ä:1", "letters of ASCII"),
        ("http://p:0", "1 to 65535"),
        ("http://p:+1", "1 to 65535"),
        ("http://p:65536", "1 to 65535"),
        ("http://::1:1", "brackets"),
        ("http://[::1]", "brackets"),
        ("http://p:1/path", "1 to 65535"),
        ("http://p:1?x=hunter2", "must have no options but"),
        ("http://%zz:x@p:1", "%25"),
        ("http://%:x@p:1", "%25"),
        ("http://%ff:x@p:1", "%25"),
        ("http://@p:1", "must have a name"),
        ("http://a%3Ab:hunter2@p:1", "without a colon"),
    ] {
        let error = Proxy::parse(text).expect_err(text);
        assert_eq!(error.field, "proxy");
        assert!(error.rule.contains(rule), "{text:?}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    let long = format!("socks5://u:{}@p:1", "x".repeat(256));
    assert!(Proxy::parse(&long).unwrap_err().rule.contains("at most 255"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn answers_come_to_the_same_however_they_are_cut(url in any_url(), answer in hostile_answer(), cuts in vec(0_usize..600, 0..12)) {
        let whole = play(url, &[&answer]);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (answer.len() + 1)).collect();
        ends.sort_unstable();
        let mut pieces = Vec::new();
        let mut start = 0;
        for end in ends.into_iter().chain([answer.len()]) {
            pieces.push(&answer[start..end]);
            start = end;
        }
        prop_assert_eq!(&play(url, &pieces), &whole);
        let single: Vec<&[u8]> = answer.chunks(1).collect();
        prop_assert_eq!(&play(url, &single), &whole);
    }

    #[test]
    fn credentials_come_back_as_they_were_given(user in "[^:]{1,60}", password in "\\PC{0,60}", is_http in any::<bool>()) {
        let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
        let scheme = if is_http { "http" } else { "socks5" };
        let proxy = Proxy::parse(&format!("{scheme}://{}:{}@p:1", encode(&user), encode(&password)));
        if user.len() <= 255 && password.len() <= 255 {
            let proxy = proxy.unwrap();
            let credentials = proxy.credentials().unwrap();
            prop_assert_eq!((credentials.user(), credentials.password()), (user.as_str(), password.as_str()));
            prop_assert_eq!(Proxy::parse(&proxy.to_secret_url()), Ok(proxy));
        }
    }
}

/// What was sent, how many bytes were taken, and how it ended: `Ok(true)` with a tunnel, `Ok(false)` with a wait.
type Played = (Vec<u8>, usize, Result<bool, Refusal>);

fn play(url: &str, pieces: &[&[u8]]) -> Played {
    let (mut handshake, mut sent) = start(url, "a.example");
    let mut consumed = 0;
    for piece in pieces {
        match handshake.receive(piece) {
            Ok(progress) => {
                consumed += progress.consumed;
                sent.extend_from_slice(&progress.send);
                if progress.is_done {
                    return (sent, consumed, Ok(true));
                }
            }
            Err(refusal) => return (Vec::new(), 0, Err(refusal)),
        }
    }
    (sent, consumed, Ok(false))
}

fn any_url() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![SOCKS, SOCKS_LOGIN, HTTP, HTTP_LOGIN])
}

/// Bytes that look like answers often enough to get deep into both exchanges.
fn hostile_answer() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        vec(any::<u8>(), 0..6),
        prop::sample::select(vec![
            b"\x05\x00".to_vec(),
            b"\x05\x02".to_vec(),
            b"\x01\x00".to_vec(),
            b"\x05\x00\x00\x01\0\0\0\0\0\x50".to_vec(),
            b"\x05\x00\x00\x03\x04".to_vec(),
            b"HTTP/1.1 200 OK\r\n".to_vec(),
            b"HTTP/1.1 100 Go on\r\n\r\n".to_vec(),
            b"HTTP/1.1 503 Busy\r\n".to_vec(),
            b"Retry-After: 7\r\n".to_vec(),
            b"\r\n".to_vec(),
            b"\n".to_vec(),
        ]),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn feed_bytes(handshake: &mut Handshake, bytes: &[u8]) -> Result<(), Refusal> {
    bytes.iter().try_for_each(|byte| handshake.receive(&[*byte]).map(|_| ()))
}

fn start(url: &str, host: &str) -> (Handshake, Vec<u8>) {
    Handshake::start(&Proxy::parse(url).unwrap(), &Target::of(host, 502)).unwrap()
}

/// A SOCKS exchange that waits for the reply.
fn asked() -> (Handshake, Vec<u8>) {
    let (mut handshake, hello) = start(SOCKS, "a.example");
    handshake.receive(b"\x05\x00").unwrap();
    (handshake, hello)
}
