//! Stream clients: one connection at a time, ended by an error at the boundary, never spliced.

mod support;

use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use keepline::{Cause, Client, ErrorKind, EventKind, Framing, Heartbeat, State};
use keepline_testkit::chaos::End;
use keepline_testkit::port::ReservedPort;
use keepline_testkit::servers::EchoServer;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Context;
use support::look::Look;
use support::{SOON, await_event, eventually, millis, secs};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn bytes_pass_both_ways_and_the_boundary_is_the_end_of_the_stream() {
    let server = EchoServer::start().await.unwrap();
    let streams = Client::builder(server.addr()).backoff_max(secs(1)).connect_streams().await.unwrap();
    let mut stream = streams.next().await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"hello");

    server.stop(End::Rst).await;
    let error = tokio::time::timeout(SOON, stream.read_exact(&mut answer)).await.unwrap().unwrap_err();
    assert!(!error.to_string().is_empty());
    assert!(stream.write_all(b"more").await.is_err() || stream.read(&mut answer).await.is_err());
    server.start_again().unwrap();
    let mut next = tokio::time::timeout(SOON, streams.next()).await.unwrap().unwrap();
    assert!(next.epoch() > stream.epoch());
    next.write_all(b"again").await.unwrap();
    next.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"again");
    assert!(stream.read(&mut answer).await.is_err(), "an old stream never comes back to life");
}

#[tokio::test]
async fn connection_is_handed_out_once_its_state_its_count_and_its_event_are_there() {
    let server = EchoServer::start().await.unwrap();
    let streams = Client::builder(server.addr()).start_streams().unwrap();
    let look = Look::at(streams.client().clone());
    let mut next = pin!(streams.next());
    assert!(next.as_mut().poll(&mut Context::from_waker(&look.clone().into())).is_pending());
    await_event(&mut streams.client().events(), "connected", SOON).await;
    assert_eq!(*look.seen.lock().unwrap(), [(State::Connected, 1, true)]);
    assert_eq!(next.await.unwrap().epoch(), streams.client().epoch());
}

#[tokio::test]
async fn dropping_a_stream_ends_its_connection_and_the_next_is_dialled_at_once() {
    let server = EchoServer::start().await.unwrap();
    let streams = Client::builder(server.addr()).connect_streams().await.unwrap();
    for round in 1..=5 {
        let mut stream = tokio::time::timeout(SOON, streams.next()).await.unwrap().unwrap();
        stream.write_all(b"x").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'x');
        drop(stream);
        assert_eq!(streams.client().stats().connections, round);
    }
}

