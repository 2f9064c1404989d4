//! Credentials for a proxy that come from a provider: asked once in each attempt, in time, and told to the proxy alone.

#[path = "support/fake_proxy.rs"]
mod fake_proxy;
mod support;

use fake_proxy::{FakeProxy, HTTP_OPEN, SOCKS_HELLO, SOCKS_OPEN, Then};
use keepline::cause::ProxyFailure;
use keepline::{
    Builder, Cause, Client, CredentialRequest, Disconnected, Epoch, ErrorKind, EventKind, ProxyCredentials, Resolver,
    Resolving, State,
};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use support::{SOON, await_event, eventually, millis, secs};

const REFUSED: Cause = Cause::Proxy(ProxyFailure::Auth);
const NO_CREDENTIALS: Cause = Cause::Proxy(ProxyFailure::Credentials);
const WRONG: &[u8] = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n";
const ENDPOINT: &str = "192.0.2.7:6379";

#[tokio::test]
async fn provider_is_told_of_a_refusal_and_its_next_credentials_may_pass() {
    let proxy = FakeProxy::in_turn("http", &[&[WRONG], &[HTTP_OPEN]], Then::Hang).await;
    let asked: Arc<Mutex<Vec<CredentialRequest>>> = Arc::default();
    let noted = asked.clone();
    let client = through(&proxy)
        .proxy_credentials(move |request| {
            noted.lock().unwrap().push(request.clone());
            async move { Ok(ProxyCredentials::new("robot", if request.refusals == 0 { "stale" } else { "fresh" })) }
        })
        .start()
        .unwrap();
    let mut events = client.events();
    let ended = await_event(&mut events, "disconnected", SOON).await;
    let EventKind::Disconnected(ended) = ended.kind else { panic!("{ended:?}") };
    assert_eq!((ended.ending.cause, ended.ending.code), (REFUSED, Some(407)));
    assert!(ended.retry_in.unwrap() >= secs(10), "accounts are locked after a few tries: {ended:?}");
    await_event(&mut events, "connected", SOON).await;
    let asked: Vec<_> = asked.lock().unwrap().iter().map(|request| (request.epoch, request.refusals)).collect();
    assert_eq!(asked, [(Epoch(1), 0), (Epoch(2), 1)], "once in each attempt");
    // base64 of robot:stale and robot:fresh.
    let logins: Vec<bool> = ["cm9ib3Q6c3RhbGU=", "cm9ib3Q6ZnJlc2g="]
        .iter()
        .zip(proxy.heard())
        .map(|(login, heard)| {
            String::from_utf8_lossy(&heard).contains(&format!("Proxy-Authorization: Basic {login}\r\n"))
        })
        .collect();
    assert_eq!(logins, [true, true]);
}

#[tokio::test]
async fn second_refusal_in_a_row_is_the_end_and_the_first_where_one_try_is_allowed() {
    for (client_of, tries) in [
        ((|proxy| asking(proxy, "wrong")) as fn(&FakeProxy) -> Builder, 2),
        (|proxy| asking(proxy, "wrong").auth_attempts(1), 1),
    ] {
        let proxy = FakeProxy::start("http", &[WRONG], Then::Close).await;
        let client = client_of(&proxy).start().unwrap();
        let closed = tokio::time::timeout(SOON, client.closed()).await.unwrap();
        assert_eq!((closed.cause, closed.code), (REFUSED, Some(407)));
        assert_eq!(proxy.heard().len(), tries);
        assert_eq!(client.stats().attempts, tries as u64);
    }
}

