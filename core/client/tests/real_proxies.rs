//! Real proxies (microsocks, tinyproxy) before a real Redis: a session through each survives the restart of both.
#![cfg(unix)]

mod support;

use keepline::cause::ProxyFailure;
use keepline::{AckedBy, Cause, Client, ErrorKind, Events, Framing, Heartbeat, Matcher, Outcome};
use keepline_testkit::process::{ProcessError, ProxyServer, RedisReply, RedisServer, require};
use support::{SOON, await_event, millis, redis_has_loaded, secs};

const LOGIN: Option<(&str, &str)> = Some(("robot", "s3cret"));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_through_a_socks_proxy_survives_the_restart_of_proxy_and_server() {
    let test = "a_session_through_a_socks_proxy_survives_the_restart_of_proxy_and_server";
    for login in [None, LOGIN] {
        survives(test, ProxyServer::socks(login).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_through_an_http_proxy_survives_the_restart_of_proxy_and_server() {
    let test = "a_session_through_an_http_proxy_survives_the_restart_of_proxy_and_server";
    for login in [None, LOGIN] {
        survives(test, ProxyServer::http(login).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_proxies_refuse_a_wrong_password_and_a_missing_one() {
    let test = "real_proxies_refuse_a_wrong_password_and_a_missing_one";
    let proxies = [require(test, ProxyServer::socks(LOGIN).await), require(test, ProxyServer::http(LOGIN).await)];
    for proxy in proxies.into_iter().flatten() {
        for url in [proxy.url().replace("s3cret", "wrong"), proxy.url().replace("robot:s3cret@", "")] {
            let error = Client::builder("127.0.0.1:1").proxy(&url).connect().await.unwrap_err();
            assert_eq!(error.cause(), Some(Cause::Proxy(ProxyFailure::Auth)), "{error}");
            assert_eq!(error.kind(), ErrorKind::Exhausted);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_proxies_tell_that_nobody_listens_behind_them() {
    let test = "real_proxies_tell_that_nobody_listens_behind_them";
    let nobody = keepline_testkit::port::ReservedPort::loopback().unwrap();
    if let Some(proxy) = require(test, ProxyServer::socks(None).await) {
        assert_eq!(first_cause(&proxy, nobody.addr()).await, (ProxyFailure::Refused, Some(5)));
    }
    if let Some(proxy) = require(test, ProxyServer::http(None).await) {
        // tinyproxy says no more than 500, "Unable to connect".
        assert_eq!(first_cause(&proxy, nobody.addr()).await, (ProxyFailure::Unavailable, Some(500)));
    }
}

async fn survives(test: &str, proxy: Result<ProxyServer, ProcessError>) {
    let Some(redis) = require(test, RedisServer::start().await) else { return };
    let Some(proxy) = require(test, proxy) else { return };
    let client = Client::builder(redis.addr())
        .proxy(proxy.url())
        .framing(Framing::resp())
        .greeting(redis_has_loaded())
        .heartbeat(
            Heartbeat::new(&b"PING\r\n"[..])
                .reply(Matcher::Exact("+PONG\r\n".into()))
                .every(secs(1))
                .reply_within(secs(2)),
        )
        .backoff_max(millis(500))
        .connect()
        .await
        .unwrap();
    let mut events = client.events();
    let connected = await_event(&mut events, "connected", SOON).await;
    assert!(format!("{connected:?}").contains(&proxy.addr().to_string()), "the peer is the proxy: {connected:?}");
    set(&client, &redis, "before").await;

    proxy.kill().unwrap();
    await_event(&mut events, "disconnected", SOON).await;
    let mut failure = format!("{:?}", await_event(&mut events, "disconnected", SOON).await);
    // While a killed process ends, its listener may outlive its connections: it then resets who has come in between.
    while failure.contains("Proxy(Closed)") {
        failure = format!("{:?}", await_event(&mut events, "disconnected", SOON).await);
    }
    assert!(failure.contains("Proxy(Unavailable)"), "{failure}");
    proxy.start_again().await.unwrap();
    connected_again(&mut events).await;
    set(&client, &redis, "between").await;

    redis.restart().await.unwrap();
    await_event(&mut events, "disconnected", SOON).await;
    connected_again(&mut events).await;
    set(&client, &redis, "after").await;

    // A frozen proxy is found by the same heartbeat as a frozen server.
    proxy.freeze().await.unwrap();
    await_event(&mut events, "suspect", SOON).await;
    await_event(&mut events, "disconnected", SOON).await;
    proxy.thaw().unwrap();
    connected_again(&mut events).await;
    set(&client, &redis, "thawed").await;
    client.close(secs(1)).await;
}

async fn connected_again(events: &mut Events) {
    await_event(events, "connected", SOON).await;
}

/// Sets a key through the proxy and looks for it at the server itself.
async fn set(client: &Client, redis: &RedisServer, key: &str) {
    let command = format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n$2\r\nup\r\n", key.len());
    let mut receipt = client.send_tracked(command).await.unwrap();
    let reply = tokio::time::timeout(SOON, client.recv()).await.unwrap().unwrap();
    assert_eq!(&reply.payload[..], b"+OK\r\n");
    let outcome = tokio::time::timeout(SOON, receipt.outcome()).await.unwrap().unwrap();
    if cfg!(any(target_os = "linux", target_os = "android")) {
        assert_eq!((outcome, receipt.acked_by()), (Outcome::Acked, Some(AckedBy::Proxy)));
    }
    assert_eq!(redis.query(&["GET", key]).await.unwrap(), RedisReply::Bulk(Some(b"up".to_vec())));
}

async fn first_cause(proxy: &ProxyServer, endpoint: std::net::SocketAddr) -> (ProxyFailure, Option<u16>) {
    let client = Client::builder(endpoint).proxy(proxy.url()).start().unwrap();
    let event = await_event(&mut client.events(), "disconnected", SOON).await;
    let keepline::EventKind::Disconnected(lost) = event.kind else { panic!("{event:?}") };
    client.close(secs(0)).await;
    let Cause::Proxy(failure) = lost.ending.cause else { panic!("{lost:?}") };
    (failure, lost.ending.code)
}
