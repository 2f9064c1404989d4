//! The doctor names the right stage and cause: a table of faults on loopback. Those that need a network of their own are in
//! `lab/doctor.rs`.

use keepline::cause::{DnsFailure, GreetingFailure, ProtocolFailure};
use keepline::doctor::{Diagnosis, Doctor, Finding, StageName};
use keepline::{Builder, Cause, Client, Framing, Heartbeat, Keepalive, Matcher};
use keepline_testkit::port::ReservedPort;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PATIENCE: Duration = Duration::from_secs(2);

/// What a server on loopback does with each connection.
#[derive(Debug, Clone, Copy)]
enum Server {
    NeverAnswers,
    Closes,
    Resets,
    AnswersSomethingElse,
    SendsGarbage,
    Serves,
    SpeaksFirst,
    ClosesSilentOnes,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_names_stage_and_cause_of_faults_on_loopback() {
    let refusing = ReservedPort::loopback().unwrap();
    let nobody = format!("127.0.0.1:{}", refusing.port());
    let table: [(&str, Builder, StageName, Option<Cause>); 10] = [
        ("contradictory settings", asking(&nobody).detect_within(Duration::from_secs(1)), StageName::Config, None),
        ("no endpoint", asking("nonsense"), StageName::Config, None),
        ("no such name", asking("no-such-name.invalid:7000"), StageName::Names, Some(Cause::Dns(DnsFailure::NotFound))),
        ("nobody listens", asking(&nobody), StageName::Tcp, Some(Cause::Refused)),
        ("accept queue is full", asking(&full_queue().await), StageName::Tcp, Some(Cause::ConnectTimeout)),
        (
            "accepts, never answers",
            asking(&serve(Server::NeverAnswers).await),
            StageName::Greeting,
            Some(Cause::Greeting(GreetingFailure::Timeout)),
        ),
        ("closes at once", asking(&serve(Server::Closes).await), StageName::Greeting, Some(Cause::PeerClosed)),
        ("resets when asked", asking(&serve(Server::Resets).await), StageName::Greeting, Some(Cause::Reset)),
        (
            "answers something else",
            asking(&serve(Server::AnswersSomethingElse).await),
            StageName::Greeting,
            Some(Cause::Greeting(GreetingFailure::Timeout)),
        ),
        (
            "sends what is no frame",
            quiet(&serve(Server::SendsGarbage).await).framing(Framing::modbus_tcp()),
            StageName::Greeting,
            Some(Cause::Protocol(ProtocolFailure::Malformed)),
        ),
    ];
    for (fault, builder, stage, cause) in table {
        let diagnosis = Doctor::of(builder).patience(PATIENCE).listen(PATIENCE).examine().await;
        let failed = diagnosis.failed().unwrap_or_else(|| panic!("{fault}: {diagnosis:#?}"));
        assert_eq!((failed.name, failed.cause), (stage, cause), "{fault}: {diagnosis:#?}");
        assert_eq!(diagnosis.stages.last().map(|last| last.name), Some(stage), "{fault}: the way ends there");
        assert!(!diagnosis.words().is_empty());
    }
}

#[tokio::test]
async fn healthy_server_passes_every_stage_and_the_ones_on_request() {
    let builder = asking(&serve(Server::Serves).await);
    let doctor = Doctor::of(builder).patience(PATIENCE).path_mtu().idle(Duration::from_secs(1));
    let diagnosis = doctor.examine().await;
    assert!(diagnosis.is_healthy(), "{diagnosis:#?}");
    let stages = [
        StageName::Config,
        StageName::Names,
        StageName::Route,
        StageName::Tcp,
        StageName::Greeting,
        StageName::PathMtu,
        StageName::Idle,
    ];
    assert_eq!(diagnosis.stages.iter().map(|stage| stage.name).collect::<Vec<_>>(), stages);
    assert!(diagnosis.stages.iter().all(|stage| stage.finding == Finding::Passed), "{diagnosis:#?}");
    assert!(diagnosis.words().ends_with("the way is open to its end."), "{}", diagnosis.words());
}

#[tokio::test]
async fn server_that_is_asked_nothing_is_told_from_one_that_speaks_first() {
    let finding = |diagnosis: &Diagnosis| diagnosis.stage(StageName::Greeting).map(|stage| stage.finding);
    let silent = examine(quiet(&serve(Server::NeverAnswers).await)).await;
    assert_eq!(finding(&silent), Some(Finding::Warned), "{silent:#?}");
    assert!(silent.words().contains("declare a heartbeat"), "{}", silent.words());
    let speaking = examine(quiet(&serve(Server::SpeaksFirst).await)).await;
    assert_eq!(finding(&speaking), Some(Finding::Passed), "{speaking:#?}");
    assert!(speaking.stages.iter().flat_map(|stage| &stage.facts).any(|fact| fact.value == "220 ready \\u{1b}[31m"));
}

#[tokio::test]
async fn server_that_ends_silent_connections_is_found_by_the_idle_test() {
    let builder = quiet(&serve(Server::ClosesSilentOnes).await);
    let doctor = Doctor::of(builder).patience(PATIENCE).listen(Duration::from_millis(100));
    let diagnosis = doctor.idle(Duration::from_secs(4)).idle(Duration::from_millis(1_000)).examine().await;
    let failed = diagnosis.failed().unwrap();
    assert_eq!((failed.name, failed.cause), (StageName::Idle, Some(Cause::PeerClosed)), "{diagnosis:#?}");
    assert!(failed.facts.iter().any(|fact| fact.to_string() == "died_after: 4s"), "{diagnosis:#?}");
}

#[tokio::test]
async fn examination_leaves_nothing_behind_at_the_server() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (living, mut all_ended) = tokio::sync::mpsc::channel::<()>(1);
    let accepting = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let living = living.clone();
            tokio::spawn(async move {
                act(Server::Serves, stream).await;
                drop(living);
            });
        }
    });
    let diagnosis = examine(asking(&address)).await;
    assert!(diagnosis.is_healthy(), "{diagnosis:#?}");
    accepting.abort();
    // The channel ends when nobody has its other end any more: neither the acceptor nor a connection.
    let over = tokio::time::timeout(secs(5), all_ended.recv()).await;
    assert_eq!(over, Ok(None), "every connection of the examination has ended");
}

