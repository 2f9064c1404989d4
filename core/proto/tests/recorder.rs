//! What the flight recorder tells of a death: from the dial to the end, in order, bounded, and readable.

use keepline_proto::config::{Config, Greeting, Heartbeat, Matcher, Script};
use keepline_proto::framing::Framing;
use keepline_proto::recorder::{Reports, Transition};
use keepline_proto::{Cause, Command, Ending, Epoch, Report, State};
use keepline_testkit::SimWorld;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn timeline_of_a_black_hole_is_told_from_the_dial_to_the_verdict() {
    let mut world = SimWorld::connected(heartbeat());
    world.run_for(secs(65));
    world.blackhole();
    world.run_until("disconnected");
    let mut report = (*last_report(&world)).clone();
    report.figures = Some(keepline_proto::KernelFigures {
        unacked_segments: Some(1),
        retransmits: Some(4),
        backoff: Some(4),
        last_ack_received: Some(secs(30)),
        rtt: Some(Duration::from_micros(12_340)),
        send_queue: Some(5),
        ..Default::default()
    });
    report.retry_in = Some(Duration::from_millis(412));
    let expected = "\
connection #1 ended, connected for 90 s: path_silent (by heartbeat)
  nothing comes back from the path, neither data nor acknowledgements
  the next attempt starts in 0.4 s

     0.000 s  the attempt starts
     0.000 s  TCP is established
     0.000 s  heartbeat answered
     0.000 s  connected
    20.000 s  3 heartbeats answered, the last at 60.000 s
    80.000 s  heartbeat sent
    85.000 s  suspect: the heartbeat's answer is late
    85.000 s  the kernel retransmits without an answer: 4 times by 85.000 s
    90.000 s  ended: path_silent

the kernel's figures at the end:
  last acknowledgement        30 s before the end
  round trip                  12.3 ms
  unanswered retransmissions  4, the timer doubled 4 times
  segments in flight          1
  not acknowledged            5 bytes";
    assert_eq!(report.to_string(), expected, "{report}");
}

#[test]
fn each_report_begins_at_the_dial_of_its_own_connection() {
    let mut world = SimWorld::connected(heartbeat());
    world.run_for(secs(100));
    world.end(Cause::Reset);
    world.refuse();
    world.run_until("disconnected");
    let report = last_report(&world);
    assert_eq!(report.epoch, Epoch(2));
    assert_eq!((report.up_for, report.failures), (None, 1));
    assert_eq!(names(&report), ["connecting", "ended"]);
    assert_eq!(report.entries[1].what, Transition::Ended(Cause::Refused));
    assert!(report.to_string().starts_with("attempt #2 failed after 0 ms: refused"), "{report}");
}

#[test]
fn idle_day_is_one_entry() {
    let mut world = SimWorld::connected(heartbeat());
    world.run_for(secs(86_400));
    world.end(Cause::PeerClosed);
    let report = last_report(&world);
    assert_eq!(
        names(&report),
        ["connecting", "dialed", "heartbeat_answered", "connected", "heartbeat_answered", "ended"]
    );
    assert_eq!(report.entries[4].count, 4_320);
}

#[test]
fn stall_sleep_and_network_are_told_in_their_order() {
    let mut world = SimWorld::connected(heartbeat());
    world.stall_peer();
    world.run_until("stalled");
    world.answer();
    world.write_progress(false);
    world.sleep(secs(3_600));
    world.run_for(secs(1));
    world.inbox(true);
    world.inbox(true);
    world.run_for(secs(2));
    world.inbox(false);
    world.command(Command::Reconnect);
    let report = last_report(&world);
    assert_eq!(
        names(&report)[4..],
        [
            "write_blocked",
            "window_shut",
            "user_timeout_lifted",
            "stalled",
            "write_resumed",
            "user_timeout_set",
            "recovered",
            "slept",
            "heartbeat_sent",
            "suspect",
            "heartbeat_answered",
            "recovered",
            "kernel_answers",
            "inbox_drained",
            "asked",
            "ended",
        ],
        "{report}"
    );
    let text = report.to_string();
    for words in
        ["the machine woke after 60 min of sleep", "reading paused 2.0 s", "the user asked for a new connection"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn recording_is_bounded_and_keeps_the_end() {
    let mut world = SimWorld::connected(heartbeat());
    for _ in 0..300 {
        world.sleep(secs(10));
        world.run_for(secs(1));
    }
    assert_eq!(world.state(), State::Connected);
    world.end(Cause::Reset);
    let report = last_report(&world);
    assert_eq!(report.entries.len(), 256);
    assert!(report.overwritten > 0);
    assert_eq!(report.entries[255].what, Transition::Ended(Cause::Reset));
    let text = report.to_string();
    assert!(text.contains(&format!("{} earlier entries were overwritten", report.overwritten)), "{text}");
    assert!(text.len() < 32 * 1024, "{} bytes", text.len());
}

#[test]
fn last_four_reports_are_kept() {
    let mut world = SimWorld::connected(heartbeat());
    let mut reports = Reports::default();
    let mut gone = Vec::new();
    for _ in 0..6 {
        world.end(Cause::Reset);
        gone.extend(reports.push(last_report(&world)).map(|report| report.epoch.0));
        world.run_until("connected");
    }
    assert_eq!(reports.iter().map(|report| report.epoch.0).collect::<Vec<_>>(), [3, 4, 5, 6]);
    assert_eq!(gone, [1, 2]);
}

#[test]
fn nothing_of_payloads_greetings_or_heartbeats_is_in_a_report() {
    let script = Script::default().send("AUTH hunter2").expect(Matcher::Exact("WELCOME sesame".into()));
    let mut world = SimWorld::connected(Config {
        framing: Framing::lines(),
        greeting: Some(Greeting::Script(script)),
        heartbeat: Some(Heartbeat::new("PING hunter2").reply(Matcher::Exact("PONG sesame".into()))),
        ..Config::default()
    });
    world.run_for(secs(100));
    world.end_with(Ending { retry_after: Some(secs(3)), ..Ending::os(Cause::Reset, Some(104)) });
    let report = last_report(&world);
    for text in [report.to_string(), format!("{report:?} {:?}", report.entries), format!("{:?}", world.session())] {
        for secret in ["hunter2", "sesame", "AUTH", "PING"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

fn heartbeat() -> Config {
    let heartbeat = Heartbeat::new("PING").every(secs(20)).reply_within(secs(10));
    Config { heartbeat: Some(heartbeat), ..Config::default() }
}

fn last_report(world: &SimWorld) -> Arc<Report> {
    world.last_end().report.clone().expect("a report is made at each end")
}

fn names(report: &Report) -> Vec<&'static str> {
    report.entries.iter().map(|entry| entry.what.name()).collect()
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
