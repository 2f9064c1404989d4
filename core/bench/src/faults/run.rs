//! One client and one fault: from a healthy connection to one that works again, or to the end of patience.

use super::options::Options;
use super::plan::{Fault, FaultKind, STALL, Subject, Workload};
use super::process::ClientProcess;
use super::record::Record;
use super::server::Server;
use super::sockets;
use super::start::Start;
use crate::measure::Failure;
use keepline_testkit::lab::{Lab, LabOptions, Role};
use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// 1 s between the last exchange and the fault: nearly the worst moment for whoever counts silence.
const QUIET: Duration = Duration::from_secs(1);
/// 200 ms between the faults of two runs: making one takes a few processes, which would otherwise wait for each other.
const APART: Duration = Duration::from_millis(200);
/// 5 s in the dark after a client has noticed, so that its way of reconnecting is measured too.
const DARK: Duration = Duration::from_secs(5);
/// 60 s to work again after the fault healed; what was not noticed may take as long as the kernel's pauses.
const RECOVERY: Duration = Duration::from_secs(60);
/// 10 s for one exchange with a healthy server.
const HEALTHY: Duration = Duration::from_secs(10);
/// 25 ms between looks at what the client said; its words are stamped as they come.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// 200 ms between looks at the sockets: the kernel walks the table of the whole machine for each, nearly a millisecond.
const LOOK_AT_SOCKETS_EVERY: Duration = Duration::from_millis(200);

/// A client and a fault.
pub(super) struct Trial {
    pub(super) fault: &'static Fault,
    pub(super) subject: &'static Subject,
    /// Its place among all runs.
    pub(super) number: usize,
}

/// When what happened, from the fault on.
#[derive(Default)]
pub(super) struct Course {
    /// The client gave the connection up while the fault held, a healthy one also later: it said so, or its kernel has the
    /// connection no more.
    pub(super) noticed: Option<Duration>,
    /// Its words, where the library has any.
    pub(super) lost_text: Option<String>,
    /// The first call that failed, and its error. A time limit of a call says nothing about the connection.
    pub(super) told: Option<(Duration, String)>,
    /// The fault ended; `None` where nothing has to heal.
    pub(super) healed: Option<Duration>,
    /// An exchange succeeded, counted from the healing, or from the fault where nothing has to heal.
    pub(super) usable: Option<Duration>,
    /// How long it was watched.
    pub(super) watched: Duration,
}

impl Trial {
    /// Builds the network, waits for the others, and watches.
    ///
    /// # Errors
    /// If the network, the server or the client could not be had.
    pub(super) fn measure(&self, start: &Start, options: &Options) -> Result<Record, Failure> {
        let place = start.build();
        let lab = Lab::up(self.lab())?;
        let kind = self.subject.server;
        let server = Server::start(&lab, Role::Server, kind)?;
        lab.run_on_one_thread(Role::Client, async || {
            let (client, ready) = ClientProcess::start(self.subject, &kind.address(), &options.python)?;
            drop(place);
            start.wait();
            // A healthy client may wait as long as it likes.
            sleep(APART * u32::try_from(self.number).unwrap_or(u32::MAX));
            let course = self.watch(&lab, &server, client, options.limit)?;
            Ok(Record::of(self, options, &ready.text, course))
        })?
    }

    fn lab(&self) -> LabOptions {
        match self.fault.kind {
            FaultKind::NatForgets(forgotten) => LabOptions::default().forgotten(forgotten),
            FaultKind::BlackHole | FaultKind::Frozen | FaultKind::Reboot | FaultKind::Roam | FaultKind::ZeroWindow => {
                LabOptions::default()
            }
        }
    }

    fn watch(&self, lab: &Lab, server: &Server, client: ClientProcess, limit: Duration) -> Result<Course, Failure> {
        let asked = Instant::now();
        let mut watch = Watch { trial: self, lab, server, client, fresh: None, limit, looked: asked };
        watch.client.tell("once")?;
        watch.client.wait_for("ok", asked, HEALTHY)?;
        sleep(QUIET);
        let connections = watch.living()?;
        if connections.is_empty() {
            return Err("no connection before the fault".into());
        }
        // Stamped before: what making it costs counts against the client, never for it.
        let fault = Instant::now();
        watch.make()?;
        watch.follow(&connections, fault)
    }
}

/// Everything that takes part.
struct Watch<'a> {
    trial: &'a Trial,
    lab: &'a Lab,
    server: &'a Server,
    client: ClientProcess,
    /// The service on the machine without memory, once it is up.
    fresh: Option<Server>,
    limit: Duration,
    /// When the sockets were looked at last.
    looked: Instant,
}