#[tokio::test]
async fn connect_tells_that_it_gave_up_because_the_proxy_refused() {
    let proxy = FakeProxy::start("socks5", &[b"\x05\x02", b"\x01\x01"], Then::Close).await;
    let error = asking(&proxy, "hunter2").auth_attempts(1).connect().await.unwrap_err();
    assert_eq!((error.kind(), error.cause()), (ErrorKind::Exhausted, Some(REFUSED)));
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[tokio::test]
async fn without_a_limit_a_refusal_is_never_the_end() {
    let proxy = FakeProxy::start("http", &[WRONG], Then::Close).await;
    let client = asking(&proxy, "wrong").no_auth_limit().start().unwrap();
    let ended = first_end(&client).await;
    assert_eq!((ended.ending.cause, ended.retry_in.is_some()), (REFUSED, true));
    assert_eq!(client.state(), State::Waiting);
}

#[tokio::test]
async fn provider_that_fails_panics_or_is_late_is_a_failed_attempt_that_tells_the_proxy_nothing() {
    type Case = fn(Builder) -> Builder;
    let failing: Case = |builder| builder.proxy_credentials(|_| async { Err("the vault is sealed".into()) });
    let panicking: Case = |builder| builder.proxy_credentials(|_| async { panic!("no vault") });
    let late: Case = |builder| builder.proxy_credentials(|_| std::future::pending()).credentials_within(millis(200));
    for case in [failing, panicking, late] {
        let proxy = FakeProxy::start("http", &[HTTP_OPEN], Then::Hang).await;
        let client = case(through(&proxy)).start().unwrap();
        let ended = first_end(&client).await;
        assert_eq!(ended.ending.cause, NO_CREDENTIALS);
        assert!(ended.retry_in.is_some_and(|wait| wait >= secs(10)), "{ended:?}");
        assert!(proxy.heard().iter().all(Vec::is_empty), "{:?}", proxy.heard());
    }
}

#[tokio::test]
async fn credentials_that_the_protocol_cannot_tell_are_none() {
    for (scheme, user) in [("http", "two:words".to_owned()), ("socks5", "x".repeat(256)), ("http", String::new())] {
        let proxy = FakeProxy::start(scheme, &[], Then::Hang).await;
        let builder = through(&proxy).proxy_credentials(move |_| {
            let user = user.clone();
            async move { Ok(ProxyCredentials::new(user, "hunter2")) }
        });
        let ended = first_end(&builder.start().unwrap()).await;
        assert_eq!(ended.ending.cause, NO_CREDENTIALS, "{scheme}");
    }
}

#[tokio::test]
async fn provider_is_asked_once_however_many_addresses_the_proxy_is_asked_for() {
    struct Two;
    impl Resolver for Two {
        fn resolve(&self, _host: &str, port: u16) -> Resolving {
            Box::pin(async move { Ok(vec![([192, 0, 2, 7], port).into(), ([192, 0, 2, 8], port).into()]) })
        }
    }
    let refused: &[&[u8]] = &[SOCKS_HELLO, b"\x05\x05\0\x01\0\0\0\0\0\0"];
    let proxy = FakeProxy::in_turn("socks5", &[refused, &[SOCKS_HELLO, SOCKS_OPEN]], Then::Hang).await;
    let asked = Arc::new(AtomicU32::new(0));
    let counted = asked.clone();
    let client = Client::builder("service.test:1")
        .resolver(Two)
        .proxy(format!("socks5://{}?resolve=local", proxy.addr))
        .proxy_credentials(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            async { Ok(ProxyCredentials::new("robot", "hunter2")) }
        })
        .connect()
        .await
        .unwrap();
    assert_eq!((asked.load(Ordering::SeqCst), proxy.heard().len()), (1, 2));
    client.close(secs(0)).await;
}

#[tokio::test]
async fn question_is_withdrawn_with_the_attempt() {
    struct Asked(Arc<AtomicU32>);
    impl Drop for Asked {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let proxy = FakeProxy::start("http", &[HTTP_OPEN], Then::Hang).await;
    let living = Arc::new(AtomicU32::new(0));
    let counted = living.clone();
    let client = through(&proxy)
        .proxy_credentials(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            let asked = Asked(counted.clone());
            async move {
                std::future::pending::<()>().await;
                drop(asked);
                Ok(ProxyCredentials::new("robot", "hunter2"))
            }
        })
        .start()
        .unwrap();
    eventually("the question", SOON, || living.load(Ordering::SeqCst) == 1).await;
    client.close(secs(0)).await;
    eventually("its end", SOON, || living.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn two_sources_of_credentials_are_a_contradiction_and_one_without_a_proxy_is_told() {
    let provider = |_| async { Ok(ProxyCredentials::new("robot", "hunter2")) };
    let both = Client::builder(ENDPOINT).proxy("http://robot:hunter2@127.0.0.1:1").proxy_credentials(provider);
    let error = both.validate().unwrap_err();
    assert!(error.to_string().starts_with("proxy_credentials: "), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    let config = Client::builder(ENDPOINT).proxy_credentials(provider).validate().unwrap();
    assert!(config.notices.iter().any(|notice| notice.field == "proxy_credentials"), "{:?}", config.notices);
}

/// A client that has the same password whenever it is asked.
fn asking(proxy: &FakeProxy, password: &'static str) -> Builder {
    through(proxy).proxy_credentials(move |_| async move { Ok(ProxyCredentials::new("robot", password)) })
}

fn through(proxy: &FakeProxy) -> Builder {
    Client::builder(ENDPOINT).proxy(format!("{}://{}", proxy.scheme, proxy.addr))
}

async fn first_end(client: &Client) -> Disconnected {
    let event = await_event(&mut client.events(), "disconnected", SOON).await;
    let EventKind::Disconnected(ended) = event.kind else { panic!("{event:?}") };
    *ended
}
