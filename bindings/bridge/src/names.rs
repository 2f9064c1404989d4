//! Every name that crosses the border, for the contract and for the enumerations of the other languages.

use crate::error::BORDER_KINDS;
use keepline::cause::{DnsFailure, GreetingFailure, ProtocolFailure, ProxyFailure, TlsFailure};
use keepline::doctor::{Finding, StageName};
use keepline::proto::outbox::{AckedBy, Outcome};
use keepline::recorder::{Transition, Wish};
use keepline::{
    Addresses, Cause, Detector, EndpointOrder, ErrorKind, EventKind, Hint, Jitter, NetworkKind, Overflow, Profile,
    State, Suspicion, Unsolicited, WaitClass, WhileDown,
};
use std::fmt::Display;

/// The names of one kind of value.
pub type Names = Vec<String>;

/// Every kind of name, with its names in the core's order.
pub fn all() -> Vec<(&'static str, Names)> {
    vec![
        ("profile_names", told(Profile::ALL)),
        ("states", told(State::ALL)),
        ("events", told(EventKind::NAMES)),
        ("causes", told(&causes())),
        ("detectors", told(Detector::ALL)),
        ("hints", told(Hint::NAMES)),
        ("suspicions", told(Suspicion::ALL)),
        ("outcomes", told(Outcome::ALL)),
        ("acked_by", told(AckedBy::ALL)),
        ("transitions", told(Transition::NAMES)),
        ("wishes", told(Wish::ALL)),
        ("wait_classes", told(WaitClass::ALL)),
        ("stages", told(StageName::ALL)),
        ("findings", told(Finding::ALL)),
        ("error_kinds", told(ErrorKind::ALL)),
        ("border_error_kinds", told(BORDER_KINDS)),
        ("while_down", told(WhileDown::ALL)),
        ("overflow", told(Overflow::ALL)),
        ("unsolicited", told(Unsolicited::ALL)),
        ("jitters", told(Jitter::ALL)),
        ("addresses", told(Addresses::ALL)),
        ("endpoint_orders", told(EndpointOrder::ALL)),
        ("endians", told(crate::config::ENDIANS)),
        ("network_kinds", NETWORK_KINDS.iter().map(|(name, _)| (*name).to_owned()).collect()),
    ]
}

/// The kinds of network by name.
pub const NETWORK_KINDS: &[(&str, NetworkKind)] = &[
    ("unknown", NetworkKind::Unknown),
    ("wifi", NetworkKind::Wifi),
    ("cellular", NetworkKind::Cellular),
    ("wired", NetworkKind::Wired),
    ("vpn", NetworkKind::Vpn),
    ("other", NetworkKind::Other),
];

/// Every cause with every detail.
pub fn causes() -> Vec<Cause> {
    let mut causes = vec![
        Cause::PeerClosed,
        Cause::Reset,
        Cause::PathSilent,
        Cause::PeerUnresponsive,
        Cause::PeerStalled,
        Cause::WriteStalled,
        Cause::Refused,
        Cause::Unreachable,
        Cause::ConnectTimeout,
    ];
    causes.extend(DnsFailure::ALL.iter().map(|failure| Cause::Dns(*failure)));
    causes.extend(TlsFailure::ALL.iter().map(|failure| Cause::Tls(*failure)));
    causes.extend(ProxyFailure::ALL.iter().map(|failure| Cause::Proxy(*failure)));
    causes.extend(GreetingFailure::ALL.iter().map(|failure| Cause::Greeting(*failure)));
    causes.extend(ProtocolFailure::ALL.iter().map(|failure| Cause::Protocol(*failure)));
    causes.extend([
        Cause::LocalNetworkDown,
        Cause::LocalResource,
        Cause::NetworkChanged,
        Cause::Replaced,
        Cause::Requested,
    ]);
    causes
}

fn told<T: Display>(values: &[T]) -> Names {
    values.iter().map(ToString::to_string).collect()
}
