//! One error number, several causes: what the kernel's figures tell apart after a death and before a verdict.

use keepline_proto::cause::Detector;
use keepline_proto::config::{Config, Heartbeat};
use keepline_proto::{Cause, Ending, KernelFigures};
use keepline_testkit::SimWorld;
use std::time::Duration;

/// `ETIMEDOUT` on Linux.
const TIMED_OUT: i32 = 110;

#[test]
fn timeout_with_nothing_to_send_is_the_verdict_of_the_keepalive() {
    let probed = KernelFigures { probes: Some(3), ..healthy() };
    assert_eq!(end_by_timeout(probed), told(Cause::PathSilent, Detector::Keepalive));
}

#[test]
fn timeout_with_data_in_the_queue_is_the_verdict_of_the_user_timeout() {
    let retransmitted = KernelFigures { retransmits: Some(4), send_queue: Some(10), ..healthy() };
    assert_eq!(end_by_timeout(retransmitted), told(Cause::PathSilent, Detector::UserTimeout));
}

#[test]
fn timeout_without_figures_stays_what_the_system_said() {
    assert_eq!(end_by_timeout(KernelFigures::default()), told(Cause::PathSilent, Detector::UserTimeout));
}

#[test]
fn data_that_never_left_this_host_is_the_fault_of_the_own_network() {
    assert_eq!(end_by_timeout(homeless()), told(Cause::LocalNetworkDown, Detector::UserTimeout));
    let mut world = SimWorld::connected(config());
    world.set_kernel(Some(homeless()));
    world.end_with(Ending::os(Cause::Unreachable, Some(113)));
    assert_eq!(world.last_end().ending, Ending::os(Cause::LocalNetworkDown, Some(113)));
}

#[test]
fn heartbeat_that_never_left_this_host_is_the_fault_of_the_own_network() {
    let mut world = SimWorld::connected(config());
    world.silence_peer();
    world.set_kernel(Some(homeless()));
    assert_eq!(world.run_until("disconnected"), Duration::from_secs(30));
    assert_eq!(world.last_end().ending, Ending::new(Cause::LocalNetworkDown, Some(Detector::Heartbeat)));
}

#[test]
fn end_that_the_peer_told_is_not_explained_away() {
    for cause in [Cause::PeerClosed, Cause::Reset] {
        let mut world = SimWorld::connected(config());
        world.set_kernel(Some(homeless()));
        world.end(cause);
        assert_eq!(world.last_end().ending, Ending::new(cause, Some(Detector::OsError)));
    }
}

fn end_by_timeout(figures: KernelFigures) -> Ending {
    let mut world = SimWorld::connected(config());
    world.set_kernel(Some(figures));
    world.end_with(told(Cause::PathSilent, Detector::UserTimeout));
    world.last_end().ending
}

fn told(cause: Cause, detector: Detector) -> Ending {
    Ending { detector: Some(detector), ..Ending::os(cause, Some(TIMED_OUT)) }
}

fn config() -> Config {
    let heartbeat = Heartbeat::new("PING").every(Duration::from_secs(20)).reply_within(Duration::from_secs(10));
    Config { heartbeat: Some(heartbeat), ..Config::default() }
}

fn healthy() -> KernelFigures {
    KernelFigures {
        unacked_segments: Some(0),
        retransmits: Some(0),
        probes: Some(0),
        backoff: Some(0),
        send_window: Some(65_535),
        send_queue: Some(0),
        not_sent: Some(0),
        ..KernelFigures::default()
    }
}

/// As measured after the host lost its address: nothing leaves, and the probes meet nobody.
fn homeless() -> KernelFigures {
    KernelFigures { probes: Some(4), send_queue: Some(40), not_sent: Some(40), ..healthy() }
}
