//! A proxy of the tests: reads something, answers as it is told, then closes, hangs, floods or serves.
#![allow(dead_code)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(crate) const SOCKS_HELLO: &[u8] = b"\x05\x00";
pub(crate) const SOCKS_OPEN: &[u8] = b"\x05\x00\x00\x01\0\0\0\0\0\0";
pub(crate) const HTTP_OPEN: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

/// What a fake proxy does after its last answer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Then {
    Close,
    Reset,
    Hang,
    /// A megabyte of header.
    Flood,
    /// A byte of header each 50 ms: a deadline for each read would never end.
    Drip,
    Relay(SocketAddr),
}

/// A proxy that reads something, gives the next of its answers, and in the end does harm.
pub(crate) struct FakeProxy {
    pub(crate) scheme: &'static str,
    pub(crate) addr: SocketAddr,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    task: JoinHandle<()>,
}

impl FakeProxy {
    pub(crate) async fn start(scheme: &'static str, answers: &[&[u8]], then: Then) -> FakeProxy {
        FakeProxy::in_turn(scheme, &[answers], then).await
    }

    /// One that answers each connection in its own way, and all later ones as the last.
    pub(crate) async fn in_turn(scheme: &'static str, turns: &[&[&[u8]]], then: Then) -> FakeProxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let turns: Vec<Vec<Vec<u8>>> =
            turns.iter().map(|answers| answers.iter().map(|answer| answer.to_vec()).collect()).collect();
        let hearing = heard.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let place = {
                    let mut heard = hearing.lock().unwrap();
                    heard.push(Vec::new());
                    heard.len() - 1
                };
                let answers = turns.get(place).or(turns.last()).cloned().unwrap_or_default();
                let hearing = hearing.clone();
                tokio::spawn(async move {
                    let hear = |bytes: &[u8]| hearing.lock().unwrap()[place].extend_from_slice(bytes);
                    // The client may go away at any moment: that is what is tested.
                    let _ = serve(stream, &answers, then, hear).await;
                });
            }
        });
        FakeProxy { scheme, addr, heard, task }
    }

    pub(crate) async fn relaying(scheme: &'static str, server: SocketAddr) -> FakeProxy {
        let answers: &[&[u8]] = if scheme == "http" { &[HTTP_OPEN] } else { &[SOCKS_HELLO, SOCKS_OPEN] };
        FakeProxy::start(scheme, answers, Then::Relay(server)).await
    }

    /// What each connection said.
    pub(crate) fn heard(&self) -> Vec<Vec<u8>> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for FakeProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, answers: &[Vec<u8>], then: Then, hear: impl Fn(&[u8])) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 1024];
    for answer in answers {
        let count = stream.read(&mut buffer).await?;
        hear(&buffer[..count]);
        stream.write_all(answer).await?;
    }
    match then {
        Then::Close => {
            stream.shutdown().await?;
            // Unread bytes would turn the close into a reset.
            while stream.read(&mut buffer).await? > 0 {}
        }
        Then::Reset => {
            tokio::time::sleep(Duration::from_millis(20)).await;
            stream.set_zero_linger()?;
        }
        Then::Hang => tokio::time::sleep(Duration::from_secs(60)).await,
        Then::Flood => {
            for _ in 0..1024 {
                stream.write_all(&[b'x'; 1024]).await?;
            }
        }
        Then::Drip => loop {
            stream.write_all(b"x").await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        },
        Then::Relay(server) => {
            let mut server = TcpStream::connect(server).await?;
            tokio::io::copy_bidirectional(&mut stream, &mut server).await?;
        }
    }
    Ok(())
}
