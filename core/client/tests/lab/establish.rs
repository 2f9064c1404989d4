//! Rows 1 to 3, 6, 26: attempts that fail, each for its own reason.

use super::support::{Journal, PORT, SOON, assert_noticed, echo, in_lab, peer, quick, secs};
use keepline::cause::GreetingFailure;
use keepline::{Cause, Client, Framing};
use keepline_testkit::lab::{LabOptions, PeerOptions, Role, SERVER, SERVER_V6};
use std::net::TcpStream;
use std::time::Instant;

#[test]
fn closed_port_refuses_in_a_round_trip() {
    in_lab(LabOptions::default(), async |lab| {
        let start = Instant::now();
        let client = quick().start().unwrap();
        let mut journal = Journal::of(&client);
        let (noticed, end) = journal.next_end(SOON).await;
        assert_eq!(end.ending.cause, Cause::Refused);
        assert_noticed(start, noticed, Some(secs(0)));
        let _peer = peer(lab);
        journal.next("connected", SOON).await;
        echo(&client, "hello").await;
    });
}

#[test]
fn filtered_port_times_out_within_the_deadline_of_one_address() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        lab.fault("syn_drop", &[&format!("port={PORT}")]).unwrap();
        let start = Instant::now();
        let client = quick().start().unwrap();
        let mut journal = Journal::of(&client);
        let (noticed, end) = journal.next_end(SOON).await;
        assert!(lab.hits("syn").unwrap() >= 1);
        assert_eq!(end.ending.cause, Cause::ConnectTimeout);
        let deadline = client.config().connect_per_address;
        assert!(noticed - start >= deadline);
        assert_noticed(start, noticed, Some(deadline));
        lab.clear().unwrap();
        journal.next("connected", SOON).await;
    });
}

#[test]
fn refusals_of_the_network_are_told_apart_at_once() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        for (kind, cause) in [
            ("host", Cause::Unreachable),
            ("net", Cause::Unreachable),
            ("admin", Cause::Unreachable),
            ("port", Cause::Refused),
            ("rst", Cause::Refused),
        ] {
            lab.fault("refuse", &[&format!("kind={kind}")]).unwrap();
            for address in [SERVER, SERVER_V6] {
                let start = Instant::now();
                let client = Client::builder((address, PORT)).framing(Framing::lines()).start().unwrap();
                let mut journal = Journal::of(&client);
                let (noticed, end) = journal.next_end(SOON).await;
                assert_eq!(end.ending.cause, cause, "{kind} from {address}: {journal}");
                // IPv6 can hear of it only with the second SYN, a second later.
                assert_noticed(start, noticed, Some(secs(1)));
                client.close(secs(0)).await;
            }
        }
    });
}

#[test]
fn server_that_accepts_and_never_speaks_fails_the_greeting_and_then_the_connect() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = lab.peer(PeerOptions::on(Role::Server, PORT).backlog(1)).unwrap();
        peer.set_accepting(false).unwrap();
        let start = Instant::now();
        let client = quick().start().unwrap();
        let mut journal = Journal::of(&client);
        let (noticed, end) = journal.next_end(SOON).await;
        assert_eq!(end.ending.cause, Cause::Greeting(GreetingFailure::Timeout), "{journal}");
        assert_noticed(start, noticed, Some(secs(2)));
        // Two connections fill the queue: the kernel drops the third one's SYN.
        journal.next_end_by(Cause::ConnectTimeout, 2 * SOON).await;
        assert!(!journal.has("connected"), "{journal}");
        peer.set_accepting(true).unwrap();
        journal.next("connected", SOON).await;
        echo(&client, "hello").await;
    });
}

#[test]
fn used_up_local_ports_are_a_local_matter_and_waited_for() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        // The network's own setting: this thread is inside.
        // An even number of ports: of an odd one, the kernel does not try the last.
        std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40003").unwrap();
        let taken: Vec<TcpStream> = (0..4).map(|_| TcpStream::connect((SERVER, PORT)).unwrap()).collect();
        let client = quick().start().unwrap();
        let mut journal = Journal::of(&client);
        let (_, end) = journal.next_end(SOON).await;
        assert_eq!(end.ending.cause, Cause::LocalResource, "{journal}");
        assert!(end.retry_in >= Some(secs(1)), "ports do not come back in less: {end:?}");
        std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40050").unwrap();
        journal.next("connected", SOON).await;
        echo(&client, "hello").await;
        drop(taken);
    });
}
