//! What everybody writes first, over bare tokio: connect, write, read, reconnect on error; with kernel options or without.

use super::console::{FLOOD, Subject, tell};
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

/// 100 ms before the next attempt: a loop without a pause would burn a core.
const PAUSE: Duration = Duration::from_millis(100);
/// What the datacenter profile asks of the kernel: 10 s, 2 s, 6 probes, 22 s.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(10)).with_interval(Duration::from_secs(2)).with_retries(6);
const USER_TIMEOUT: Duration = Duration::from_secs(22);

/// What the kernel is asked for.
#[derive(Clone, Copy)]
pub(super) enum Options {
    None,
    Keepalive,
    KeepaliveAndUserTimeout,
}

/// A handle to the task that owns the connection.
pub(super) struct Naive {
    questions: mpsc::Sender<Question>,
}

struct Question {
    bytes: Vec<u8>,
    answered: oneshot::Sender<()>,
}

impl Naive {
    pub(super) fn start(address: String, options: Options) -> Naive {
        let (questions, asked) = mpsc::channel(1);
        tokio::spawn(live(address, options, asked));
        Naive { questions }
    }

    /// No time limit: the kernel will say if it cannot be done.
    async fn ask(&self, bytes: Vec<u8>) -> Result<(), String> {
        let (answered, answer) = oneshot::channel();
        let gone = "the connection ended before the answer";
        self.questions.send(Question { bytes, answered }).await.map_err(|_| gone)?;
        Ok(answer.await.map_err(|_| gone)?)
    }
}

impl Subject for Naive {
    async fn exchange(&self) -> Result<(), String> {
        self.ask(b"PING\r\n".to_vec()).await
    }

    async fn flood(&self) -> Result<(), String> {
        let mut bytes = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${FLOOD}\r\n").into_bytes();
        bytes.resize(bytes.len() + FLOOD, b'x');
        bytes.extend_from_slice(b"\r\n");
        self.ask(bytes).await
    }
}

/// Connects, serves the connection until it fails, and again.
async fn live(address: String, options: Options, mut asked: mpsc::Receiver<Question>) {
    loop {
        let failed = match connect(&address, options).await {
            Ok(stream) => serve(stream, &mut asked).await,
            Err(error) => error,
        };
        if asked.is_closed() {
            return;
        }
        tell("lost", &failed.to_string());
        sleep(PAUSE).await;
    }
}

async fn connect(address: &str, options: Options) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    let socket = SockRef::from(&stream);
    match options {
        Options::None => {}
        Options::Keepalive => socket.set_tcp_keepalive(&KEEPALIVE)?,
        Options::KeepaliveAndUserTimeout => {
            socket.set_tcp_keepalive(&KEEPALIVE)?;
            socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
        }
    }
    Ok(stream)
}

/// Always reads, as a client must that is told things; gives back why it stopped.
async fn serve(stream: TcpStream, asked: &mut mpsc::Receiver<Question>) -> io::Error {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut waiting: Option<oneshot::Sender<()>> = None;
    loop {
        tokio::select! {
            line = lines.next_line() => match line {
                // Nobody may wait any more for this answer.
                Ok(Some(_)) => drop(waiting.take().map(|answered| answered.send(()))),
                Ok(None) => return io::ErrorKind::UnexpectedEof.into(),
                Err(error) => return error,
            },
            question = asked.recv(), if waiting.is_none() => match question {
                Some(Question { bytes, answered }) => {
                    if let Err(error) = write.write_all(&bytes).await {
                        return error;
                    }
                    waiting = Some(answered);
                }
                None => return io::ErrorKind::BrokenPipe.into(),
            },
        }
    }
}