async fn examine(builder: Builder) -> Diagnosis {
    Doctor::of(builder).patience(PATIENCE).listen(Duration::from_millis(500)).examine().await
}

/// A client that asks.
fn asking(endpoint: &str) -> Builder {
    let ping = Heartbeat::new("PING").reply(Matcher::Exact("PONG".into()));
    Client::builder(endpoint).framing(Framing::lines()).heartbeat(ping.every(secs(5)).reply_within(secs(2)))
}

/// A client that asks nothing.
fn quiet(endpoint: &str) -> Builder {
    let keepalive = Keepalive { idle: secs(5), interval: secs(1), retries: 3 };
    Client::builder(endpoint).framing(Framing::lines()).keepalive(keepalive)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A server that does this with each connection, until the test ends.
async fn serve(server: Server) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(act(server, stream));
        }
    });
    address
}

async fn act(server: Server, mut stream: TcpStream) {
    match server {
        Server::NeverAnswers => hold(&mut stream).await,
        Server::Closes => drop(stream.shutdown().await),
        Server::Resets => {
            // Not before it is asked: a reset that overtakes the end of the dial would be one of TCP.
            let _asked = stream.read(&mut [0; 64]).await;
            let _gone = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
        Server::AnswersSomethingElse => answer(&mut stream, b"HTTP/1.1 400 Bad Request\n").await,
        Server::SendsGarbage => {
            let _gone = stream.write_all(&[0xff; 64]).await;
            hold(&mut stream).await;
        }
        Server::Serves => answer(&mut stream, b"PONG\n").await,
        Server::SpeaksFirst => {
            let _gone = stream.write_all(b"220 ready \x1b[31m\n").await;
            hold(&mut stream).await;
        }
        Server::ClosesSilentOnes => {
            let silent = tokio::time::timeout(Duration::from_millis(2_500), stream.read(&mut [0; 64])).await;
            drop(silent);
        }
    }
}

/// Reads until the other side ends.
async fn hold(stream: &mut TcpStream) {
    let mut read = [0; 1_024];
    while stream.read(&mut read).await.is_ok_and(|count| count > 0) {}
}

/// Answers each line.
async fn answer(stream: &mut TcpStream, with: &[u8]) {
    let mut read = [0; 4_096];
    while let Ok(count @ 1..) = stream.read(&mut read).await {
        for _ in read[..count].iter().filter(|byte| **byte == b'\n') {
            if stream.write_all(with).await.is_err() {
                return;
            }
        }
    }
}

/// A listener that holds one connection and accepts none; it lives as long as the process.
async fn full_queue() -> String {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let listener = std::net::TcpListener::from(socket);
    let address = listener.local_addr().unwrap();
    let filler = TcpStream::connect(address).await.unwrap();
    std::mem::forget((listener, filler));
    address.to_string()
}
