//! What the user should know about a valid configuration: the faults it cannot see, and choices with a price.

use crate::config::bound::KERNEL_DEFAULT;
use crate::config::{
    Choice, Config, DetectionBounds, Greeting, Jitter, Matcher, Notice, Profile, Settings, Step, WhileDown, short,
};
use crate::framing::Framing;
use crate::race::{Addresses, retransmission_before};
use std::time::Duration;

/// Adds the notices that follow from the whole configuration.
pub(super) fn tell(config: &Config, settings: &Settings) -> Vec<Notice> {
    let mut notices = settings.notices.clone();
    let mut tell = |field: &'static str, text: String| notices.push(Notice { field, text });
    let bounds = DetectionBounds::of(settings);

    if bounds.peer_frozen.within.is_none() {
        tell("heartbeat", format!("a frozen peer process cannot be noticed: {}", bounds.peer_frozen.formula));
    }
    if bounds.path_silent_idle.within.is_none() {
        let formula = &bounds.path_silent_idle.formula;
        tell("keepalive", format!("a path that dies while idle is never noticed: {formula}"));
    }
    let late = bounds.path_silent_in_flight.within.is_none_or(|within| within >= KERNEL_DEFAULT);
    if settings.user_timeout.is_none() && late {
        let formula = &bounds.path_silent_in_flight.formula;
        tell("user_timeout", format!("a path that dies with data in flight is noticed late: {formula}"));
    }
    if let Some(limit) = settings.user_timeout.filter(|limit| *limit < slow_line_needs()) {
        let (limit, needed) = (short(limit), short(slow_line_needs()));
        let text = format!(
            "{limit} can end a healthy peer behind a slow line: below {needed}, which 512 KiB take at 512 kbit/s"
        );
        tell("user_timeout", text);
    }
    if let Some((field, pause)) = longest_pause(settings).filter(|(_, pause)| *pause > NAT_FORGETS) {
        let (pause, forgets) = (short(pause), short(NAT_FORGETS));
        let text = format!("{pause} without a packet: above {forgets}, after which common NATs forget a connection");
        tell(field, text);
    }
    if let Some(promised) = config.detect_within {
        for (fault, bound) in [
            ("a path that dies while idle", &bounds.path_silent_idle),
            ("a path that dies with data in flight", &bounds.path_silent_in_flight),
            ("a frozen peer", &bounds.peer_frozen),
        ] {
            if let Some(within) = bound.within.filter(|within| *within > promised) {
                let (within, promised, formula) = (short(within), short(promised), &bound.formula);
                tell("detect_within", format!("{fault} is noticed after {within}, not {promised}: {formula}"));
            }
        }
    }
    if let Some(deadline) = config.connect_per_address.and_then(retransmission_before) {
        let text = format!("ends just after the SYN that is sent again at {}: that try is wasted", short(deadline));
        tell("connect.per_address", text);
    }
    match settings.backoff.jitter {
        Jitter::None => tell("backoff.jitter", "none: clients that lost the same server return in step".to_owned()),
        Jitter::Full | Jitter::Equal | Jitter::Centred | Jitter::Decorrelated => {}
    }
    match (config.profile, settings.while_down) {
        (Profile::Industrial, WhileDown::Queue) => {
            let text = "queue: commands may reach the machine after the situation they were meant for has passed";
            tell("while_down", text.to_owned());
        }
        (Profile::Industrial, WhileDown::Reject)
        | (Profile::Balanced | Profile::Mobile | Profile::Datacenter, WhileDown::Queue | WhileDown::Reject) => {}
    }
    match (config.profile, settings.concurrent_ok) {
        (Profile::Industrial, true) => {
            let text = "allowed: many controllers and gateways serve one connection, and drop the first for the second";
            tell("concurrent_ok", text.to_owned());
        }
        (Profile::Industrial, false) | (Profile::Balanced | Profile::Mobile | Profile::Datacenter, _) => {}
    }
    match (config.profile, settings.addresses) {
        (Profile::Industrial, Addresses::HappyEyeballs) => {
            let text = "happy_eyeballs: two connections for a moment, where many controllers serve only one";
            tell("addresses", text.to_owned());
        }
        (Profile::Industrial, Addresses::OneAtATime)
        | (
            Profile::Balanced | Profile::Mobile | Profile::Datacenter,
            Addresses::HappyEyeballs | Addresses::OneAtATime,
        ) => {}
    }
    if settings.addresses == Addresses::OneAtATime && config.address_stagger.is_some() {
        tell("address_stagger", "has no effect: addresses are dialled one at a time".to_owned());
    }
    if settings.race_through_tls && settings.proxy.is_some() {
        let text = "has no effect through a proxy: TLS begins behind it";
        tell("race_through_tls", text.to_owned());
    }
    if settings.proxy_credentials && settings.proxy.is_none() {
        tell("proxy_credentials", "has no effect: there is no proxy".to_owned());
    }
    if matches!(config.framing, Framing::Raw) && matches!(config.frame_within, Choice::On(_)) {
        tell("frame_within", "has no effect: raw bytes have no frames".to_owned());
    }
    if let Some(Greeting::Script(script)) = &settings.greeting {
        let expects = |step: &Step| match step {
            Step::Send(_)
            | Step::SendCredentials { .. }
            | Step::Refused(_)
            | Step::RetryAfter(_)
            | Step::Expect(Matcher::None) => false,
            Step::Expect(Matcher::Any | Matcher::Exact(_) | Matcher::Prefix(_)) => true,
        };
        if !script.0.iter().any(expects) {
            tell("greeting", "expects nothing, so it cannot fail and proves nothing".to_owned());
        }
    }
    notices
}

/// 240 s: the shortest idle time of the large clouds (Azure's load balancer; AWS 350 s, Google 600 s and more).
const NAT_FORGETS: Duration = Duration::from_secs(240);

/// 512 KiB: what a home router queues before it drops, beside what the kernel holds. None of it is acknowledged earlier.
const QUEUED_ON_THE_WAY: u64 = 512 * 1024;
/// 512 kbit/s: a weak mobile link or an old copper line, in bytes a second.
const SLOW_LINE: u64 = 512 * 1000 / 8;

/// The user timeout that a slow line with a full queue needs, in whole seconds.
fn slow_line_needs() -> Duration {
    Duration::from_secs(QUEUED_ON_THE_WAY / SLOW_LINE)
}

/// The longest time without a packet on an idle connection, and what decides it; `None` if nothing is ever sent.
fn longest_pause(settings: &Settings) -> Option<(&'static str, Duration)> {
    let heartbeat = settings.heartbeat.as_ref().map(|heartbeat| ("heartbeat.interval", heartbeat.interval));
    let keepalive = settings.keepalive.map(|keepalive| ("keepalive.idle", keepalive.idle));
    heartbeat.into_iter().chain(keepalive).min_by_key(|(_, pause)| *pause)
}
