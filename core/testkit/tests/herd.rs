//! A herd comes back: the shipped machine within its budgets, the others by their own rules, and the same seed the same way.

use backon::{BackoffBuilder, ExponentialBuilder};
use fastrand::Rng;
use keepline_proto::config::{Config, Profile};
use keepline_testkit::herd::{Down, Outcome, Peer, Policy, Proof, Scenario, Schedule};
use std::time::Duration;

/// The round trip of servers that talk to servers nearby.
const NEARBY: Duration = Duration::from_millis(1);

/// A twentieth of the fleet and of its server: every time stays what it is.
const SMALL: u32 = 5_000;

#[test]
fn balanced_clients_are_back_in_budget_after_a_usual_outage() {
    assert_in_budget(&Scenario::default());
}

#[test]
fn balanced_clients_are_back_in_budget_after_a_short_outage() {
    assert_in_budget(&Scenario { outage: secs(5), ..Scenario::default() });
}

#[test]
fn balanced_clients_are_back_in_budget_after_a_black_hole() {
    assert_in_budget(&Scenario { down: Down::BlackHoled, ..Scenario::default() });
}

#[test]
fn balanced_clients_are_back_in_budget_after_a_long_outage() {
    assert_in_budget(&Scenario { outage: secs(120), ..Scenario::default() });
}

#[test]
fn balanced_clients_of_a_smaller_fleet_are_back_in_budget() {
    assert_in_budget(&Scenario { clients: 20_000, ..Scenario::default() });
}

#[test]
fn balanced_clients_are_back_in_budget_at_a_fast_server() {
    assert_in_budget(&Scenario { accept_rate: 10_000, ..Scenario::default() });
}

#[test]
fn balanced_clients_are_back_in_budget_at_a_server_with_a_short_backlog() {
    assert_in_budget(&Scenario { backlog: 128, ..Scenario::default() });
}

#[test]
fn balanced_clients_find_a_short_queue_free_between_the_syns_of_the_others() {
    // The first of the draws by which the numbers were chosen: away for 0.6 s, 6.5 s of work for the server, room for 0.07 s of it.
    let drawn = Scenario::draws(1, 20).remove(0).scaled(3_000);
    assert_in_budget(&drawn);
    // Here they would be late if all of them had the same patience.
    let same = Config { connect_per_address: Some(secs(8)), ..Config::default() };
    let outcome = Policy::keepline("all the same", same, drawn.proof).unwrap().run_pooled(&drawn);
    assert!(outcome.back(0.99).unwrap() > drawn.t99_budget(), "{:?}", outcome.back(0.99));
}

#[test]
fn balanced_clients_survive_a_queue_of_half_a_minute() {
    // Nobody else waits so long: the server accepts the dead, and is late for the living.
    let scenario =
        Scenario { clients: 4_000, accept_rate: 100, backlog: 3_000, outage: secs(10), ..Scenario::default() };
    assert_in_budget(&scenario);
    assert!(peer("gRPC").run(&scenario).dead_accepts > 1_000);
}

#[test]
fn balanced_clients_over_tls_stay_in_the_queue_of_a_server_that_is_busy_with_handshakes() {
    // A full queue is one of six seconds, twice the least that a handshake is given.
    let scenario = Scenario { clients: 20_000, tls: Duration::from_millis(1), ..Scenario::default() };
    assert_in_budget(&scenario);
    assert!(peer("Socket.IO").run(&small(&scenario)).dead_accepts > 0);
}

#[test]
fn balanced_clients_are_back_in_budget_where_the_handshake_counts() {
    assert_in_budget(&Scenario { proof: Proof::Handshake, ..Scenario::default() });
}

