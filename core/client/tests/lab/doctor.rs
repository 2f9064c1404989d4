//! The doctor names the right stage and cause, in networks that are broken: the rest of the table of `../doctor.rs`.

use super::support::{PORT, in_lab, lines, millis, peer, quick, secs};
use keepline::cause::{DnsFailure, GreetingFailure};
use keepline::doctor::{Diagnosis, Doctor, Finding, StageName};
use keepline::{Builder, Cause, Client, Framing};
use keepline_testkit::lab::{Forgotten, Lab, LabOptions, LabPeer, PeerOptions, Role, SERVER};

/// A name that the lab's name server is told of.
const NAME: &str = "server.lab";

/// How a network is broken, and what the doctor has to say.
struct Case {
    fault: &'static str,
    break_it: fn(&Lab, &LabPeer),
    client: fn() -> Builder,
    stage: StageName,
    cause: Cause,
}

#[test]
fn doctor_names_stage_and_cause_of_faults_of_the_path() {
    assert_table([
        Case {
            fault: "packets vanish",
            break_it: |lab, _| lab.fault("blackhole", &[]).unwrap(),
            client: quick,
            stage: StageName::Tcp,
            cause: Cause::ConnectTimeout,
        },
        Case {
            fault: "first packets vanish",
            break_it: |lab, _| lab.fault("syn_drop", &[]).unwrap(),
            client: quick,
            stage: StageName::Tcp,
            cause: Cause::ConnectTimeout,
        },
        Case {
            fault: "a router knows no way",
            break_it: |lab, _| lab.fault("refuse", &["kind=host"]).unwrap(),
            client: quick,
            stage: StageName::Tcp,
            cause: Cause::Unreachable,
        },
        Case {
            fault: "a firewall forbids it",
            break_it: |lab, _| lab.fault("refuse", &["kind=admin"]).unwrap(),
            client: quick,
            stage: StageName::Tcp,
            cause: Cause::Unreachable,
        },
        Case {
            fault: "a firewall resets",
            break_it: |lab, _| lab.fault("refuse", &["kind=rst"]).unwrap(),
            client: quick,
            stage: StageName::Tcp,
            cause: Cause::Refused,
        },
        Case {
            fault: "own link is down",
            break_it: |lab, _| lab.fault("link_down", &["side=client"]).unwrap(),
            client: quick,
            stage: StageName::Route,
            cause: Cause::Unreachable,
        },
    ]);
}

#[test]
fn doctor_names_stage_and_cause_of_faults_of_the_name_server() {
    assert_table([
        Case {
            fault: "name server is silent",
            break_it: |lab, _| lab.fault("dns", &[&format!("name={NAME}"), "mode=drop"]).unwrap(),
            client: by_name,
            stage: StageName::Names,
            cause: Cause::Dns(DnsFailure::Timeout),
        },
        Case {
            fault: "no such name",
            break_it: |lab, _| lab.fault("dns", &[&format!("name={NAME}"), "mode=nxdomain"]).unwrap(),
            client: by_name,
            stage: StageName::Names,
            cause: Cause::Dns(DnsFailure::NotFound),
        },
        Case {
            fault: "name server is broken",
            break_it: |lab, _| lab.fault("dns", &[&format!("name={NAME}"), "mode=servfail"]).unwrap(),
            client: by_name,
            stage: StageName::Names,
            cause: Cause::Dns(DnsFailure::Temporary),
        },
    ]);
}

#[test]
fn doctor_names_stage_and_cause_of_faults_of_the_server() {
    assert_table([
        Case {
            fault: "process is frozen",
            break_it: |_, peer| peer.freeze().unwrap(),
            client: quick,
            stage: StageName::Greeting,
            cause: Cause::Greeting(GreetingFailure::Timeout),
        },
        Case {
            fault: "server is overloaded",
            break_it: |_, peer| peer.set_accepting(false).unwrap(),
            client: quick,
            stage: StageName::Greeting,
            cause: Cause::Greeting(GreetingFailure::Timeout),
        },
        Case {
            fault: "server was restarted and is not up",
            break_it: |_, peer| peer.kill().unwrap(),
            client: quick,
            stage: StageName::Tcp,
            cause: Cause::Refused,
        },
    ]);
}

