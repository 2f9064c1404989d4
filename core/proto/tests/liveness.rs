//! How long a silent peer lives: heartbeats, suspicion, verdicts, own back-pressure, frames, sleep.

use keepline_proto::cause::{Detector, ProtocolFailure};
use keepline_proto::config::{Choice, Config, Heartbeat, Matcher};
use keepline_proto::event::Suspicion;
use keepline_proto::{Cause, Ending, EventKind, KernelFigures, State};
use keepline_testkit::SimWorld;
use std::time::Duration;

#[test]
fn silent_peer_is_declared_dead_after_interval_plus_timeout() {
    let mut world = SimWorld::connected(heartbeat(20, 10));
    world.silence_peer();
    assert_eq!(world.run_until("disconnected"), secs(30));
    assert_eq!(world.last_end().ending, Ending::new(Cause::PeerUnresponsive, Some(Detector::Heartbeat)));
}

#[test]
fn silent_peer_is_suspect_at_half_of_the_reply_deadline() {
    let mut world = SimWorld::connected(heartbeat(20, 10));
    world.silence_peer();
    assert_eq!(world.run_until("suspect"), secs(25));
    assert_eq!(suspicion(&world), Suspicion::HeartbeatLate);
    assert_eq!(world.state(), State::Suspect);
}

#[test]
fn frozen_peer_is_unresponsive_and_a_swallowed_path_is_silent() {
    let mut world = SimWorld::connected(heartbeat(20, 10));
    world.freeze();
    assert_eq!(world.run_until("disconnected"), secs(30));
    assert_eq!(world.last_end().ending.cause, Cause::PeerUnresponsive);
    let mut world = SimWorld::connected(heartbeat(20, 10));
    world.blackhole();
    assert_eq!(world.run_until("disconnected"), secs(30));
    assert_eq!(world.last_end().ending, Ending::new(Cause::PathSilent, Some(Detector::Heartbeat)));
}

#[test]
fn evidence_is_asked_for_when_suspect_and_shortly_before_the_verdict_only() {
    let mut world = SimWorld::connected(heartbeat(20, 10));
    let start = world.now();
    world.silence_peer();
    world.run_until("disconnected");
    let asked: Vec<_> = world.samples().iter().map(|at| at.since(start)).collect();
    assert_eq!(asked, [secs(25), millis(29_900)]);
}

#[test]
fn answering_peer_is_asked_once_per_interval_and_never_suspected() {
    let mut world = SimWorld::connected(heartbeat(20, 10));
    let first = world.heartbeats().len();
    world.run_for(secs(3600));
    assert_eq!(world.heartbeats().len() - first, 180);
    assert_eq!(world.event_names(), ["connecting", "connected"]);
}

#[test]
fn heartbeats_are_due_when_nothing_was_read_whatever_was_written() {
    let mut world = SimWorld::connected(heartbeat(20, 10));
    let start = world.now();
    let first = world.heartbeats().len();
    for _ in 0..10 {
        world.run_for(secs(7));
        world.receive();
        world.write_progress(false);
    }
    assert_eq!(world.heartbeats().len(), first, "a peer that talks is not asked");
    world.run_for(secs(20));
    assert_eq!(world.heartbeats().last().map(|at| at.since(start)), Some(secs(90)));
}

#[test]
fn any_byte_within_the_deadline_is_life_even_where_a_reply_is_declared() {
    let mut world = SimWorld::connected(heartbeat_with(20, 10, Matcher::Exact("PONG".into())));
    world.silence_peer();
    world.run_until("suspect");
    world.run_for(millis(4_999));
    world.receive();
    assert_eq!(world.state(), State::Connected);
    assert_eq!(world.event_names().last(), Some(&"recovered"));
    assert_eq!(world.run_until("disconnected"), secs(30));
}

#[test]
fn bytes_nobody_was_told_of_move_the_deadline_when_it_is_judged() {
    let mut world = SimWorld::connected(heartbeat(20, 10));
    world.silence_peer();
    world.run_for(secs(12));
    world.receive();
    let asked = world.heartbeats().len();
    world.run_for(secs(10));
    assert_eq!(world.heartbeats().len(), asked, "20 s after connecting, but 10 s after the byte");
    assert_eq!(world.run_until("disconnected"), secs(20));
}

