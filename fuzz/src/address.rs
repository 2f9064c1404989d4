//! What a user, or a configuration from elsewhere, may write for a proxy or an endpoint.

use crate::cut::within;
use keepline::Endpoint;
use keepline_proto::ConfigError;
use keepline_proto::proxy::{Bypass, Handshake, Proxy, Target};

/// What each byte of the text may cost: a list of exceptions has an entry for every second one.
const EACH: usize = 64;
/// What an error and its formatting cost at least.
const BASE: usize = 16 * 1024;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let cap = BASE + EACH * text.len();
    match within(cap, || Proxy::parse(text)) {
        Ok(proxy) => proxy_comes_back(&proxy),
        Err(error) => is_short(&error, "proxy"),
    }
    match within(cap, || Endpoint::parse(text)) {
        Ok(endpoint) => {
            assert_eq!(Endpoint::parse(&endpoint.to_string()).as_ref(), Ok(&endpoint));
            writes_one_request(endpoint.host(), endpoint.port());
        }
        Err(error) => is_short(&error, "endpoint"),
    }
    writes_one_request(text, 502);
    let exceptions = within(cap, || Bypass::parse(text));
    let _any = (exceptions.has("plc-7.example", 502), exceptions.has("10.1.2.3", 1), exceptions.has("fd00::1", 1));
    let _any = exceptions.has(text, 1);
    let variable = |name: &str| (name == "all_proxy" || name == "no_proxy").then(|| text.to_owned());
    if let Err(error) = within(2 * cap, || Proxy::from_variables(variable)) {
        is_short(&error, "proxy");
    }
}

fn proxy_comes_back(proxy: &Proxy) {
    assert_eq!(Proxy::parse(&proxy.to_secret_url()).as_ref(), Ok(proxy));
    let shown = Proxy::parse(&proxy.to_string()).expect("what is shown is one, too");
    assert!(shown.credentials().is_none());
    assert_eq!((shown.host(), shown.port(), shown.protocol()), (proxy.host(), proxy.port(), proxy.protocol()));
    writes_one_request(proxy.host(), proxy.port());
}

/// Whatever the name is, it writes one request with one header, or none.
fn writes_one_request(host: &str, port: u16) {
    let proxy = Proxy::parse("http://p:1").expect("it is one");
    let Ok((_, request)) = Handshake::start(&proxy, &Target::of(host, port)) else { return };
    let request = String::from_utf8(request).expect("ASCII");
    let lines: Vec<&str> = request.split("\r\n").collect();
    let [first, second, "", ""] = lines[..] else { panic!("{request:?}") };
    let target = first.strip_prefix("CONNECT ").and_then(|rest| rest.strip_suffix(" HTTP/1.1")).expect("a request");
    assert_eq!(second.strip_prefix("Host: "), Some(target));
    assert!(target.bytes().all(|byte| byte.is_ascii_graphic()), "{target:?}");
}

/// An error names its field, and does not repeat a megabyte to the log.
fn is_short(error: &ConfigError, field: &str) {
    assert_eq!(error.field, field);
    assert!(error.to_string().len() <= 4096, "{} bytes", error.to_string().len());
}