fn assert_table(table: impl IntoIterator<Item = Case>) {
    for case in table {
        in_lab(LabOptions::default(), async |lab| {
            let peer = peer(lab);
            (case.break_it)(lab, &peer);
            let diagnosis = examine(Doctor::of((case.client)())).await;
            assert_failed(case.fault, &diagnosis, case.stage, case.cause);
        });
    }
}

#[test]
fn doctor_finds_that_large_packets_vanish_on_the_way() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        lab.fault("mtu_blackhole", &["size=1000"]).unwrap();
        let diagnosis = examine(Doctor::of(quick()).path_mtu()).await;
        assert_failed("large packets vanish", &diagnosis, StageName::PathMtu, Cause::PathSilent);
        lab.clear().unwrap();
        let healed = examine(Doctor::of(quick()).path_mtu()).await;
        assert!(healed.is_healthy(), "{healed:#?}");
    });
}

#[test]
fn doctor_finds_how_much_silence_a_nat_allows_that_drops() {
    assert_forgets(Forgotten::Drop, Cause::PathSilent);
}

#[test]
fn doctor_finds_how_much_silence_a_nat_allows_that_resets() {
    assert_forgets(Forgotten::Rst, Cause::Reset);
}

fn assert_forgets(forgotten: Forgotten, cause: Cause) {
    in_lab(LabOptions::default().nat_timeout(secs(2)).forgotten(forgotten), async |lab| {
        let _peer = peer(lab);
        // A heartbeat that the peer answers; and the kernel's probes where there is none.
        for client in [quick(), lines()] {
            let diagnosis = examine(Doctor::of(client).idle(secs(7)).idle(secs(1))).await;
            assert_failed("the NAT forgets", &diagnosis, StageName::Idle, cause);
            let facts: Vec<String> =
                diagnosis.failed().unwrap().facts.iter().take(2).map(ToString::to_string).collect();
            assert_eq!(facts, ["survived: 1s", "died_after: 7s"], "{diagnosis:#?}");
        }
    });
}

#[test]
fn doctor_tells_of_a_slow_handshake_and_of_the_address_that_does_not_answer() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = lab.peer(PeerOptions::on(Role::Server, PORT)).unwrap();
        lab.fault("syn_fill", &[&format!("port={PORT}"), "n=64"]).unwrap();
        // Two first packets are lost: the third leaves after 3 s.
        let slow = Doctor::of(quick()).examine().await;
        assert!(slow.is_healthy(), "{slow:#?}");
        assert_eq!(slow.stage(StageName::Tcp).map(|stage| stage.finding), Some(Finding::Warned), "{slow:#?}");
        assert!(slow.words().contains("sent again"), "{}", slow.words());
    });
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        lab.fault("dns", &[&format!("name={NAME}"), &format!("a={SERVER}"), "aaaa=2001:db8:2::99"]).unwrap();
        let half = examine(Doctor::of(by_name())).await;
        assert!(half.is_healthy(), "{half:#?}");
        let tcp = half.stage(StageName::Tcp).unwrap();
        assert_eq!(tcp.finding, Finding::Warned, "{half:#?}");
        assert_eq!(tcp.facts.iter().filter(|fact| fact.name == "address").count(), 2, "{half:#?}");
    });
}

async fn examine(doctor: Doctor) -> Diagnosis {
    doctor.patience(secs(3)).listen(millis(200)).examine().await
}

fn assert_failed(fault: &str, diagnosis: &Diagnosis, stage: StageName, cause: Cause) {
    let failed = diagnosis.failed().unwrap_or_else(|| panic!("{fault}: {diagnosis:#?}"));
    assert_eq!((failed.name, failed.cause), (stage, Some(cause)), "{fault}: {diagnosis:#?}");
}

/// A client that has a name to resolve.
fn by_name() -> Builder {
    Client::builder((NAME, PORT)).framing(Framing::lines()).heartbeat(super::support::ping())
}