#[test]
fn hundred_clients_wait_for_at_most_2_7_s_at_the_median_and_9_s_at_the_end() {
    let scenario = Scenario { clients: 100, ..Scenario::default() };
    let outcome = Policy::balanced(&scenario).run_pooled(&scenario);
    let (median, p99) = (outcome.back(0.5), outcome.back(0.99));
    assert!(median.is_some_and(|median| median <= Duration::from_millis(2_700)), "{median:?}");
    assert!(p99.is_some_and(|p99| p99 <= secs(9)), "{p99:?}");
}

#[test]
fn hundred_interactive_clients_are_back_soon_after_a_black_hole() {
    let scenario = Scenario { clients: 100, down: Down::BlackHoled, round_trip: NEARBY, ..Scenario::default() };
    let outcome = interactive(&scenario).run_pooled(&scenario);
    // 1.4 s from the SYN of 5.1 s to the deadline of 6.5 s, then 0.1 s to 1.1 s.
    assert!(outcome.back(0.99).is_some_and(|p99| p99 <= Duration::from_millis(2_500)), "{:?}", outcome.back(0.99));
}

#[test]
fn same_seed_gives_the_same_run_and_another_one_another() {
    let scenario = small(&Scenario { outage: secs(3), ..Scenario::default() });
    let policy = Policy::balanced(&scenario);
    let first = policy.run(&scenario);
    assert_eq!(policy.run(&scenario), first);
    assert_ne!(policy.run(&Scenario { seed: 2, ..scenario }), first);
}

#[test]
fn clients_that_leave_the_queue_are_accepted_dead() {
    // Each connection waits for up to 4 s, and NATS clients for 2 s.
    let scenario = Scenario { clients: 1_000, accept_rate: 100, backlog: 400, outage: secs(3), ..Scenario::default() };
    let nats = peer("NATS (Go)").run(&scenario);
    assert!(nats.dead_accepts > 100, "{nats:?}");
    assert_eq!(Policy::balanced(&scenario).run(&scenario).dead_accepts, 0);
}

#[test]
fn clients_that_give_up_stay_away() {
    let scenario = Scenario { clients: 200, outage: secs(30), ..Scenario::default() };
    let outcome = peer("backon").run(&scenario);
    assert_eq!((outcome.came_back(), outcome.back(0.5)), (0.0, None));
    // At once, and after 1, 2 and 4 s.
    assert_eq!(outcome.tries_before, 4 * 200);
}

#[test]
fn clients_without_jitter_come_back_at_one_instant() {
    let scenario = Scenario { clients: 1_000, outage: secs(3), ..Scenario::default() };
    assert_eq!(peer("fixed 1 s").run(&scenario).peak_after, 1_000);
    assert!(Policy::balanced(&scenario).run(&scenario).peak_after < 700);
}

#[test]
fn rolling_restart_loses_some_clients_more_than_once_and_all_come_back() {
    let scenario = Scenario { clients: 3_000, nodes: 3, accept_rate: 1_000, outage: secs(5), ..Scenario::default() };
    let outcome = Policy::balanced(&scenario).run(&scenario);
    assert!(outcome.losses > 3_000, "{}", outcome.losses);
    assert_eq!(outcome.came_back(), 1.0);
    assert!(outcome.back(0.99).is_some_and(|t99| t99 <= secs(3)), "{:?}", outcome.back(0.99));
}

#[test]
fn draws_stay_in_their_ranges_and_keep_their_times_at_a_smaller_scale() {
    for drawn in Scenario::draws(500, 7) {
        assert!((Duration::from_millis(200)..=secs(600)).contains(&drawn.outage), "{drawn:?}");
        assert!((100..=1_000_000).contains(&drawn.clients) && (100..=20_000).contains(&drawn.accept_rate), "{drawn:?}");
        assert!((128..=65_535).contains(&drawn.backlog), "{drawn:?}");
        let scaled = drawn.scaled(10_000);
        let ratio = scaled.ideal(1.0).as_secs_f64() / drawn.ideal(1.0).as_secs_f64();
        assert!((0.98..=1.02).contains(&ratio), "{drawn:?} {scaled:?}");
    }
}

