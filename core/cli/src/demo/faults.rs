//! The five faults, each on a stage of its own: servers, and where it is needed a proxy that does the harm.

use super::journal::{Journal, What};
use clap::ValueEnum;
use keepline_testkit::ChaosProxy;
use keepline_testkit::chaos::{Direction, End, IdleMode, What as Happened};
use keepline_testkit::servers::LineServer;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// 2 s: what a small service needs to start again.
const RESTART: Duration = Duration::from_secs(2);
/// 5 s of refusal: long enough for several attempts.
const REFUSAL: Duration = Duration::from_secs(5);
/// 3 s stand for the minutes after which real NATs forget.
const NAT_FORGETS: Duration = Duration::from_secs(3);
/// 5 s without a message: longer than the NAT remembers.
const PAUSE: Duration = Duration::from_secs(5);

/// A fault, as named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FaultName {
    /// The server ends its connections, is gone for 2 s, and comes back
    Restart,
    /// Whatever living connections carry vanishes without a word; new ones get through
    BlackHole,
    /// The server's process freezes, its kernel answers on; new connections reach a healthy one
    Frozen,
    /// A NAT forgets connections that are idle for 3 s; the application pauses for 5 s
    Nat,
    /// The connection is reset and new ones are refused for 5 s
    Refused,
}

impl FaultName {
    /// Those asked for in their usual order; all if none was.
    pub(crate) fn chosen(only: &[FaultName]) -> Vec<FaultName> {
        let all = FaultName::value_variants();
        all.iter().copied().filter(|fault| only.is_empty() || only.contains(fault)).collect()
    }

    /// The name in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            FaultName::Restart => "restart",
            FaultName::BlackHole => "black_hole",
            FaultName::Frozen => "frozen",
            FaultName::Nat => "nat",
            FaultName::Refused => "refused",
        }
    }

    /// The name in the table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            FaultName::Restart => "server restart",
            FaultName::BlackHole => "black hole",
            FaultName::Frozen => "frozen peer",
            FaultName::Nat => "NAT expiry",
            FaultName::Refused => "refused for 5 s",
        }
    }

    /// What begins when it strikes.
    pub(crate) fn begins(self) -> &'static str {
        match self {
            FaultName::Restart => "the server goes down for 2 s",
            FaultName::BlackHole => "what the connection carries vanishes from now on",
            FaultName::Frozen => "the server's process freezes; a healthy one takes new connections",
            FaultName::Nat => "no messages for 5 s, and a NAT that forgets after 3 s",
            FaultName::Refused => "the connection is reset; new ones are refused for 5 s",
        }
    }
}

/// The servers and the proxy of one client under one fault.
pub(super) struct Stage {
    fault: FaultName,
    server: LineServer,
    /// Takes over where the first server freezes.
    standby: LineServer,
    proxy: ChaosProxy,
    proxy_started: Instant,
}

impl Stage {
    pub(super) async fn set(fault: FaultName) -> io::Result<Stage> {
        let server = LineServer::start().await?;
        let proxy = ChaosProxy::start(server.addr()).await?;
        let proxy_started = Instant::now();
        Ok(Stage { fault, server, standby: LineServer::start().await?, proxy, proxy_started })
    }

    /// Where the client connects to. A restart needs no proxy: nothing stands between client and server.
    pub(super) fn address(&self) -> SocketAddr {
        match self.fault {
            FaultName::Restart => self.server.addr(),
            FaultName::BlackHole | FaultName::Frozen | FaultName::Nat | FaultName::Refused => self.proxy.addr(),
        }
    }

    /// Does the harm and undoes it where it ends. Returns when the connection was hit; `None` if it never was.
    pub(super) async fn strike(&self, talk: &watch::Sender<bool>, journal: &Journal) -> io::Result<Option<Instant>> {
        let now = Instant::now();
        match self.fault {
            FaultName::Restart => {
                self.server.stop(End::Fin).await;
                sleep(RESTART).await;
                self.server.start_again()?;
                journal.write(What::Stage { text: "the server is back" });
            }
            FaultName::BlackHole => {
                self.proxy.silence(Direction::Both);
                // Living connections stay silent; only later ones pass.
                self.proxy.clear();
            }
            FaultName::Frozen => {
                self.server.freeze();
                self.proxy.set_upstream(self.standby.addr());
            }
            FaultName::Nat => {
                talk.send_replace(false);
                self.proxy.idle_cut(NAT_FORGETS, IdleMode::Silent);
                sleep(PAUSE).await;
                talk.send_replace(true);
                journal.write(What::Stage { text: "messages again" });
                let forgotten = self.proxy.history().into_iter().find(|record| record.what == Happened::Forgotten);
                return Ok(forgotten.map(|record| self.proxy_started + record.at));
            }
            FaultName::Refused => {
                self.proxy.refuse();
                self.proxy.reset();
                sleep(REFUSAL).await;
                self.proxy.accept_again();
                journal.write(What::Stage { text: "connections are taken again" });
            }
        }
        Ok(Some(now))
    }
}
