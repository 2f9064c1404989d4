//! Reports in words, for a person who was just woken up.

use super::{Entry, Report, Transition, Wish};
use crate::cause::{Cause, ProxyFailure, TlsFailure};
use crate::event::Suspicion;
use crate::kernel::KernelFigures;
use crate::time::Time;
use std::fmt;
use std::time::Duration;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lasted = Rough(self.ended.since(self.began));
        match self.up_for {
            Some(up_for) => {
                writeln!(f, "connection {} ended, connected for {}: {}", self.epoch, Rough(up_for), self.ending)?
            }
            None => writeln!(f, "attempt {} failed after {lasted}: {}", self.epoch, self.ending)?,
        }
        writeln!(f, "  {}", meaning(self.ending.cause))?;
        match self.retry_in {
            None => writeln!(f, "  no further attempt by itself")?,
            Some(Duration::ZERO) => writeln!(f, "  the next attempt starts at once")?,
            Some(wait) => writeln!(f, "  the next attempt starts in {}", Rough(wait))?,
        }
        if self.overwritten > 0 {
            write!(f, "\n{:>12}  {} earlier entries were overwritten", "...", self.overwritten)?;
        }
        for entry in &self.entries {
            write!(f, "\n{:>10.3} s  {}", self.after_start(entry.at).as_secs_f64(), self.sentence(entry))?;
        }
        match &self.figures {
            Some(figures) => write_figures(f, figures),
            None if self.up_for.is_some() => write!(f, "\n\nthe kernel's figures at the end: not known"),
            None => Ok(()),
        }
    }
}

impl Report {
    /// How long after the start of the attempt a moment was.
    pub fn after_start(&self, at: Time) -> Duration {
        at.since(self.began)
    }

    /// An entry of this report in words.
    pub fn sentence(&self, entry: &Entry) -> String {
        let Entry { what, count, .. } = *entry;
        let last = self.after_start(entry.until()).as_secs_f64();
        let is_instant = entry.span().is_zero();
        match what {
            Transition::HeartbeatSent if count > 1 => {
                format!("{count} heartbeats sent without an answer, the last at {last:.3} s")
            }
            Transition::HeartbeatAnswered if count > 1 => {
                format!("{count} heartbeats answered, the last at {last:.3} s")
            }
            Transition::HeartbeatAnswered if !is_instant => {
                format!("heartbeat answered after {}", Rough(entry.span()))
            }
            Transition::WriteResumed if count > 1 => {
                format!("writing waited {count} times for room in the kernel's buffer, the last until {last:.3} s")
            }
            Transition::WriteResumed if !is_instant => {
                format!("writing waited {} for room in the kernel's buffer", Rough(entry.span()))
            }
            Transition::InboxDrained if count > 1 => {
                format!("reading paused {count} times while the inbox was full, the last until {last:.3} s")
            }
            Transition::InboxDrained if !is_instant => {
                format!("reading paused {} while the inbox was full", Rough(entry.span()))
            }
            Transition::Retransmitting { times } => {
                format!("the kernel retransmits without an answer: {times} times by {last:.3} s")
            }
            Transition::Probing { times } => {
                format!("the kernel's probes go unanswered: {times} by {last:.3} s")
            }
            Transition::Held { millis } => {
                format!(
                    "held for {} beyond its wait by the budget of retries",
                    Rough(Duration::from_millis(millis.into()))
                )
            }
            Transition::Slept { seconds } => {
                format!("the machine woke after {} of sleep", Rough(Duration::from_secs(seconds.into())))
            }
            Transition::Suspect(evidence) => format!("suspect: {}", doubt(evidence)),
            Transition::Ended(cause) => format!("ended: {cause}"),
            Transition::Asked(wish) => wished(wish).to_owned(),
            Transition::Connecting => "the attempt starts".to_owned(),
            Transition::SmallSegments { mss } => {
                format!("dials with segments of at most {mss} bytes: larger ones vanished")
            }
            Transition::AddressesFailed { count: 1 } => "one address of the name failed".to_owned(),
            Transition::AddressesFailed { count } => format!("{count} addresses of the name failed"),
            Transition::Dialed => "TCP is established".to_owned(),
            Transition::Greeting => "the greeting starts".to_owned(),
            Transition::Connected => "connected".to_owned(),
            Transition::HeartbeatSent => "heartbeat sent".to_owned(),
            Transition::HeartbeatAnswered => "heartbeat answered".to_owned(),
            Transition::Recovered => "recovered: the peer lives".to_owned(),
            Transition::Stalled => "stalled: the peer lives and does not read".to_owned(),
            Transition::WindowShut => "the peer offers no window, its kernel answers".to_owned(),
            Transition::KernelAnswers => "the peer's kernel answers and takes bytes again".to_owned(),
            Transition::KernelAsked => "the peer's kernel is asked at once".to_owned(),
            Transition::UserTimeoutLifted => "the kernel's user timeout is lifted".to_owned(),
            Transition::UserTimeoutSet => "the kernel's user timeout is in force again".to_owned(),
            Transition::WriteBlocked => "writing waits: the kernel's buffer is full".to_owned(),
            Transition::WriteResumed => "writing goes on".to_owned(),
            Transition::InboxFull => "reading pauses: the inbox is full".to_owned(),
            Transition::InboxDrained => "reading goes on: the inbox has room".to_owned(),
            Transition::NetworkLost => "the system says that there is no network".to_owned(),
            Transition::NetworkBack => "the system says that the network is back".to_owned(),
            Transition::NetworkChanged => "the system says that the network changed".to_owned(),
            Transition::Draining => "closing in order: what waits is written first".to_owned(),
        }
    }
}

