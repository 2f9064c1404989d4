//! The budget of retries: a burst, then a rate, in the order of asking; and what a machine does with its place.

use keepline_proto::config::Config;
use keepline_proto::governor::{RetryBucket, RetryBudget};
use keepline_proto::recorder::Transition;
use keepline_proto::{State, Time};
use keepline_testkit::SimWorld;
use proptest::prelude::*;
use std::time::Duration;

#[test]
fn a_burst_leaves_at_once_and_the_rest_one_after_the_other() {
    let budget = RetryBudget::default();
    let mut bucket = RetryBucket::default();
    let now = at(1000);
    let granted: Vec<Time> = (0..200).map(|_| bucket.reserve(&budget, now)).collect();
    assert!(granted[..100].iter().all(|at| *at == now));
    for (number, granted) in granted[100..].iter().enumerate() {
        assert_eq!(*granted, now + millis(20) * (number as u32 + 1));
    }
}

#[test]
fn tokens_come_back_at_the_rate_and_never_beyond_the_burst() {
    let budget = RetryBudget { burst: 10, per_second: 5 };
    let mut bucket = RetryBucket::default();
    let take =
        |bucket: &mut RetryBucket, now: Time| (0..100).take_while(|_| bucket.reserve(&budget, now) == now).count();
    let now = at(1000);
    assert_eq!(take(&mut bucket, now), 10);
    // The one that was told to come later has its place: it is paid.
    assert_eq!(take(&mut bucket, now + secs(1)), 4);
    assert!(!bucket.is_full(now + secs(3)));
    assert!(bucket.is_full(now + secs(3600)));
    assert_eq!(take(&mut bucket, now + secs(3600)), 10);
}

#[test]
fn what_leaves_in_any_case_empties_the_bucket_and_makes_no_debt() {
    let budget = RetryBudget { burst: 10, per_second: 5 };
    let mut bucket = RetryBucket::default();
    let now = at(1000);
    for _ in 0..1000 {
        bucket.charge(&budget, now);
    }
    assert_eq!(bucket.reserve(&budget, now), now + millis(200));
}

#[test]
fn budget_of_zero_is_refused_with_its_field() {
    for (budget, field) in [
        (RetryBudget { burst: 0, per_second: 1 }, "governor.burst"),
        (RetryBudget { burst: 1, per_second: 0 }, "governor.per_second"),
    ] {
        assert_eq!(budget.validate().unwrap_err().field, field);
    }
    assert!(RetryBudget::default().validate().is_ok());
}

#[test]
fn attempt_that_is_held_starts_at_its_place_and_its_report_says_for_how_long() {
    let mut world = SimWorld::new(Config::default());
    world.refuse();
    world.start();
    world.run_until("disconnected");
    let due = world.session().retry_at().unwrap();
    let place = due + millis(3_250);
    world.input(|session, now| session.handle_held(now, place));
    assert_eq!(world.session().retry_at(), Some(place));
    assert_eq!(world.state(), State::Waiting);
    world.run_until("connecting");
    assert_eq!(world.now(), place);
    world.run_until("disconnected");
    let report = world.last_end().report.clone().unwrap();
    let held: Vec<_> = report.entries.iter().map(|entry| entry.what).filter(|what| what.name() == "held").collect();
    assert_eq!(held, [Transition::Held { millis: 3_250 }]);
    assert!(report.to_string().contains("held for 3.2 s beyond its wait"), "{report}");
    // Only the attempt that was held tells of it.
    world.run_until("disconnected");
    let report = world.last_end().report.clone().unwrap();
    assert!(report.entries.iter().all(|entry| entry.what.name() != "held"));
}

#[test]
fn place_that_is_no_later_than_the_wait_changes_nothing_and_a_connection_is_not_held() {
    let mut world = SimWorld::new(Config::default());
    world.refuse();
    world.start();
    world.run_until("disconnected");
    let due = world.session().retry_at().unwrap();
    world.input(|session, now| session.handle_held(now, now));
    assert_eq!(world.session().retry_at(), Some(due));
    world.answer();
    world.run_until("connected");
    let later = world.now() + secs(60);
    world.input(|session, now| session.handle_held(now, later));
    assert_eq!(world.state(), State::Connected);
}

proptest! {
    #[test]
    fn no_span_of_time_sees_more_than_the_burst_and_the_rate(
        burst in 1_u32..50,
        per_second in 1_u32..2_000,
        pauses in prop::collection::vec(0_u64..200_000_000, 1..400),
    ) {
        let budget = RetryBudget { burst, per_second };
        let mut bucket = RetryBucket::default();
        let mut now = at(1_000);
        let mut granted: Vec<Time> = Vec::new();
        for pause in pauses {
            now = now + Duration::from_nanos(pause);
            let place = bucket.reserve(&budget, now);
            prop_assert!(place >= now, "nobody goes before it asks");
            prop_assert!(granted.last().is_none_or(|last| *last <= place), "nobody is overtaken");
            granted.push(place);
        }
        for first in 0..granted.len() {
            for last in first..granted.len() {
                let span = granted[last].since(granted[first]).as_secs_f64();
                let most = f64::from(burst) + span * f64::from(per_second) + 1e-3;
                prop_assert!(((last - first + 1) as f64) <= most, "{} in {span} s", last - first + 1);
            }
        }
    }

    #[test]
    fn nobody_is_held_longer_than_those_before_it_take(
        burst in 1_u32..50,
        per_second in 1_u32..2_000,
        asking in 1_usize..500,
    ) {
        let budget = RetryBudget { burst, per_second };
        let mut bucket = RetryBucket::default();
        let now = at(1_000);
        let last = (0..asking).map(|_| bucket.reserve(&budget, now)).last().unwrap();
        let beyond = asking.saturating_sub(burst as usize) as f64;
        prop_assert!(last.since(now).as_secs_f64() <= beyond / f64::from(per_second) + 1e-6);
    }
}

const fn at(seconds: u64) -> Time {
    Time::from_nanos(seconds * 1_000_000_000)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
