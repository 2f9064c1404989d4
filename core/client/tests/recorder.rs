//! The flight recorder of a real client: the kernel's figures at death, in the event and in the errors, without secrets.

mod support;

use keepline::{
    Cause, Client, Error, ErrorKind, EventKind, Framing, GreetingIo, Heartbeat, Matcher, Report, WhileDown,
};
use keepline_testkit::ChaosProxy;
use keepline_testkit::chaos::{Direction, End};
use keepline_testkit::port::ReservedPort;
use keepline_testkit::servers::{EchoServer, LineServer, SinkServer};
use std::sync::Arc;
use support::{SOON, await_event, eventually, millis, secs};
use tokio::io::AsyncReadExt;

#[tokio::test]
async fn killed_connection_is_told_with_its_timeline_and_the_figures_of_the_kernel() {
    let server = LineServer::start().await.unwrap();
    let client = Client::builder(server.addr()).framing(Framing::lines()).connect().await.unwrap();
    let mut events = client.events();
    client.send("hello").await.unwrap();
    assert_eq!(&client.recv_within(SOON).await.unwrap().unwrap().payload[..], b"hello");
    server.stop(End::Rst).await;
    let report = lost(await_event(&mut events, "disconnected", SOON).await.kind);
    assert_eq!(report.ending.cause, Cause::Reset);
    assert_eq!(names(&report), ["connecting", "dialed", "connected", "ended"]);
    let text = report.to_string();
    assert!(text.contains("reset (by os_error, errno 104)"), "{text}");
    if cfg!(any(target_os = "linux", target_os = "android")) {
        let figures = report.figures.expect("the kernel was asked before the socket was closed");
        assert!(figures.rtt.is_some_and(|rtt| rtt > millis(0)), "{figures:?}");
        assert!(figures.bytes_acked.is_some_and(|bytes| bytes >= 6), "{figures:?}");
        assert!(text.contains("\n  acknowledged in all         "), "{text}");
    }
}

#[tokio::test]
async fn silent_peer_leaves_a_timeline_from_the_heartbeat_to_the_verdict() {
    let server = LineServer::start().await.unwrap();
    let proxy = ChaosProxy::start(server.addr()).await.unwrap();
    let client = Client::builder(proxy.addr())
        .framing(Framing::lines())
        .heartbeat(Heartbeat::new("PING").reply(Matcher::Exact("PONG".into())).every(secs(1)).reply_within(secs(2)))
        .connect()
        .await
        .unwrap();
    let mut events = client.events();
    eventually("the first heartbeat and two more", SOON, || client.stats().heartbeats >= 3).await;
    proxy.silence(Direction::Both);
    let report = lost(await_event(&mut events, "disconnected", SOON).await.kind);
    assert_eq!(
        names(&report),
        [
            "connecting",
            "dialed",
            "heartbeat_answered",
            "connected",
            "heartbeat_answered",
            "heartbeat_sent",
            "suspect",
            "ended"
        ],
        "{report}"
    );
}

#[tokio::test]
async fn errors_carry_the_report_of_the_connection_that_failed_them() {
    let server = SinkServer::start().await.unwrap();
    let client = Client::builder(server.addr())
        .framing(Framing::lines())
        .correlation(keepline::Correlation::Fifo)
        .while_down(WhileDown::Reject)
        .connect()
        .await
        .unwrap();
    let mut events = client.events();
    let (lost_request, ()) = tokio::join!(client.request("question", SOON), async {
        eventually("the request is out", SOON, || client.stats().bytes_out > 0).await;
        server.stop(End::Rst).await;
    });
    let told = lost(await_event(&mut events, "disconnected", SOON).await.kind);
    let error = lost_request.unwrap_err();
    assert!(Arc::ptr_eq(report_of(&error), &told), "one report for all");
    let refused = client.try_send("no").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert_eq!(Some(report_of(&refused).ending), refused.ending());
    client.abort();
    client.closed().await;
    assert!(client.send("no").await.unwrap_err().report().is_some());
}

