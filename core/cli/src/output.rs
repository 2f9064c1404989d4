//! Stdout: messages, and with `--json` events between them, whole lines at a time.

use crate::encoding::{Encoding, to_hex};
use keepline::{Client, Framing, Message};
use serde_json::{Value, json};
use std::io::{self, IsTerminal};
use tokio::io::{AsyncWriteExt, Stdout};
use tokio::sync::Mutex;

/// 256 messages a write: one system call for a burst.
const BATCH: usize = 256;

/// The one writer of stdout.
pub(crate) struct Output {
    stdout: Mutex<Stdout>,
    framing: Framing,
    encoding: Encoding,
    is_json: bool,
    is_terminal: bool,
}

impl Output {
    pub(crate) fn new(framing: Framing, encoding: Encoding, is_json: bool) -> Output {
        let is_terminal = io::stdout().is_terminal();
        Output { stdout: Mutex::new(tokio::io::stdout()), framing, encoding, is_json, is_terminal }
    }

    /// Writes every message until the client is closed and its inbox empty. While stdout is slow the inbox fills, and
    /// TCP slows the peer down.
    pub(crate) async fn write_messages(&self, client: &Client) -> io::Result<()> {
        let mut messages = Vec::new();
        let mut bytes = Vec::new();
        while client.recv_many(&mut messages, BATCH).await > 0 {
            bytes.clear();
            for message in messages.drain(..) {
                self.append(&message, &mut bytes);
            }
            self.write(&bytes).await?;
        }
        Ok(())
    }

    /// Writes one line of JSON.
    pub(crate) async fn write_json(&self, value: &Value) -> io::Result<()> {
        self.write(format!("{value}\n").as_bytes()).await
    }

    fn append(&self, message: &Message, bytes: &mut Vec<u8>) {
        if !self.is_json {
            return self.encoding.write(&self.framing, &message.payload, self.is_terminal, bytes);
        }
        let (key, text) = match std::str::from_utf8(&message.payload) {
            Ok(text) if self.encoding != Encoding::Hex => ("text", text.to_owned()),
            Ok(_) | Err(_) => ("hex", to_hex(&message.payload)),
        };
        let value = json!({ "type": "message", "epoch": message.epoch.0, key: text });
        bytes.extend_from_slice(value.to_string().as_bytes());
        bytes.push(b'\n');
    }

    async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = self.stdout.lock().await;
        stdout.write_all(bytes).await?;
        stdout.flush().await
    }
}
