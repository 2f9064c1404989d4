//! Each fault that touches bytes, proved with plain sockets.

mod common;

use common::*;
use keepline_testkit::chaos::{ChaosProxy, Direction, End, Record, What};
use keepline_testkit::servers::SinkServer;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

#[test]
fn without_faults_every_byte_passes_both_ways() {
    run(async {
        let (_server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        let payload: Vec<u8> = (0..1_000_000u32).map(|number| (number % 251) as u8).collect();
        let (mut reader, mut writer) = client.split();
        let echoed = async {
            let mut echoed = vec![0; payload.len()];
            tokio::io::AsyncReadExt::read_exact(&mut reader, &mut echoed).await.expect("an echo");
            echoed
        };
        let (written, echoed) = tokio::join!(writer.write_all(&payload), echoed);
        written.expect("a write");
        assert!(echoed == payload);
        assert_eq!(proxy.received(Direction::Up), 1_000_005);
        assert_eq!(proxy.forwarded(Direction::Both), 2_000_010);
    });
}

#[test]
fn latency_delays_every_byte_by_at_least_its_figure() {
    run(async {
        let (_server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        proxy.latency(Direction::Both, millis(100), millis(50));
        let start = Instant::now();
        assert_eq!(exchange(&mut client, b"there and back").await, b"there and back");
        assert!(start.elapsed() >= millis(200));
    });
}

#[test]
fn clearing_lets_delayed_bytes_go_at_once() {
    run(async {
        let (_server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        proxy.latency(Direction::Up, Duration::from_secs(3600), Duration::ZERO);
        client.write_all(b"late").await.expect("a write");
        proxy.await_bytes(Direction::Up, 9, SOON).await.expect("the bytes are in the proxy");
        proxy.clear();
        assert_eq!(read(&mut client, 4).await, b"late");
    });
}

#[test]
fn rate_stretches_a_transfer() {
    run(async {
        let (_server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        proxy.rate(Direction::Down, 10_000);
        let start = Instant::now();
        assert_eq!(exchange(&mut client, &[7; 5_000]).await, [7; 5_000]);
        assert!(start.elapsed() >= millis(490), "5,000 bytes at 10,000 a second took {:?}", start.elapsed());
    });
}

#[test]
fn slices_arrive_one_by_one() {
    run(async {
        let (_server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        proxy.slice(Direction::Down, 1, millis(30));
        let start = Instant::now();
        assert_eq!(exchange(&mut client, b"abcdef").await, b"abcdef");
        assert!(start.elapsed() >= millis(150), "five gaps of 30 ms took {:?}", start.elapsed());
    });
}

#[test]
fn limit_cuts_exactly_at_its_figure_with_fin() {
    run(async {
        let (_server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        proxy.limit(Direction::Down, 7, End::Fin);
        client.write_all(b"0123456789").await.expect("a write");
        let (bytes, end) = read_to_end(&mut client).await;
        assert_eq!(bytes, b"0123456");
        end.expect("an orderly end");
    });
}

#[test]
fn limit_cuts_exactly_at_its_figure_with_rst() {
    run(async {
        let sink = SinkServer::start().await.expect("a port");
        let proxy = ChaosProxy::start(sink.addr()).await.expect("a port");
        proxy.limit(Direction::Up, 1_234, End::Rst);
        let mut client = connect(proxy.addr()).await.expect("a connection");
        client.write_all(&[1; 1_300]).await.expect("a write");
        assert_reset(&mut client).await;
        proxy.await_record(SOON, |record| record.what == What::Ended).await.expect("the end");
        assert_eq!(proxy.forwarded(Direction::Up), 1_234);
        if cfg!(target_os = "linux") {
            sink.await_bytes(1_234, SOON).await.expect("what passed arrives");
            assert_eq!(sink.bytes(), 1_234);
        }
    });
}

#[test]
fn stall_blocks_the_writer_until_it_is_cleared() {
    run(async {
        let sink = SinkServer::start().await.expect("a port");
        let proxy = ChaosProxy::builder().receive_buffer(4096).start(sink.addr()).await.expect("a port");
        let mut client = connect(proxy.addr()).await.expect("a connection");
        proxy.await_record(SOON, |record| matches!(record.what, What::Connected { .. })).await.expect("a path");
        proxy.stall(Direction::Up);
        let written = fill(&mut client).await;
        assert_eq!(proxy.received(Direction::Up), 0);
        assert!(written < 16 * 1024 * 1024, "{written} bytes went into a closed window");
        proxy.clear();
        sink.await_bytes(written, SOON).await.expect("nothing is lost");
    });
}

#[test]
fn hold_takes_bytes_in_and_keeps_them_until_the_release() {
    run(async {
        let (_server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        proxy.hold(Direction::Up);
        client.write_all(b"held").await.expect("a write");
        proxy.await_bytes(Direction::Up, 9, SOON).await.expect("the bytes are in the proxy");
        assert_quiet(&mut client).await;
        assert_eq!(proxy.forwarded(Direction::Up), 5);
        proxy.release(Direction::Up);
        assert_eq!(read(&mut client, 4).await, b"held");
    });
}

#[test]
fn silence_swallows_bytes_and_leaves_the_connection_open() {
    run(async {
        let (_server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        proxy.silence(Direction::Down);
        client.write_all(b"into the void").await.expect("a write");
        proxy.await_bytes(Direction::Down, 18, SOON).await.expect("the echo reaches the proxy");
        assert_quiet(&mut client).await;
        assert_eq!(proxy.forwarded(Direction::Down), 5);
        assert_eq!(proxy.connections().len(), 1);
        proxy.clear();
        client.write_all(b"still nothing").await.expect("a write");
        proxy.await_bytes(Direction::Down, 31, SOON).await.expect("the echo reaches the proxy");
        assert_quiet(&mut client).await;
        connected(proxy.addr()).await;
    });
}

#[test]
fn silence_swallows_the_end_of_the_server() {
    run(async {
        let (server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        proxy.silence(Direction::Both);
        server.stop(End::Rst).await;
        proxy.await_record(SOON, swallowed(Direction::Down)).await.expect("the reset is swallowed");
        client.write_all(b"anybody there?").await.expect("a write");
        assert_quiet(&mut client).await;
    });
}

#[test]
fn drop_after_lets_exactly_its_figure_pass() {
    run(async {
        let (_server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        proxy.drop_after(Direction::Up, 3);
        client.write_all(b"abcdef").await.expect("a write");
        assert_eq!(read(&mut client, 3).await, b"abc");
        assert_quiet(&mut client).await;
    });
}

#[test]
fn corrupt_flips_exactly_its_bits_once_per_connection() {
    run(async {
        let (_server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        proxy.corrupt(Direction::Up, 2, 0b0010_0000);
        assert_eq!(exchange(&mut client, b"ABCDE").await, b"ABcDE");
        assert_eq!(exchange(&mut client, b"ABCDE").await, b"ABCDE");
        let mut other = connect(proxy.addr()).await.expect("a connection");
        assert_eq!(exchange(&mut other, b"ABCDE").await, b"ABcDE");
        let expected = What::Corrupted { direction: Direction::Up, offset: 7, mask: 0b0010_0000 };
        assert!(proxy.history().iter().any(|record| record.what == expected));
    });
}

#[test]
fn injected_bytes_arrive_between_the_others() {
    run(async {
        let (_server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        proxy.inject(Direction::Down, b"<surprise>");
        assert_eq!(read(&mut client, 10).await, b"<surprise>");
        assert_eq!(exchange(&mut client, b"on it goes").await, b"on it goes");
    });
}

#[test]
fn duplicated_chunks_arrive_twice() {
    run(async {
        let (_server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        proxy.duplicate(Direction::Up);
        client.write_all(b"twice").await.expect("a write");
        assert_eq!(read(&mut client, 10).await, b"twicetwice");
    });
}

#[test]
fn a_fault_holds_from_the_moment_its_call_returns() {
    run(async {
        let (_server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        for round in 0..200u64 {
            proxy.hold(Direction::Both);
            let forwarded = proxy.forwarded(Direction::Both);
            client.write_all(b"x").await.expect("a write");
            proxy.await_bytes(Direction::Up, 6 + round, SOON).await.expect("the byte is in the proxy");
            assert_eq!(proxy.forwarded(Direction::Both), forwarded);
            proxy.release(Direction::Both);
            assert_eq!(read(&mut client, 1).await, b"x");
        }
    });
}

#[test]
fn history_tells_what_crossed_with_offsets() {
    run(async {
        let (_server, proxy) = proxied_echo().await;
        let mut client = connected(proxy.addr()).await;
        proxy.silence(Direction::Up);
        client.write_all(b"lost").await.expect("a write");
        let dropped = What::Dropped { direction: Direction::Up, offset: 5, bytes: 4 };
        let record = proxy.await_record(SOON, |record| record.what == dropped).await.expect("a record");
        assert_eq!(record.connection, Some(1));
        let forwarded = What::Forwarded { direction: Direction::Up, offset: 0, bytes: 5 };
        assert!(proxy.history().iter().any(|record| record.what == forwarded));
        let late = proxy.await_bytes(Direction::Down, 1_000, millis(1)).await.expect_err("they never come");
        assert_eq!(late.to_string(), "waited for 1000 bytes Down, saw 5");
    });
}

fn swallowed(direction: Direction) -> impl Fn(&Record) -> bool {
    move |record| record.what == What::Swallowed { direction }
}

/// Writes until nothing more goes in for a while.
async fn fill(client: &mut TcpStream) -> u64 {
    let mut written = 0;
    while let Ok(count) = timeout(QUIET, client.write(&[0; 16 * 1024])).await {
        written += count.expect("a write") as u64;
    }
    written
}
