//! Ten thousand random lives: any input in any order, late, stale or hostile, and every rule still holds.
//!
//! Each run prints its seed when it fails; `KEEPLINE_SEED=<seed>` runs that one alone.

use fastrand::Rng;
use keepline_proto::cause::{Detector, DnsFailure, GreetingFailure, ProtocolFailure, ProxyFailure, TlsFailure};
use keepline_proto::config::{Choice, Config, Greeting, Heartbeat, Matcher, Profile, Script, ValidConfig};
use keepline_proto::event::{Disconnected, Suspicion};
use keepline_proto::framing::Framing;
use keepline_proto::recorder::Transition;
use keepline_proto::{
    Cause, Command, Ending, Epoch, Event, EventKind, KernelFigures, NetworkChange, NetworkKind, NetworkPath, Output,
    Session, State, Time,
};
use keepline_testkit::history::Audit;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const RUNS: u64 = 10_000;

const STEPS: usize = 200;

/// The longest deadline of a probe.
const PROBE_WITHIN: Duration = secs(3);

#[test]
fn no_order_of_inputs_breaks_a_rule() {
    let configs = configs();
    let mut seen = BTreeSet::new();
    let wish = std::env::var("KEEPLINE_SEED").ok().map(|seed| seed.parse().expect("KEEPLINE_SEED is a number"));
    let seeds = wish.map_or(1..=RUNS, |seed: u64| seed..=seed);
    for seed in seeds {
        let told = TellSeed(seed);
        let mut walk = Walk::new(&configs, seed);
        for _ in 0..STEPS {
            walk.step();
        }
        walk.close();
        seen.extend(walk.events.iter().flat_map(landmarks));
        drop(told);
    }
    // A walk that leads nowhere proves nothing.
    if wish.is_none() {
        let unseen: Vec<_> = LANDMARKS.iter().filter(|landmark| !seen.contains(**landmark)).collect();
        assert!(unseen.is_empty(), "never reached: {unseen:?}");
    }
}

#[test]
fn reachable_server_is_connected_to_from_wherever_a_walk_leads() {
    let configs = configs();
    for seed in 1..=RUNS / 10 {
        let told = TellSeed(seed);
        let mut walk = Walk::new(&configs, seed);
        for _ in 0..STEPS / 4 {
            walk.step();
        }
        walk.reach_connected();
        drop(told);
    }
}

/// What ten thousand walks must have met.
const LANDMARKS: &[&str] = &[
    "connecting",
    "connected",
    "suspect",
    "recovered",
    "stalled",
    "disconnected",
    "inbox_full",
    "offline",
    "paused",
    "resumed",
    "closed",
    "heartbeat",
    "read_idle",
    "kernel_info",
    "network_change",
    "heartbeat_late",
    "retransmits",
    "woke",
    "network_changed",
    "path_refused",
    "connect_timeout",
    "greeting.timeout",
    "path_silent",
    "peer_unresponsive",
    "peer_stalled",
    "write_stalled",
    "protocol.frame_timeout",
    "local_network_down",
    "requested",
    "replaced",
];

fn landmarks(event: &Event) -> Vec<&'static str> {
    let mut landmarks = vec![event.kind.name()];
    match &event.kind {
        EventKind::Disconnected(end) => {
            landmarks.push(end.ending.cause.as_str());
            landmarks.extend(end.ending.detector.map(Detector::as_str));
        }
        EventKind::Suspect { evidence, .. } => landmarks.push(evidence.as_str()),
        _ => {}
    }
    landmarks
}

/// Names the seed of a run that panics.
struct TellSeed(u64);

impl Drop for TellSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with KEEPLINE_SEED={}", self.0);
        }
    }
}

/// One life, and what an observer knows of it.
struct Walk {
    config: Arc<ValidConfig>,
    session: Session,
    rng: Rng,
    now: Time,
    audit: Audit,
    wait: Option<Time>,
    events: Vec<Event>,
    said: usize,
    /// The last inbound byte of the living connection.
    last_received: Time,
    /// Silence counts from here: a byte, `Connected`, a recovery, reading again.
    quiet_since: Time,
    /// Whether somebody asked the peer out of turn since the last byte.
    probed: bool,
    /// Whether a heartbeat was sent since the last byte.
    asked: bool,
    /// The kernel was asked for its figures.
    sampled: bool,
    reading: bool,
    challenger: Option<Epoch>,
}