fn write_figures(f: &mut fmt::Formatter<'_>, figures: &KernelFigures) -> fmt::Result {
    write!(f, "\n\nthe kernel's figures at the end:")?;
    let mut line = |name: &str, told: Option<String>| match told {
        Some(told) => write!(f, "\n  {name:<28}{told}"),
        None => Ok(()),
    };
    let before = |age: Duration| format!("{} before the end", Rough(age));
    let doubled = figures.backoff.filter(|times| *times > 0).map(|times| format!(", the timer doubled {times} times"));
    line("last acknowledgement", figures.last_ack_received.map(before))?;
    line("last data received", figures.last_data_received.map(before))?;
    line("round trip", figures.rtt.map(round_trip))?;
    let retransmits = figures.retransmits.map(|times| format!("{times}{}", doubled.unwrap_or_default()));
    line("unanswered retransmissions", retransmits)?;
    line("unanswered probes", figures.probes.map(|probes| probes.to_string()))?;
    line("segments in flight", figures.unacked_segments.map(|segments| segments.to_string()))?;
    line("not acknowledged", figures.send_queue.map(|bytes| format!("{bytes} bytes")))?;
    line("of these never transmitted", figures.not_sent.map(|bytes| format!("{bytes} bytes")))?;
    line("full segment", figures.segment_size.map(|bytes| format!("{bytes} bytes")))?;
    line("acknowledged in all", figures.bytes_acked.map(|bytes| format!("{bytes} bytes")))?;
    line("window of the peer", figures.send_window.map(|bytes| format!("{bytes} bytes")))
}

/// A time for people: rough, with a unit, never more digits than anyone reads.
struct Rough(Duration);

impl fmt::Display for Rough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        if seconds < 0.0995 {
            write!(f, "{:.0} ms", seconds * 1_000.0)
        } else if seconds < 9.95 {
            write!(f, "{seconds:.1} s")
        } else if seconds < 600.0 {
            write!(f, "{seconds:.0} s")
        } else if seconds < 36_000.0 {
            write!(f, "{:.0} min", seconds / 60.0)
        } else {
            write!(f, "{:.0} h", seconds / 3_600.0)
        }
    }
}

/// To the microsecond where milliseconds would say nothing.
fn round_trip(rtt: Duration) -> String {
    match rtt.as_micros() {
        micros @ ..1_000 => format!("{micros} µs"),
        _ => format!("{:.1} ms", rtt.as_secs_f64() * 1_000.0),
    }
}

fn doubt(evidence: Suspicion) -> &'static str {
    match evidence {
        Suspicion::HeartbeatLate => "the heartbeat's answer is late",
        Suspicion::Retransmits => "the kernel retransmits without an answer",
        Suspicion::Woke => "the machine, or this process, was asleep",
        Suspicion::NetworkChanged => "the network changed",
        Suspicion::PathRefused => "the network says that there is no way to the endpoint",
        Suspicion::SiblingDied => "another connection from the same address died of a silent path",
    }
}

