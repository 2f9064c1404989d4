//! `keepline demo`: two clients, five faults, one clock. Everything shown is measured here and now.

mod faults;
mod figures;
mod journal;
mod naive;
mod ours;
mod report;
mod screen;
mod timeline;

pub(crate) use faults::FaultName;

use crate::args::Demo;
use crate::exit::{Exit, Failure};
use crate::stop::Stop;
use faults::Stage;
use figures::Figures;
use journal::Journal;
use screen::Screen;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// A message each 250 ms, four a second, as a sensor might.
pub(crate) const MESSAGE_EVERY: Duration = Duration::from_millis(250);
/// 2 s of ordinary life first, so that the fault shows on the timeline; and half of a message's interval more, so that
/// it falls between two messages.
const WARM_UP: Duration = Duration::from_millis(2_125);
/// 1 s after the last message for the echoes that are still on their way.
const GRACE: Duration = Duration::from_secs(1);
/// 20 s: six times what Keepline needs for the slowest of these faults.
const WINDOW: Duration = Duration::from_secs(20);
/// 10 s: the shortest in which the longest outage (5 s) ends and recovery can be seen.
const SHORT_WINDOW: Duration = Duration::from_secs(10);
/// 10 min: what a patient viewer waits for a naive client.
const LONGEST_WINDOW: Duration = Duration::from_secs(600);

/// Which of the two clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Naive,
    Keepline,
}

impl Side {
    pub(crate) const BOTH: [Side; 2] = [Side::Naive, Side::Keepline];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Side::Naive => "naive",
            Side::Keepline => "keepline",
        }
    }
}

/// What one client did under one fault.
pub(crate) struct Outcome {
    pub(crate) journal: Arc<Journal>,
    pub(crate) figures: Figures,
}

/// Runs the command.
pub(crate) async fn run(arguments: Demo, no_color: bool) -> Result<Exit, Failure> {
    let window = match arguments.window {
        None if arguments.fast => SHORT_WINDOW,
        None => WINDOW,
        Some(window) if (SHORT_WINDOW..=LONGEST_WINDOW).contains(&window) => window,
        Some(_) => {
            return Err(Failure { exit: Exit::Usage, text: "--window: must be from 10s to 10m".to_owned() });
        }
    };
    let faults = FaultName::chosen(&arguments.only);
    let start = Instant::now();
    let journals: Vec<Arc<Journal>> =
        faults.iter().flat_map(|fault| Side::BOTH.map(|side| Arc::new(Journal::new(*fault, side, start)))).collect();
    let screen = Arc::new(Screen::new(&journals, WARM_UP + window, arguments.json, no_color));
    let promise = ours::promise()?;
    report::introduce(&promise, window, &screen);

    let mut stop = Stop::listen().map_err(|error| Failure::local(format!("no signals: {error}")))?;
    let outcomes = tokio::select! {
        outcomes = perform(&journals, window, &screen) => outcomes.map_err(|error| Failure::local(error.to_string()))?,
        () = stop.asked() => {
            screen.end();
            return Ok(Exit::Interrupted);
        }
    };
    screen.end();
    report::tell(&outcomes, WARM_UP + window, start.elapsed(), &screen);
    let came_back = outcomes.iter().filter(|outcome| outcome.journal.side == Side::Keepline).all(|outcome| {
        let figures = &outcome.figures;
        figures.kept_open() || figures.recovered_after.is_some()
    });
    if came_back { Ok(Exit::Done) } else { Err(Failure::local("Keepline did not come back in time from every fault")) }
}

/// Runs every fault against both clients at once, each pair on a stage of its own.
async fn perform(journals: &[Arc<Journal>], window: Duration, screen: &Arc<Screen>) -> io::Result<Vec<Outcome>> {
    let mut plays = JoinSet::new();
    for (index, journal) in journals.iter().enumerate() {
        let (journal, screen) = (journal.clone(), screen.clone());
        plays.spawn(async move { play(journal, window, screen).await.map(|outcome| (index, outcome)) });
    }
    let mut outcomes = Vec::new();
    loop {
        tokio::select! {
            () = sleep(screen::REFRESH) => screen.refresh(journals),
            play = plays.join_next() => match play {
                Some(play) => outcomes.push(play.map_err(io::Error::other)??),
                None => break,
            },
        }
    }
    outcomes.sort_by_key(|(index, _)| *index);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

/// One client, one fault: ordinary life, the fault, the window after it, and the sum.
async fn play(journal: Arc<Journal>, window: Duration, screen: Arc<Screen>) -> io::Result<Outcome> {
    let stage = Stage::set(journal.fault).await?;
    let talk = watch::Sender::new(true);
    journal.tell_to(screen);
    let client = Client::start(journal.clone(), stage.address(), talk.subscribe())?;
    sleep(WARM_UP).await;
    let struck = Instant::now();
    journal.strike();
    let bitten = stage.strike(&talk, &journal).await?;
    sleep_until(struck + window).await;
    talk.send_replace(false);
    let until = Instant::now();
    sleep(GRACE).await;
    client.end().await;
    let figures = Figures::of(&journal, bitten, until);
    Ok(Outcome { journal, figures })
}

/// Either client while it runs.
enum Client {
    Naive(naive::Running),
    Keepline(ours::Running),
}

impl Client {
    fn start(journal: Arc<Journal>, address: SocketAddr, talk: watch::Receiver<bool>) -> io::Result<Client> {
        Ok(match journal.side {
            Side::Naive => Client::Naive(naive::Running::start(journal, address, talk)),
            Side::Keepline => Client::Keepline(ours::Running::start(journal, address, talk).map_err(io::Error::from)?),
        })
    }

    async fn end(self) {
        match self {
            Client::Naive(running) => running.end(),
            Client::Keepline(running) => running.end().await,
        }
    }
}