#[tokio::test]
async fn unreachable_endpoint_is_told_with_the_report_of_the_last_attempt() {
    let port = ReservedPort::loopback().unwrap();
    let error = Client::builder(port.addr()).connect_within(millis(300)).connect().await.unwrap_err();
    let report = report_of(&error);
    assert_eq!(names(report), ["connecting", "ended"]);
    assert_eq!((report.ending.cause, report.up_for, report.figures), (Cause::Refused, None, None));
    assert!(report.to_string().starts_with("attempt #"), "{report}");
}

#[tokio::test]
async fn stream_that_is_over_carries_the_report_of_its_connection() {
    let server = EchoServer::start().await.unwrap();
    let streams = Client::builder(server.addr()).connect_streams().await.unwrap();
    let mut stream = streams.next().await.unwrap();
    streams.client().reconnect();
    let over = tokio::time::timeout(SOON, stream.read(&mut [0; 8])).await.unwrap().unwrap_err();
    let error = over.get_ref().and_then(|inner| inner.downcast_ref::<Error>()).expect("an error of Keepline");
    let report = report_of(error);
    assert_eq!((report.epoch, report.ending.cause), (stream.epoch(), Cause::Requested));
    assert_eq!(report.figures.is_some(), cfg!(any(target_os = "linux", target_os = "android")));
}

#[tokio::test]
async fn last_four_reports_are_kept_and_older_events_let_theirs_go() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr()).connect().await.unwrap();
    let mut events = client.events();
    await_event(&mut events, "connected", SOON).await;
    assert!(client.reports().is_empty());
    for _ in 0..6 {
        client.reconnect();
        await_event(&mut events, "connected", SOON).await;
    }
    let kept: Vec<u64> = client.reports().iter().map(|report| report.epoch.0).collect();
    assert_eq!(kept, [3, 4, 5, 6]);
    let mut again = client.events();
    let mut told = Vec::new();
    while let Some(event) = again.try_recv() {
        if let EventKind::Disconnected(end) = event.kind {
            told.push(end.report.is_some());
        }
    }
    assert_eq!(told, [false, false, true, true, true, true]);
}

#[tokio::test]
async fn nothing_of_payloads_tokens_or_names_is_in_a_report() {
    let server = LineServer::start().await.unwrap();
    let address = format!("localhost:{}", server.addr().port());
    let client = Client::builder(address)
        .framing(Framing::lines())
        .greeting_hook(|io: GreetingIo| async move {
            io.send("AUTH hunter2");
            io.recv().await;
            Ok(())
        })
        .connect()
        .await
        .unwrap();
    let mut events = client.events();
    client.send("balance of alice").await.unwrap();
    client.recv_within(SOON).await.unwrap().unwrap();
    server.stop(End::Rst).await;
    let event = await_event(&mut events, "disconnected", SOON).await;
    let error = {
        client.abort();
        client.closed().await;
        client.try_send("balance of bob").unwrap_err()
    };
    let report = lost(event.kind.clone());
    assert_eq!(names(&report), ["connecting", "dialed", "greeting", "connected", "ended"]);
    for text in [
        report.to_string(),
        format!("{report:?} {:?} {:?}", report.entries, report.figures),
        format!("{event:?}"),
        format!("{error:?}"),
        error.to_string(),
    ] {
        for secret in ["hunter2", "AUTH", "balance", "alice", "bob", "localhost", "127.0.0.1"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

fn lost(kind: EventKind) -> Arc<Report> {
    let EventKind::Disconnected(end) = kind else { panic!("{kind:?}") };
    end.report.expect("it has just happened")
}

fn report_of(error: &Error) -> &Arc<Report> {
    error.report().unwrap_or_else(|| panic!("no report in {error:?}"))
}

fn names(report: &Report) -> Vec<&'static str> {
    report.entries.iter().map(|entry| entry.what.name()).collect()
}
