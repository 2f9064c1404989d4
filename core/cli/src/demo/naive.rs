//! The naive client: the loop that everybody writes first. It heeds every error, and has no time limits.

use super::MESSAGE_EVERY;
use super::journal::{Journal, What, Why};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// The client while it runs.
pub(super) struct Running(JoinHandle<()>);

impl Running {
    pub(super) fn start(journal: Arc<Journal>, address: SocketAddr, talk: watch::Receiver<bool>) -> Running {
        let mut ticks = interval(MESSAGE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Running(tokio::spawn(Loop { journal, address, talk, ticks, messages: 0, connections: 0 }.run()))
    }

    pub(super) fn end(self) {
        self.0.abort();
    }
}

struct Loop {
    journal: Arc<Journal>,
    address: SocketAddr,
    talk: watch::Receiver<bool>,
    ticks: Interval,
    messages: u64,
    connections: u64,
}

impl Loop {
    async fn run(mut self) {
        loop {
            match TcpStream::connect(self.address).await {
                Ok(stream) => {
                    self.connections += 1;
                    self.journal.write(What::Up { connection: self.connections });
                    let why = self.talk(stream).await;
                    // And at once to the next connection.
                    let connection = self.connections;
                    self.journal.write(What::Down { connection, why: Why::System(why), retry_in: None });
                }
                Err(error) => {
                    self.journal.write(What::Failed { why: Why::System(error.to_string()), retry_in: None });
                    // There is no connection for this message. The next one is the next try.
                    self.next_message().await;
                }
            }
        }
    }

    /// Sends and reads until the system reports an end.
    async fn talk(&mut self, stream: TcpStream) -> String {
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        loop {
            tokio::select! {
                number = self.next_message() => {
                    if let Err(error) = writer.write_all(format!("{number}\n").as_bytes()).await {
                        return error.to_string();
                    }
                }
                line = lines.next_line() => match line {
                    Ok(Some(line)) => {
                        if let Ok(number) = line.parse() {
                            self.journal.write(What::Back { number, connection: self.connections });
                        }
                    }
                    Ok(None) => return "end of stream".to_owned(),
                    Err(error) => return error.to_string(),
                },
            }
        }
    }

    async fn next_message(&mut self) -> u64 {
        loop {
            self.ticks.tick().await;
            if *self.talk.borrow() {
                self.messages += 1;
                self.journal.write(What::Due { number: self.messages });
                return self.messages;
            }
        }
    }
}
