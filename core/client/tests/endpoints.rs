//! Several endpoints with real servers: failover, order, lists that change, and where connections come from.
#![cfg(unix)]

mod support;

use keepline::{
    Addresses, Cause, Client, DialSocket, Endpoint, EndpointOrder, ErrorKind, EventKind, Framing, Heartbeat, Matcher,
    Outcome, Profile, State,
};
use keepline_testkit::port::ReservedPort;
use keepline_testkit::process::{RedisReply, RedisServer, require};
use keepline_testkit::servers::EchoServer;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{SOON, await_event, eventually, millis, redis_has_loaded, secs};
use tokio::net::TcpListener;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_fails_over_between_two_redis_servers_and_back_with_every_message_told() {
    let test = "client_fails_over_between_two_redis_servers_and_back_with_every_message_told";
    let Some(first) = require(test, RedisServer::start().await) else { return };
    let Some(second) = require(test, RedisServer::start().await) else { return };
    let client = redis(Client::builder([first.addr(), second.addr()]))
        .endpoint_order(EndpointOrder::Ordered)
        .connect()
        .await
        .unwrap();
    let mut events = client.events();
    assert_eq!(connected_to(&mut events).await, first.addr().to_string());
    set(&client, "on", "first").await;

    first.kill().unwrap();
    assert_eq!(connected_to(&mut events).await, second.addr().to_string());
    set(&client, "on", "second").await;

    // The first is back, and the second goes: the client returns.
    first.start_again().await.unwrap();
    second.kill().unwrap();
    assert_eq!(connected_to(&mut events).await, first.addr().to_string());
    set(&client, "on", "first again").await;
    assert_eq!(value(&first, "on").await, "first again");
    second.start_again().await.unwrap();
    assert_eq!(value(&second, "on").await, "second");
    client.close(secs(1)).await;
}

#[tokio::test]
async fn refused_endpoint_costs_little_more_than_the_floor() {
    let server = EchoServer::start().await.unwrap();
    let started = std::time::Instant::now();
    let dead = ReservedPort::loopback().unwrap();
    let client =
        Client::builder([dead.addr(), server.addr()]).endpoint_order(EndpointOrder::Ordered).connect().await.unwrap();
    // 100 to 200 ms; the rest is for a loaded machine.
    assert!(started.elapsed() < secs(2), "{:?}", started.elapsed());
    let stats = client.stats();
    assert_eq!((stats.attempts, stats.failures), (2, 1));
    let told: Vec<_> = client.events().try_recv().into_iter().collect();
    assert!(
        matches!(&told[0].kind, EventKind::Connecting { endpoint: Some(name), .. } if **name == *dead.addr().to_string())
    );
    client.close(secs(1)).await;
}

#[tokio::test]
async fn events_of_a_client_with_one_endpoint_name_none() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr()).connect().await.unwrap();
    let mut events = client.events();
    let connecting = events.recv().await.unwrap().kind;
    assert!(matches!(connecting, EventKind::Connecting { endpoint: None, .. }), "{connecting:?}");
    let connected = events.recv().await.unwrap().kind;
    assert!(matches!(connected, EventKind::Connected { endpoint: None, .. }), "{connected:?}");
    client.close(secs(1)).await;
}