impl Walk {
    fn new(configs: &[Arc<ValidConfig>], seed: u64) -> Walk {
        let mut rng = Rng::with_seed(seed);
        let config = Arc::clone(&configs[rng.usize(..configs.len())]);
        let now = Time::from_nanos(rng.u64(..1 << 50));
        let session = Session::new(Arc::clone(&config), rng.u64(..), now);
        let mut walk = Walk {
            config,
            session,
            rng,
            now,
            audit: Audit::new(),
            wait: None,
            events: Vec::new(),
            said: 0,
            last_received: Time::ZERO,
            quiet_since: now,
            probed: false,
            asked: false,
            sampled: false,
            reading: true,
            challenger: None,
        };
        if walk.rng.u8(..10) > 0 {
            walk.start();
        }
        walk
    }

    fn step(&mut self) {
        match self.rng.u8(..40) {
            0..10 => self.reach_deadline(Duration::ZERO),
            10 => {
                let late = millis(self.rng.u64(..200_000));
                self.reach_deadline(late);
            }
            11..14 => self.pass_some_time(),
            14..20 => self.advance_attempt(),
            20..24 => self.receive(),
            24 => self.end(),
            25 => self.command(),
            26 => self.stale_news(),
            27..29 => self.write(),
            29..31 => self.sample(),
            31 => self.frame(),
            32..34 => self.inbox(),
            34..36 => self.network(),
            36 => self.sleep(),
            37 => self.hostile(),
            38 => self.start(),
            _ => self.early_deadline(),
        }
    }

    fn start(&mut self) {
        self.audit.allow_dial();
        self.input(|session, now| session.handle_start(now));
    }

    /// The driver's own time: exactly the deadline, or late.
    fn reach_deadline(&mut self, late: Duration) {
        if let Some(at) = self.wait {
            // A wait of hours would leave the walk nothing else to do.
            self.now = self.now.max(at.min(self.now + secs(3600)) + late);
            self.judge_deadline();
        }
    }

    /// A driver may wake too early.
    fn early_deadline(&mut self) {
        self.judge_deadline();
    }

    fn judge_deadline(&mut self) {
        let last_received = self.last_received;
        self.sampled = false;
        self.input(|session, now| session.handle_deadline(now, last_received));
        // What else is due waits for the kernel's figures, where they were asked for.
        while self.wait.is_some_and(|at| at <= self.now) && std::mem::take(&mut self.sampled) {
            let epoch = self.session.epoch();
            self.input(|session, now| session.handle_kernel(now, epoch, KernelFigures::default()));
        }
        assert!(self.wait.is_none_or(|at| at > self.now), "the same deadline again: {:?}", self.wait);
        self.check_silence();
    }

    /// I6: silence is noticed by the time it must be.
    fn check_silence(&self) {
        let Some(heartbeat) = self.config.heartbeat.as_ref().filter(|heartbeat| heartbeat.expects_reply()) else {
            return;
        };
        if !self.reading || self.session.is_draining() {
            return;
        }
        let quiet = self.now.since(self.quiet_since);
        match self.session.state() {
            State::Connected => {
                assert!(quiet < heartbeat.interval + heartbeat.reply_within / 2, "healthy after {quiet:?} of silence");
            }
            State::Suspect => {
                let limit = self.now + heartbeat.interval.max(heartbeat.reply_within).max(PROBE_WITHIN);
                assert!(self.wait.is_some_and(|at| at <= limit), "suspect and nothing follows: {:?}", self.wait);
            }
            _ => {}
        }
    }

    fn pass_some_time(&mut self) {
        let most = self.wait.map_or(secs(100), |at| at.since(self.now)).min(secs(100));
        let most = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        self.now = self.now + Duration::from_nanos(self.rng.u64(0..=most));
    }

    /// The connection, or the attempt beside it.
    fn some_epoch(&mut self) -> Epoch {
        let live = self.session.epoch();
        self.session.challenger().filter(|_| self.rng.bool()).unwrap_or(live)
    }

