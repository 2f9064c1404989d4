//! HTTP proxies that want a login: they connect to where they are asked to, for whoever says the right name and password.

use super::Answer;
use super::servers::{told, wait};
use super::words::Words;
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

const REFUSED: &[u8] =
    b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"chaos\"\r\nContent-Length: 0\r\n\r\n";
const OPEN: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

/// The proxies by name.
#[derive(Default)]
pub(crate) struct Tunnels(HashMap<String, Tunnel>);

/// One proxy; it closes when this is dropped, and ends what came through it.
struct Tunnel {
    address: SocketAddr,
    counts: Arc<Counts>,
    listening: JoinHandle<()>,
}

#[derive(Default)]
struct Counts {
    accepted: AtomicU64,
    refused: AtomicU64,
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Tunnels {
    /// Whether this command is one of such a proxy.
    pub(crate) fn knows(&self, verb: &str, name: &str) -> bool {
        verb == "http-proxy" || self.0.contains_key(name)
    }

    pub(crate) async fn run(&mut self, verb: &str, name: &str, words: &mut Words<'_>) -> Answer {
        if verb == "http-proxy" {
            let (user, password) = (words.word("a user")?, words.word("a password")?);
            let tunnel = Tunnel::open(base64(&format!("{user}:{password}"))).await.map_err(told)?;
            let address = tunnel.address.to_string();
            self.0.insert(name.to_owned(), tunnel);
            return Ok(address);
        }
        let tunnel = self.0.get(name).ok_or_else(|| format!("no such proxy: {name}"))?;
        match verb {
            "address" => Ok(tunnel.address.to_string()),
            "accepted" => Ok(tunnel.counts.accepted.load(Ordering::Relaxed).to_string()),
            "refused" => Ok(tunnel.counts.refused.load(Ordering::Relaxed).to_string()),
            "await-accepted" => {
                let count: u64 = words.number("a count")?;
                wait(words.millis("a limit")?, || tunnel.counts.accepted.load(Ordering::Relaxed) >= count).await?;
                Ok(String::new())
            }
            other => Err(format!("such a proxy knows no {other}")),
        }
    }
}

impl Tunnel {
    async fn open(login: String) -> io::Result<Tunnel> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let counting = Arc::clone(&counts);
        let listening = tokio::spawn(async move {
            // Their end is this task's.
            let mut inside = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counting.accepted.fetch_add(1, Ordering::Relaxed);
                let (login, counts) = (login.clone(), Arc::clone(&counting));
                inside.spawn(async move {
                    // Whichever side failed, both end here.
                    let _ended = pass(stream, &login, &counts).await;
                });
            }
        });
        Ok(Tunnel { address, counts, listening })
    }
}

/// Reads one request, and passes on what comes if it is allowed to.
async fn pass(stream: TcpStream, login: &str, counts: &Counts) -> io::Result<()> {
    let mut client = BufReader::new(stream);
    let mut target = String::new();
    let mut is_known = false;
    let mut line = String::new();
    loop {
        if client.read_line(&mut line).await? == 0 {
            // It went without having asked.
            return Ok(());
        }
        if line == "\r\n" {
            break;
        }
        if let Some(rest) = line.strip_prefix("CONNECT ") {
            target = rest.split(' ').next().unwrap_or_default().to_owned();
        } else if let Some((name, value)) = line.split_once(':') {
            is_known |= name.eq_ignore_ascii_case("proxy-authorization") && value.trim() == format!("Basic {login}");
        }
        line.clear();
    }
    if !is_known {
        counts.refused.fetch_add(1, Ordering::Relaxed);
        return client.write_all(REFUSED).await;
    }
    let mut server = TcpStream::connect(target).await?;
    client.write_all(OPEN).await?;
    copy_bidirectional(&mut client, &mut server).await.map(|_bytes| ())
}

/// As RFC 4648 has it, with padding.
fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for group in text.as_bytes().chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            encoded.push(if place <= group.len() { letter as char } else { '=' });
        }
    }
    encoded
}
