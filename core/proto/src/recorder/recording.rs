//! The recording of one connection: the last 256 entries, where ordinary repetition costs nothing.

use super::beats::Beats;
use super::entries::{KEPT, More, usual};
use super::opening::Opening;
use super::pairs::{Pair, Place, belongs, place};
use super::transition::{Entry, Transition};
use crate::kernel::KernelFigures;
use crate::{Epoch, Time};
use std::collections::VecDeque;

/// The entries of one connection.
#[derive(Debug, Clone)]
pub(super) struct Recording {
    pub(super) epoch: Epoch,
    /// When the attempt started.
    pub(super) began: Time,
    /// What came first, as long as it went the usual way.
    opening: Opening,
    has_opening: bool,
    /// Which pairs wait for their second half.
    open: [bool; 3],
    /// What followed it, as long as that were heartbeats and nothing else.
    beats: Beats,
    /// Boxed: a healthy connection has nothing else to tell.
    pub(super) more: Option<Box<More>>,
}

impl Recording {
    pub(super) fn new(now: Time, epoch: Epoch) -> Recording {
        Recording {
            epoch,
            began: now,
            opening: Opening::new(),
            has_opening: true,
            open: [false; 3],
            beats: Beats::new(),
            more: None,
        }
    }

    /// Entries that were given up for later ones.
    pub(super) fn overwritten(&self) -> u32 {
        self.more.as_ref().map_or(0, |more| more.overwritten)
    }

    /// All entries, from the start of the attempt.
    pub(super) fn into_entries(mut self) -> Box<[Entry]> {
        self.spell_out();
        self.more.map(|more| Vec::from(more.entries).into_boxed_slice()).unwrap_or_default()
    }

    /// Writes a turn down.
    pub(super) fn note(&mut self, now: Time, what: Transition) {
        if self.takes_as_usual(now, what) {
            match place(what) {
                Place::Opens(pair) => self.open[pair as usize] = true,
                Place::Closes(pair) => self.open[pair as usize] = false,
                Place::Alone => {}
            }
            return;
        }
        match place(what) {
            Place::Alone => self.push(Entry::new(now, what)),
            Place::Opens(pair) => {
                let is_open = std::mem::replace(&mut self.open[pair as usize], true);
                match pair {
                    // Another one is sent where the first was not answered; a writer cannot be blocked twice.
                    Pair::Heartbeat => self.open(now, pair, what),
                    Pair::Write | Pair::Inbox if is_open => {}
                    Pair::Write | Pair::Inbox => self.open(now, pair, what),
                }
            }
            Place::Closes(pair) => {
                if std::mem::take(&mut self.open[pair as usize]) {
                    self.close(now, pair, what);
                }
            }
        }
    }

    /// Takes figures of the kernel: an entry only where they say something else than before.
    pub(super) fn weigh(&mut self, now: Time, figures: &KernelFigures) {
        if *figures == KernelFigures::default() {
            return;
        }
        let sign = sign(figures);
        let before = self.more.as_ref().map_or(Transition::KernelAnswers, |more| more.kernel);
        if before == sign {
            return;
        }
        if before.name() != sign.name() {
            self.push(Entry::new(now, sign));
        }
        let more = self.more();
        more.kernel = sign;
        if let Some(last) = more.entries.back_mut()
            && last.what == before
        {
            // The same, only longer.
            last.what = sign;
            last.reach(now);
        }
    }

    /// Whether it is a part of the beginning that most connections have.
    fn takes_as_usual(&mut self, now: Time, what: Transition) -> bool {
        if self.more.is_some() {
            // Once something else has happened, the order is told by entries.
            false
        } else if !self.opening.is_over() {
            self.opening.take(self.began, now, what)
        } else if what == Transition::HeartbeatSent {
            self.beats.take_sent(now)
        } else {
            let is_answer = what == Transition::HeartbeatAnswered && self.open[Pair::Heartbeat as usize];
            is_answer && self.beats.take_answered(now)
        }
    }

    fn open(&mut self, now: Time, pair: Pair, what: Transition) {
        let entries = self.entries();
        let last = usual(entries).rev().find(|index| belongs(&entries[*index], pair));
        let is_same = last.is_some_and(|index| entries[index].what == what);
        match last {
            Some(index) if is_same && entries[index].count_on(now) => {}
            Some(_) | None => self.push(Entry::new(now, what)),
        }
    }

