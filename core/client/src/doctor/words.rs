//! The verdict in words: where the way ends, why, and what to look at next.

use super::diagnosis::{Diagnosis, Finding, Stage, StageName};
use keepline_proto::Cause;
use keepline_proto::cause::{DnsFailure, GreetingFailure, ProxyFailure, TlsFailure};

pub(super) fn verdict(diagnosis: &Diagnosis) -> String {
    let endpoint = &diagnosis.endpoint;
    if let Some(stage) = diagnosis.failed() {
        let cause = stage.cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
        return format!("{endpoint}: {}{cause}. {}", ends_at(stage.name), advice(stage));
    }
    let warned: Vec<&Stage> = diagnosis.stages.iter().filter(|stage| stage.finding == Finding::Warned).collect();
    if warned.is_empty() {
        return format!("{endpoint}: the way is open to its end.");
    }
    let warnings: Vec<&str> = warned.into_iter().map(warning).collect();
    format!("{endpoint}: the way is open. {}", warnings.join(" "))
}

const fn ends_at(stage: StageName) -> &'static str {
    match stage {
        StageName::Config => "the configuration is not valid",
        StageName::Names => "the name does not resolve",
        StageName::Route => "this machine has no way there",
        StageName::Tcp => "no address takes a TCP connection",
        StageName::Proxy => "the proxy does not connect",
        StageName::Tls => "TLS fails",
        StageName::Greeting => "TCP works, and the server does not answer as it should",
        StageName::PathMtu => "small packets arrive, full-size ones do not",
        StageName::Idle => "a silent connection does not survive",
    }
}

/// What to look at next.
fn advice(stage: &Stage) -> &'static str {
    let Some(cause) = stage.cause else { return "The error names the field and the rule." };
    match stage.name {
        StageName::Config => "The error names the field and the rule.",
        StageName::Names => of_name(cause),
        StageName::Route => {
            "Look at the interfaces and the routing table (`ip route get`), at a VPN that is down, and at a local firewall."
        }
        StageName::Tcp => of_tcp(cause),
        StageName::Proxy => of_proxy(cause),
        StageName::Tls => of_tls(cause),
        StageName::Greeting => of_greeting(cause),
        StageName::PathMtu => {
            "Something on the way drops large packets and says nothing (a tunnel or a VPN with a smaller MTU, ICMP filtered): \
             lower the MTU of the interface, or clamp the MSS on the router."
        }
        StageName::Idle => of_silence(cause),
    }
}

fn of_name(cause: Cause) -> &'static str {
    match cause {
        Cause::Dns(DnsFailure::NotFound) => "The name does not exist: look at its spelling, and at the search domain.",
        Cause::Dns(DnsFailure::Timeout) => {
            "No name server answered: look at /etc/resolv.conf, and whether port 53 passes."
        }
        Cause::Dns(DnsFailure::Temporary) => {
            "The name server answered that it cannot answer now: it, or the zone, is broken."
        }
        Cause::Dns(DnsFailure::NoAddress) => "The name exists and has no address: look at its A and AAAA records.",
        _ => "Look at the name, and at the name servers in use.",
    }
}

fn of_tcp(cause: Cause) -> &'static str {
    match cause {
        Cause::Refused => {
            "The machine is there and nothing listens on this port: the server is down, or on another port."
        }
        Cause::ConnectTimeout => {
            "Nothing came back: a firewall drops the packets, the machine is off, or the server's accept queue is full."
        }
        Cause::Unreachable => {
            "A router on the way said that there is no way, or that it is not allowed: look at the route and at the firewall."
        }
        Cause::LocalResource => {
            "This machine is out of ports, descriptors or buffers: look at `ss -s` and `ulimit -n`."
        }
        Cause::LocalNetworkDown => "This machine's own network is down.",
        _ => "Look at what listens on the server, and at what is on the way.",
    }
}

fn of_proxy(cause: Cause) -> &'static str {
    match cause {
        Cause::Proxy(ProxyFailure::Auth) => "The proxy wants other credentials.",
        Cause::Proxy(ProxyFailure::Credentials) => {
            "There were no credentials to tell the proxy: their provider failed, or was late."
        }
        Cause::Proxy(ProxyFailure::Denied) => "The proxy's rules forbid this endpoint: ask whoever runs it.",
        Cause::Proxy(ProxyFailure::Refused) => {
            "The proxy works; behind it nothing listens on this port: the server is down, or on another port."
        }
        Cause::Proxy(ProxyFailure::Unreachable) => {
            "The proxy works, and finds no way to the endpoint, or does not know its name."
        }
        Cause::Proxy(ProxyFailure::Unavailable) => {
            "Nothing listens at the proxy's address, or it is busy, or failed and does not say why: look at its log."
        }
        Cause::Proxy(ProxyFailure::Unsupported) => {
            "This proxy makes no tunnels to this port, or does not know such addresses."
        }
        Cause::Proxy(ProxyFailure::Closed) => {
            "The proxy ended the connection: it may not serve this machine, or this protocol."
        }
        Cause::Proxy(ProxyFailure::Timeout) => {
            "The proxy did not answer in time: it is overloaded, switched off, or behind a firewall that drops the packets."
        }
        Cause::Proxy(ProxyFailure::Protocol) => "What listens there does not speak this kind of proxy protocol.",
        _ => "Look at the proxy's own log.",
    }
}