#[test]
fn heartbeat_without_reply_is_sent_and_proves_nothing() {
    let mut world = SimWorld::connected(heartbeat_with(20, 10, Matcher::None));
    world.silence_peer();
    world.run_for(secs(3600));
    assert_eq!(world.heartbeats().len(), 180);
    assert_eq!(world.state(), State::Connected);
}

#[test]
fn verdict_counts_from_when_the_heartbeat_was_due_however_late_the_timers_are() {
    let mut world = SimWorld::connected(heartbeat(20, 10));
    world.silence_peer();
    world.run_for(secs(19));
    world.hang(secs(4));
    assert_eq!(world.heartbeats().len(), 2);
    assert_eq!(world.run_until("disconnected"), secs(7));
}

#[test]
fn blocked_write_does_not_delay_the_verdict() {
    let mut world = SimWorld::connected(heartbeat(20, 10));
    world.silence_peer();
    world.run_for(secs(24));
    world.write_blocked();
    assert_eq!(world.run_until("disconnected"), secs(6));
}

#[test]
fn bytes_that_only_the_own_kernel_took_do_not_delay_the_verdict() {
    let mut world = SimWorld::connected(heartbeat(20, 10));
    world.silence_peer();
    world.run_for(secs(29));
    world.write_progress(false);
    world.write_blocked();
    assert_eq!(world.run_until("disconnected"), secs(1));
}

#[test]
fn verdict_of_a_process_that_ran_late_has_its_evidence() {
    let heartbeat = Heartbeat::new("PING").every(secs(20)).reply_within(secs(10));
    let mut world = SimWorld::connected(Config { heartbeat: Some(heartbeat), ..Config::default() });
    world.silence_peer();
    let quiet = KernelFigures { unacked_segments: Some(0), ..KernelFigures::default() };
    world.set_kernel(Some(quiet));
    world.run_for(Duration::from_millis(29_500));
    world.set_kernel(Some(KernelFigures { unacked_segments: Some(1), retransmits: Some(3), ..quiet }));
    // The question to the kernel and the verdict fall into the time in which nothing ran.
    world.hang(secs(1));
    world.run_until("disconnected");
    assert_eq!(world.last_end().ending.cause, Cause::PathSilent);
}

#[test]
fn slow_path_that_still_carries_the_queue_is_not_dead() {
    let mut world = SimWorld::connected(heartbeat(20, 10));
    world.silence_peer();
    world.write_blocked();
    for _ in 0..100 {
        world.run_for(secs(3));
        world.write_progress(true);
    }
    assert!(!world.event_names().contains(&"disconnected"));
    assert_eq!(world.run_until("disconnected"), secs(10), "the whole deadline without progress");
}

#[test]
fn process_that_hung_asks_before_it_judges() {
    let mut world = SimWorld::connected(heartbeat(20, 10));
    world.hang(secs(300));
    assert_eq!(world.state(), State::Suspect);
    assert_eq!(suspicion(&world), Suspicion::Woke);
    assert_eq!(world.run_until("recovered"), Duration::ZERO);
    assert!(!world.event_names().contains(&"disconnected"));
}

#[test]
fn peer_that_talks_by_itself_and_stops_is_dead_after_read_idle() {
    for (figures, cause) in [(KernelFigures::default(), Cause::PeerUnresponsive), (probing(), Cause::PathSilent)] {
        let mut world = SimWorld::connected(Config { read_idle: Some(secs(40)), ..Config::default() });
        world.set_kernel(Some(figures));
        world.run_for(secs(15));
        world.receive();
        assert_eq!(world.run_until("disconnected"), secs(40));
        assert_eq!(world.last_end().ending, Ending::new(cause, Some(Detector::ReadIdle)));
        assert_eq!(world.samples().len(), 1);
    }
}

#[test]
fn client_without_any_detector_waits_for_the_kernel() {
    let mut world = SimWorld::connected(Config::default());
    world.silence_peer();
    world.run_for(secs(100_000));
    assert_eq!(world.state(), State::Connected);
    assert!(world.samples().is_empty());
    assert!(world.heartbeats().is_empty());
}

