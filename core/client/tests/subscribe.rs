//! Subscriptions: each connection begins with them, in order, before anything else.

mod support;

use bytes::Bytes;
use keepline::cause::GreetingFailure;
use keepline::proto::subscriptions::{MOST_SUBSCRIPTION_BYTES, MOST_SUBSCRIPTIONS};
use keepline::{
    Cause, Client, Correlation, ErrorKind, EventKind, Framing, Heartbeat, Matcher, Profile, Script, State, Subscription,
};
use keepline_testkit::ChaosProxy;
use keepline_testkit::chaos::Direction;
use keepline_testkit::servers::{EchoServer, LineServer};
use support::{SOON, assert_balanced, await_event, eventually, millis, secs};

#[tokio::test]
async fn each_connection_begins_with_them_after_the_greeting_and_before_what_waits() {
    let server = LineServer::start().await.unwrap();
    let script = Script::default().send("hello").expect(Matcher::Exact("hello".into()));
    let client = Client::builder(server.addr()).framing(Framing::lines()).greeting(script).start().unwrap();
    client.send("first").await.unwrap();
    for key in ["b", "a", "c"] {
        client.subscribe(key, format!("sub {key}")).unwrap();
    }
    let once = ["hello", "sub b", "sub a", "sub c", "first"];
    server.await_lines(5, SOON).await.unwrap();
    assert_eq!(lines(&server), once);
    client.pause();
    eventually("away", SOON, || client.state() == State::Idle).await;
    client.send("second").await.unwrap();
    assert!(client.unsubscribe("a", Some("unsub a".into())).unwrap());
    assert!(!client.unsubscribe("a", Some("unsub a".into())).unwrap());
    client.subscribe("d", "sub d").unwrap();
    client.resume();
    server.await_lines(10, SOON).await.unwrap();
    assert_eq!(lines(&server)[5..], ["hello", "sub b", "sub c", "sub d", "second"]);
    assert_balanced(&client);
}

#[tokio::test]
async fn on_a_living_connection_it_goes_out_at_once_in_order_and_only_once() {
    let server = LineServer::start().await.unwrap();
    let client = Client::builder(server.addr()).framing(Framing::lines()).connect().await.unwrap();
    client.send("before").await.unwrap();
    client.subscribe("news", "sub news").unwrap();
    client.subscribe("news", "sub news").unwrap();
    client.send("between").await.unwrap();
    client.subscribe("news", "sub news 2").unwrap();
    assert!(client.unsubscribe("news", Some("unsub news".into())).unwrap());
    client.send("after").await.unwrap();
    server.await_lines(6, SOON).await.unwrap();
    assert_eq!(lines(&server), ["before", "sub news", "between", "sub news 2", "unsub news", "after"]);
    assert_eq!(client.subscriptions(), 0);
    assert_balanced(&client);
}

#[tokio::test]
async fn list_is_kept_where_messages_are_rejected_while_down() {
    let server = LineServer::start().await.unwrap();
    let client =
        Client::builder(server.addr()).profile(Profile::Industrial).framing(Framing::lines()).connect().await.unwrap();
    client.pause();
    eventually("away", SOON, || client.state() == State::Idle).await;
    assert_eq!(client.try_send("stale").unwrap_err().kind(), ErrorKind::Unavailable);
    client.subscribe("news", "sub news").unwrap();
    client.resume();
    server.await_lines(1, SOON).await.unwrap();
    client.send("fresh").await.unwrap();
    server.await_lines(2, SOON).await.unwrap();
    assert_eq!(lines(&server), ["sub news", "fresh"]);
}

#[tokio::test]
async fn connected_comes_only_after_the_peer_has_confirmed_and_the_confirmation_is_consumed() {
    let server = LineServer::start().await.unwrap();
    let client = Client::builder(server.addr()).framing(Framing::lines()).start().unwrap();
    for key in ["a", "b"] {
        let confirmed =
            Subscription::new(format!("sub {key}")).confirmed_by(Matcher::Exact(format!("sub {key}").into()));
        client.subscribe(key, confirmed).unwrap();
    }
    client.subscribe("c", "sub c").unwrap();
    let mut events = client.events();
    await_event(&mut events, "connected", SOON).await;
    assert!(lines(&server).len() >= 2, "the peer has answered both");
    // The server says every line again: only what nobody waited for is left.
    assert_eq!(&client.recv_within(SOON).await.unwrap().unwrap().payload[..], b"sub c");
    assert!(client.try_recv().is_none());

    server.freeze();
    client.reconnect();
    tokio::time::sleep(millis(300)).await;
    assert_eq!(client.state(), State::Connecting);
    server.thaw();
    await_event(&mut events, "connected", SOON).await;
}

