//! Make before break: a second connection beside a suspect one, on real sockets.

mod support;

use keepline::{
    Builder, Cause, Client, Correlation, Disconnected, Epoch, Event, EventKind, Framing, Heartbeat, Matcher, Outcome,
    Script, State,
};
use keepline_testkit::ChaosProxy;
use keepline_testkit::chaos::Direction;
use keepline_testkit::servers::{EchoServer, LineServer};
use std::time::{Duration, Instant};
use support::{SOON, assert_balanced, await_event, eventually, millis, secs};

/// Heartbeats after 1 s, suspicion 3 s later, the verdict at 7 s.
const DEAD_AFTER: Duration = secs(7);

#[tokio::test]
async fn challenger_takes_over_before_the_deadline_and_what_waits_goes_with_it() {
    let server = LineServer::start().await.unwrap();
    let proxy = ChaosProxy::start(server.addr()).await.unwrap();
    let client = challenging(&proxy).connect().await.unwrap();
    let mut events = client.events();
    await_event(&mut events, "connected", SOON).await;
    let before = Instant::now();
    silence_for_ever(&proxy, &client).await;
    let mut lost = client.send_tracked("into the void").await.unwrap();
    await_event(&mut events, "suspect", SOON).await;
    let begun = await_event(&mut events, "connecting", SOON).await;
    assert_eq!(begun.kind.epoch(), Some(Epoch(2)));
    let end = disconnected(await_event(&mut events, "disconnected", SOON).await);
    assert_eq!((end.epoch, end.ending.cause, end.retry_in), (Epoch(1), Cause::Replaced, Some(Duration::ZERO)));
    let connected = await_event(&mut events, "connected", SOON).await;
    assert_eq!(connected.kind.epoch(), Some(Epoch(2)));
    assert!(before.elapsed() < DEAD_AFTER, "{:?}", before.elapsed());
    // The proxy's kernel has it, where the figures tell.
    assert!(matches!(lost.outcome().await.unwrap(), Outcome::Acked | Outcome::Unknown));
    client.send("on the second").await.unwrap();
    eventually("the line arrives", SOON, || server.received().iter().any(|line| line.line == "on the second")).await;
    assert!(
        !server.received().iter().any(|line| line.line == "into the void"),
        "what was handed over is not sent again"
    );
    assert_balanced(&client);
}

#[tokio::test]
async fn connection_that_answers_first_stays_and_nothing_of_the_challenger_is_delivered() {
    let server = LineServer::start().await.unwrap();
    let proxy = ChaosProxy::start(server.addr()).await.unwrap();
    let client = challenging(&proxy).connect().await.unwrap();
    let mut events = client.events();
    await_event(&mut events, "connected", SOON).await;
    proxy.hold(Direction::Up);
    await_event(&mut events, "suspect", SOON).await;
    proxy.await_connections(2, SOON).await.unwrap();
    eventually("the challenger asks", SOON, || proxy.connections().iter().all(|one| one.received_up > 0)).await;
    // Both hear it: life for the connection, no answer for the challenger.
    proxy.inject(Direction::Down, b"news\n");
    await_event(&mut events, "recovered", SOON).await;
    let end = disconnected(await_event(&mut events, "disconnected", SOON).await);
    assert_eq!((end.epoch, end.ending.cause), (Epoch(2), Cause::Replaced));
    assert_eq!((end.up_for, end.retry_in), (None, None));
    assert_eq!(client.state(), State::Connected);
    proxy.release(Direction::Up);
    let news = client.recv_within(SOON).await.unwrap().unwrap();
    assert_eq!((news.epoch, &news.payload[..]), (Epoch(1), &b"news"[..]));
    eventually("the challenger is gone", SOON, || proxy.connections().len() == 1).await;
    tokio::time::sleep(secs(2)).await;
    assert_eq!((client.state(), client.stats().inbox, client.stats().failures), (State::Connected, 0, 0));
    assert_eq!(events.try_recv(), None);
}

#[tokio::test]
async fn requests_of_the_loser_fail_and_those_of_the_winner_are_told_apart() {
    let server = EchoServer::start().await.unwrap();
    let proxy = ChaosProxy::start(server.addr()).await.unwrap();
    let client = challenging(&proxy).correlation(Correlation::Fifo).connect().await.unwrap();
    let mut events = client.events();
    await_event(&mut events, "connected", SOON).await;
    silence_for_ever(&proxy, &client).await;
    let asking = tokio::spawn({
        let client = client.clone();
        async move { client.request("lost", SOON).await }
    });
    let end = disconnected(await_event(&mut events, "disconnected", SOON).await);
    assert_eq!((end.epoch, end.ending.cause), (Epoch(1), Cause::Replaced));
    let error = asking.await.unwrap().unwrap_err();
    assert_eq!(error.cause(), Some(Cause::Replaced));
    for number in 0..20 {
        let question = format!("question {number}");
        assert_eq!(client.request(question.clone(), SOON).await.unwrap(), question);
    }
}

#[tokio::test]
async fn greeting_of_the_challenger_runs_while_the_connection_still_lives() {
    let server = EchoServer::start().await.unwrap();
    let proxy = ChaosProxy::start(server.addr()).await.unwrap();
    let script = Script::default().send("HELLO").expect(Matcher::Exact("HELLO".into()));
    let client = challenging(&proxy).greeting(script).connect().await.unwrap();
    let mut events = client.events();
    await_event(&mut events, "connected", SOON).await;
    silence_for_ever(&proxy, &client).await;
    let connected = await_event(&mut events, "connected", SOON).await;
    assert_eq!(connected.kind.epoch(), Some(Epoch(2)));
    client.send("after").await.unwrap();
    let message = client.recv_within(SOON).await.unwrap().unwrap();
    assert_eq!((message.epoch, &message.payload[..]), (Epoch(2), &b"after"[..]));
}

#[tokio::test]
async fn stream_is_revoked_for_the_challenger_that_took_over() {
    let server = EchoServer::start().await.unwrap();
    let proxy = ChaosProxy::start(server.addr()).await.unwrap();
    let builder = Client::builder(proxy.addr()).read_idle(secs(600)).concurrent_ok();
    let streams = builder.connect_streams().await.unwrap();
    let first = streams.next().await.unwrap();
    streams.client().network_changed(None);
    let second = tokio::time::timeout(SOON, streams.next()).await.unwrap().unwrap();
    assert_eq!((first.epoch(), second.epoch()), (Epoch(1), Epoch(2)));
}

/// A client whose heartbeats a line server answers with PONG and an echo server with PING.
fn challenging(proxy: &ChaosProxy) -> Builder {
    let heartbeat = Heartbeat::new("PING").reply(Matcher::Prefix("P".into())).every(secs(1)).reply_within(secs(6));
    Client::builder(proxy.addr()).framing(Framing::lines()).heartbeat(heartbeat).concurrent_ok()
}

/// The present connection falls silent for ever; the next ones are served.
async fn silence_for_ever(proxy: &ChaosProxy, client: &Client) {
    proxy.silence(Direction::Up);
    proxy.silence(Direction::Down);
    let before = proxy.received(Direction::Up);
    client.send("P").await.unwrap();
    eventually("the silence bites", SOON, || proxy.received(Direction::Up) > before).await;
    tokio::time::sleep(millis(50)).await;
    proxy.pass(Direction::Up);
    proxy.pass(Direction::Down);
}

fn disconnected(event: Event) -> Disconnected {
    let EventKind::Disconnected(end) = event.kind else { panic!("{event:?}") };
    *end
}
