//! The servers of this process: restart on the same port, freeze, record.

mod common;

use common::*;
use keepline_testkit::chaos::End;
use keepline_testkit::servers::{EchoServer, LineServer, ReceivedLine, SinkServer};
use tokio::io::AsyncWriteExt;

#[test]
fn stopped_server_resets_refuses_and_starts_again_on_its_port() {
    run(async {
        let server = EchoServer::start().await.expect("a port");
        for round in 1..=20 {
            let mut client = connected(server.addr()).await;
            server.stop(End::Rst).await;
            assert_reset(&mut client).await;
            assert_refused(server.addr()).await;
            server.start_again().expect("the same port");
            assert_eq!(server.accepted(), round);
        }
        connected(server.addr()).await;
    });
}

#[test]
fn stopped_server_can_end_in_order() {
    run(async {
        let server = EchoServer::start().await.expect("a port");
        let mut client = connected(server.addr()).await;
        server.stop(End::Fin).await;
        let (bytes, end) = read_to_end(&mut client).await;
        assert!(bytes.is_empty());
        end.expect("an orderly end");
        assert_refused(server.addr()).await;
    });
}

#[test]
fn frozen_server_takes_connections_and_bytes_and_answers_after_the_thaw() {
    run(async {
        let server = EchoServer::start().await.expect("a port");
        let mut old = connected(server.addr()).await;
        server.freeze();
        let mut new = connect(server.addr()).await.expect("the kernel accepts");
        old.write_all(b"old").await.expect("the kernel takes it");
        new.write_all(b"new").await.expect("the kernel takes it");
        assert_quiet(&mut old).await;
        assert_quiet(&mut new).await;
        assert_eq!(server.accepted(), 1);
        server.thaw();
        assert_eq!(read(&mut old, 3).await, b"old");
        assert_eq!(read(&mut new, 3).await, b"new");
    });
}

#[test]
fn frozen_server_can_be_stopped_and_starts_again_thawed() {
    run(async {
        let server = EchoServer::start().await.expect("a port");
        let mut client = connected(server.addr()).await;
        server.freeze();
        server.stop(End::Rst).await;
        assert_reset(&mut client).await;
        server.start_again().expect("the same port");
        connected(server.addr()).await;
    });
}

#[test]
fn line_server_answers_pings_and_records_lines_in_order_with_duplicates() {
    run(async {
        let server = LineServer::start().await.expect("a port");
        let mut first = connect(server.addr()).await.expect("a connection");
        assert_eq!(exchange(&mut first, b"PING\n").await, b"PONG\n");
        assert_eq!(exchange(&mut first, b"a\nb\nb\n").await, b"a\nb\nb\n");
        first.write_all(b"cut off").await.expect("a write");
        drop(first);
        let mut second = connect(server.addr()).await.expect("a connection");
        assert_eq!(exchange(&mut second, b"a\r\n").await, b"a\r\n");
        let line = |connection, line: &str| ReceivedLine { connection, line: line.to_owned() };
        assert_eq!(server.received(), [line(1, "a"), line(1, "b"), line(1, "b"), line(2, "a")]);
        assert_eq!(server.pings(), 1);
    });
}

#[test]
fn endless_line_ends_its_connection() {
    run(async {
        let server = LineServer::start().await.expect("a port");
        let mut client = connect(server.addr()).await.expect("a connection");
        // The server may hang up before it has read all of it.
        let _ = client.write_all(&[b'x'; 100_000]).await;
        let (bytes, _) = read_to_end(&mut client).await;
        assert!(bytes.is_empty());
        assert!(server.received().is_empty());
    });
}

#[test]
fn sink_counts_every_byte() {
    run(async {
        let sink = SinkServer::start().await.expect("a port");
        let mut client = connect(sink.addr()).await.expect("a connection");
        client.write_all(&[0; 123_456]).await.expect("a write");
        sink.await_bytes(123_456, SOON).await.expect("they arrive");
        assert_eq!(sink.bytes(), 123_456);
    });
}
