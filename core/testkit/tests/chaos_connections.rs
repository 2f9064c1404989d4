//! Each fault that touches the listener or whole connections, proved with plain sockets.

mod common;

use common::*;
use keepline_testkit::chaos::{ChaosProxy, Direction, End, IdleMode, What};
use keepline_testkit::servers::{EchoServer, LineServer};
use std::io;
use std::net::SocketAddr;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

#[test]
fn refused_port_comes_back_and_living_connections_go_on() {
    run(async {
        let (_server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        for _ in 0..20 {
            proxy.refuse();
            assert_refused(proxy.addr()).await;
            assert_eq!(exchange(&mut client, b"alive").await, b"alive");
            proxy.accept_again();
            connected(proxy.addr()).await;
        }
    });
}

#[test]
fn accepted_and_silenced_connections_stay_open_and_say_nothing() {
    run(async {
        let (server, proxy) = proxied_echo().await;
        proxy.accept_and_silence();
        let mut client = connect(proxy.addr()).await.expect("a connection");
        client.write_all(b"hello?").await.expect("a write");
        proxy.await_bytes(Direction::Up, 6, SOON).await.expect("the bytes are swallowed");
        assert_quiet(&mut client).await;
        assert_eq!(server.accepted(), 0);
        proxy.clear();
        connected(proxy.addr()).await;
    });
}

#[test]
fn accepted_connections_can_be_ended_in_order_at_once() {
    run(async {
        let (_server, proxy) = proxied_echo().await;
        proxy.accept_then_fin();
        let mut client = connect(proxy.addr()).await.expect("a connection");
        client.write_all(b"too late").await.expect("a write");
        let (bytes, end) = read_to_end(&mut client).await;
        assert!(bytes.is_empty());
        end.expect("an orderly end");
    });
}

#[test]
fn accepted_connections_can_be_reset_at_once() {
    run(async {
        let (_server, proxy) = proxied_echo().await;
        proxy.accept_then_rst();
        assert_reset_from_the_start(proxy.addr()).await;
    });
}

#[test]
fn reset_reaches_both_ends() {
    run(async {
        let (server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        proxy.reset();
        assert_reset(&mut client).await;
        assert!(proxy.connections().is_empty());
        until(|| server.connections() == 0).await;
        connected(proxy.addr()).await;
    });
}

#[test]
fn close_reaches_both_ends_in_order() {
    run(async {
        let (server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        proxy.close();
        let (bytes, end) = read_to_end(&mut client).await;
        assert!(bytes.is_empty());
        end.expect("an orderly end");
        until(|| server.connections() == 0).await;
    });
}

#[test]
fn half_close_ends_one_direction_and_leaves_the_other() {
    run(async {
        let server = LineServer::start().await.expect("a port");
        let proxy = ChaosProxy::start(server.addr()).await.expect("a port");
        let mut client = connect(proxy.addr()).await.expect("a connection");
        assert_eq!(exchange(&mut client, b"first\n").await, b"first\n");
        proxy.half_close(Direction::Down);
        let (bytes, end) = read_to_end(&mut client).await;
        assert!(bytes.is_empty());
        end.expect("an orderly end");
        client.write_all(b"second\n").await.expect("the way up is open");
        server.await_lines(2, SOON).await.expect("the line arrives");
        assert_eq!(server.received()[1].line, "second");
    });
}

#[test]
fn idle_connection_is_forgotten_in_silence() {
    run(async {
        let (_server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        proxy.idle_cut(millis(100), IdleMode::Silent);
        proxy.await_record(SOON, |record| record.what == What::Forgotten).await.expect("the cut");
        assert!(proxy.connections()[0].forgotten);
        client.write_all(b"hello?").await.expect("a write");
        proxy.await_bytes(Direction::Up, 11, SOON).await.expect("the bytes are swallowed");
        assert_quiet(&mut client).await;
        assert_eq!(proxy.forwarded(Direction::Up), 5);
    });
}

#[test]
fn idle_connection_is_reset_at_its_next_byte() {
    run(async {
        let (_server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        proxy.idle_cut(millis(100), IdleMode::Rst);
        proxy.await_record(SOON, |record| record.what == What::Forgotten).await.expect("the cut");
        assert_quiet(&mut client).await;
        client.write_all(b"hello?").await.expect("a write");
        assert_reset(&mut client).await;
    });
}

#[test]
fn busy_connection_is_not_forgotten() {
    run(async {
        let (_server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        // Ten times the pause between two exchanges: enough for a machine that is held up now and then.
        proxy.idle_cut(millis(2_000), IdleMode::Silent);
        for _ in 0..12 {
            assert_eq!(exchange(&mut client, b"busy").await, b"busy");
            tokio::time::sleep(millis(200)).await;
        }
        assert!(!proxy.connections()[0].forgotten);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn syn_hangs_until_the_listener_is_cleared() {
    run(async {
        let (_server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        proxy.hang_syn().await.expect("Linux drops the SYN");
        assert!(timeout(QUIET, TcpStream::connect(proxy.addr())).await.is_err());
        assert_eq!(exchange(&mut client, b"alive").await, b"alive");
        proxy.clear();
        connected(proxy.addr()).await;
    });
}

#[test]
fn later_connections_go_to_the_new_upstream() {
    run(async {
        let (first, proxy) = proxied_echo().await;
        let mut old = connected(proxy.addr()).await;
        let second = EchoServer::start().await.expect("a port");
        proxy.set_upstream(second.addr());
        connected(proxy.addr()).await;
        assert_eq!((first.accepted(), second.accepted()), (1, 1));
        assert_eq!(exchange(&mut old, b"old").await, b"old");
    });
}

#[test]
fn client_is_reset_when_the_server_is_not_there() {
    run(async {
        let (server, proxy) = proxied_echo().await;
        server.stop(End::Fin).await;
        assert_reset_from_the_start(proxy.addr()).await;
        let failed = |what: &What| matches!(what, What::ConnectFailed { error: io::ErrorKind::ConnectionRefused, .. });
        assert!(proxy.history().iter().any(|record| failed(&record.what)));
    });
}

#[test]
fn ends_and_resets_of_either_side_are_passed_on() {
    run(async {
        let (server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        client.write_all(b"last words").await.expect("a write");
        client.shutdown().await.expect("a half-close");
        let (bytes, end) = read_to_end(&mut client).await;
        assert_eq!(bytes, b"last words");
        end.expect("an orderly end");
        until(|| proxy.connections().is_empty()).await;
        let mut client = connected(proxy.addr()).await;
        server.stop(End::Rst).await;
        assert_reset(&mut client).await;
    });
}

#[test]
fn dropping_the_last_handle_ends_port_sockets_and_tasks() {
    run(async {
        let (server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        let (addr, other) = (proxy.addr(), proxy.clone());
        drop(proxy);
        assert_eq!(exchange(&mut client, b"alive").await, b"alive");
        drop(other);
        let (bytes, _) = read_to_end(&mut client).await;
        assert!(bytes.is_empty());
        until(|| server.connections() == 0).await;
        assert_refused(addr).await;
        drop(server);
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        until(|| tasks() == 0).await;
    });
}

#[test]
fn a_hundred_connections_keep_apart() {
    run(async {
        let (_server, proxy) = proxied_echo().await;
        proxy.latency(Direction::Both, millis(5), millis(20));
        let clients = (0..100u8).map(|number| {
            let addr = proxy.addr();
            tokio::spawn(async move {
                let mut client = connect(addr).await.expect("a connection");
                for _ in 0..5 {
                    assert_eq!(exchange(&mut client, &[number; 100]).await, [number; 100]);
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.expect("a client");
        }
        proxy.await_connections(100, SOON).await.expect("all of them");
    });
}

/// The reset may come before the client has looked at its established connection; `connect` reports it then.
async fn assert_reset_from_the_start(addr: SocketAddr) {
    match connect(addr).await {
        Ok(mut client) => assert_reset(&mut client).await,
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
}

async fn until(condition: impl Fn() -> bool) {
    let reached = async {
        while !condition() {
            tokio::time::sleep(millis(5)).await;
        }
    };
    timeout(SOON, reached).await.expect("the condition comes true");
}