    fn advance_attempt(&mut self) {
        let epoch = self.some_epoch();
        if Some(epoch) == self.session.challenger() {
            return self.advance_challenger(epoch);
        }
        match self.rng.u8(..4) {
            0 | 1 => self.input(|session, now| session.handle_dialed(now, epoch, None)),
            2 => self.input(|session, now| session.handle_greeted(now, epoch)),
            _ => self.reply(),
        }
    }

    fn advance_challenger(&mut self, epoch: Epoch) {
        match self.rng.u8(..6) {
            0 | 1 => self.input(|session, now| session.handle_dialed(now, epoch, None)),
            2 => self.input(|session, now| session.handle_greeted(now, epoch)),
            3 => self.input(|session, now| session.handle_heartbeat_reply(now, epoch)),
            4 => self.input(|session, now| session.handle_received(now, epoch)),
            _ => {
                let ending = self.any_ending();
                self.input(|session, now| session.handle_ended(now, epoch, ending));
            }
        }
    }

    fn receive(&mut self) {
        if !self.note_byte() {
            return;
        }
        let epoch = self.session.epoch();
        if self.session.wants_received() || self.rng.u8(..10) == 0 {
            self.input(|session, now| session.handle_received(now, epoch));
        }
    }

    fn reply(&mut self) {
        if self.note_byte() {
            let epoch = self.session.epoch();
            self.input(|session, now| session.handle_heartbeat_reply(now, epoch));
        }
    }

    /// A byte can only arrive where there is a connection, and only be seen by who reads.
    fn note_byte(&mut self) -> bool {
        let there = matches!(
            self.session.state(),
            State::Connecting | State::Connected | State::Suspect | State::Stalled | State::Offline
        );
        if !there || !self.reading || self.session.retry_at().is_some() {
            return false;
        }
        self.last_received = self.now;
        self.quiet_since = self.now;
        (self.probed, self.asked) = (false, false);
        true
    }

    fn end(&mut self) {
        let ending = self.any_ending();
        let epoch = self.session.epoch();
        self.input(|session, now| session.handle_ended(now, epoch, ending));
    }

    fn any_ending(&mut self) -> Ending {
        const CAUSES: [Cause; 16] = [
            Cause::PeerClosed,
            Cause::Reset,
            Cause::Refused,
            Cause::Unreachable,
            Cause::ConnectTimeout,
            Cause::LocalResource,
            Cause::PathSilent,
            Cause::Dns(DnsFailure::NotFound),
            Cause::Tls(TlsFailure::Expired),
            Cause::Tls(TlsFailure::NameMismatch),
            Cause::Greeting(GreetingFailure::Unexpected),
            Cause::Greeting(GreetingFailure::Auth),
            Cause::Greeting(GreetingFailure::Credentials),
            Cause::Proxy(ProxyFailure::Auth),
            Cause::Proxy(ProxyFailure::Credentials),
            Cause::Protocol(ProtocolFailure::Malformed),
        ];
        let mut ending = Ending::os(CAUSES[self.rng.usize(..CAUSES.len())], Some(104));
        if self.rng.u8(..10) == 0 {
            ending.retry_after = Some(Duration::from_secs(self.rng.u64(..10_000)));
        }
        ending
    }

    fn command(&mut self) {
        let command = match self.rng.u8(..18) {
            0..4 => Command::Reconnect,
            4..6 => Command::Pause,
            6..11 => Command::Resume,
            11..13 => Command::GoAway { retry_after: Duration::from_secs(self.rng.u64(..10_000)) },
            13..15 => Command::Background,
            15..17 => Command::Foreground,
            _ => CLOSE,
        };
        self.audit.allow_dial();
        self.input(|session, now| session.handle_command(now, command));
    }

    /// News of another epoch changes nothing.
    fn stale_news(&mut self) {
        let live = self.session.epoch();
        let stale = Epoch(self.rng.u64(..live.0 + 3));
        if stale == live || Some(stale) == self.session.challenger() {
            return;
        }
        let (before, said) = (self.session.state(), self.said);
        let ending = self.any_ending();
        let figures = self.any_figures();
        match self.rng.u8(..10) {
            0 => self.input(|session, now| session.handle_dialed(now, stale, None)),
            1 => self.input(|session, now| session.handle_greeted(now, stale)),
            2 => self.input(|session, now| session.handle_ended(now, stale, ending)),
            3 => self.input(|session, now| session.handle_received(now, stale)),
            4 => self.input(|session, now| session.handle_heartbeat_reply(now, stale)),
            5 => self.input(|session, now| session.handle_frame_started(now, stale)),
            6 => self.input(|session, now| session.handle_inbox(now, stale, true)),
            7 => self.input(|session, now| session.handle_write_blocked(now, stale)),
            8 => self.input(|session, now| session.handle_kernel(now, stale, figures)),
            _ => self.input(|session, now| session.handle_drained(now, stale)),
        }
        assert_eq!((self.session.state(), self.said), (before, said), "stale news of {stale} was heard");
    }