#[tokio::test]
async fn peer_that_never_confirms_fails_the_attempt_at_its_deadline() {
    let server = LineServer::start().await.unwrap();
    let client = Client::builder(server.addr())
        .framing(Framing::lines())
        .connect_per_address(millis(500))
        .connect_total(secs(1))
        .start()
        .unwrap();
    client.subscribe("a", Subscription::new("sub a").confirmed_by(Matcher::Exact("yes".into()))).unwrap();
    let event = await_event(&mut client.events(), "disconnected", SOON).await;
    let EventKind::Disconnected(end) = event.kind else { panic!("{event:?}") };
    assert_eq!(end.ending.cause, Cause::Greeting(GreetingFailure::Timeout));
}

#[tokio::test]
async fn requests_find_their_replies_beside_subscriptions_that_are_answered_or_not() {
    // An echo answers every frame; what is declared as unanswered is answered by a pushed one here.
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr())
        .framing(Framing::lines())
        .correlation(Correlation::Fifo)
        .push(Matcher::Prefix(">".into()))
        .connect()
        .await
        .unwrap();
    let mut events = client.events();
    await_event(&mut events, "connected", SOON).await;
    for round in 0..3 {
        for number in 0..20 {
            let key = format!("{round}.{number}");
            client.subscribe(&key, format!("> push {key}")).unwrap();
            let question = format!("question {key}");
            assert_eq!(client.request(question.clone(), SOON).await.unwrap(), question);
            let answered = Subscription::new(format!("sub {key}")).confirmed_by(Matcher::Prefix("sub".into()));
            client.subscribe("answered", answered).unwrap();
        }
        client.reconnect();
        await_event(&mut events, "connected", SOON).await;
        assert_eq!(client.request("again", SOON).await.unwrap(), "again");
    }
    let mut seen = Vec::new();
    while let Ok(Some(message)) = client.recv_within(millis(300)).await {
        seen.push(String::from_utf8(message.payload.to_vec()).unwrap());
    }
    assert!(seen.iter().all(|line| line.starts_with("> push") || line.starts_with("sub ")), "{seen:?}");
    assert_balanced(&client);
}

#[tokio::test]
async fn list_that_changes_while_connections_come_and_go_is_always_told_whole_and_in_order() {
    let server = LineServer::start().await.unwrap();
    let proxy = ChaosProxy::start(server.addr()).await.unwrap();
    let client = Client::builder(proxy.addr())
        .framing(Framing::lines())
        .first_spread(millis(1))
        .backoff_initial(millis(1))
        .backoff_max(millis(1))
        .connect()
        .await
        .unwrap();
    let changing = client.clone();
    let changes = tokio::task::spawn_blocking(move || {
        for number in 0..400u32 {
            let _full = changing.subscribe(&number.to_string(), format!("sub {number}"));
            if number % 7 == 0 {
                let _none = changing.unsubscribe(&number.to_string(), None);
            }
            std::thread::sleep(millis(2));
        }
    });
    while !changes.is_finished() {
        tokio::time::sleep(millis(60)).await;
        proxy.reset();
    }
    changes.await.unwrap();
    eventually("connected", SOON, || client.state() == State::Connected).await;
    let before = server.received().len();
    client.reconnect();
    let expected: Vec<String> =
        (0..400).filter(|number| number % 7 != 0).map(|number| format!("sub {number}")).collect();
    eventually("the whole list", SOON, || server.received().len() >= before + expected.len()).await;
    client.send("end").await.unwrap();
    eventually("the end", SOON, || lines(&server).last().is_some_and(|line| line == "end")).await;
    let lines = lines(&server);
    assert_eq!(lines[lines.len() - 1 - expected.len()..lines.len() - 1], expected);
    assert_balanced(&client);
}

