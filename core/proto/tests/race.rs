//! The race over the addresses of a name, in virtual time: who starts when, who stays, and when it is over.

use keepline_proto::Time;
use keepline_proto::config::{Addresses, Config, Profile};
use keepline_proto::race::{MAX_ADDRESSES, Memory, Race, Rules, Step, Verdict, interleaved};
use proptest::prelude::*;
use std::net::SocketAddr;
use std::time::Duration;

#[test]
fn first_address_black_holed_and_second_fine_connects_after_one_stagger_and_a_round_trip() {
    let run = race(happy(), secs(30), &[Silent, Answers(millis(40))]);
    assert_eq!(run.steps, [(millis(0), Start(0)), (millis(250), Start(1)), (millis(290), Abort(0))]);
    assert_eq!((run.verdict, run.ended), (Verdict::Connected(1), millis(290)));
}

#[test]
fn address_that_answers_within_its_stagger_is_dialled_alone() {
    let run = race(happy(), secs(30), &[Answers(millis(249)), Answers(millis(1))]);
    assert_eq!(run.steps, [(millis(0), Start(0))]);
    assert_eq!((run.verdict, run.ended), (Verdict::Connected(0), millis(249)));
}

#[test]
fn refusal_starts_the_next_address_at_once_and_the_stagger_anew() {
    let run = race(happy(), secs(30), &[Refuses(millis(10)), Silent, Refuses(millis(10)), Answers(millis(5))]);
    assert_eq!(
        run.steps,
        [
            (millis(0), Start(0)),
            (millis(10), Start(1)),
            (millis(260), Start(2)),
            (millis(270), Start(3)),
            (millis(275), Abort(1)),
        ]
    );
    assert_eq!(run.verdict, Verdict::Connected(3));
}

#[test]
fn late_answer_of_the_first_address_wins_over_those_that_started_after_it() {
    let run = race(happy(), secs(30), &[Answers(millis(600)), Silent, Silent, Silent]);
    let starts: Vec<_> = run.starts();
    assert_eq!(starts, [millis(0), millis(250), millis(500)]);
    assert_eq!((run.verdict, run.ended), (Verdict::Connected(0), millis(600)));
    assert_eq!(run.aborted(), 2);
}

#[test]
fn sixteen_silent_addresses_are_all_tried_and_the_deadline_is_kept() {
    let run = race(happy(), secs(30), &[Silent; 16]);
    assert_eq!(run.starts(), (0..16).map(|index| millis(250 * index)).collect::<Vec<_>>());
    // The last one starts after 3.75 s and has its 8 s.
    assert_eq!((run.verdict, run.ended), (Verdict::Failed, millis(11_750)));
    let run = race(happy(), secs(3), &[Silent; 16]);
    assert_eq!((run.verdict, run.ended), (Verdict::OutOfTime, secs(3)));
    assert_eq!(run.aborted(), run.starts().len());
}

#[test]
fn sixteen_refusals_cost_no_time() {
    for rules in [happy(), industrial()] {
        let run = race(rules, secs(30), &[Refuses(millis(1)); 16]);
        assert_eq!((run.verdict, run.ended, run.starts().len()), (Verdict::Failed, millis(16), 16));
    }
}

#[test]
fn one_at_a_time_gives_each_address_its_time_and_never_two_sockets() {
    let run = race(industrial(), secs(10), &[Silent, Answers(millis(3))]);
    assert_eq!(run.steps, [(millis(0), Start(0)), (millis(6_500), Abort(0)), (millis(6_500), Start(1))]);
    assert_eq!((run.verdict, run.ended), (Verdict::Connected(1), millis(6_503)));
}

#[test]
fn what_is_left_for_an_address_never_ends_just_after_a_syn_that_is_sent_again() {
    // 10.2 s − 6.5 s = 3.7 s, which is half a second clear of the SYN of 3 s; 3.2 s would not be.
    let third_starts = |total| race(industrial(), total, &[Silent, Silent, Answers(millis(3))]).starts()[2..].to_vec();
    assert_eq!(third_starts(millis(10_200)), [] as [Duration; 0]);
    assert_eq!(third_starts(millis(9_700)), [millis(6_500 + 2_950)]);
    // Nobody waits after the last one: it has all that is left.
    let run = race(industrial(), millis(9_700), &[Silent, Silent]);
    assert_eq!((run.verdict, run.ended), (Verdict::OutOfTime, millis(9_700)));
}

#[test]
fn news_of_an_aborted_dial_is_none() {
    let mut race = Race::new(2, industrial(), Time::ZERO, Time::ZERO + secs(10));
    assert_eq!(race.poll(Time::ZERO), Start(0));
    let late = Time::ZERO + millis(6_500);
    assert_eq!(race.poll(late), Abort(0));
    race.handle_connected(late, 0);
    race.handle_failed(late, 7);
    assert_eq!(race.poll(late), Start(1));
    race.handle_connected(late, 1);
    race.handle_connected(late, 0);
    assert_eq!(race.poll(late), Step::Done(Verdict::Connected(1)));
}

