//! Redis in a process of its own, whose data survives being killed.

use super::{ProcessError, Program, ServerProcess};
use std::io;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A `redis-server` on a free port; whatever it has acknowledged survives `kill -9`.
///
/// It has everything a [`ServerProcess`] has.
///
/// ```no_run
/// use keepline_testkit::process::{RedisReply, RedisServer};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let redis = RedisServer::start().await?;
/// redis.query(&["SET", "color", "blue"]).await?;
/// redis.restart().await?;
/// assert_eq!(redis.query(&["GET", "color"]).await?, RedisReply::Bulk(Some(b"blue".to_vec())));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RedisServer {
    process: ServerProcess,
}

/// What Redis answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisReply {
    /// A short text, `OK` for instance.
    Simple(String),
    /// An error.
    Error(String),
    /// A number.
    Integer(i64),
    /// Bytes; `None` if there are none.
    Bulk(Option<Vec<u8>>),
    /// Several replies; `None` if there is no list.
    Array(Option<Vec<RedisReply>>),
}

/// 10 s for one question: a server that loads its log answers at once with an error, a healthy one with a reply.
const QUERY_WITHIN: Duration = Duration::from_secs(10);
/// 64 MiB: the reply to a test's question is small; a larger length is a server that went wrong.
const MAX_BULK: usize = 64 * 1024 * 1024;

/// The name of the Unix socket in the server's directory.
const SOCKET: &str = "redis.sock";

impl RedisServer {
    /// Starts `redis-server` from the path and waits until it answers `PING`.
    ///
    /// # Errors
    /// [`ProcessError::Missing`] if it is not installed; otherwise what went wrong, with its last words.
    ///
    /// # Cancel safety
    /// Cancel safe: a server that was not handed out is killed.
    pub async fn start() -> Result<RedisServer, ProcessError> {
        RedisServer::launch(None).await
    }

    /// As [`RedisServer::start`], with a password that every client has to give first. [`RedisServer::query`] gives none.
    ///
    /// # Errors
    /// As [`RedisServer::start`].
    ///
    /// # Cancel safety
    /// Cancel safe: a server that was not handed out is killed.
    pub async fn start_with_password(password: &str) -> Result<RedisServer, ProcessError> {
        RedisServer::launch(Some(password.to_owned())).await
    }

    async fn launch(password: Option<String>) -> Result<RedisServer, ProcessError> {
        let answer: &[u8] = if password.is_some() { b"-NOAUTH Authentication required.\r\n" } else { b"+PONG\r\n" };
        let install = "apt-get install redis-server, brew install redis, or the like";
        let program = Program::new("redis-server", install, move |port, directory| {
            let mut command = Command::new("redis-server");
            command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no"]);
            // No snapshots, and every write in the log before its reply: what was acknowledged survives kill -9.
            command.args(["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--dir"]).arg(directory);
            command.arg("--unixsocket").arg(directory.join(SOCKET));
            if let Some(password) = &password {
                command.args(["--requirepass", password]);
            }
            command
        });
        let process = ServerProcess::start(program.answers(b"PING\r\n", answer)).await?;
        Ok(RedisServer { process })
    }

    /// The path of its Unix socket, on which it listens beside its port; it stays the same through restarts.
    pub fn unix_socket(&self) -> PathBuf {
        self.directory().join(SOCKET)
    }

    /// Asks one question over a connection of its own, to check what the server knows.
    ///
    /// # Errors
    /// Fails if the server does not answer within 10 s or answers something else than RESP2.
    ///
    /// # Cancel safety
    /// Cancelled on the way, the command may or may not have been carried out.
    pub async fn query<A: AsRef<[u8]>>(&self, arguments: &[A]) -> io::Result<RedisReply> {
        let exchange = async {
            let mut stream = BufReader::new(TcpStream::connect(self.addr()).await?);
            stream.get_mut().write_all(&encode(arguments)).await?;
            read_reply(&mut stream).await
        };
        timeout(QUERY_WITHIN, exchange).await.map_err(|_| io::ErrorKind::TimedOut)?
    }
}

impl Deref for RedisServer {
    type Target = ServerProcess;

    fn deref(&self) -> &ServerProcess {
        &self.process
    }
}

fn encode<A: AsRef<[u8]>>(arguments: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        let argument = argument.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend_from_slice(argument);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

async fn read_reply(stream: &mut BufReader<TcpStream>) -> io::Result<RedisReply> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let line = line.trim_end();
    let (kind, rest) = line.split_at_checked(1).ok_or(io::ErrorKind::UnexpectedEof)?;
    match kind {
        "+" => Ok(RedisReply::Simple(rest.to_owned())),
        "-" => Ok(RedisReply::Error(rest.to_owned())),
        ":" => Ok(RedisReply::Integer(number(rest)?)),
        "$" => {
            let Ok(length) = usize::try_from(number(rest)?) else { return Ok(RedisReply::Bulk(None)) };
            if length > MAX_BULK {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let mut bytes = vec![0; length + 2];
            stream.read_exact(&mut bytes).await?;
            bytes.truncate(length);
            Ok(RedisReply::Bulk(Some(bytes)))
        }
        "*" => {
            let Ok(count) = usize::try_from(number(rest)?) else { return Ok(RedisReply::Array(None)) };
            let mut replies = Vec::new();
            for _ in 0..count {
                replies.push(Box::pin(read_reply(stream)).await?);
            }
            Ok(RedisReply::Array(Some(replies)))
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("not RESP2: {line:?}"))),
    }
}

fn number(text: &str) -> io::Result<i64> {
    text.parse().map_err(|_| io::ErrorKind::InvalidData.into())
}