    fn write(&mut self) {
        let epoch = self.session.epoch();
        let blocked = self.rng.bool();
        if self.rng.bool() {
            self.input(|session, now| session.handle_write_blocked(now, epoch));
        } else {
            self.input(|session, now| session.handle_write_progress(now, epoch, blocked));
        }
    }

    fn sample(&mut self) {
        let epoch = self.session.epoch();
        let figures = self.any_figures();
        self.input(|session, now| session.handle_kernel(now, epoch, figures));
    }

    fn any_figures(&mut self) -> KernelFigures {
        let rng = &mut self.rng;
        let few = |rng: &mut Rng| rng.bool().then(|| rng.u32(..7));
        KernelFigures {
            unacked_segments: few(rng),
            retransmits: few(rng),
            probes: few(rng),
            backoff: few(rng),
            send_window: rng.bool().then(|| rng.u32(..3) * 1000),
            send_queue: few(rng),
            not_sent: few(rng),
            last_ack_received: rng.bool().then(|| millis(rng.u64(..100_000))),
            last_data_received: rng.bool().then(|| millis(rng.u64(..100_000))),
            rtt: None,
            bytes_acked: rng.bool().then(|| rng.u64(..100)),
            delivered_segments: few(rng),
            segment_size: rng.bool().then_some(10),
        }
    }

    fn frame(&mut self) {
        let epoch = self.session.epoch();
        if self.rng.bool() {
            self.input(|session, now| session.handle_frame_started(now, epoch));
        } else {
            self.input(|session, now| session.handle_frame_ended(now, epoch));
        }
    }

    fn inbox(&mut self) {
        let epoch = self.session.epoch();
        let full = self.rng.u8(..4) == 0;
        if !self.reading && !full {
            self.quiet_since = self.now;
        }
        self.reading = !full;
        self.input(|session, now| session.handle_inbox(now, epoch, full));
    }

    fn network(&mut self) {
        let available = self.rng.u8(..3) > 0;
        let path = NetworkPath { id: self.rng.u64(..3), available, kind: NetworkKind::Wifi, metered: false };
        let route_intact = [None, Some(true), Some(false)][self.rng.usize(..3)];
        let change = NetworkChange { path: self.rng.bool().then_some(path), route_intact };
        let before = NetworkPath { id: self.rng.u64(..3), available: true, ..path };
        self.audit.allow_dial();
        match self.rng.u8(..4) {
            0 => self.input(|session, now| session.handle_network_found(now, path)),
            1 => self.input(|session, now| session.handle_network_seen(now, before, change)),
            _ => self.input(|session, now| session.handle_network_changed(now, change)),
        }
    }

    fn sleep(&mut self) {
        let slept = secs(self.rng.u64(..100_000));
        self.now = self.now + slept;
        self.input(|session, now| session.handle_resumed(now, slept));
    }

    /// Inputs no sane driver gives: a clock that steps back, news of the future, a deadline nobody asked for.
    fn hostile(&mut self) {
        // The machine learns the time first: a step back is one only then.
        self.judge_deadline();
        let epoch = self.session.epoch();
        match self.rng.u8(..7) {
            0 => {
                let last_received = self.last_received;
                self.input(|session, now| session.handle_deadline(now - secs(1000), last_received));
            }
            5 => {
                let until = self.now + secs(self.rng.u64(..100));
                self.input(|session, now| session.handle_held(now, until));
            }
            6 => {
                let (died_at, last_received) = (self.now - secs(self.rng.u64(..2)), self.last_received);
                self.input(|session, now| session.handle_sibling_died(now, died_at, last_received));
            }
            1 => self.input(|session, now| session.handle_dialed(now - secs(5), epoch, None)),
            2 => self.input(|session, now| session.handle_drained(now, epoch)),
            3 => self.input(|session, now| session.handle_greeted(now, epoch.next())),
            _ => self.input(|session, now| session.handle_resumed(now, Duration::ZERO)),
        }
    }