#[test]
fn own_full_inbox_is_not_the_fault_of_the_peer() {
    let mut world = SimWorld::connected(Config { read_idle: Some(secs(60)), ..heartbeat(20, 10) });
    world.silence_peer();
    world.run_for(secs(25));
    assert_eq!(world.state(), State::Suspect);
    world.receive();
    world.inbox(true);
    world.run_for(secs(3600));
    assert_eq!(world.state(), State::Connected);
    world.inbox(false);
    assert_eq!(world.run_until("disconnected"), secs(30), "deadlines start afresh");
}

#[test]
fn full_inbox_is_told_once_per_connection() {
    let mut world = SimWorld::connected(heartbeat(20, 10));
    for _ in 0..5 {
        world.inbox(true);
        world.inbox(true);
        world.inbox(false);
    }
    assert_eq!(told(&world, "inbox_full"), 1);
    world.end(Cause::Reset);
    world.run_until("connected");
    world.inbox(true);
    assert_eq!(told(&world, "inbox_full"), 2);
}

#[test]
fn inbox_that_is_full_while_connecting_is_told_after_connected() {
    let mut world = SimWorld::new(heartbeat(20, 10));
    world.silence_peer();
    world.start();
    world.run_for(secs(1));
    world.inbox(true);
    world.reply();
    assert_eq!(world.event_names(), ["connecting", "connected", "inbox_full"]);
    world.run_for(secs(3600));
    assert_eq!(world.state(), State::Connected);
}

#[test]
fn suspect_connection_is_asked_again_when_reading_resumes() {
    let mut world = SimWorld::connected(heartbeat(20, 10));
    world.silence_peer();
    world.run_until("suspect");
    world.inbox(true);
    world.run_for(secs(100));
    world.inbox(false);
    assert_eq!(world.run_until("disconnected"), secs(3));
}

#[test]
fn started_frame_must_end_within_its_deadline_though_bytes_keep_coming() {
    let mut world = SimWorld::connected(Config { frame_within: Choice::On(secs(10)), ..heartbeat(20, 10) });
    world.run_for(secs(5));
    world.frame_started();
    for _ in 0..9 {
        world.run_for(secs(1));
        world.receive();
        world.frame_started();
    }
    assert_eq!(world.run_until("disconnected"), secs(1));
    assert_eq!(world.last_end().ending.cause, Cause::Protocol(ProtocolFailure::FrameTimeout));
}

#[test]
fn frame_that_ended_in_time_is_forgotten() {
    let mut world = SimWorld::connected(Config { frame_within: Choice::On(secs(10)), ..heartbeat(20, 10) });
    for _ in 0..100 {
        world.frame_started();
        world.run_for(secs(9));
        world.frame_ended();
    }
    world.run_for(secs(100));
    assert_eq!(world.state(), State::Connected);
}

#[test]
fn frame_deadline_pauses_while_keepline_does_not_read() {
    let mut world = SimWorld::connected(Config { frame_within: Choice::On(secs(10)), ..heartbeat(20, 10) });
    world.frame_started();
    world.run_for(secs(9));
    world.inbox(true);
    world.run_for(secs(100));
    world.inbox(false);
    assert_eq!(world.run_until("disconnected"), secs(10));
}

#[test]
fn waking_asks_once_with_a_short_deadline() {
    let mut world = SimWorld::connected(heartbeat(20, 10));
    let asked = world.heartbeats().len();
    world.silence_peer();
    world.sleep(secs(600));
    assert_eq!(world.state(), State::Suspect);
    assert_eq!(suspicion(&world), Suspicion::Woke);
    assert_eq!(world.run_until("disconnected"), secs(3));
    assert_eq!(world.heartbeats().len() - asked, 1, "no burst of missed ones");
}

#[test]
fn living_connection_survives_sleep() {
    let mut world = SimWorld::connected(heartbeat(20, 10));
    for _ in 0..10 {
        world.sleep(secs(600));
        assert_eq!(world.state(), State::Connected);
    }
    assert_eq!(told(&world, "suspect"), 10);
    assert_eq!(told(&world, "recovered"), 10);
    assert_eq!(world.dials().len(), 1);
}

#[test]
fn bytes_from_before_the_sleep_are_no_answer_after_it() {
    let mut world = SimWorld::connected(heartbeat(20, 10));
    world.silence_peer();
    world.run_for(secs(10));
    world.receive();
    world.sleep(secs(600));
    assert_eq!(world.run_until("disconnected"), secs(3));
}