fn of_tls(cause: Cause) -> &'static str {
    match cause {
        Cause::Tls(TlsFailure::Timeout) => "The server accepted the connection and did not end the handshake in time.",
        Cause::Tls(TlsFailure::UntrustedIssuer) => {
            "Nobody who is trusted here has signed the certificate: a missing intermediate, a private CA, or somebody in between."
        }
        Cause::Tls(TlsFailure::Expired | TlsFailure::NotYetValid) => {
            "The certificate is not valid today: it has to be renewed, or the clock of this machine is wrong."
        }
        Cause::Tls(TlsFailure::NameMismatch) => "The certificate is for another name.",
        Cause::Tls(TlsFailure::ClientAuth) => "The server wants a client certificate, or refused this one.",
        Cause::Tls(TlsFailure::Revoked) => "The certificate was revoked: its key may be in the wrong hands.",
        Cause::Tls(TlsFailure::BadCertificate) => "The certificate is malformed, or not one for servers.",
        Cause::Tls(TlsFailure::Pin) => {
            "None of the pinned keys is in the chain: the key was changed, or somebody is in between."
        }
        Cause::Tls(TlsFailure::Version) => {
            "The server is older than TLS 1.2, or this client was told to refuse its version."
        }
        Cause::Tls(TlsFailure::Alpn) => "The server speaks none of the application protocols that were offered.",
        Cause::PeerClosed | Cause::Reset => {
            "The server ended the connection in the middle of the handshake: perhaps it speaks plain text on this port."
        }
        _ => "The other side does not speak TLS as we do: perhaps it speaks plain text on this port.",
    }
}

fn of_greeting(cause: Cause) -> &'static str {
    match cause {
        Cause::Greeting(GreetingFailure::Timeout) | Cause::PathSilent | Cause::PeerUnresponsive => {
            "The connection was accepted, and nothing came: the process is frozen or overloaded, waits for TLS, or speaks another \
             protocol than the declared heartbeat or greeting."
        }
        Cause::Greeting(GreetingFailure::Auth) => "The server refused the credentials.",
        Cause::Greeting(GreetingFailure::Credentials) => {
            "There were no credentials to send: their provider failed, or was late."
        }
        Cause::Greeting(_) => "The server answered something else than the greeting expects.",
        Cause::PeerClosed => {
            "The server closed at once: an allow-list, a limit on connections, or a proxy whose own server is down."
        }
        Cause::Reset => {
            "The connection was reset at once: a firewall, a load balancer without a server behind it, or a server that crashed."
        }
        Cause::Protocol(_) => {
            "The bytes do not fit the declared framing: perhaps another protocol speaks on this port."
        }
        _ => "Look at the server's own log.",
    }
}

fn of_silence(cause: Cause) -> &'static str {
    match cause {
        Cause::Reset => {
            "A NAT or a firewall forgets the connection, and resets it at the next packet: send heartbeats more often than that."
        }
        Cause::PeerClosed => "The server ends silent connections: send heartbeats more often than that.",
        _ => {
            "A NAT or a firewall forgets the connection and drops its packets: send heartbeats, or keepalive probes, more often \
             than that."
        }
    }
}

/// What should be known about a way that is open.
fn warning(stage: &Stage) -> &'static str {
    match stage.name {
        StageName::Config => "The configuration cannot see every fault: see the notices.",
        StageName::Names => "The name took long to resolve.",
        StageName::Route => "Some of the addresses cannot be reached from this machine.",
        StageName::Tcp if stage.cause.is_some() => {
            "Some of the addresses do not take connections: each costs an attempt its share."
        }
        StageName::Tcp => "The first packet had to be sent again: loss on the way, or a server whose queue is full.",
        StageName::Greeting => "Whether the server answers is not known: declare a heartbeat to ask it.",
        StageName::PathMtu => "Large packets were not tried: declare a heartbeat.",
        StageName::Proxy | StageName::Tls | StageName::Idle => "See its facts.",
    }
}