#[test]
fn no_address_at_all_has_failed_at_once() {
    assert_eq!(race(happy(), secs(1), &[]).verdict, Verdict::Failed);
}

#[test]
fn families_take_turns_and_the_resolver_says_which_begins() {
    let list = addresses(&["[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1", "192.0.2.1:1", "192.0.2.2:1"]);
    let turns = ["[2001:db8::1]:1", "192.0.2.1:1", "[2001:db8::2]:1", "192.0.2.2:1", "[2001:db8::3]:1"];
    assert_eq!(interleaved(&list), addresses(&turns));
    let list = addresses(&["192.0.2.1:1", "[2001:db8::1]:1", "192.0.2.1:1", "[2001:db8::1]:1"]);
    assert_eq!(interleaved(&list), addresses(&["192.0.2.1:1", "[2001:db8::1]:1"]));
    assert_eq!(interleaved(&[]), []);
}

#[test]
fn a_thousand_addresses_are_cut_to_thirty_two_of_both_families() {
    let mut list: Vec<SocketAddr> =
        (0..999u16).map(|low| SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, low], 1))).collect();
    list.push(SocketAddr::from(([192, 0, 2, 1], 1)));
    let cut = interleaved(&list);
    assert_eq!((cut.len(), cut[1]), (MAX_ADDRESSES, list[999]));
}

#[test]
fn winner_is_tried_first_as_long_as_it_works() {
    let list = addresses(&["192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"]);
    let mut memory = Memory::default();
    memory.failed(list[0]);
    memory.connected(list[1], &list);
    assert_eq!(arranged(&mut memory, &list), [1, 0, 2]);
    memory.failed(list[1]);
    assert_eq!(arranged(&mut memory, &list), [0, 2, 1]);
    // A name that no longer has it: it is not dialled.
    memory.connected(list[2], &list);
    assert_eq!(arranged(&mut memory, &list[..2]), [0, 1]);
}

#[test]
fn attempt_that_had_no_time_for_all_addresses_is_continued_by_the_next() {
    let list = addresses(&["192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1", "192.0.2.4:1"]);
    let mut memory = Memory::default();
    memory.failed(list[0]);
    memory.failed(list[1]);
    assert_eq!(arranged(&mut memory, &list), [2, 3, 0, 1]);
    memory.failed(list[2]);
    memory.failed(list[3]);
    assert_eq!(arranged(&mut memory, &list), [0, 1, 2, 3], "all have failed: the resolver's order again");
}

#[test]
fn last_good_addresses_are_those_of_the_last_list_that_worked() {
    let (first, second) = (addresses(&["192.0.2.1:1"]), addresses(&["192.0.2.2:1", "192.0.2.3:1"]));
    let mut memory = Memory::default();
    assert!(memory.good().is_empty());
    memory.resolved(&first);
    assert_eq!(memory.good(), first);
    memory.resolved(&second);
    assert_eq!(memory.good(), first, "none of the second has worked yet");
    memory.connected(second[1], &second);
    assert_eq!(memory.good(), second);
}

#[test]
fn name_takes_three_fifths_of_an_attempt_and_no_more_than_its_resolver_asks() {
    let within = |profile| Config { profile, ..Config::default() }.parse().unwrap().name_within();
    assert_eq!(within(Profile::Industrial), secs(6));
    assert_eq!(within(Profile::Datacenter), secs(9));
    assert_eq!((within(Profile::Balanced), within(Profile::Mobile)), (millis(10_500), millis(10_500)));
}

proptest! {
    #[test]
    fn every_race_keeps_its_promises(
        one_at_a_time in any::<bool>(),
        stagger in 100..2_000u64,
        per_address in 1..12_000u64,
        total in 1..40_000u64,
        fates in prop::collection::vec(fates(), 0..40),
    ) {
        let addresses = if one_at_a_time { Addresses::OneAtATime } else { Addresses::HappyEyeballs };
        let rules = Rules { addresses, stagger: millis(stagger), per_address: millis(per_address) };
        let run = race(rules, millis(total), &fates);
        prop_assert_eq!(&run, &race(rules, millis(total), &fates), "the same race twice");
        check(&run, rules, millis(total), &fates)?;
    }
}

/// What becomes of an address that is dialled.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answers(Duration),
    Refuses(Duration),
    Silent,
}

use Fate::{Answers, Refuses, Silent};
use Step::{Abort, Start};