#[tokio::test]
async fn endpoints_change_while_the_client_runs() {
    let (first, second) = (EchoServer::start().await.unwrap(), EchoServer::start().await.unwrap());
    let client = Client::builder(first.addr()).framing(Framing::lines()).connect().await.unwrap();
    let mut events = client.events();
    await_event(&mut events, "connected", SOON).await;

    // Still in the list: nothing happens to the connection.
    client.set_endpoints([second.addr(), first.addr()]).unwrap();
    eventually("the list is taken", SOON, || client.endpoints().len() == 2).await;
    client.send("stays").await.unwrap();
    assert_eq!(client.recv_within(SOON).await.unwrap().unwrap().epoch.0, 1);

    client.set_endpoints(second.addr()).unwrap();
    let event = await_event(&mut events, "disconnected", SOON).await;
    let EventKind::Disconnected(end) = event.kind else { panic!("{event:?}") };
    assert_eq!((end.ending.cause, end.retry_in), (Cause::Requested, Some(Duration::ZERO)));
    let event = await_event(&mut events, "connected", SOON).await;
    assert!(
        matches!(event.kind, EventKind::Connected { peer: Some(peer), endpoint: None, .. } if peer == second.addr()),
        "{event:?}"
    );
    client.send("moved").await.unwrap();
    assert_eq!(client.recv_within(SOON).await.unwrap().unwrap().epoch.0, 2);

    for wrong in [&[][..], &["a:1", "a:1"], &["nonsense"]] {
        let error = client.set_endpoints(wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    }
    assert_eq!(client.endpoints(), [Endpoint::from(second.addr())]);
    assert_eq!(client.state(), State::Connected);
    client.close(secs(1)).await;
}

#[tokio::test]
async fn client_of_an_address_resolves_the_names_of_a_later_list() {
    let (first, second) = (EchoServer::start().await.unwrap(), EchoServer::start().await.unwrap());
    let client = Client::builder(first.addr()).connect().await.unwrap();
    client.set_endpoints(("localhost", second.addr().port())).unwrap();
    eventually("it is connected again", SOON, || client.stats().connections == 2).await;
    assert_eq!(client.endpoints()[0].host(), "localhost");
    client.close(secs(1)).await;
}

#[tokio::test]
async fn lists_that_cannot_be_are_told_when_the_client_is_made() {
    let many: Vec<SocketAddr> = (1..=65).map(|port| (Ipv4Addr::LOCALHOST, port).into()).collect();
    let none: [&str; 0] = [];
    for (builder, field) in [
        (Client::builder(none), "endpoints"),
        (Client::builder(many), "endpoints"),
        (Client::builder(["a:1", "a:1"]), "endpoints"),
        (Client::builder(["a:1", "a"]), "endpoint"),
        (Client::builder("a:1").endpoint("b"), "endpoint"),
        (Client::builder("a:1").weighted_endpoint("b:1", 0), "endpoints.weight"),
        (Client::builder("a:1").single_connection(true).concurrent_ok(), "single_connection"),
        (Client::builder("a:1").single_connection(true).addresses(Addresses::HappyEyeballs), "single_connection"),
        (Client::builder("a:1").return_to_preferred(secs(60)), "return_to_preferred"),
        (Client::builder("a:1").bind_interface("no/such"), "bind_interface"),
    ] {
        assert!(builder.validate().is_err());
        let error = builder.start().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().starts_with(&format!("{field}:")), "{field}: {error}");
    }
}

#[tokio::test]
async fn connections_come_from_the_address_they_are_bound_to() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let from = IpAddr::from([127, 0, 0, 9]);
    let client = Client::builder(listener.local_addr().unwrap()).bind_address(from).connect().await.unwrap();
    let (_stream, peer) = listener.accept().await.unwrap();
    assert_eq!(peer.ip(), from);
    client.close(secs(0)).await;
}

#[tokio::test]
async fn an_address_that_is_not_ours_or_of_the_other_family_is_a_local_resource() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    // A documentation address is nobody's.
    for from in ["192.0.2.1", "::1"] {
        let client =
            Client::builder(listener.local_addr().unwrap()).bind_address(from.parse().unwrap()).start().unwrap();
        let event = await_event(&mut client.events(), "disconnected", SOON).await;
        let EventKind::Disconnected(end) = event.kind else { panic!("{event:?}") };
        assert_eq!(end.ending.cause, Cause::LocalResource, "{from}");
        client.close(secs(0)).await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn connections_go_through_the_interface_they_are_bound_to() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr()).bind_interface("lo").connect().await.unwrap();
    client.close(secs(0)).await;
    let client = Client::builder(server.addr()).bind_interface("keepline-none").start().unwrap();
    let event = await_event(&mut client.events(), "disconnected", SOON).await;
    let EventKind::Disconnected(end) = event.kind else { panic!("{event:?}") };
    assert_eq!((end.ending.cause, end.ending.errno), (Cause::LocalNetworkDown, Some(19)));
    client.close(secs(0)).await;
}