#[tokio::test]
async fn long_list_reaches_a_peer_that_answers_every_frame_before_it_reads_on() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr()).framing(Framing::lines()).start().unwrap();
    // 900 KB out and 900 KB back: more than the buffers on the way hold.
    for number in 0..300 {
        client.subscribe(&number.to_string(), format!("{number} {}", "x".repeat(3_000))).unwrap();
    }
    client.send("last").await.unwrap();
    for number in 0..300 {
        let message = client.recv_within(SOON).await.unwrap().unwrap();
        assert!(message.payload.starts_with(format!("{number} ").as_bytes()), "{number}");
    }
    assert_eq!(&client.recv_within(SOON).await.unwrap().unwrap().payload[..], b"last");
}

#[tokio::test]
async fn challenger_is_told_them_once_it_has_won() {
    let server = LineServer::start().await.unwrap();
    let proxy = ChaosProxy::start(server.addr()).await.unwrap();
    let heartbeat = Heartbeat::new("PING").reply(Matcher::Prefix("P".into())).every(secs(1)).reply_within(secs(6));
    let client = Client::builder(proxy.addr())
        .framing(Framing::lines())
        .heartbeat(heartbeat)
        .concurrent_ok()
        .connect()
        .await
        .unwrap();
    client.subscribe("news", Subscription::new("sub news").confirmed_by(Matcher::Exact("sub news".into()))).unwrap();
    server.await_lines(1, SOON).await.unwrap();
    let mut events = client.events();
    await_event(&mut events, "connected", SOON).await;
    proxy.silence(Direction::Up);
    proxy.silence(Direction::Down);
    let before = proxy.received(Direction::Up);
    client.send("P").await.unwrap();
    eventually("the silence bites", SOON, || proxy.received(Direction::Up) > before).await;
    proxy.pass(Direction::Up);
    proxy.pass(Direction::Down);
    await_event(&mut events, "suspect", SOON).await;
    client.send("waits").await.unwrap();
    let end = await_event(&mut events, "disconnected", SOON).await;
    let EventKind::Disconnected(end) = end.kind else { panic!("{end:?}") };
    assert_eq!(end.ending.cause, Cause::Replaced);
    client.send("after").await.unwrap();
    eventually("the line arrives", SOON, || lines(&server).iter().any(|line| line == "after")).await;
    let lines = lines(&server);
    let told: Vec<_> = lines.iter().filter(|line| *line == "sub news" || *line == "after").collect();
    assert_eq!(told, ["sub news", "sub news", "after"], "{lines:?}");
}

#[tokio::test]
async fn what_the_list_or_the_framing_cannot_take_is_rejected_and_changes_nothing() {
    let server = EchoServer::start().await.unwrap();
    let framing = Framing::lines().with_max(MOST_SUBSCRIPTION_BYTES * 2);
    let client = Client::builder(server.addr()).framing(framing).outbox_bytes(4 << 20).connect().await.unwrap();
    let rejected = |result: Result<(), keepline::Error>| assert_eq!(result.unwrap_err().kind(), ErrorKind::Rejected);
    rejected(client.subscribe("a", "two\nlines"));
    rejected(client.subscribe("a", vec![b'x'; MOST_SUBSCRIPTION_BYTES]));
    assert_eq!(client.unsubscribe("a", Some(Bytes::from("two\nlines"))).unwrap_err().kind(), ErrorKind::Rejected);
    assert_eq!(client.subscriptions(), 0);
    client.pause();
    eventually("away", SOON, || client.state() == State::Idle).await;
    for number in 0..MOST_SUBSCRIPTIONS {
        client.subscribe(&number.to_string(), "s").unwrap();
    }
    rejected(client.subscribe("one more", "s"));
    assert_eq!(client.subscriptions(), MOST_SUBSCRIPTIONS);
    client.close(secs(0)).await;
    assert_eq!(client.subscribe("late", "s").unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(client.unsubscribe("1", None).unwrap_err().kind(), ErrorKind::Closed);
}

fn lines(server: &LineServer) -> Vec<String> {
    server.received().into_iter().map(|line| line.line).collect()
}