#[tokio::test]
async fn closing_the_client_ends_the_stream_with_an_error() {
    let server = EchoServer::start().await.unwrap();
    let streams = Client::builder(server.addr()).connect_streams().await.unwrap();
    let mut stream = streams.next().await.unwrap();
    let reading = tokio::spawn(async move { stream.read_u8().await });
    tokio::time::sleep(millis(50)).await;
    tokio::time::timeout(SOON, streams.close(secs(0))).await.unwrap();
    assert!(tokio::time::timeout(SOON, reading).await.unwrap().unwrap().is_err());
    assert_eq!(streams.next().await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn client_of_one_connection_ends_with_it_and_dials_no_other() {
    let server = EchoServer::start().await.unwrap();
    let only = || Client::builder(server.addr()).one_connection(true).connect_streams();

    let streams = only().await.unwrap();
    drop(streams.next().await.unwrap());
    assert_eq!(tokio::time::timeout(SOON, streams.client().closed()).await.unwrap().cause, Cause::Requested);
    assert_eq!(streams.client().stats().attempts, 1);

    let streams = only().await.unwrap();
    let mut stream = streams.next().await.unwrap();
    server.stop(End::Rst).await;
    let error = tokio::time::timeout(SOON, stream.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(stream.explain(&error).cause(), Some(Cause::Reset));
    assert_eq!(tokio::time::timeout(SOON, streams.client().closed()).await.unwrap().cause, Cause::Reset);
    assert_eq!(streams.client().stats().attempts, 1);
    assert_eq!(streams.next().await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn stream_that_may_be_half_open_is_written_to_after_the_peer_has_said_all() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let streams = Client::builder(listener.local_addr().unwrap()).start_streams().unwrap();
    let (mut peer, _) = listener.accept().await.unwrap();
    peer.write_all(b"that is all").await.unwrap();
    peer.shutdown().await.unwrap();

    let mut stream = streams.next().await.unwrap();
    stream.half_open(true);
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"that is all");
    stream.write_all(b"still here").await.unwrap();
    let epoch = stream.epoch();
    drop(stream);
    let mut answer = Vec::new();
    tokio::time::timeout(SOON, peer.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer, b"still here", "left in order: nothing of it is lost");

    // The peer left first: the next attempt waits as the curve says.
    let mut events = streams.client().events();
    let lost = await_event(&mut events, "disconnected", SOON).await;
    let EventKind::Disconnected(lost) = lost.kind else { panic!("not an end: {lost:?}") };
    assert_eq!((lost.epoch, lost.ending.cause), (epoch, Cause::PeerClosed));
    assert!(lost.retry_in.is_some_and(|wait| wait >= millis(100)), "{lost:?}");
}

#[tokio::test]
async fn connection_that_the_peer_left_while_nobody_had_it_is_passed_over() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let streams = Client::builder(listener.local_addr().unwrap()).connect_streams().await.unwrap();
    let (mut left, _) = listener.accept().await.unwrap();
    left.shutdown().await.unwrap();
    let stale = streams.client().epoch();
    eventually("the end has arrived", SOON, || is_acknowledged(&left)).await;
    // The runtime has to look at its sockets once to know.
    tokio::task::yield_now().await;
    let answering = tokio::spawn(async move {
        let (mut second, _) = listener.accept().await.unwrap();
        second.write_all(b"!").await.unwrap();
        second
    });
    let mut stream = tokio::time::timeout(SOON, streams.next()).await.unwrap().unwrap();
    assert!(stream.epoch() > stale);
    assert_eq!(stream.read_u8().await.unwrap(), b'!');
    drop(answering.await.unwrap());
}

#[tokio::test]
async fn close_waits_for_the_user_of_the_stream_and_not_longer() {
    let server = EchoServer::start().await.unwrap();
    let streams = Client::builder(server.addr()).connect_streams().await.unwrap();
    let mut stream = streams.next().await.unwrap();
    stream.write_all(b"x").await.unwrap();
    let client = streams.client().clone();
    let closing = tokio::spawn(async move { client.close(SOON).await });
    assert_eq!(stream.read_u8().await.unwrap(), b'x');
    drop(stream);
    assert_eq!(tokio::time::timeout(SOON, closing).await.unwrap().unwrap().cause, Cause::Requested);
}

#[tokio::test]
async fn waiting_for_a_connection_ends_in_time_with_the_last_cause_and_the_client_goes_on() {
    let port = ReservedPort::loopback().unwrap();
    let streams = Client::builder(port.addr()).backoff_max(millis(500)).start_streams().unwrap();
    let error = streams.next_within(millis(300)).await.unwrap_err();
    assert_eq!((error.kind(), error.cause()), (ErrorKind::Unavailable, Some(Cause::Refused)));
    let _listener = listen(port.addr());
    tokio::time::timeout(SOON, streams.next()).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_belongs_to_messages_is_refused_on_a_stream_client() {
    let builder = || Client::builder("127.0.0.1:1");
    for (field, refused) in [
        ("framing", builder().framing(Framing::lines())),
        ("outbox", builder().outbox_bytes(1000)),
        ("heartbeat", builder().framing(Framing::lines()).heartbeat(Heartbeat::new("ping"))),
    ] {
        let error = refused.start_streams().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().starts_with(field), "{error}");
    }
    let streams = builder().start_streams().unwrap();
    assert_eq!(streams.client().try_send("x").unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn hyper_runs_over_streams_through_a_restart() {
    let port = ReservedPort::loopback().unwrap();
    let server = serve_http(port.addr()).await;
    let streams = Client::builder(port.addr()).backoff_max(millis(500)).connect_streams().await.unwrap();
    let mut events = streams.client().events();
    assert_eq!(get(&streams, "/one").await, "you asked for /one");

    // The server's runtime takes its connections with it, like a process.
    server.stop();
    await_event(&mut events, "disconnected", SOON).await;
    let _server = serve_http(port.addr()).await;
    assert_eq!(tokio::time::timeout(SOON, get(&streams, "/two")).await.unwrap(), "you asked for /two");
    assert!(matches!(streams.client().state(), State::Connected | State::Connecting | State::Waiting));
}

async fn get(streams: &keepline::Streams, path: &str) -> String {
    loop {
        let stream = streams.next().await.unwrap();
        let Ok((mut sender, connection)) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await else {
            continue;
        };
        let driving = tokio::spawn(connection);
        let request = Request::get(path).header("host", "test").body(Empty::<Bytes>::new()).unwrap();
        let Ok(response) = sender.send_request(request).await else { continue };
        let body = response.into_body().collect().await.unwrap().to_bytes();
        driving.abort();
        return String::from_utf8(body.to_vec()).unwrap();
    }
}

struct HttpServer {
    stop: Option<std::sync::mpsc::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl HttpServer {
    fn stop(mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Whether the peer's kernel has acknowledged the end of this direction. Only Linux can be asked.
fn is_acknowledged(ended: &TcpStream) -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    let column = |address: SocketAddr| {
        let SocketAddr::V4(address) = address else { panic!("{address}") };
        format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port())
    };
    // FIN_WAIT1: it is still on its way.
    let on_its_way = [column(ended.local_addr().unwrap()), column(ended.peer_addr().unwrap()), "04".to_owned()];
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    !table.lines().any(|line| line.split_whitespace().skip(1).take(3).eq(&on_its_way))
}

/// Listens on a port that is held in reserve.
fn listen(address: SocketAddr) -> TcpListener {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket.listen(16).unwrap()
}

async fn serve_http(address: SocketAddr) -> HttpServer {
    let (tell, told) = tokio::sync::oneshot::channel();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(async move {
            let listener = listen(address);
            tell.send(()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let answer = service_fn(|request: Request<hyper::body::Incoming>| async move {
                    let text = format!("you asked for {}", request.uri().path());
                    Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from(text))))
                });
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        let _closed = stopped.recv();
        // Waits until the listener is closed: the next server needs its port.
        runtime.shutdown_timeout(SOON);
    });
    told.await.unwrap();
    HttpServer { stop: Some(stop), thread: Some(thread) }
}