#[test]
fn waits_of_backon_are_those_of_the_crate() {
    for jitter in [false, true] {
        let builder = ExponentialBuilder::default().without_max_times().with_jitter_seed(5);
        let real = if jitter { builder.with_jitter() } else { builder }.build();
        let ours = Schedule::Backon { jitter, times: None };
        let mut rng = Rng::with_seed(5);
        for (tries, real) in (1..40).zip(real) {
            let wait = ours.wait(tries, Duration::ZERO, &mut rng).expect("it never gives up");
            let apart = wait.abs_diff(real);
            // The crate counts in 32 bits.
            assert!(apart < Duration::from_micros(50), "try {tries}: {wait:?} instead of {real:?}");
        }
    }
    let limited: Vec<_> = ExponentialBuilder::default().build().collect();
    let ours = Schedule::Backon { jitter: false, times: Some(3) };
    let mut rng = Rng::with_seed(1);
    let waits: Vec<_> = (1..).map_while(|tries| ours.wait(tries, Duration::ZERO, &mut rng)).collect();
    assert_eq!(waits, limited);
}

#[test]
fn waits_of_the_others_stay_in_the_ranges_that_they_document() {
    let mut rng = Rng::with_seed(3);
    let ranges = [
        (Schedule::Grpc, [(0.0, 0.0), (0.8, 1.2), (1.28, 1.92), (96.0, 144.0)]),
        (Schedule::Nats, [(0.0, 0.0), (2.0, 2.1), (2.0, 2.1), (2.0, 2.1)]),
        (Schedule::AsyncNats, [(0.0, 0.0), (0.002, 0.002), (0.004, 0.004), (4.0, 4.0)]),
        (Schedule::SocketIo, [(0.5, 1.5), (1.0, 3.0), (2.0, 5.0), (5.0, 5.0)]),
        (Schedule::FullJitter { base: secs(1), cap: secs(20) }, [(0.0, 1.0), (0.0, 2.0), (0.0, 4.0), (0.0, 20.0)]),
    ];
    for (schedule, ranges) in ranges {
        for (tries, (low, high)) in [0, 1, 2, 30].into_iter().zip(ranges) {
            for _ in 0..200 {
                let wait = schedule.wait(tries, Duration::ZERO, &mut rng).expect("it never gives up").as_secs_f64();
                assert!((low - 1e-6..=high + 1e-6).contains(&wait), "{schedule:?} after {tries} tries: {wait}");
            }
        }
    }
    let decorrelated = Schedule::Decorrelated { base: secs(1), cap: secs(20) };
    for (last, high) in [(0, 3.0), (4, 12.0), (20, 20.0)] {
        let wait = decorrelated.wait(1, secs(last), &mut rng).expect("it never gives up").as_secs_f64();
        assert!((1.0..=high).contains(&wait), "after {last} s: {wait}");
    }
}

fn assert_in_budget(scenario: &Scenario) {
    let scenario = small(scenario);
    let outcome = Policy::balanced(&scenario).run(&scenario);
    let broken: Vec<String> = scenario.violations(&outcome).iter().map(ToString::to_string).collect();
    assert!(broken.is_empty(), "{broken:?}: {:?}", Outcome { waits: Vec::new(), ..outcome });
}

/// The datacenter profile with a maximum of 2 s.
fn interactive(scenario: &Scenario) -> Policy {
    let config = Config { profile: Profile::Datacenter, backoff_max: Some(secs(2)), ..Config::default() };
    Policy::keepline("interactive", config, scenario.proof).expect("it is valid")
}

fn small(scenario: &Scenario) -> Scenario {
    scenario.scaled(SMALL)
}

fn peer(name: &str) -> Policy {
    let found = Peer::ALL.iter().find(|peer| peer.name == name);
    Policy::Peer(*found.unwrap_or_else(|| panic!("there is no {name}")))
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