fn wished(wish: Wish) -> &'static str {
    match wish {
        Wish::Pause => "the user asked for a pause",
        Wish::Resume => "the user asked to go on",
        Wish::Reconnect => "the user asked for a new connection",
        Wish::Close => "the user asked to close",
        Wish::Abort => "the user asked to close at once, or dropped the client",
        Wish::GoAway => "the server asked to come back later",
        Wish::GiveUp => "connect() has waited long enough",
        Wish::Background => "the program went out of sight",
        Wish::Foreground => "the program is seen again",
    }
}

fn meaning(cause: Cause) -> &'static str {
    match cause {
        Cause::PeerClosed => "the peer ended the connection in order, or asked to be left",
        Cause::Reset => "the peer, or something on the way, reset the connection",
        Cause::PathSilent => "nothing comes back from the path, neither data nor acknowledgements",
        Cause::PeerUnresponsive => "the peer does not answer, although nothing says that the path is broken",
        Cause::PeerStalled => "the peer lives and has not read for longer than stall_limit",
        Cause::WriteStalled => "nothing could be written for longer than stall_limit",
        Cause::Refused => "nobody listens at the endpoint",
        Cause::Unreachable => "the network says that there is no way to the endpoint",
        Cause::ConnectTimeout => "the endpoint did not answer in time",
        Cause::Dns(_) => "the name could not be resolved",
        Cause::Tls(failure) => broken_trust(failure),
        Cause::Proxy(ProxyFailure::Auth) => "the proxy wants credentials, or refused ours",
        Cause::Proxy(ProxyFailure::Denied) => "the rules of the proxy forbid the endpoint",
        Cause::Proxy(ProxyFailure::Refused) => "nobody listens at the endpoint, says the proxy",
        Cause::Proxy(ProxyFailure::Unreachable) => "the proxy found no way to the endpoint",
        Cause::Proxy(ProxyFailure::Unavailable) => "the proxy is down, busy, or does not say why it failed",
        Cause::Proxy(ProxyFailure::Unsupported) => "the proxy cannot do what was asked",
        Cause::Proxy(ProxyFailure::Timeout) => "the proxy did not let us through in time",
        Cause::Proxy(ProxyFailure::Closed) => "the proxy ended the connection before it let us through",
        Cause::Proxy(ProxyFailure::Protocol) => "the proxy's answer is malformed, or too long",
        Cause::Proxy(ProxyFailure::Credentials) => "there were no credentials to tell the proxy",
        Cause::Greeting(_) => "the greeting failed",
        Cause::Protocol(_) => "the peer broke the declared protocol",
        Cause::LocalNetworkDown => "the own network is down",
        Cause::LocalResource => "a resource of this machine ran out: ports, descriptors, buffers",
        Cause::NetworkChanged => "the network changed under the connection",
        Cause::Replaced => "another connection of this client took over",
        Cause::Requested => "the user asked for it",
    }
}

fn broken_trust(failure: TlsFailure) -> &'static str {
    match failure {
        TlsFailure::Timeout => "the TLS handshake did not end in time",
        TlsFailure::UntrustedIssuer => "nobody who is trusted has issued the peer's certificate",
        TlsFailure::Expired => "the peer's certificate has expired",
        TlsFailure::NotYetValid => "the peer's certificate is not valid yet",
        TlsFailure::NameMismatch => "the peer's certificate is for another name",
        TlsFailure::Revoked => "the peer's certificate was revoked",
        TlsFailure::BadCertificate => "the peer's certificate is malformed, or not one for servers",
        TlsFailure::Pin => "none of the pinned keys is in the chain of the peer's certificate",
        TlsFailure::ClientAuth => "the peer wants a client certificate, or refused ours",
        TlsFailure::Version => "there is no version of TLS that both sides allow",
        TlsFailure::Alpn => "there is no application protocol that both sides offer",
        TlsFailure::Protocol => "the peer does not speak TLS as we do",
        TlsFailure::Truncated => "the connection ended without the end of its TLS session",
    }
}