#[tokio::test]
async fn socket_hook_has_every_socket_before_it_connects() {
    let server = EchoServer::start().await.unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let writer = seen.clone();
    let hook = move |socket: &DialSocket<'_>| {
        let reference = socket2::SockRef::from(socket);
        assert!(reference.peer_addr().is_err(), "it is not connected yet");
        reference.set_recv_buffer_size(123 * 1024)?;
        let (address, endpoint) = (socket.address(), socket.endpoint().to_string());
        writer.lock().unwrap().push((address, endpoint, reference.recv_buffer_size()?));
        let _owned = socket.as_fd().try_clone_to_owned()?;
        Ok(())
    };
    let client = Client::builder(server.addr()).socket_hook(hook).connect().await.unwrap();
    client.reconnect();
    eventually("it is connected again", SOON, || client.stats().connections == 2).await;
    let seen = seen.lock().unwrap().clone();
    let once = (Some(server.addr()), server.addr().to_string(), seen[0].2);
    assert_eq!(seen, [once.clone(), once]);
    client.close(secs(0)).await;
}

#[tokio::test]
async fn socket_hook_that_fails_or_panics_ends_the_attempt_as_a_local_resource() {
    const EPERM: i32 = 1;
    let server = EchoServer::start().await.unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let hook = move |_socket: &DialSocket<'_>| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => Err(std::io::Error::from_raw_os_error(EPERM)),
        1 => panic!("a bug of the user's"),
        _ => Ok(()),
    };
    let client = Client::builder(server.addr()).socket_hook(hook).start().unwrap();
    let mut events = client.events();
    for errno in [Some(EPERM), None] {
        let event = await_event(&mut events, "disconnected", SOON).await;
        let EventKind::Disconnected(end) = event.kind else { panic!("{event:?}") };
        assert_eq!((end.ending.cause, end.ending.errno), (Cause::LocalResource, errno));
    }
    await_event(&mut events, "connected", SOON).await;
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    client.close(secs(0)).await;
}

fn redis(builder: keepline::Builder) -> keepline::Builder {
    let ping = Heartbeat::new(&b"PING\r\n"[..]).reply(Matcher::Exact("+PONG\r\n".into()));
    builder
        .framing(Framing::resp())
        .profile(Profile::Datacenter)
        .greeting(redis_has_loaded())
        .heartbeat(ping.every(secs(1)).reply_within(secs(2)))
        .backoff_max(millis(500))
}

/// The endpoint that the next connection goes to.
async fn connected_to(events: &mut keepline::Events) -> String {
    let event = await_event(events, "connected", SOON).await;
    let EventKind::Connected { endpoint, .. } = event.kind else { panic!("{event:?}") };
    endpoint.expect("several endpoints").to_string()
}

async fn set(client: &Client, key: &str, value: &str) {
    let mut receipt = client.send_tracked(format!("SET {key} \"{value}\"\r\n")).await.unwrap();
    assert_eq!(tokio::time::timeout(SOON, receipt.outcome()).await.unwrap().unwrap(), Outcome::Acked);
    assert_eq!(&client.recv_within(SOON).await.unwrap().unwrap().payload[..], b"+OK\r\n");
}

async fn value(server: &RedisServer, key: &str) -> String {
    match server.query(&["GET", key]).await.unwrap() {
        RedisReply::Bulk(Some(value)) => String::from_utf8(value).unwrap(),
        other => panic!("{other:?}"),
    }
}
