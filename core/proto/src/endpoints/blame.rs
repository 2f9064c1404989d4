//! Whom an end speaks against: the endpoint, the service behind all of them, or none of them.

use crate::cause::{Cause, Ending, GreetingFailure, ProxyFailure};

/// Whom an end speaks against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The endpoint, or the way to it: another one may serve.
    Endpoint,
    /// The service: every endpoint would say the same, and asking each of them does harm.
    Service,
    /// None of them: the own machine or network, or the user's wish.
    Nobody,
}

/// Whom this end speaks against.
pub const fn blame(ending: &Ending) -> Blame {
    if ending.retry_after.is_some() {
        // Sent away for a while: a service that is overloaded is not helped by a try at its next node.
        return Blame::Service;
    }
    match ending.cause {
        // Servers count failed logins by account, not by node.
        Cause::Greeting(GreetingFailure::Auth) => Blame::Service,
        // Our own provider had none to give.
        Cause::Greeting(GreetingFailure::Credentials) => Blame::Nobody,
        // A hook that panics does so everywhere; one that says no may mean this node: not the leader, say.
        Cause::Greeting(GreetingFailure::Panicked) => Blame::Service,
        Cause::PeerClosed
        | Cause::Reset
        | Cause::PathSilent
        | Cause::PeerUnresponsive
        | Cause::PeerStalled
        | Cause::WriteStalled
        | Cause::Refused
        | Cause::Unreachable
        | Cause::ConnectTimeout
        | Cause::Dns(_)
        | Cause::Tls(_)
        | Cause::Proxy(ProxyFailure::Refused | ProxyFailure::Unreachable | ProxyFailure::Denied)
        | Cause::Greeting(GreetingFailure::Timeout | GreetingFailure::Unexpected | GreetingFailure::Rejected)
        | Cause::Protocol(_) => Blame::Endpoint,
        // The proxy stands before all of them.
        Cause::Proxy(
            ProxyFailure::Auth
            | ProxyFailure::Credentials
            | ProxyFailure::Unavailable
            | ProxyFailure::Unsupported
            | ProxyFailure::Timeout
            | ProxyFailure::Closed
            | ProxyFailure::Protocol,
        )
        | Cause::LocalNetworkDown
        | Cause::LocalResource
        | Cause::NetworkChanged
        | Cause::Replaced
        | Cause::Requested => Blame::Nobody,
    }
}
