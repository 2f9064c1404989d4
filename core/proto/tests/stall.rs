//! A peer that lives and does not read, and a writer that gets nowhere.

use keepline_proto::cause::Detector;
use keepline_proto::config::{Config, Heartbeat};
use keepline_proto::{Cause, Ending, KernelFigures, Output, State};
use keepline_testkit::SimWorld;
use std::time::Duration;

#[test]
fn shut_window_of_a_living_peer_is_a_stall_and_no_death() {
    let mut world = SimWorld::connected(config(120));
    world.stall_peer();
    assert_eq!(world.run_until("stalled"), secs(1));
    world.run_for(secs(100));
    assert_eq!(world.state(), State::Stalled, "the heartbeat's deadline of 30 s is suspended");
    assert_eq!(world.event_names().iter().filter(|name| **name == "stalled").count(), 1);
}

#[test]
fn stall_ends_with_the_limit_as_peer_stalled() {
    let mut world = SimWorld::connected(config(120));
    world.stall_peer();
    assert_eq!(world.run_until("disconnected"), secs(120));
    assert_eq!(world.last_end().ending, Ending::new(Cause::PeerStalled, Some(Detector::KernelInfo)));
}

#[test]
fn kernel_never_gives_a_stalled_peer_up_and_may_again_afterwards() {
    let mut world = SimWorld::connected(config(120));
    world.stall_peer();
    world.run_until("stalled");
    assert_eq!(user_timeouts(&world), [None]);
    world.run_for(secs(60));
    world.answer();
    world.write_progress(false);
    assert_eq!(world.state(), State::Connected);
    assert_eq!(user_timeouts(&world), [None, Some(secs(50))]);
}

#[test]
fn progress_recovers_a_stall_and_heartbeats_start_afresh() {
    let mut world = SimWorld::connected(config(120));
    world.stall_peer();
    world.run_for(secs(60));
    world.silence_peer();
    world.write_progress(true);
    assert_eq!(world.state(), State::Connected);
    assert_eq!(world.event_names().last(), Some(&"recovered"));
    let asked = world.heartbeats().len();
    world.run_for(millis(19_999));
    assert_eq!(world.heartbeats().len(), asked);
    world.run_for(millis(1));
    assert_eq!(world.heartbeats().len(), asked + 1);
}

#[test]
fn window_that_opens_recovers_a_stall_without_a_write() {
    let mut world = SimWorld::connected(config(120));
    world.stall_peer();
    world.run_for(secs(60));
    world.answer();
    world.run_until("recovered");
}

#[test]
fn bytes_from_a_stalled_peer_do_not_open_its_window() {
    let mut world = SimWorld::connected(config(120));
    world.stall_peer();
    world.run_until("stalled");
    for _ in 0..50 {
        world.run_for(secs(2));
        world.receive();
    }
    assert_eq!(world.state(), State::Stalled);
    assert_eq!(world.run_until("disconnected"), secs(19));
}

#[test]
fn writing_is_watched_once_a_second_and_only_while_it_is_blocked() {
    let mut world = SimWorld::connected(Config::default());
    world.run_for(secs(10));
    assert!(world.samples().is_empty());
    world.write_blocked();
    world.run_for(secs(10));
    assert_eq!(world.samples().len(), 10);
    world.write_progress(false);
    world.run_for(secs(100));
    assert_eq!(world.samples().len(), 10);
}

#[test]
fn writer_that_gets_nowhere_fails_after_the_limit_where_the_kernel_tells_nothing() {
    let mut world = SimWorld::connected(Config { stall_limit: Some(secs(120)), ..Config::default() });
    world.set_kernel(Some(KernelFigures::default()));
    world.write_blocked();
    world.run_for(secs(100));
    world.write_progress(true);
    assert_eq!(world.run_until("disconnected"), secs(120), "progress starts the limit afresh");
    assert_eq!(world.last_end().ending, Ending::new(Cause::WriteStalled, None));
}

#[test]
fn heartbeat_deadline_runs_on_where_the_kernel_tells_nothing() {
    let mut world = SimWorld::connected(config(120));
    world.silence_peer();
    world.write_blocked();
    assert_eq!(world.run_until("disconnected"), secs(30));
    assert_eq!(world.last_end().ending.detector, Some(Detector::Heartbeat));
}

#[test]
fn acknowledged_bytes_are_progress_though_the_writer_is_still_blocked() {
    let mut world = SimWorld::connected(Config { stall_limit: Some(secs(60)), ..Config::default() });
    world.write_blocked();
    for second in 0..300 {
        let figures = KernelFigures { send_window: Some(1000), bytes_acked: Some(second), ..Default::default() };
        world.set_kernel(Some(figures));
        world.run_for(secs(1));
    }
    assert_eq!(world.state(), State::Connected);
    assert_eq!(world.run_until("disconnected"), secs(60));
}

#[test]
fn shut_window_with_little_in_the_queue_is_found_when_the_peer_is_suspect() {
    let mut world = SimWorld::connected(config(120));
    world.silence_peer();
    let shut = KernelFigures { send_window: Some(0), not_sent: Some(40), ..KernelFigures::default() };
    world.set_kernel(Some(shut));
    assert_eq!(world.run_until("stalled"), secs(25));
    world.write_progress(false);
    assert_eq!(world.state(), State::Stalled, "room in the kernel's buffer says nothing about the window");
    assert_eq!(world.run_until("disconnected"), secs(120));
}

#[test]
fn shut_window_with_nothing_to_send_is_no_stall() {
    let mut world = SimWorld::connected(config(120));
    world.freeze();
    let shut = KernelFigures { send_window: Some(0), not_sent: Some(0), ..KernelFigures::default() };
    world.set_kernel(Some(shut));
    assert_eq!(world.run_until("disconnected"), secs(30));
}

#[test]
fn unanswered_window_probes_turn_a_stall_into_a_suspicion() {
    let mut world = SimWorld::connected(config(120));
    world.stall_peer();
    world.run_until("stalled");
    let shut = KernelFigures { send_window: Some(0), not_sent: Some(40), probes: Some(5), ..KernelFigures::default() };
    world.set_kernel(Some(shut));
    assert_eq!(world.run_until("suspect"), secs(1));
    assert_eq!(user_timeouts(&world), [None, Some(secs(50))]);
    assert_eq!(world.run_until("disconnected"), secs(30));
    assert_eq!(world.last_end().ending.detector, Some(Detector::Heartbeat));
}

#[test]
fn limit_pauses_while_keepline_itself_does_not_read() {
    let mut world = SimWorld::connected(config(120));
    world.stall_peer();
    world.run_until("stalled");
    world.inbox(true);
    world.run_for(secs(3600));
    assert_eq!(world.state(), State::Stalled);
    world.inbox(false);
    assert_eq!(world.run_until("disconnected"), secs(120));
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn config(stall_limit: u64) -> Config {
    let heartbeat = Heartbeat::new("PING").every(secs(20)).reply_within(secs(10));
    Config { heartbeat: Some(heartbeat), stall_limit: Some(secs(stall_limit)), ..Config::default() }
}

fn user_timeouts(world: &SimWorld) -> Vec<Option<Duration>> {
    let set = world.outputs().iter().filter_map(|(_, output)| match output {
        Output::SetUserTimeout { timeout, .. } => Some(*timeout),
        _ => None,
    });
    set.collect()
}
