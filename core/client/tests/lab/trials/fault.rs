//! What ends a connection in a trial, and how the world is put right again.

use super::super::support::{PORT, millis, peer, secs};
use super::traffic::Traffic;
use keepline_testkit::lab::{Forgotten, Lab, LabOptions, LabPeer, PeerOptions, Role};
use std::thread::sleep;
use std::time::Duration;

/// One fault, which strikes every trial of a lab at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    BlackHole,
    BlackHoleUp,
    BlackHoleDown,
    LossOfAThird,
    MtuBlackHole,
    NarrowLine,
    LinkDownHere,
    LinkDownAtTheRouter,
    Roam,
    NatForgetsAndDrops,
    NatForgetsAndResets,
    ResetOfTheClient,
    ResetOfTheServer,
    Reboot,
    KernelDropsConnections,
    Left,
    Killed,
    KilledWithUnreadBytes,
    Frozen,
    WindowShut,
    Finished,
    Reset,
}

impl Fault {
    pub(super) const PATH: [Fault; 9] = [
        Fault::BlackHole,
        Fault::BlackHoleUp,
        Fault::BlackHoleDown,
        Fault::LossOfAThird,
        Fault::MtuBlackHole,
        Fault::NarrowLine,
        Fault::LinkDownHere,
        Fault::LinkDownAtTheRouter,
        Fault::Roam,
    ];
    pub(super) const MEMORY: [Fault; 7] = [
        Fault::NatForgetsAndDrops,
        Fault::NatForgetsAndResets,
        Fault::ResetOfTheClient,
        Fault::ResetOfTheServer,
        Fault::Reboot,
        Fault::KernelDropsConnections,
        Fault::Left,
    ];
    pub(super) const SERVER: [Fault; 6] =
        [Fault::Killed, Fault::KilledWithUnreadBytes, Fault::Frozen, Fault::WindowShut, Fault::Finished, Fault::Reset];

    pub(super) fn options(self) -> LabOptions {
        let forgotten = if self == Fault::NatForgetsAndResets { Forgotten::Rst } else { Forgotten::Drop };
        LabOptions::default().forgotten(forgotten)
    }

    /// The servers that are there from the start: the one that is talked to, and, for a reboot, what comes up after it.
    pub(super) fn peers(self, lab: &Lab) -> Vec<(Role, LabPeer)> {
        let mut peers = vec![(Role::Server, peer(lab))];
        if self == Fault::Reboot {
            peers.push((Role::FreshServer, lab.peer(PeerOptions::on(Role::FreshServer, PORT)).unwrap()));
        }
        peers
    }

    pub(super) fn strike(self, lab: &Lab, peer: &LabPeer, trials: &[Traffic]) {
        match self {
            Fault::BlackHole => lab.fault("blackhole", &[]),
            Fault::BlackHoleUp => lab.fault("blackhole", &["dir=up"]),
            Fault::BlackHoleDown => lab.fault("blackhole", &["dir=down"]),
            Fault::LossOfAThird => lab.fault("loss", &["pct=30"]),
            Fault::MtuBlackHole => lab.fault("mtu_blackhole", &["size=1000"]),
            Fault::NarrowLine => lab.fault("slow", &["rate=512kbit", "latency=1s"]),
            Fault::LinkDownHere => lab.fault("link_down", &["side=client"]),
            Fault::LinkDownAtTheRouter => lab.fault("link_down", &["side=router"]),
            Fault::Roam => lab.fault("roam", &[]),
            Fault::NatForgetsAndDrops | Fault::NatForgetsAndResets => lab.fault("nat_flush", &[]),
            Fault::ResetOfTheClient => lab.fault("reset", &["dir=up"]),
            Fault::ResetOfTheServer => lab.fault("reset", &["dir=down"]),
            Fault::Reboot => lab.fault("reboot", &[]),
            Fault::KernelDropsConnections => lab.fault("kill_conns", &[]),
            Fault::Left => {
                trials.iter().for_each(Traffic::reconnect);
                Ok(())
            }
            Fault::Killed => peer.kill(),
            Fault::KilledWithUnreadBytes => {
                peer.set_reading(false).unwrap();
                sleep(millis(100));
                peer.kill()
            }
            Fault::Frozen => peer.freeze(),
            Fault::WindowShut => peer.set_reading(false),
            Fault::Finished => peer.finish_all(),
            Fault::Reset => peer.reset_all(),
        }
        .unwrap();
    }

    /// How long a client may stay before it is told to leave: what dies by itself does so in less.
    pub(super) fn patience(self) -> Duration {
        if matches!(self, Fault::LossOfAThird | Fault::NarrowLine) { secs(2) } else { secs(8) }
    }

    /// Puts the world right again, and says who has been added to it.
    pub(super) fn heal(self, lab: &Lab, old: &LabPeer) -> Option<(Role, LabPeer)> {
        if matches!(self, Fault::Killed | Fault::KilledWithUnreadBytes) {
            return Some((Role::Server, peer(lab)));
        }
        if self == Fault::Frozen {
            old.thaw().unwrap();
        }
        old.set_reading(true).unwrap();
        // After a reboot the address stays with the fresh host.
        if self != Fault::Reboot {
            lab.clear().unwrap();
        }
        None
    }
}

/// When the fault strikes: while some have hardly begun and others have written for a second.
pub(super) fn moment(luck: &mut fastrand::Rng) -> Duration {
    millis(luck.u64(300..1500))
}