impl Watch<'_> {
    fn make(&mut self) -> Result<(), Failure> {
        match self.trial.fault.kind {
            FaultKind::BlackHole => self.lab.fault("blackhole", &[])?,
            FaultKind::NatForgets(_) => self.lab.fault("nat_flush", &[])?,
            FaultKind::Frozen | FaultKind::ZeroWindow => self.lab.fault("freeze", &[&self.pid()])?,
            FaultKind::Reboot => self.lab.fault("reboot", &[])?,
            FaultKind::Roam => self.lab.fault("roam", &[])?,
        }
        Ok(())
    }

    fn heal(&mut self) -> Result<(), Failure> {
        match self.trial.fault.kind {
            FaultKind::BlackHole => self.lab.clear()?,
            FaultKind::Frozen | FaultKind::ZeroWindow => self.lab.fault("thaw", &[&self.pid()])?,
            FaultKind::Reboot => {
                self.fresh = Some(Server::start(self.lab, Role::FreshServer, self.trial.subject.server)?);
            }
            FaultKind::NatForgets(_) | FaultKind::Roam => {}
        }
        Ok(())
    }

    /// When the fault ends, if it ends by itself or by us.
    fn heals_at(&self, noticed: Option<Duration>) -> Option<Duration> {
        match self.trial.fault.kind {
            FaultKind::BlackHole | FaultKind::Frozen | FaultKind::Reboot => {
                Some(noticed.map_or(self.limit, |noticed| noticed + DARK))
            }
            FaultKind::ZeroWindow => Some(STALL),
            FaultKind::NatForgets(_) | FaultKind::Roam => None,
        }
    }

    fn follow(&mut self, connections: &BTreeSet<u16>, fault: Instant) -> Result<Course, Failure> {
        match self.trial.fault.workload {
            Workload::Idle => {}
            Workload::Asking => self.client.tell("ask")?,
            Workload::Flooding => self.client.tell("flood")?,
        }
        let mut course = Course::default();
        // Exchanges count from here: the fault, or its healing.
        let mut works_since = self.heals_at(None).is_none().then_some(fault);
        loop {
            sleep(LOOK_EVERY);
            let now = fault.elapsed();
            // A healthy connection that is given up after the stall is lost as well.
            if course.healed.is_none() || self.trial.fault.kind == FaultKind::ZeroWindow {
                self.hear(&mut course, fault);
                if self.looked.elapsed() >= LOOK_AT_SOCKETS_EVERY {
                    self.look(&mut course, connections, fault)?;
                }
            }
            if works_since.is_none() && self.heals_at(course.noticed).is_some_and(|at| now >= at) {
                let before = Instant::now();
                self.heal()?;
                course.healed = Some(fault.elapsed());
                works_since = Some(before);
                if self.trial.fault.workload != Workload::Asking {
                    self.client.tell("ask")?;
                }
            }
            course.watched = fault.elapsed();
            let Some(since) = works_since else { continue };
            if let Some(ok) = self.client.journal.first(&["ok"], since) {
                let start = course.healed.map_or(fault, |healed| fault + healed);
                let usable = ok.at.saturating_duration_since(start);
                course.usable = Some(usable);
                match self.trial.fault.kind {
                    FaultKind::ZeroWindow => {
                        self.hear(&mut course, fault);
                        self.look(&mut course, connections, fault)?;
                    }
                    FaultKind::NatForgets(_) | FaultKind::Roam => {
                        // The answer came over another connection: the old one was given up by then.
                        self.hear(&mut course, fault);
                        course.noticed = Some(course.noticed.map_or(usable, |noticed| noticed.min(usable)));
                    }
                    FaultKind::BlackHole | FaultKind::Frozen | FaultKind::Reboot => {}
                }
                return Ok(course);
            }
            let patience = if course.healed.is_some() { RECOVERY } else { self.limit };
            if since.elapsed() > patience {
                return Ok(course);
            }
        }
    }

    /// Takes what the client said: that the connection is lost, that a call failed.
    fn hear(&self, course: &mut Course, fault: Instant) {
        let first = |words: &[&str]| {
            let said = self.client.journal.first(words, fault);
            said.map(|said| (said.at.saturating_duration_since(fault), said.text))
        };
        if course.lost_text.is_none() {
            // A library may say so and keep the dead socket until it has another one.
            if let Some((at, text)) = first(&["lost"]) {
                course.noticed = Some(course.noticed.map_or(at, |noticed| noticed.min(at)));
                course.lost_text = Some(text);
            }
        }
        if course.told.is_none() {
            course.told = first(&["error"]);
        }
    }

    /// Looks whether the connection that was there at the fault still is.
    fn look(&mut self, course: &mut Course, connections: &BTreeSet<u16>, fault: Instant) -> Result<(), Failure> {
        self.looked = Instant::now();
        if course.noticed.is_none() && connections.is_disjoint(&self.living()?) {
            course.noticed = Some(fault.elapsed());
        }
        Ok(())
    }

    fn living(&self) -> Result<BTreeSet<u16>, Failure> {
        sockets::living(self.trial.subject.server.port())
    }

    fn pid(&self) -> String {
        format!("pid={}", self.server.pid())
    }
}
