//! A client outlives its connections: what waits, what is dropped, what never crosses a boundary.

mod support;

use keepline::{Cause, Client, ErrorKind, EventKind, Framing, Heartbeat, Matcher, Outcome, State, WhileDown};
use keepline_testkit::ChaosProxy;
use keepline_testkit::chaos::{Direction, End, IdleMode};
use keepline_testkit::servers::{EchoServer, LineServer};
use std::future::Future;
use std::pin::pin;
use std::task::Context;
use support::look::Look;
use support::{SOON, assert_balanced, await_event, eventually, millis, secs};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

#[tokio::test]
async fn messages_accepted_while_down_arrive_in_order_on_the_next_connection() {
    let server = LineServer::start().await.unwrap();
    let client =
        Client::builder(server.addr()).framing(Framing::lines()).backoff_max(millis(500)).connect().await.unwrap();
    let mut events = client.events();
    server.stop(End::Rst).await;
    await_event(&mut events, "disconnected", SOON).await;
    for number in 0..100 {
        client.send(format!("line {number}")).await.unwrap();
    }
    assert_eq!(client.stats().messages.queued, 100);
    server.start_again().unwrap();
    server.await_lines(100, SOON).await.unwrap();
    let lines: Vec<String> = server.received().into_iter().map(|line| line.line).collect();
    assert_eq!(lines, (0..100).map(|number| format!("line {number}")).collect::<Vec<_>>());
    assert_balanced(&client);
}

#[tokio::test]
async fn with_reject_nothing_survives_into_the_next_connection() {
    let server = EchoServer::start().await.unwrap();
    let proxy = ChaosProxy::builder().receive_buffer(4096).start(server.addr()).await.unwrap();
    let client = Client::builder(proxy.addr())
        .framing(Framing::length_prefixed(4))
        .while_down(WhileDown::Reject)
        .outbox_bytes(16 << 20)
        .backoff_max(millis(500))
        .connect()
        .await
        .unwrap();
    let mut events = client.events();
    await_event(&mut events, "connected", SOON).await;
    proxy.stall(Direction::Up);
    let mut receipts = Vec::new();
    for _ in 0..200 {
        receipts.push(client.send_tracked(vec![0; 64 * 1024]).await.unwrap());
    }
    tokio::time::sleep(millis(300)).await;
    proxy.refuse();
    proxy.reset();
    let EventKind::Disconnected(disconnected) = await_event(&mut events, "disconnected", SOON).await.kind else {
        panic!()
    };
    assert_eq!(disconnected.messages.queued, 0);
    assert!(disconnected.messages.not_sent > 50, "{:?}", disconnected.messages);
    let error = client.try_send("stale command").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.cause(), Some(disconnected.ending.cause));
    let mut not_sent = 0;
    for mut receipt in receipts {
        match tokio::time::timeout(SOON, receipt.outcome()).await.unwrap().unwrap() {
            Outcome::NotSent => not_sent += 1,
            outcome => {
                assert_eq!(outcome, Outcome::Unknown);
                assert_eq!(not_sent, 0, "what was handed over comes before what was not");
            }
        }
    }
    assert_eq!(not_sent, disconnected.messages.not_sent);
    assert_balanced(&client);
}

#[tokio::test]
async fn a_partial_frame_dies_with_its_connection() {
    let server = EchoServer::start().await.unwrap();
    let proxy = ChaosProxy::start(server.addr()).await.unwrap();
    let client = Client::builder(proxy.addr())
        .framing(Framing::length_prefixed(4))
        .backoff_max(millis(500))
        .connect()
        .await
        .unwrap();
    let mut events = client.events();
    await_event(&mut events, "connected", SOON).await;
    // Four bytes of length and three of the message come back, then the connection is cut.
    proxy.limit(Direction::Down, 7, End::Fin);
    client.send("truncated").await.unwrap();
    let EventKind::Disconnected(disconnected) = await_event(&mut events, "disconnected", SOON).await.kind else {
        panic!()
    };
    assert_eq!(disconnected.ending.cause.as_str(), "protocol.truncated");
    proxy.clear();
    await_event(&mut events, "connected", SOON).await;
    client.send("whole").await.unwrap();
    let message = client.recv_within(SOON).await.unwrap().unwrap();
    assert_eq!(&message.payload[..], b"whole");
    assert_eq!(message.epoch, client.epoch());
}