#[test]
fn client_without_heartbeat_lets_the_kernel_answer_after_sleep() {
    let mut world = SimWorld::connected(Config::default());
    world.sleep(secs(600));
    assert_eq!(world.state(), State::Suspect);
    assert_eq!(world.run_until("recovered"), millis(1_050), "the last segment came 200 ms before");
    world.set_kernel(Some(KernelFigures { last_ack_received: Some(secs(2_000)), ..lost() }));
    world.sleep(secs(600));
    world.run_for(secs(100));
    assert_eq!(world.state(), State::Suspect, "nothing was tried since, so the kernel's own bound decides");
    world.end(Cause::PathSilent);
    assert_eq!(world.state(), State::Waiting);
}

#[test]
fn frames_and_stalls_get_a_moment_after_sleep() {
    let mut world = SimWorld::connected(Config { frame_within: Choice::On(secs(10)), ..heartbeat(20, 10) });
    world.frame_started();
    world.sleep(secs(600));
    world.receive();
    assert_eq!(world.run_until("disconnected"), secs(3));
}

#[test]
fn retransmissions_make_a_connection_suspect_until_they_are_answered() {
    let mut world = SimWorld::connected(Config::default());
    world.run_for(secs(10));
    let epoch = world.session().epoch();
    let lost = KernelFigures { unacked_segments: Some(3), retransmits: Some(2), ..KernelFigures::default() };
    let once = KernelFigures { retransmits: Some(1), ..lost };
    world.input(|session, now| session.handle_kernel(now, epoch, once));
    assert_eq!(world.state(), State::Connected, "one retransmission is everyday loss");
    world.set_kernel(Some(lost));
    world.input(|session, now| session.handle_kernel(now, epoch, lost));
    assert_eq!(suspicion(&world), Suspicion::Retransmits);
    world.run_for(secs(5));
    assert_eq!(world.samples().len(), 5);
    world.set_kernel(Some(KernelFigures { unacked_segments: Some(0), retransmits: Some(0), ..lost }));
    assert_eq!(world.run_until("recovered"), secs(1));
}

#[test]
fn suspicion_by_retransmissions_does_not_shorten_or_lengthen_the_verdict() {
    let mut world = SimWorld::connected(heartbeat(20, 10));
    world.blackhole();
    world.run_for(secs(10));
    let epoch = world.session().epoch();
    let lost = KernelFigures { unacked_segments: Some(3), retransmits: Some(5), ..KernelFigures::default() };
    world.input(|session, now| session.handle_kernel(now, epoch, lost));
    assert_eq!(world.state(), State::Suspect);
    assert_eq!(world.run_until("disconnected"), secs(20));
}

#[test]
fn bytes_from_before_a_suspicion_do_not_end_it() {
    let mut world = SimWorld::connected(heartbeat(20, 10));
    world.receive();
    world.blackhole();
    world.run_for(secs(10));
    world.receive();
    world.run_for(secs(2));
    let epoch = world.session().epoch();
    let lost = KernelFigures { unacked_segments: Some(3), retransmits: Some(5), ..KernelFigures::default() };
    world.input(|session, now| session.handle_kernel(now, epoch, lost));
    assert_eq!(world.state(), State::Suspect);
    assert_eq!(world.run_until("disconnected"), secs(28));
    assert_eq!(told(&world, "recovered"), 0);
}

#[test]
fn peer_that_is_heard_and_not_reached_is_suspected_once_for_each_stretch_without_progress() {
    let mut world = SimWorld::connected(Config::default());
    for acked in [100, 200] {
        let lost = KernelFigures { bytes_acked: Some(acked), ..lost() };
        world.set_kernel(Some(lost));
        for _ in 0..20 {
            world.run_for(millis(1_500));
            let epoch = world.session().epoch();
            world.input(|session, now| session.handle_kernel(now, epoch, lost));
            world.receive();
        }
        assert_eq!(told(&world, "suspect") as u64, acked / 100);
    }
}

