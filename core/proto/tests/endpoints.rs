//! Several endpoints: order and luck, memory of failures per network, cycles, and lists that change while a client runs.

use keepline_proto::Framing;
use keepline_proto::cause::{DnsFailure, GreetingFailure, TlsFailure};
use keepline_proto::config::{Config, Heartbeat, Jitter, Matcher};
use keepline_proto::endpoints::{Candidate, Candidates, EndpointId, EndpointOrder, EndpointPool, Life};
use keepline_proto::{
    Cause, CloseHow, Command, Detector, Ending, EventKind, NetworkChange, NetworkKind, NetworkPath, Output, State, Time,
};
use keepline_testkit::SimWorld;
use keepline_testkit::sim::Peer;
use proptest::prelude::*;
use std::collections::HashSet;
use std::time::Duration;

const THREE: [(&str, u32); 3] = [("a:1", 1), ("b:1", 1), ("c:1", 1)];

#[test]
fn ordered_list_begins_with_its_first_and_goes_on_with_the_next_after_a_failure() {
    let mut world = world(ordered(), &THREE);
    world.put_at(0, Peer::Refuses);
    world.put_at(1, Peer::Refuses);
    world.start();
    world.run_until("connected");
    assert_eq!(world.dialed(), [0, 1, 2]);
    assert_eq!(told(&world), ["> a:1", "! a:1", "> b:1", "! b:1", "> c:1", "= c:1"]);
}