#[tokio::test]
async fn half_close_by_the_peer_ends_the_connection_and_what_was_not_handed_over_goes_out_on_the_next() {
    const MESSAGES: usize = 60;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    // Inherited by what is accepted: its window shuts soon, and most of the messages stay in the outbox.
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(8).unwrap();
    let client = Client::builder(listener.local_addr().unwrap()).framing(Framing::lines()).outbox_bytes(16 << 20);
    let client = client.backoff_max(millis(500)).start().unwrap();
    let mut events = client.events_after(0);
    let (mut old, _) = listener.accept().await.unwrap();
    await_event(&mut events, "connected", SOON).await;
    for number in 0..MESSAGES {
        client.try_send(format!("{number:064000}")).unwrap();
    }
    tokio::time::sleep(millis(300)).await;
    assert!(client.stats().messages.queued > MESSAGES as u64 / 2, "{:?}", client.stats());
    old.shutdown().await.unwrap();
    let EventKind::Disconnected(disconnected) = await_event(&mut events, "disconnected", SOON).await.kind else {
        panic!()
    };
    assert_eq!(disconnected.ending.cause, Cause::PeerClosed);
    let waiting = disconnected.messages.queued as usize;
    // It reads on, to the end: nothing more is pressed on a peer that has finished.
    let before = numbers(old, MESSAGES).await;
    assert_eq!(before, (0..before.len()).collect::<Vec<_>>());
    assert!(before.len() <= MESSAGES - waiting, "{before:?} and {waiting} that wait");
    let (new, _) = listener.accept().await.unwrap();
    let after = numbers(new, waiting).await;
    assert_eq!(after, (MESSAGES - waiting..MESSAGES).collect::<Vec<_>>(), "in order, from a whole message on");
    assert_balanced(&client);
}

#[tokio::test]
async fn silence_is_noticed_by_the_heartbeat_within_the_bound() {
    let server = LineServer::start().await.unwrap();
    let proxy = ChaosProxy::start(server.addr()).await.unwrap();
    let client = Client::builder(proxy.addr())
        .framing(Framing::lines())
        .heartbeat(Heartbeat::new("PING").reply(Matcher::Exact("PONG".into())).every(secs(1)).reply_within(secs(2)))
        .backoff_max(millis(500))
        .connect()
        .await
        .unwrap();
    let mut events = client.events();
    await_event(&mut events, "connected", SOON).await;
    let bound = client.detection_bounds().peer_frozen.within.unwrap();
    proxy.silence(Direction::Both);
    let silent = std::time::Instant::now();
    await_event(&mut events, "suspect", SOON).await;
    let EventKind::Disconnected(disconnected) = await_event(&mut events, "disconnected", SOON).await.kind else {
        panic!()
    };
    assert!(silent.elapsed() <= bound + secs(2), "{:?}", silent.elapsed());
    assert_eq!(disconnected.ending.cause, Cause::PeerUnresponsive);
    assert!(client.try_recv().is_none(), "heartbeat replies are consumed");
}

#[tokio::test]
async fn a_heartbeat_keeps_a_mapping_alive_that_forgets_idle_connections() {
    let server = LineServer::start().await.unwrap();
    let proxy = ChaosProxy::start(server.addr()).await.unwrap();
    proxy.idle_cut(secs(2), IdleMode::Silent);
    let client = Client::builder(proxy.addr())
        .framing(Framing::lines())
        .heartbeat(Heartbeat::new("PING").reply(Matcher::Exact("PONG".into())).every(secs(1)).reply_within(secs(2)))
        .connect()
        .await
        .unwrap();
    tokio::time::sleep(secs(7)).await;
    client.send("still here").await.unwrap();
    assert_eq!(&client.recv_within(SOON).await.unwrap().unwrap().payload[..], b"still here");
    assert_eq!(client.stats().connections, 1);
    assert!(client.stats().heartbeats >= 4);
}

#[tokio::test]
async fn a_held_connection_that_is_released_in_time_is_kept() {
    let server = LineServer::start().await.unwrap();
    let proxy = ChaosProxy::start(server.addr()).await.unwrap();
    let client = Client::builder(proxy.addr())
        .framing(Framing::lines())
        .heartbeat(Heartbeat::new("PING").reply(Matcher::Exact("PONG".into())).every(secs(1)).reply_within(secs(6)))
        .connect()
        .await
        .unwrap();
    let mut events = client.events();
    proxy.hold(Direction::Both);
    await_event(&mut events, "suspect", SOON).await;
    proxy.release(Direction::Both);
    await_event(&mut events, "recovered", SOON).await;
    assert_eq!((client.state(), client.stats().connections), (State::Connected, 1));
}

#[tokio::test]
async fn messages_too_old_for_the_outbox_expire_while_there_is_no_connection() {
    let client = Client::builder("127.0.0.1:1").framing(Framing::lines()).outbox_age(secs(1)).start().unwrap();
    let mut receipt = client.send_tracked("soon stale").await.unwrap();
    assert_eq!(tokio::time::timeout(SOON, receipt.outcome()).await.unwrap().unwrap(), Outcome::Expired);
    assert_eq!(client.stats().messages.expired, 1);
    assert_balanced(&client);
}