#[test]
fn figures_handed_in_twenty_times_a_second_make_one_suspicion_and_end_it_with_progress() {
    let mut world = SimWorld::connected(Config::default());
    world.run_for(secs(10));
    let hand_in = |world: &mut SimWorld, figures: KernelFigures, times: u32| {
        for _ in 0..times {
            world.run_for(millis(50));
            let epoch = world.session().epoch();
            world.set_kernel(Some(figures));
            world.input(|session, now| session.handle_kernel(now, epoch, figures));
        }
    };
    let flying = KernelFigures { bytes_acked: Some(100), retransmits: Some(0), ..lost() };
    hand_in(&mut world, flying, 4);
    assert_eq!((world.state(), world.samples().len()), (State::Connected, 0));
    hand_in(&mut world, KernelFigures { retransmits: Some(2), backoff: Some(2), ..flying }, 100);
    assert_eq!((told(&world, "suspect"), suspicion(&world)), (1, Suspicion::Retransmits));
    assert!(world.samples().is_empty(), "figures that are handed in need not be asked for");
    hand_in(&mut world, KernelFigures { bytes_acked: Some(900), unacked_segments: Some(0), ..flying }, 1);
    assert_eq!((world.state(), told(&world, "recovered")), (State::Connected, 1));
    world.run_for(secs(100));
    assert!(world.samples().is_empty(), "healthy again, and nothing is asked");
}

#[test]
fn path_that_refuses_is_a_hint_that_asks_at_once_and_shortens_no_life() {
    let mut world = SimWorld::connected(heartbeat(20, 10));
    world.silence_peer();
    world.run_for(secs(5));
    let asked = world.heartbeats().len();
    let refused = KernelFigures { retransmits: Some(5), backoff: Some(1), ..lost() };
    world.set_kernel(Some(refused));
    let epoch = world.session().epoch();
    world.input(|session, now| session.handle_kernel(now, epoch, refused));
    assert_eq!(suspicion(&world), Suspicion::PathRefused);
    assert_eq!(world.heartbeats().len(), asked + 1);
    assert_eq!(world.run_until("disconnected"), secs(10));
    assert_eq!(world.last_end().ending, Ending::new(Cause::PathSilent, Some(Detector::Heartbeat)));
}

#[test]
fn path_that_refuses_for_a_while_keeps_its_connection() {
    for config in [heartbeat(20, 10), Config::default()] {
        let mut world = SimWorld::connected(config);
        world.run_for(secs(5));
        world.silence_peer();
        let refused = KernelFigures { retransmits: Some(5), backoff: Some(1), ..lost() };
        world.set_kernel(Some(refused));
        let epoch = world.session().epoch();
        world.input(|session, now| session.handle_kernel(now, epoch, refused));
        world.run_for(secs(9));
        world.set_kernel(Some(KernelFigures { unacked_segments: Some(0), retransmits: Some(0), ..lost() }));
        world.answer();
        world.receive();
        world.run_for(secs(100));
        assert_eq!((world.state(), told(&world, "disconnected")), (State::Connected, 0));
    }
}

/// Data in flight that goes unanswered.
fn lost() -> KernelFigures {
    KernelFigures { unacked_segments: Some(3), retransmits: Some(2), backoff: Some(2), ..KernelFigures::default() }
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn heartbeat(interval: u64, reply_within: u64) -> Config {
    heartbeat_with(interval, reply_within, Matcher::Any)
}

fn heartbeat_with(interval: u64, reply_within: u64, reply: Matcher) -> Config {
    let heartbeat = Heartbeat::new("PING").every(secs(interval)).reply_within(secs(reply_within)).reply(reply);
    Config {
        heartbeat: Some(heartbeat),
        framing: keepline_proto::framing::Framing::lines(),
        frame_within: Choice::Off,
        ..Config::default()
    }
}

fn probing() -> KernelFigures {
    KernelFigures { unacked_segments: Some(0), probes: Some(3), ..KernelFigures::default() }
}

fn suspicion(world: &SimWorld) -> Suspicion {
    let last = world.events().iter().rev().find_map(|event| match event.kind {
        EventKind::Suspect { evidence, .. } => Some(evidence),
        _ => None,
    });
    last.unwrap_or_else(|| panic!("{:?}", world.events()))
}

fn told(world: &SimWorld, name: &str) -> usize {
    world.event_names().iter().filter(|told| **told == name).count()
}