    /// Hands in one input and judges everything that comes of it.
    fn input(&mut self, input: impl FnOnce(&mut Session, Time)) {
        input(&mut self.session, self.now);
        loop {
            let output = self.session.poll_output();
            if let Err(violation) = self.audit.watch(self.now, &output, &self.config) {
                panic!("{violation}\nhistory: {:#?}", self.events);
            }
            match output {
                Output::Wait(deadline) => {
                    self.wait = deadline;
                    return;
                }
                Output::Emit(event) => self.judge_event(*event),
                Output::Dial { epoch, .. } if self.session.challenger() == Some(epoch) => self.challenger = Some(epoch),
                Output::Dial { .. } => {
                    self.last_received = Time::ZERO;
                    self.reading = true;
                }
                Output::Close { epoch, .. } => {
                    // The one beside it takes its place, or none.
                    if self.challenger.take() != Some(epoch) {
                        self.last_received = Time::ZERO;
                        self.reading = true;
                    }
                }
                Output::Sample { .. } => self.sampled = true,
                Output::Heartbeat { .. } => self.note_heartbeat(),
                Output::Greet { .. }
                | Output::Open { .. }
                | Output::SetUserTimeout { .. }
                | Output::ProbeKernel { .. }
                | Output::Drain { .. } => {}
            }
            self.said += 1;
        }
    }

    /// A heartbeat before its time is a probe, and so is a second one without a byte in between.
    fn note_heartbeat(&mut self) {
        let interval = self.config.heartbeat.as_ref().map(|heartbeat| heartbeat.interval);
        let early = interval.is_none_or(|interval| self.now.since(self.last_received) < interval);
        self.probed |= early || std::mem::replace(&mut self.asked, true);
    }

    fn judge_event(&mut self, event: Event) {
        match &event.kind {
            EventKind::Connected { .. } => {
                self.quiet_since = self.now;
                (self.probed, self.asked) = (false, false);
            }
            EventKind::Recovered { .. } => self.quiet_since = self.now,
            EventKind::Suspect { evidence, .. } => match evidence {
                Suspicion::Woke | Suspicion::NetworkChanged => {
                    self.probed = true;
                    self.quiet_since = self.now;
                }
                Suspicion::Retransmits | Suspicion::PathRefused | Suspicion::HeartbeatLate => {}
                _ => {}
            },
            EventKind::Disconnected(end) => {
                self.judge_verdict(end.ending);
                judge_report(end, event.at);
            }
            _ => {}
        }
        self.events.push(event);
    }

    /// I7: no verdict by silence where bytes arrived in time.
    fn judge_verdict(&self, ending: Ending) {
        let quiet = self.now.since(self.last_received);
        let least = match (ending.detector, &self.config.heartbeat) {
            (Some(Detector::ReadIdle), _) => self.config.read_idle.unwrap_or_default(),
            (Some(Detector::Heartbeat), Some(heartbeat)) if self.probed => heartbeat.reply_within.min(PROBE_WITHIN),
            (Some(Detector::Heartbeat), Some(heartbeat)) => heartbeat.interval + heartbeat.reply_within,
            (Some(Detector::Heartbeat), None) => panic!("a verdict by a heartbeat that was not declared"),
            _ => Duration::ZERO,
        };
        assert!(quiet >= least, "dead by {ending} after {quiet:?}, at least {least:?}\n{:#?}", self.events);
    }

    /// Wherever a walk ended: one close, one Closed, nothing after.
    fn close(&mut self) {
        self.input(|session, now| session.handle_command(now, CLOSE));
        for _ in 0..3 {
            if self.session.state() == State::Closed {
                break;
            }
            self.reach_deadline(Duration::ZERO);
        }
        assert_eq!(self.session.state(), State::Closed);
        assert!(self.audit.is_closed());
        let said = self.said;
        for _ in 0..10 {
            self.step();
        }
        assert_eq!(self.said, said, "something was said after Closed");
    }