#[derive(Debug, PartialEq)]
struct Run {
    /// Starts and aborts, with their moments.
    steps: Vec<(Duration, Step)>,
    failures: Vec<Duration>,
    verdict: Verdict,
    ended: Duration,
    most_in_flight: usize,
}

impl Run {
    fn starts(&self) -> Vec<Duration> {
        self.steps.iter().filter(|(_, step)| matches!(step, Start(_))).map(|(at, _)| *at).collect()
    }

    fn aborted(&self) -> usize {
        self.steps.iter().filter(|(_, step)| matches!(step, Abort(_))).count()
    }
}

/// Runs a race to its end, jumping from moment to moment.
fn race(rules: Rules, total: Duration, fates: &[Fate]) -> Run {
    let mut race = Race::new(fates.len(), rules, Time::ZERO, Time::ZERO + total);
    let mut run =
        Run { steps: vec![], failures: vec![], verdict: Verdict::Failed, ended: millis(0), most_in_flight: 0 };
    // What is in flight, with the moment of its news.
    let mut flights: Vec<(Option<Time>, usize)> = Vec::new();
    let mut now = Time::ZERO;
    loop {
        match race.poll(now) {
            Start(index) => {
                let news = match fates[index] {
                    Answers(after) | Refuses(after) => Some(now + after),
                    Silent => None,
                };
                flights.push((news, index));
                run.most_in_flight = run.most_in_flight.max(flights.len());
                run.steps.push((now.since(Time::ZERO), Start(index)));
            }
            Abort(index) => {
                flights.retain(|(_, flying)| *flying != index);
                run.steps.push((now.since(Time::ZERO), Abort(index)));
            }
            Step::Wait(until) => {
                assert!(until > now, "a wait for what has passed");
                let news = flights.iter().filter_map(|(at, index)| Some(((*at)?, *index))).min();
                let Some((at, index)) = news.filter(|(at, _)| *at <= until) else {
                    now = until;
                    continue;
                };
                now = at;
                flights.retain(|(_, flying)| *flying != index);
                match fates[index] {
                    Answers(_) => race.handle_connected(now, index),
                    Refuses(_) => {
                        run.failures.push(now.since(Time::ZERO));
                        race.handle_failed(now, index);
                    }
                    Silent => unreachable!("silent addresses have no news"),
                }
            }
            Step::Done(verdict) => {
                assert!(flights.is_empty(), "a socket is left over: {flights:?}");
                (run.verdict, run.ended) = (verdict, now.since(Time::ZERO));
                return run;
            }
        }
    }
}

fn check(run: &Run, rules: Rules, total: Duration, fates: &[Fate]) -> Result<(), TestCaseError> {
    let indices: Vec<usize> =
        run.steps.iter().filter_map(|(_, step)| if let Start(index) = step { Some(*index) } else { None }).collect();
    prop_assert!(indices.iter().copied().eq(0..indices.len()), "each at most once, in order: {:?}", indices);
    prop_assert!(run.ended <= total, "the deadline is kept");
    let news: Vec<Duration> = run
        .failures
        .iter()
        .copied()
        .chain(run.steps.iter().filter(|(_, step)| matches!(step, Abort(_))).map(|(at, _)| *at))
        .collect();
    match rules.addresses {
        Addresses::OneAtATime => prop_assert!(run.most_in_flight <= 1),
        Addresses::HappyEyeballs => {
            for pair in run.starts().windows(2) {
                let by_stagger = pair[1] - pair[0] >= rules.stagger;
                prop_assert!(by_stagger || news.contains(&pair[1]), "a start before its time: {:?}", pair);
            }
        }
    }
    for (at, step) in &run.steps {
        if let Start(index) = step {
            let aborted = run.steps.iter().find(|(_, step)| *step == Abort(*index));
            prop_assert!(aborted.is_none_or(|(end, _)| *end - *at <= rules.per_address));
        }
    }
    match run.verdict {
        Verdict::Connected(index) => prop_assert!(matches!(fates[index], Answers(_))),
        Verdict::Failed => prop_assert_eq!(indices.len(), fates.len(), "nobody gives up before the last address"),
        Verdict::OutOfTime => prop_assert_eq!(run.ended, total),
    }
    Ok(())
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        (1..15_000u64).prop_map(|after| Answers(millis(after))),
        (1..3_000u64).prop_map(|after| Refuses(millis(after))),
        Just(Silent),
    ]
}

fn arranged(memory: &mut Memory, list: &[SocketAddr]) -> Vec<usize> {
    let mut order = list.to_vec();
    memory.arrange(&mut order);
    order.iter().map(|address| list.iter().position(|other| other == address).unwrap()).collect()
}

fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// The balanced profile.
fn happy() -> Rules {
    Config::default().parse().unwrap().race()
}

fn industrial() -> Rules {
    Config { profile: Profile::Industrial, ..Config::default() }.parse().unwrap().race()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