    fn close(&mut self, now: Time, pair: Pair, what: Transition) {
        let entries = self.entries();
        let mut of_pair = usual(entries).rev().filter(|index| belongs(&entries[*index], pair));
        let opened = of_pair.next().filter(|index| {
            let entry = &entries[*index];
            entry.what != what && entry.count == 1
        });
        let run = of_pair.next().filter(|index| entries[*index].what == what);
        drop(of_pair);
        let Some(opened) = opened else { return self.push(Entry::new(now, what)) };
        if let Some(run) = run
            && entries[run].count_on(now)
        {
            entries.remove(opened);
        } else if entries[opened].reach(now) {
            entries[opened].what = what;
        } else {
            self.push(Entry::new(now, what));
        }
    }

    /// The entries, with the heartbeats that were none so far.
    fn entries(&mut self) -> &mut VecDeque<Entry> {
        &mut self.more().entries
    }

    /// What follows the usual beginning. Unless the opening is over, it is told in entries like the rest.
    pub(super) fn more(&mut self) -> &mut More {
        let beats = &self.beats;
        let opening = (self.has_opening && !self.opening.is_over()).then_some(&self.opening);
        let more = self.more.get_or_insert_with(|| Box::new(More::after(beats)));
        if let Some(opening) = opening {
            self.has_opening = false;
            more.precede(opening.entries(self.began));
        }
        more
    }

    fn spell_out(&mut self) {
        let began = self.began;
        let opening = std::mem::take(&mut self.has_opening).then_some(self.opening);
        let beats = &self.beats;
        let more = self.more.get_or_insert_with(|| Box::new(More::after(beats)));
        if let Some(opening) = opening {
            more.precede(opening.entries(began));
        }
    }

    fn push(&mut self, entry: Entry) {
        let length = self.entries().len();
        let opening = if self.has_opening { self.opening.entries(self.began).count() } else { 0 };
        if length + opening == KEPT {
            self.spell_out();
        }
        self.more().push(entry);
    }
}

