//! 210 random trials: whatever ends a connection in the middle of its traffic, what is said of each message is true.
//!
//! In a trial, a client sends messages of random sizes at a random pace while something happens to its connection at a
//! random moment; it dies, or is told to leave. Then its outcomes are compared with what a witness saw on the server's wire
//! (`judge`). `KEEPLINE_SEED` repeats sizes and moments; the kernels' own timing is new each time.

mod fault;
mod judge;
mod traffic;

use super::support::in_lab;
use fault::Fault;
use keepline_testkit::lab::{Lab, LabPeer, PeerConnection, Role, Witnessed};
use std::io::Write;
use traffic::Traffic;

/// Clients of one lab, each with traffic and luck of its own: each is a trial.
const TRIALS_EACH: u8 = 10;

#[test]
fn what_is_said_of_messages_is_true_when_the_path_fails() {
    try_all(&Fault::PATH);
}

#[test]
fn what_is_said_of_messages_is_true_when_the_connection_is_forgotten_or_left() {
    try_all(&Fault::MEMORY);
}

#[test]
fn what_is_said_of_messages_is_true_when_the_server_fails() {
    try_all(&Fault::SERVER);
}

#[test]
fn trials_are_at_least_two_hundred_over_at_least_twelve_faults() {
    let faults = Fault::PATH.len() + Fault::MEMORY.len() + Fault::SERVER.len();
    assert!(faults >= 12 && faults * usize::from(TRIALS_EACH) >= 200, "{faults} faults");
}

/// Runs the trials of these faults beside each other, each fault in a lab of its own.
fn try_all(faults: &[Fault]) {
    let seed = std::env::var("KEEPLINE_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    std::thread::scope(|scope| {
        for fault in faults {
            let thread = std::thread::Builder::new().name(format!("trials of {fault:?}"));
            let trials = move || in_lab(fault.options(), async |lab| try_one(lab, *fault, seed).await);
            thread.spawn_scoped(scope, trials).unwrap();
        }
    });
}

/// The trials of one fault: talk, break, leave, heal, say farewell, judge.
async fn try_one(lab: &Lab, fault: Fault, seed: u64) {
    let mut luck = fastrand::Rng::with_seed(seed ^ fault as u64);
    let witnesses = [Role::Server, Role::FreshServer].map(|role| (role, lab.witness(role).unwrap()));
    let mut peers = fault.peers(lab);
    let mut trials = Vec::new();
    for name in 0..TRIALS_EACH {
        trials.push(Traffic::start(name, luck.fork()).await);
    }
    tokio::time::sleep(fault::moment(&mut luck)).await;
    fault.strike(lab, &peers[0].1, &trials);
    let trials = together(trials, |trial| trial.leave(fault.patience())).await;
    peers.extend(fault.heal(lab, &peers[0].1));
    let accounts = together(trials, Traffic::farewell).await;
    // What was left in the queues of a slow path may still come in: the kernel is asked before the witness, and after.
    let before: Vec<_> = peers.iter().map(|(_, peer)| peer.connections().unwrap_or_default()).collect();
    let seen = witnesses.map(|(role, witness)| (role, witness.connections().unwrap()));
    for ((role, peer), before) in peers.iter().zip(before) {
        let wires = seen.iter().filter(|(of, _)| of == role).flat_map(|(_, wires)| wires);
        assert_kernels_figure_is_between(&before, peer, wires);
    }
    let [(_, wires), (_, fresh)] = seen;
    match judge::judge(&accounts, wires.into_iter().chain(fresh).collect()) {
        // Past the runner's capture: how much was tried is worth a line even if all is well.
        Ok(tally) => drop(writeln!(std::io::stderr(), "{fault:?}: {TRIALS_EACH} trials: {tally}")),
        Err(lies) => panic!("{fault:?}, KEEPLINE_SEED={seed}: {lies:#?}"),
    }
}

/// What the witness says of a kernel, held against the figure of that kernel itself where it still has one.
fn assert_kernels_figure_is_between<'a>(
    before: &[PeerConnection],
    peer: &LabPeer,
    wires: impl Iterator<Item = &'a Witnessed> + Clone,
) {
    // A killed process has nothing to show any more; then the witness is alone.
    for connection in peer.connections().unwrap_or_default() {
        let earlier = before.iter().find(|earlier| earlier.number == connection.number);
        let at_least = earlier.map_or(0, |earlier| earlier.kernel_bytes);
        // A FIN counts as a byte in the kernel's figure.
        let fits = |wire: &Witnessed| wire.acked <= connection.kernel_bytes && at_least <= wire.stream.len() as u64 + 1;
        let mut same = wires.clone().filter(|wire| wire.remote_port == connection.remote_port);
        let shown = || wires.clone().map(|wire| (wire.remote_port, wire.acked, wire.stream.len())).collect::<Vec<_>>();
        assert!(same.any(fits), "{connection:?} is not what its wire has shown: {:?}", shown());
    }
}

/// Lets every trial do its next step beside the others.
async fn together<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    trials: Vec<Traffic>,
    step: impl Fn(Traffic) -> F,
) -> Vec<T> {
    let steps: Vec<_> = trials.into_iter().map(|trial| tokio::spawn(step(trial))).collect();
    let mut done = Vec::new();
    for step in steps {
        done.push(step.await.unwrap());
    }
    done
}
