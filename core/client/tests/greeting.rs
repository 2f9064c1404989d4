//! The greeting: nothing overtakes it, and without it there is no connection.

mod support;

use keepline::{AutoReply, Client, Correlation, ErrorKind, Framing, GreetingError, Matcher, Script, State};
use keepline_testkit::servers::{EchoServer, LineServer};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use support::{SOON, await_event, eventually, millis, secs};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

#[tokio::test]
async fn a_script_runs_before_any_message_of_the_user() {
    let server = LineServer::start().await.unwrap();
    let script = Script::default().send("hello server").expect(Matcher::Exact("hello server".into()));
    let client = Client::builder(server.addr()).framing(Framing::lines()).greeting(script).start().unwrap();
    client.send("first").await.unwrap();
    server.await_lines(2, SOON).await.unwrap();
    let lines: Vec<_> = server.received().into_iter().map(|line| line.line).collect();
    assert_eq!(lines, ["hello server", "first"]);
    assert_eq!(&client.recv_within(SOON).await.unwrap().unwrap().payload[..], b"first");
}

#[tokio::test]
async fn a_greeting_that_is_answered_wrongly_is_a_failed_attempt_with_backoff() {
    let server = EchoServer::start().await.unwrap();
    let script = Script::default().send("password").expect(Matcher::Exact("welcome".into()));
    let client = Client::builder(server.addr()).framing(Framing::lines()).greeting(script).start().unwrap();
    let mut events = client.events();
    let event = await_event(&mut events, "disconnected", SOON).await;
    let text = format!("{event:?}");
    assert!(text.contains("Greeting(Unexpected)"), "{text}");
    assert!(!text.contains("password") && !format!("{:?}", client.config()).contains("password"), "{text}");
    assert_ne!(client.state(), State::Connected);
}

#[tokio::test]
async fn a_server_that_accepts_and_never_speaks_fails_the_greeting_at_its_deadline() {
    let server = EchoServer::start().await.unwrap();
    server.freeze();
    let script = Script::default().send("anyone?").expect(Matcher::Any);
    let client = Client::builder(server.addr())
        .framing(Framing::lines())
        .greeting(script)
        .connect_per_address(millis(500))
        .connect_total(secs(1))
        .start()
        .unwrap();
    let mut events = client.events();
    let event = await_event(&mut events, "disconnected", secs(5)).await;
    assert!(format!("{event:?}").contains("Greeting(Timeout)"), "{event:?}");
}

#[tokio::test]
async fn a_hook_has_the_connection_to_itself_and_what_it_leaves_unread_goes_to_the_inbox() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        assert_eq!(line, "token 42\n");
        stream.get_mut().write_all(b"welcome\nnews 1\nnews 2\n").await.unwrap();
        line.clear();
        stream.read_line(&mut line).await.unwrap();
        assert_eq!(line, "from the user\n");
        stream.get_mut().write_all(b"news 3\n").await.unwrap();
        line.clear();
        let _end = stream.read_line(&mut line).await;
    });
    let client = Client::builder(address)
        .framing(Framing::lines())
        .greeting_hook(move |io| async move {
            assert_eq!(io.endpoint().unwrap().to_string(), address.to_string());
            io.send("token 42");
            if &io.recv().await[..] == b"welcome" { Ok(()) } else { Err(GreetingError::auth("refused")) }
        })
        .start()
        .unwrap();
    client.send("from the user").await.unwrap();
    for expected in ["news 1", "news 2", "news 3"] {
        assert_eq!(&client.recv_within(SOON).await.unwrap().unwrap().payload[..], expected.as_bytes());
    }
}

#[tokio::test]
async fn a_hook_that_panics_or_fails_is_a_failed_attempt_and_the_next_one_may_succeed() {
    let server = EchoServer::start().await.unwrap();
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    let client = Client::builder(server.addr())
        .framing(Framing::lines())
        .backoff_max(millis(300))
        .greeting_hook(move |_io| {
            let call = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                match call {
                    0 => panic!("a bug of the user"),
                    1 => Err(GreetingError::rejected("not yet")),
                    _ => Ok(()),
                }
            }
        })
        .start()
        .unwrap();
    let mut events = client.events();
    let first = await_event(&mut events, "disconnected", SOON).await;
    assert!(format!("{first:?}").contains("Panicked"), "{first:?}");
    let second = await_event(&mut events, "disconnected", SOON).await;
    assert!(format!("{second:?}").contains("Rejected"), "{second:?}");
    await_event(&mut events, "connected", SOON).await;
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn retry_after_of_a_greeting_is_honoured() {
    let server = EchoServer::start().await.unwrap();
    let client = Client::builder(server.addr())
        .greeting_hook(|_io| async { Err(GreetingError::rejected("busy").retry_after(secs(3))) })
        .start()
        .unwrap();
    let mut events = client.events();
    let event = await_event(&mut events, "disconnected", SOON).await;
    let keepline::EventKind::Disconnected(disconnected) = event.kind else { panic!() };
    assert!(disconnected.retry_in.unwrap() >= secs(3), "{disconnected:?}");
}

#[tokio::test]
async fn a_request_inside_the_hook_is_rejected_instead_of_waiting_for_itself() {
    let server = EchoServer::start().await.unwrap();
    let cell: Arc<std::sync::OnceLock<Client>> = Arc::default();
    let kind = Arc::new(std::sync::Mutex::new(None));
    let (client_cell, seen) = (cell.clone(), kind.clone());
    let client = Client::builder(server.addr())
        .framing(Framing::lines())
        .correlation(Correlation::Fifo)
        .greeting_hook(move |_io| {
            let (cell, seen) = (client_cell.clone(), seen.clone());
            async move {
                while cell.get().is_none() {
                    tokio::task::yield_now().await;
                }
                let error = cell.get().unwrap().request("question", secs(5)).await.unwrap_err();
                *seen.lock().unwrap() = Some(error.kind());
                Ok(())
            }
        })
        .start()
        .unwrap();
    assert!(cell.set(client.clone()).is_ok());
    eventually("connected", SOON, || client.state() == State::Connected).await;
    assert_eq!(*kind.lock().unwrap(), Some(ErrorKind::Rejected));
    client.close(secs(0)).await;
}

#[tokio::test]
async fn the_servers_own_pings_are_answered_and_not_delivered() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        for _ in 0..100 {
            stream.get_mut().write_all(b"PING\nmessage\n").await.unwrap();
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            assert_eq!(line, "PONG\n");
        }
    });
    let auto = AutoReply { when: Matcher::Exact("PING".into()), reply: "PONG".into() };
    let client =
        Client::builder(address).framing(Framing::lines()).auto_reply(auto.when, auto.reply).connect().await.unwrap();
    for _ in 0..100 {
        assert_eq!(&client.recv_within(SOON).await.unwrap().unwrap().payload[..], b"message");
    }
    serving.await.unwrap();
    assert!(client.try_recv().is_none());
}
