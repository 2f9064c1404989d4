//! The testkit as a program of its own, for tests in other languages: servers and chaos proxies, driven by lines.
//!
//! Each line on the standard input is a command, its words apart by spaces; each is answered by one line, `ok` with what
//! was asked for, or `error` with the reason. The program ends with its input, and everything it started with it.
//!
//! ```text
//! serve NAME echo|line|sink           ok 127.0.0.1:PORT
//! stop NAME fin|rst · start NAME · freeze NAME · thaw NAME
//! proxy NAME ADDRESS [BUFFER]         ok 127.0.0.1:PORT; BUFFER is the receive buffer of its sockets in bytes
//! address NAME                        ok 127.0.0.1:PORT, of a server or a proxy; every ADDRESS may be such a name
//! accepted NAME · connections NAME    ok COUNT, of a server or a proxy
//! pings NAME · lines NAME             ok COUNT, of a line server; `line NAME INDEX` is one of its lines
//! bytes NAME                          ok COUNT, of a sink
//! await-accepted NAME COUNT MILLIS · await-lines NAME COUNT MILLIS · await-bytes NAME COUNT MILLIS
//! await-gone NAME MILLIS              until none of its connections lives
//! pass|stall|hold|release|silence|duplicate|half-close NAME up|down|both
//! latency NAME DIRECTION DELAY_MS JITTER_MS · rate NAME DIRECTION BYTES_PER_SECOND
//! slice NAME DIRECTION SIZE GAP_MS · limit NAME DIRECTION BYTES fin|rst · drop-after NAME DIRECTION BYTES
//! corrupt NAME DIRECTION OFFSET MASK · inject NAME DIRECTION HEX
//! clear|refuse|accept-and-silence|accept-then-fin|accept-then-rst|hang-syn|accept-again|reset|close NAME
//! upstream NAME ADDRESS · idle-cut NAME MILLIS silent|rst
//! http-proxy NAME USER PASSWORD       ok 127.0.0.1:PORT, a proxy for HTTP CONNECT that wants this login; accepted, await-accepted as
//!                                     above, and refused NAME, ok COUNT
//! tls NAME ADDRESS KIND               ok 127.0.0.1:PORT, a door that speaks TLS before ADDRESS; its certificate is good, expired,
//!                                     not-yet-valid, wrong-name or unknown-authority; accepted, await-accepted as above
//! authority NAME                      ok BASE64, the certificate that clients are to trust; there is one for all names
//! ```

mod proxies;
mod servers;
#[cfg(feature = "tls")]
mod tls;
mod tunnels;
mod words;

use proxies::Proxies;
use servers::Servers;
use std::io::{BufRead, Write};
use tokio::sync::mpsc;
use tunnels::Tunnels;
use words::Words;

/// What a command answers: the words after `ok`, or the reason.
type Answer = Result<String, String>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // A thread reads: a pending read of the standard input would keep the program from ending.
    let (sender, mut commands) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let mut stage = Stage::default();
    while let Some(line) = commands.recv().await {
        let told = match stage.run(&line).await {
            Ok(answer) if answer.is_empty() => "ok".to_owned(),
            Ok(answer) => format!("ok {answer}"),
            Err(reason) => format!("error {}", reason.escape_debug()),
        };
        let mut out = std::io::stdout().lock();
        if writeln!(out, "{told}").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

/// Everything that was started, by name.
#[derive(Default)]
struct Stage {
    servers: Servers,
    proxies: Proxies,
    tunnels: Tunnels,
    #[cfg(feature = "tls")]
    doors: tls::Doors,
}

impl Stage {
    async fn run(&mut self, line: &str) -> Answer {
        let named = self.with_addresses(line);
        let mut words = Words::of(&named);
        let verb = words.word("a command")?;
        let name = words.word("a name")?;
        #[cfg(feature = "tls")]
        if self.doors.knows(verb, name) {
            let answer = self.doors.run(verb, name, &mut words).await?;
            words.end()?;
            return Ok(answer);
        }
        let answer = if self.tunnels.knows(verb, name) {
            self.tunnels.run(verb, name, &mut words).await?
        } else if self.servers.knows(verb, name) {
            self.servers.run(verb, name, &mut words).await?
        } else {
            self.proxies.run(verb, name, &mut words).await?
        };
        words.end()?;
        Ok(answer)
    }

    /// The line with the address of what is named where an address belongs.
    fn with_addresses(&self, line: &str) -> String {
        let mut words: Vec<String> = line.split_ascii_whitespace().map(str::to_owned).collect();
        if let [verb, _, place, ..] = &mut words[..]
            && matches!(verb.as_str(), "proxy" | "upstream" | "tls")
            && let Some(address) = self.address(place)
        {
            *place = address.to_string();
        }
        words.join(" ")
    }

    /// Where what has this name is reached.
    fn address(&self, name: &str) -> Option<std::net::SocketAddr> {
        let address = self.servers.address(name).or_else(|| self.proxies.address(name));
        #[cfg(feature = "tls")]
        let address = address.or_else(|| self.doors.address(name));
        address
    }
}
