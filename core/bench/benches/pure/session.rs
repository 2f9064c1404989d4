//! What the machine itself costs in a heartbeat: the deadline, the ping, the reply.

use criterion::Criterion;
use keepline_proto::config::{Config, Heartbeat, Matcher, ValidConfig};
use keepline_proto::framing::Framing;
use keepline_proto::{ConfigError, Output, Session, State, Time};
use std::sync::Arc;
use std::time::Duration;

/// One whole heartbeat of one client.
pub(crate) fn heartbeat(criterion: &mut Criterion) {
    let mut client = Client::connected(config().expect("the declaration is valid"));
    criterion.bench_function("session, one heartbeat", |bencher| bencher.iter(|| client.beat()));
    assert_eq!(client.session.state(), State::Connected);
}

fn config() -> Result<Arc<ValidConfig>, ConfigError> {
    let heartbeat = Heartbeat::new(&b"ping"[..]).reply(Matcher::Exact((&b"pong"[..]).into()));
    let heartbeat = Some(heartbeat.every(Duration::from_secs(5)));
    let config = Config { heartbeat, framing: Framing::lines(), ..Config::default() };
    Ok(Arc::new(config.parse()?))
}

struct Client {
    session: Session,
    now: Time,
    last_received: Time,
}

impl Client {
    fn connected(config: Arc<ValidConfig>) -> Client {
        let now = Time::ZERO + Duration::from_secs(1);
        let mut client = Client { session: Session::new(config, 7, now), now, last_received: now };
        client.session.handle_start(now);
        client.drain();
        client.session.handle_dialed(now, client.session.epoch(), None);
        client.drain();
        client.session.handle_heartbeat_reply(now, client.session.epoch());
        client.drain();
        client
    }

    /// Waits until a heartbeat is due, sends it and hears the reply a millisecond later.
    fn beat(&mut self) {
        loop {
            let Some(deadline) = self.drain_to_deadline() else { return };
            self.now = self.now.max(deadline);
            self.session.handle_deadline(self.now, self.last_received);
            if self.drain() {
                break;
            }
        }
        self.now = self.now + Duration::from_millis(1);
        self.last_received = self.now;
        self.session.handle_heartbeat_reply(self.now, self.session.epoch());
        self.drain();
    }

    /// Whether a heartbeat was among the outputs.
    fn drain(&mut self) -> bool {
        let mut beat = false;
        loop {
            match self.session.poll_output() {
                Output::Heartbeat { .. } => beat = true,
                Output::Wait(_) => return beat,
                Output::Dial { .. }
                | Output::Greet { .. }
                | Output::Open { .. }
                | Output::Sample { .. }
                | Output::SetUserTimeout { .. }
                | Output::ProbeKernel { .. }
                | Output::Drain { .. }
                | Output::Close { .. }
                | Output::Emit(_) => {}
            }
        }
    }

    fn drain_to_deadline(&mut self) -> Option<Time> {
        match self.session.poll_output() {
            Output::Wait(deadline) => deadline,
            other => unreachable!("drained before: {other:?}"),
        }
    }
}
