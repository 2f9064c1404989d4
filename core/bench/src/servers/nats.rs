//! As much of the NATS protocol as a publisher and a requester need, so that async-nats is not held up by a real server.

use super::{Protocol, count};
use std::mem;

/// One connection: counts the payload of every publish and answers a request with its own payload.
#[derive(Default)]
pub(super) struct Nats {
    /// The start of a line whose end has not come yet.
    line: Vec<u8>,
    /// The publish whose payload is coming.
    publish: Option<Publish>,
    /// The number of the client's last subscription: async-nats hears all replies through one.
    subscription: String,
}

struct Publish {
    /// Payload and line end that have not come yet.
    missing: usize,
    /// Whom to answer, and what has come so far.
    reply: Option<(String, Vec<u8>)>,
}

/// Longer than any line a client sends here; more is a client that does not speak NATS.
const LONGEST_LINE: usize = 16 * 1024;

impl Protocol for Nats {
    fn greeting(&self) -> &'static [u8] {
        concat!(
            r#"INFO {"server_id":"bench","server_name":"bench","version":"2.10.0","go":"go","host":"127.0.0.1","#,
            r#""port":4222,"headers":true,"max_payload":8388608,"proto":1,"client_id":1}"#,
            "\r\n"
        )
        .as_bytes()
    }

    fn receive(&mut self, mut bytes: &[u8], answer: &mut Vec<u8>) {
        while !bytes.is_empty() {
            bytes = match self.publish.take() {
                Some(publish) => self.payload(publish, bytes, answer),
                None => self.line(bytes, answer),
            };
        }
    }
}

impl Nats {
    /// Takes payload; gives back what follows it.
    fn payload<'a>(&mut self, mut publish: Publish, bytes: &'a [u8], answer: &mut Vec<u8>) -> &'a [u8] {
        let (now, rest) = bytes.split_at(publish.missing.min(bytes.len()));
        publish.missing -= now.len();
        count(now.len());
        if let Some((_, payload)) = &mut publish.reply {
            payload.extend_from_slice(now);
        }
        if publish.missing > 0 {
            self.publish = Some(publish);
        } else if let Some((to, payload)) = publish.reply {
            let length = payload.len().saturating_sub(LINE_END);
            answer.extend_from_slice(format!("MSG {to} {} {length}\r\n", self.subscription).as_bytes());
            answer.extend_from_slice(&payload);
        }
        rest
    }

    /// Takes up to one line; gives back what follows it.
    fn line<'a>(&mut self, bytes: &'a [u8], answer: &mut Vec<u8>) -> &'a [u8] {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            if self.line.len() < LONGEST_LINE {
                self.line.extend_from_slice(bytes);
            }
            return &[];
        };
        let (line, rest) = bytes.split_at(end + 1);
        if self.line.is_empty() {
            self.command(line, answer);
        } else {
            let mut whole = mem::take(&mut self.line);
            whole.extend_from_slice(line);
            self.command(&whole, answer);
        }
        rest
    }

    fn command(&mut self, line: &[u8], answer: &mut Vec<u8>) {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        match words.next() {
            Some(b"PUB") => {
                let (second, third) = (words.nth(1).unwrap_or_default(), words.next());
                let reply = third.map(|_| (text(second).to_owned(), Vec::new()));
                let length = text(third.unwrap_or(second)).parse().unwrap_or(0_usize);
                self.publish = Some(Publish { missing: length + LINE_END, reply });
            }
            Some(b"SUB") => self.subscription = words.next_back().map(text).unwrap_or_default().to_owned(),
            Some(b"PING") => answer.extend_from_slice(b"PONG\r\n"),
            Some(_) | None => {}
        }
    }
}

/// The line end after a payload; it is counted with it.
pub(super) const LINE_END: usize = 2;

fn text(word: &[u8]) -> &str {
    str::from_utf8(word).unwrap_or_default()
}