#[tokio::test]
async fn a_server_that_closes_every_connection_at_once_is_not_hammered() {
    let server = EchoServer::start().await.unwrap();
    let proxy = ChaosProxy::start(server.addr()).await.unwrap();
    proxy.accept_then_fin();
    let client = Client::builder(proxy.addr()).start().unwrap();
    tokio::time::sleep(secs(5)).await;
    let attempts = client.stats().attempts;
    // Mean waits of 0.35, 0.35, 0.6, 1.1, 2.1 s: without growth there would be dozens.
    assert!((2..=16).contains(&attempts), "{attempts} attempts in 5 s");
}

#[tokio::test]
async fn pause_stays_away_and_resume_comes_back() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr()).connect().await.unwrap();
    let mut events = client.events();
    client.pause();
    await_event(&mut events, "paused", SOON).await;
    assert_eq!(client.state(), State::Idle);
    eventually("the server sees the end", SOON, || server.connections() == 0).await;
    client.resume();
    await_event(&mut events, "connected", SOON).await;
    client.reconnect();
    await_event(&mut events, "connected", SOON).await;
    assert_eq!(client.stats().connections, 3);
}

#[tokio::test]
async fn message_sent_after_a_pause_waits_for_the_next_connection() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr()).connect().await.unwrap();
    let mut events = client.events();
    // Nothing waits before it, and the connection is still up: it could be written at once.
    client.pause();
    let mut receipt = client.send_tracked("later").await.unwrap();
    await_event(&mut events, "paused", SOON).await;
    let stats = client.stats();
    assert_eq!((stats.messages.queued, stats.bytes_out), (1, 0));
    client.resume();
    assert_eq!(tokio::time::timeout(SOON, receipt.outcome()).await.unwrap().unwrap(), Outcome::Acked);
}

#[tokio::test]
async fn connect_tells_why_it_could_not_and_the_client_is_closed() {
    let error = Client::builder("127.0.0.1:1").connect_within(millis(300)).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.cause(), Some(Cause::Refused));
    let error = Client::builder("127.0.0.1:1").max_attempts(1).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exhausted);
    assert_eq!(error.cause(), Some(Cause::Refused));
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_told_as_such() {
    let error = Client::builder("no-such-host.invalid:80").connect_within(secs(3)).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.cause().unwrap().as_str().starts_with("dns."), "{error}");
}

#[tokio::test]
async fn kernel_options_are_set_and_read_back() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr()).connect().await.unwrap();
    let options = client.stats().options;
    let config = client.config();
    assert!(options.nodelay);
    #[cfg(target_os = "linux")]
    {
        assert_eq!(options.keepalive, config.keepalive);
        assert_eq!(options.user_timeout, config.user_timeout);
        if options.rto_max.is_some() {
            assert_eq!(options.rto_max, config.rto_max);
        }
    }
}

#[tokio::test]
async fn a_slow_reader_of_events_is_told_how_many_it_missed() {
    let client = Client::builder("127.0.0.1:1")
        .first_spread(millis(1))
        .backoff_initial(millis(1))
        .backoff_max(millis(1))
        .start()
        .unwrap();
    let mut events = client.events();
    eventually("more events than the ring holds", secs(60), || client.last_event() > 300).await;
    client.close(secs(0)).await;
    let first = events.recv().await.unwrap();
    let EventKind::Missed { count, .. } = first.kind else { panic!("{first:?}") };
    assert!(count > 40);
    let mut last = first;
    while let Some(event) = events.recv().await {
        assert_eq!(event.seq, last.seq + 1);
        last = event;
    }
    assert!(matches!(last.kind, EventKind::Closed(_)), "{last:?}");
}

/// Reads lines that are numbers until there are so many, or the connection ends.
async fn numbers(stream: tokio::net::TcpStream, count: usize) -> Vec<usize> {
    let mut lines = BufReader::new(stream).lines();
    let mut numbers = Vec::new();
    while numbers.len() < count {
        match tokio::time::timeout(SOON, lines.next_line()).await.unwrap() {
            // What ends without the end of a line was cut.
            Ok(Some(line)) if line.len() == 64_000 => numbers.push(line.parse().unwrap()),
            Ok(Some(_)) | Ok(None) | Err(_) => break,
        }
    }
    numbers
}

#[tokio::test]
async fn whoever_waited_for_the_connection_finds_its_state_its_count_and_its_event() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr()).start().unwrap();
    let look = Look::at(client.clone());
    let mut connected = pin!(client.connected());
    assert!(connected.as_mut().poll(&mut Context::from_waker(&look.clone().into())).is_pending());
    await_event(&mut client.events(), "connected", SOON).await;
    connected.await.unwrap();
    let seen = look.seen.lock().unwrap();
    assert!(seen.contains(&(State::Connected, 1, true)), "{seen:?}");
    let halves = seen.iter().filter(|(state, count, told)| [state.is_up(), *count == 1, *told] != [*told; 3]);
    assert_eq!(halves.count(), 0, "{seen:?}");
}