#[test]
fn next_endpoint_of_a_cycle_comes_after_the_floor_and_the_curve_only_after_all_have_failed() {
    let mut world = world(Config { backoff_jitter: Some(Jitter::None), ..ordered() }, &THREE);
    world.refuse();
    world.start();
    world.run_for(secs(5));
    let dials = world.dials();
    let waits: Vec<_> = dials.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    let hop = millis(100)..=millis(200);
    assert!(hop.contains(&waits[0]) && hop.contains(&waits[1]), "{waits:?}");
    // Without jitter the windows themselves: the first spread, then 250 ms doubled.
    assert_eq!(waits[2], millis(100 + 1_000));
    assert!(hop.contains(&waits[3]) && hop.contains(&waits[4]), "{waits:?}");
    assert_eq!(waits[5], millis(100 + 500));
    assert_eq!(waits[8], millis(100 + 1_000));
    assert_eq!(world.dialed()[..9], [0, 1, 2, 0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_name_that_does_not_exist_does_not_hold_up_the_next_endpoint() {
    let mut world = world(ordered(), &THREE);
    world.put_at(0, Peer::Blackholed);
    world.start();
    world.end_with(Ending::new(Cause::Dns(DnsFailure::NotFound), None));
    assert!(world.run_until("connected") <= millis(200));
    assert_eq!(world.dialed(), [0, 1]);
}

#[test]
fn service_that_sends_away_or_refuses_credentials_is_not_asked_at_its_next_endpoint_at_once() {
    let sent_away = Ending { retry_after: Some(secs(30)), ..Ending::new(Cause::Refused, None) };
    for (ending, least) in
        [(sent_away, secs(30)), (Ending::new(Cause::Greeting(GreetingFailure::Auth), None), secs(10))]
    {
        let mut world = world(ordered(), &THREE);
        world.blackhole();
        world.start();
        world.end_with(ending);
        assert!(world.last_end().retry_in >= Some(least), "{:?}", world.last_end());
    }
}

#[test]
fn own_faults_are_held_against_no_endpoint() {
    for cause in [Cause::LocalResource, Cause::LocalNetworkDown, Cause::NetworkChanged] {
        let mut pool = pool(EndpointOrder::Ordered, 2);
        let advice = pool.note_end(at(0), None, EndpointId(0), &Ending::new(cause, None), Life::Failed);
        assert!(!advice.hop, "{cause}");
        assert!(!pool.is_avoided(at(0), None, EndpointId(0)));
        assert_eq!(pool.pick(at(0), None, &mut luck()), EndpointId(0), "{cause}");
    }
}

#[test]
fn fatal_cause_of_one_endpoint_is_not_the_end_and_that_of_all_is() {
    let mut world = world(ordered(), &THREE);
    world.blackhole();
    world.start();
    let mismatch = Ending::new(Cause::Tls(TlsFailure::NameMismatch), None);
    for _ in 0..2 {
        world.end_with(mismatch);
        assert_eq!(world.state(), State::Waiting);
        world.run_until("connecting");
    }
    world.end_with(mismatch);
    assert_eq!(world.state(), State::Closed);

    let mut world = self::world(ordered(), &THREE);
    world.blackhole();
    world.start();
    for ending in [mismatch, Ending::new(Cause::Refused, None), mismatch, mismatch] {
        world.end_with(ending);
        world.run_until("connecting");
    }
    assert_eq!(world.state(), State::Connecting);
}

#[test]
fn preferred_endpoint_is_first_again_at_the_next_connect_once_its_penalty_is_over() {
    let mut world = world(ordered(), &THREE);
    world.put_at(0, Peer::Refuses);
    world.start();
    world.run_until("connected");
    world.put_at(0, Peer::Answers);
    // A healthy connection to the second is left alone, for as long as it lasts.
    world.run_for(secs(25));
    assert_eq!(world.dialed(), [0, 1]);
    world.end(Cause::PeerClosed);
    world.run_until("connected");
    assert_eq!(world.dialed(), [0, 1, 2], "30 s are not over");
    world.run_for(secs(60));
    world.end(Cause::PeerClosed);
    world.run_until("connected");
    assert_eq!(world.dialed(), [0, 1, 2, 0]);
}

#[test]
fn endpoint_that_accepts_and_closes_is_left_for_the_next_with_the_waits_of_the_curve() {
    let mut world = world(ordered(), &THREE);
    world.put_at(0, Peer::ClosesAtOnce);
    world.start();
    world.run_until("disconnected");
    assert!(world.last_end().retry_in > Some(millis(100)));
    world.run_until("connected");
    world.run_for(secs(60));
    assert_eq!(world.dialed(), [0, 1]);
}

#[test]
fn what_fails_on_one_network_is_tried_on_another() {
    let mut world = world(ordered(), &THREE);
    world.change_network(network(1));
    world.run_for(secs(2));
    world.put_at(0, Peer::Refuses);
    world.start();
    world.run_until("connected");
    assert_eq!(world.dialed(), [0, 1]);
    world.put_at(0, Peer::Answers);
    world.change_network(NetworkChange { route_intact: Some(false), ..network(2) });
    world.run_until("connected");
    assert_eq!(world.dialed(), [0, 1, 0]);
    // Back on the first network its failure is remembered.
    world.change_network(NetworkChange { route_intact: Some(false), ..network(1) });
    world.run_until("connected");
    assert_eq!(world.dialed(), [0, 1, 0, 1]);
}

#[test]
fn shuffled_client_stays_where_it_is_until_that_endpoint_fails() {
    for seed in 0..50 {
        let mut world = world_with(seed, Config::default(), &THREE);
        world.start();
        world.run_for(secs(60));
        for _ in 0..5 {
            world.change_network(NetworkChange { path: None, route_intact: Some(false) });
            world.run_until("connected");
            world.run_for(secs(60));
        }
        let first = world.dialed()[0];
        assert_eq!(world.dialed(), vec![first; 6]);
        world.end(Cause::PeerClosed);
        world.run_until("connected");
        assert_ne!(world.dialed()[6], first);
    }
}

#[test]
fn weights_hold_over_many_clients() {
    let names = [("a:1", 1), ("b:1", 3), ("c:1", 6)];
    let mut counts = [0u32; 3];
    for seed in 0..2_000 {
        let mut world = world_with(seed, Config::default(), &names);
        world.start();
        counts[world.dialed()[0] as usize] += 1;
    }
    // 5 standard deviations of the smallest share are 67.
    for (count, share) in counts.into_iter().zip([200u32, 600, 1_200]) {
        assert!(count.abs_diff(share) <= 120, "{counts:?}");
    }
}

#[test]
fn suspect_connection_is_challenged_at_another_endpoint() {
    for order in [EndpointOrder::Ordered, EndpointOrder::Shuffled] {
        let mut world = world(Config { endpoint_order: order, concurrent_ok: true, ..beating() }, &THREE);
        world.start();
        world.run_until("connected");
        let first = world.dialed()[0];
        world.put_at(first, Peer::Frozen);
        world.run_until("connected");
        let challenger = world.dialed()[1];
        assert_ne!(challenger, first);
        assert_eq!(world.last_end().ending.cause, Cause::Replaced);
        assert_eq!(told(&world).last(), Some(&format!("= {}", THREE[challenger as usize].0)));
    }
}

#[test]
fn better_endpoint_is_tried_beside_a_healthy_connection_and_taken_once_it_answers() {
    let mut world = world(returning(secs(60)), &THREE);
    world.put_at(0, Peer::Refuses);
    world.start();
    world.run_until("connected");
    assert_eq!(world.dialed(), [0, 1]);
    // Still refused: the healthy connection stays as it is, and its state too.
    let waited = world.run_until("disconnected");
    assert!((secs(60)..=secs(90)).contains(&waited), "{waited:?}");
    assert_eq!((world.last_end().ending.cause, world.last_end().retry_in), (Cause::Refused, None));
    assert_eq!((world.state(), world.dialed()), (State::Connected, vec![0, 1, 0]));
    world.put_at(0, Peer::Answers);
    world.run_until("connected");
    assert_eq!(world.dialed(), [0, 1, 0, 0]);
    let end = world.last_end();
    assert_eq!((end.ending.cause, end.endpoint.as_deref()), (Cause::Replaced, Some("b:1")));
    // In order: what the old one has taken still arrives. And only after the new one was greeted.
    let ends = world.outputs().iter().rev().filter_map(|(_, output)| match output {
        Output::Close { how, .. } => Some(*how),
        _ => None,
    });
    assert_eq!(ends.clone().next(), Some(CloseHow::Graceful));
    world.run_for(secs(1_000));
    assert_eq!(world.dialed(), [0, 1, 0, 0], "nothing is better than the first");
}

#[test]
fn without_the_option_a_healthy_connection_to_a_second_choice_is_left_alone() {
    let mut world = world(Config { concurrent_ok: true, ..ordered() }, &THREE);
    world.put_at(0, Peer::Refuses);
    world.start();
    world.run_until("connected");
    world.put_at(0, Peer::Answers);
    world.run_for(secs(100_000));
    assert_eq!(world.dialed(), [0, 1]);
}

#[test]
fn new_list_that_holds_the_endpoint_in_use_leaves_the_connection_alone() {
    let mut world = world(ordered(), &THREE);
    world.start();
    world.run_for(secs(20));
    world.endpoints_numbered(&[(EndpointId(7), ("d:1", 1)), (EndpointId(0), ("a:1", 1))]);
    world.run_for(secs(100));
    assert_eq!(world.dialed(), [0]);
    world.end(Cause::PeerClosed);
    world.run_until("connected");
    assert_eq!(world.dialed(), [0, 7]);
}

#[test]
fn new_list_without_the_endpoint_in_use_moves_the_client_in_order_and_at_once() {
    let mut world = world(ordered(), &THREE);
    world.start();
    world.run_for(secs(20));
    world.endpoints_numbered(&[(EndpointId(7), ("d:1", 1)), (EndpointId(8), ("e:1", 1))]);
    assert_eq!(world.run_until("connected"), Duration::ZERO);
    assert_eq!(world.dialed(), [0, 7]);
    let end = world.last_end();
    assert_eq!((end.ending.cause, end.endpoint.as_deref(), end.failures), (Cause::Requested, Some("a:1"), 0));
    let closed = world.outputs().iter().find(|(_, output)| matches!(output, Output::Close { .. }));
    assert!(matches!(closed, Some((_, Output::Close { how: CloseHow::Graceful, .. }))));
}

#[test]
fn new_endpoint_cuts_a_long_wait_short_and_a_list_of_known_ones_does_not() {
    let mut world = world(ordered(), &THREE);
    world.refuse();
    world.start();
    world.run_for(secs(120));
    while world.last_end().retry_in < Some(secs(3)) {
        world.run_until("disconnected");
    }
    let until = world.session().retry_at();
    world.endpoints_numbered(&[(EndpointId(1), ("b:1", 1)), (EndpointId(0), ("a:1", 1))]);
    assert_eq!(world.session().retry_at(), until);
    world.answer();
    world.endpoints_numbered(&[(EndpointId(1), ("b:1", 1)), (EndpointId(9), ("z:1", 1))]);
    assert!(world.run_until("connected") <= millis(600), "the first wait of the curve");
    assert_eq!(world.dialed().last(), Some(&9), "the other one is known to fail");
}

#[test]
fn attempt_at_an_endpoint_that_is_gone_is_given_up() {
    let mut world = world(ordered(), &THREE);
    world.put_at(0, Peer::Blackholed);
    world.start();
    world.endpoints_numbered(&[(EndpointId(1), ("b:1", 1)), (EndpointId(2), ("c:1", 1))]);
    assert_eq!(world.run_until("connected"), Duration::ZERO);
    assert_eq!(world.dialed(), [0, 1]);
}

#[test]
fn single_connection_is_reset_before_the_next_is_dialled() {
    for single in [false, true] {
        let mut world = SimWorld::connected(Config { single_connection: Some(single), ..Config::default() });
        world.run_for(secs(20));
        world.command(Command::Reconnect);
        let outputs = world.outputs().iter().rev().map(|(_, output)| output);
        let relevant = outputs.filter(|output| matches!(output, Output::Dial { .. } | Output::Close { .. }));
        let last_two: Vec<_> = relevant.take(2).collect();
        assert!(matches!(last_two[0], Output::Dial { .. }));
        let how = if single { CloseHow::Abort } else { CloseHow::Graceful };
        assert!(matches!(last_two[1], Output::Close { how: told, .. } if *told == how), "{last_two:?}");
    }
}

#[test]
fn one_socket_at_a_time_is_what_industrial_clients_have_unless_two_are_asked_for() {
    use keepline_proto::config::{Addresses, Profile};
    let decided = |config: Config| {
        let valid = config.parse().unwrap();
        (valid.single_connection, valid.addresses)
    };
    let industrial = || Config { profile: Profile::Industrial, ..Config::default() };
    let (one, race) = (Addresses::OneAtATime, Addresses::HappyEyeballs);
    assert_eq!(decided(industrial()), (true, one));
    assert_eq!(decided(Config { concurrent_ok: true, ..industrial() }), (false, one));
    assert_eq!(decided(Config { addresses: Some(race), ..industrial() }), (false, race));
    assert_eq!(decided(Config::default()), (false, race));
    assert_eq!(decided(Config { single_connection: Some(true), ..Config::default() }), (true, one));
    for contradiction in
        [Config { concurrent_ok: true, ..industrial() }, Config { addresses: Some(race), ..industrial() }]
    {
        let error = Config { single_connection: Some(true), ..contradiction }.parse().unwrap_err();
        assert_eq!(error.field, "single_connection");
    }
}

#[test]
fn lists_that_cannot_be_are_refused_with_their_field() {
    let many = |count: u32| (0..count).map(|id| Candidate::new(EndpointId(id), "a:1")).collect::<Vec<_>>();
    assert!(Candidates::new(many(64)).is_ok());
    let weight = |weight| vec![Candidate { weight, ..Candidate::new(EndpointId(0), "a:1") }];
    let twice = vec![Candidate::new(EndpointId(3), "a:1"), Candidate::new(EndpointId(3), "b:1")];
    for (list, field) in [
        (Vec::new(), "endpoints"),
        (many(65), "endpoints"),
        (many(10_000), "endpoints"),
        (weight(0), "endpoints.weight"),
        (weight(10_001), "endpoints.weight"),
        (twice, "endpoints"),
    ] {
        assert_eq!(Candidates::new(list).unwrap_err().field, field);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn failing_endpoints_are_all_tried_before_any_is_tried_again(
        count in 1u32..=64, seed: u64, is_ordered: bool, cycles in 1usize..4,
    ) {
        let order = if is_ordered { EndpointOrder::Ordered } else { EndpointOrder::Shuffled };
        let mut pool = pool(order, count);
        let mut luck = fastrand::Rng::with_seed(seed);
        let mut now = at(0);
        for _ in 0..cycles {
            let mut seen = HashSet::new();
            for number in 1..=count {
                let picked = pool.pick(now, None, &mut luck);
                prop_assert!(picked.0 < count, "outside of the pool: {picked}");
                prop_assert!(seen.insert(picked), "twice in one cycle: {picked}");
                let advice = pool.note_end(now, None, picked, &refused(), Life::Failed);
                prop_assert_eq!(advice.hop, number < count);
                now = now + millis(150);
            }
        }
    }

    #[test]
    fn whatever_happens_the_choice_is_in_the_pool(seed: u64, steps in 1usize..300) {
        let mut luck = fastrand::Rng::with_seed(seed);
        let mut pool = EndpointPool::one();
        let mut members: Vec<u32> = vec![0];
        let mut now = at(0);
        for _ in 0..steps {
            now = now + millis(luck.u64(0..100_000));
            let network = [None, Some(1), Some(2)][luck.usize(0..3)];
            let one = EndpointId(members[luck.usize(0..members.len())]);
            match luck.u8(0..6) {
                0 => {
                    members = (0..20).filter(|_| luck.bool()).collect();
                    if members.is_empty() {
                        members.push(5);
                    }
                    let order = if luck.bool() { EndpointOrder::Ordered } else { EndpointOrder::Shuffled };
                    let _has_new = pool.set(candidates(&members), order);
                }
                1 => pool.note_connected(one),
                2 => {
                    let life = [Life::Failed, Life::Unstable, Life::Stable][luck.usize(0..3)];
                    let cause = CAUSES[luck.usize(0..CAUSES.len())];
                    pool.note_end(now, network, one, &Ending::new(cause, None), life);
                }
                3 => {
                    // An end of one that left the list meanwhile.
                    pool.note_end(now, network, EndpointId(99), &refused(), Life::Failed);
                }
                4 => {
                    let beside = pool.pick_beside(now, network, one, &mut luck);
                    prop_assert!(members.contains(&beside.0));
                    prop_assert!(beside != one || members.len() == 1, "{beside} beside itself");
                }
                _ => {
                    let peeked = pool.peek(now, network, &mut luck.clone());
                    let picked = pool.pick(now, network, &mut luck);
                    prop_assert_eq!(peeked, picked);
                    prop_assert!(members.contains(&picked.0), "{picked} of {members:?}");
                }
            }
            prop_assert_eq!(pool.count(), members.len());
        }
    }
}

/// One of each kind of blame, and more.
const CAUSES: [Cause; 8] = [
    Cause::PeerClosed,
    Cause::Refused,
    Cause::PathSilent,
    Cause::Tls(TlsFailure::NameMismatch),
    Cause::Greeting(GreetingFailure::Auth),
    Cause::LocalResource,
    Cause::NetworkChanged,
    Cause::Requested,
];

/// The life of the client with its endpoints: `>` an attempt, `=` connected, `!` ended.
fn told(world: &SimWorld) -> Vec<String> {
    let told = world.events().iter().filter_map(|event| match &event.kind {
        EventKind::Connecting { endpoint, .. } => Some(format!("> {}", endpoint.as_deref()?)),
        EventKind::Connected { endpoint, .. } => Some(format!("= {}", endpoint.as_deref()?)),
        EventKind::Disconnected(end) => Some(format!("! {}", end.endpoint.as_deref()?)),
        _ => None,
    });
    told.collect()
}

fn world(config: Config, endpoints: &[(&str, u32)]) -> SimWorld {
    world_with(1, config, endpoints)
}

fn world_with(seed: u64, config: Config, endpoints: &[(&str, u32)]) -> SimWorld {
    let mut world = SimWorld::with_seed(config, seed);
    world.endpoints(endpoints);
    world
}

fn ordered() -> Config {
    Config { endpoint_order: EndpointOrder::Ordered, ..beating() }
}

fn returning(interval: Duration) -> Config {
    Config { concurrent_ok: true, return_to_preferred: Some(interval), ..ordered() }
}

fn beating() -> Config {
    let heartbeat = Heartbeat::new("PING").every(secs(20)).reply_within(secs(10));
    Config {
        heartbeat: Some(heartbeat.reply(Matcher::Exact("PONG".into()))),
        framing: Framing::lines(),
        ..Config::default()
    }
}

fn network(id: u64) -> NetworkChange {
    let path = NetworkPath { id, available: true, kind: NetworkKind::Wifi, metered: false };
    NetworkChange { path: Some(path), route_intact: None }
}

fn pool(order: EndpointOrder, count: u32) -> EndpointPool {
    EndpointPool::new(candidates(&(0..count).collect::<Vec<_>>()), order)
}

fn candidates(numbers: &[u32]) -> Candidates {
    let list = numbers.iter().map(|number| Candidate::new(EndpointId(*number), format!("host-{number}:1")));
    Candidates::new(list.collect()).unwrap()
}

fn refused() -> Ending {
    Ending::new(Cause::Refused, Some(Detector::OsError))
}

fn luck() -> fastrand::Rng {
    fastrand::Rng::with_seed(3)
}

fn at(seconds: u64) -> Time {
    Time::ZERO + secs(seconds)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