/// What figures come to, in one turn.
fn sign(figures: &KernelFigures) -> Transition {
    match (figures.retransmits, figures.probes) {
        _ if figures.is_window_shut() => Transition::WindowShut,
        (Some(times @ 1..), _) => Transition::Retransmitting { times },
        (_, Some(times @ 1..)) => Transition::Probing { times },
        (None | Some(0), None | Some(0)) => Transition::KernelAnswers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Suspicion;
    use std::time::Duration;

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    fn all(recording: &Recording) -> Box<[Entry]> {
        recording.clone().into_entries()
    }

    fn told(recording: &Recording) -> Vec<(Transition, u32)> {
        all(recording).iter().map(|entry| (entry.what, entry.count)).collect()
    }

    fn connected() -> Recording {
        let mut recording = Recording::new(at(0), Epoch(1));
        for what in [Transition::Dialed, Transition::Greeting, Transition::Connected] {
            recording.note(at(0), what);
        }
        recording
    }

    #[test]
    fn heartbeats_that_are_answered_are_one_entry_and_allocate_nothing() {
        let mut recording = connected();
        for tick in 1..=10_000 {
            recording.note(at(tick * 20), Transition::HeartbeatSent);
            assert!(recording.more.is_none(), "tick {tick}");
            recording.note(at(tick * 20 + 1), Transition::HeartbeatAnswered);
            assert!(recording.more.is_none(), "tick {tick}");
        }
        let (run, entries) = (all(&recording)[4], all(&recording).len());
        assert_eq!(entries, 5);
        assert_eq!((run.what, run.count), (Transition::HeartbeatAnswered, 10_000));
        assert_eq!((run.at, run.until()), (at(20), at(200_001)));
    }

    #[test]
    fn heartbeats_and_pauses_of_writing_and_reading_that_mingle_are_three_entries() {
        let mut recording = connected();
        for tick in 1..1_000 {
            for what in [
                Transition::WriteBlocked,
                Transition::HeartbeatSent,
                Transition::WriteResumed,
                Transition::InboxFull,
                Transition::HeartbeatAnswered,
                Transition::InboxDrained,
            ] {
                recording.note(at(tick), what);
            }
        }
        let runs = [Transition::WriteResumed, Transition::HeartbeatAnswered, Transition::InboxDrained];
        assert_eq!(told(&recording)[4..], runs.map(|what| (what, 999)));
    }

    #[test]
    fn heartbeats_without_an_answer_stay_apart_from_those_with_one() {
        let mut recording = connected();
        for (second, what) in [
            (10, Transition::HeartbeatSent),
            (11, Transition::HeartbeatAnswered),
            (20, Transition::HeartbeatSent),
            (25, Transition::Suspect(Suspicion::HeartbeatLate)),
            (26, Transition::HeartbeatSent),
            (27, Transition::HeartbeatSent),
            (28, Transition::HeartbeatAnswered),
            (29, Transition::HeartbeatAnswered),
            (30, Transition::HeartbeatSent),
        ] {
            recording.note(at(second), what);
        }
        assert_eq!(
            told(&recording)[4..],
            [
                (Transition::HeartbeatAnswered, 1),
                (Transition::HeartbeatSent, 1),
                (Transition::Suspect(Suspicion::HeartbeatLate), 1),
                (Transition::HeartbeatSent, 2),
                (Transition::HeartbeatAnswered, 1),
                (Transition::HeartbeatSent, 1),
            ]
        );
    }

    #[test]
    fn an_opening_that_went_the_usual_way_is_told_as_any_other() {
        let usual = [
            (1, Transition::Dialed),
            (2, Transition::Greeting),
            (3, Transition::HeartbeatSent),
            (5, Transition::HeartbeatAnswered),
            (5, Transition::Connected),
            (9, Transition::HeartbeatSent),
        ];
        let expected = [
            (0, Transition::Connecting),
            (1, Transition::Dialed),
            (2, Transition::Greeting),
            (3, Transition::HeartbeatAnswered),
            (5, Transition::Connected),
            (9, Transition::HeartbeatSent),
        ]
        .map(|(second, what)| (at(second), what));
        // Something else may come anywhere; between a heartbeat and its answer it keeps the two apart.
        for place in [0, 1, 2, 4, 5, 6] {
            let mut recording = Recording::new(at(0), Epoch(1));
            for (index, (second, what)) in usual.into_iter().enumerate() {
                if index == place {
                    recording.note(at(second), Transition::NetworkChanged);
                }
                recording.note(at(second), what);
            }
            let entries = all(&recording);
            let told: Vec<_> = entries.iter().filter(|entry| entry.what != Transition::NetworkChanged).collect();
            assert_eq!(told.iter().map(|entry| (entry.at, entry.what)).collect::<Vec<_>>(), expected, "{place}");
            assert_eq!(told[3].until(), at(5), "{place}");
            assert_eq!(entries.len(), expected.len() + usize::from(place < usual.len()), "{place}");
        }
    }

    #[test]
    fn oldest_of_more_than_256_entries_go_first() {
        let mut recording = Recording::new(at(0), Epoch(1));
        for second in 1..=300 {
            recording.note(at(second), Transition::NetworkChanged);
            assert!(recording.entries().capacity() <= KEPT);
        }
        assert_eq!(recording.overwritten(), 45);
        let entries = recording.entries();
        assert_eq!(entries.len(), 256);
        assert_eq!(entries.front().map(|entry| entry.at), Some(at(45)));
        assert_eq!(entries.back().map(|entry| entry.at), Some(at(300)));
    }

    #[test]
    fn figures_are_told_where_they_say_something_new() {
        let mut recording = connected();
        let retransmits = |times| KernelFigures { retransmits: Some(times), ..KernelFigures::default() };
        for (second, figures) in [
            (1, retransmits(0)),
            (2, KernelFigures::default()),
            (3, retransmits(1)),
            (4, retransmits(3)),
            (5, retransmits(0)),
            (6, KernelFigures { send_window: Some(0), ..KernelFigures::default() }),
            (7, KernelFigures { probes: Some(5), send_window: Some(0), ..KernelFigures::default() }),
        ] {
            recording.weigh(at(second), &figures);
        }
        let told = &told(&recording)[4..];
        assert_eq!(
            told.iter().map(|(what, _)| *what).collect::<Vec<_>>(),
            [
                Transition::Retransmitting { times: 3 },
                Transition::KernelAnswers,
                Transition::WindowShut,
                Transition::Probing { times: 5 },
            ]
        );
        assert_eq!(all(&recording)[4].until(), at(4));
    }
}