    /// The machine is never parked: with a server that answers, it is connected after a few deadlines.
    fn reach_connected(&mut self) {
        self.start();
        self.audit.allow_dial();
        self.input(|session, now| session.handle_command(now, Command::Foreground));
        self.audit.allow_dial();
        self.input(|session, now| session.handle_command(now, Command::Resume));
        for _ in 0..100 {
            let epoch = self.session.epoch();
            match self.session.state() {
                State::Connected if !self.session.is_draining() => return,
                State::Closed => return,
                State::Connecting => {
                    self.input(|session, now| session.handle_dialed(now, epoch, None));
                    self.input(|session, now| session.handle_greeted(now, epoch));
                    self.last_received = self.now;
                    self.input(|session, now| session.handle_heartbeat_reply(now, epoch));
                }
                State::Suspect | State::Offline if self.session.retry_at().is_none() => {
                    self.reading = true;
                    self.input(|session, now| session.handle_inbox(now, epoch, false));
                    self.now = self.now + millis(1);
                    self.receive();
                }
                State::Stalled => self.input(|session, now| {
                    let open = KernelFigures { send_window: Some(1), ..KernelFigures::default() };
                    session.handle_kernel(now, epoch, open);
                }),
                State::Idle => panic!("started, resumed and idle"),
                _ => self.reach_deadline(Duration::ZERO),
            }
        }
        panic!("never connected: {:?}\n{:#?}", self.session.state(), self.events);
    }
}

/// The recorder tells of this one connection, in order, from its start to its end, and never more than it may.
fn judge_report(end: &Disconnected, now: Time) {
    let report = end.report.as_ref().expect("a report is made at each end");
    assert_eq!((report.epoch, report.ended, report.ending), (end.epoch, now, end.ending));
    assert!(report.entries.len() <= 256, "{} entries", report.entries.len());
    let first = report.entries.first().map(|entry| (entry.at, entry.what));
    assert!(report.overwritten > 0 || first == Some((report.began, Transition::Connecting)), "{report}");
    let last = report.entries.last().map(|entry| (entry.at, entry.what));
    assert_eq!(last, Some((now, Transition::Ended(end.ending.cause))), "{report}");
    assert!(report.entries.is_sorted_by_key(|entry| entry.at), "{report}");
    assert!(report.entries.iter().all(|entry| entry.count > 0 && entry.until() <= now), "{report}");
}

fn configs() -> Vec<Arc<ValidConfig>> {
    let heartbeat = |reply| Some(Heartbeat::new("PING").every(secs(20)).reply_within(secs(10)).reply(reply));
    let script = Script::default().send("HELLO").expect(Matcher::Exact("WELCOME".into()));
    let lines = Config { framing: Framing::lines(), ..Config::default() };
    let configs = [
        lines.clone(),
        Config { heartbeat: heartbeat(Matcher::Any), ..lines.clone() },
        Config { heartbeat: heartbeat(Matcher::Exact("PONG".into())), ..lines.clone() },
        Config { heartbeat: heartbeat(Matcher::None), ..lines.clone() },
        Config { greeting: Some(Greeting::Script(script.clone())), ..lines.clone() },
        Config {
            heartbeat: heartbeat(Matcher::Any),
            greeting: Some(Greeting::Script(script.clone())),
            read_idle: Some(secs(90)),
            frame_within: Choice::On(secs(5)),
            ..lines.clone()
        },
        Config { read_idle: Some(secs(40)), max_attempts: Some(5), ..lines.clone() },
        Config { profile: Profile::Industrial, heartbeat: heartbeat(Matcher::Any), ..lines.clone() },
        Config { detect_within: Some(secs(4)), heartbeat: Some(Heartbeat::new("PING")), ..lines.clone() },
        Config { concurrent_ok: true, heartbeat: heartbeat(Matcher::Any), ..lines.clone() },
        Config { concurrent_ok: true, ..lines.clone() },
        Config {
            concurrent_ok: true,
            greeting: Some(Greeting::Script(script.clone())),
            heartbeat: heartbeat(Matcher::None),
            ..lines
        },
    ];
    configs.into_iter().map(|config| Arc::new(config.parse().expect("the configuration is valid"))).collect()
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Close as most programs do.
const CLOSE: Command = Command::Close { drain: Duration::from_secs(5) };
