//! What states a connection goes through at both ends, as the two kernels list them: the claims of
//! `docs/explain/tcp-life.md` and `docs/howto/the-other-end.md`.
//!
//! Plain sockets show what TCP does; a client of Keepline shows what it makes of it.

use super::support::{Journal, PORT, SOON, in_lab, lines, peer, secs};
use keepline::Cause;
use keepline_testkit::lab::{Lab, LabOptions, PeerOptions, Role, SERVER, TcpState, TcpTimer};
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// How long Linux keeps a pair of addresses back, and a connection that waits for the other side's end and has no owner.
const A_MINUTE: Duration = secs(60);

#[test]
fn connection_is_established_at_both_ends_before_the_server_accepts_it() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        peer.set_accepting(false).unwrap();
        let _client = connect();
        lab.await_states(Role::Client, PORT, &[TcpState::Established], SOON).unwrap();
        lab.await_states(Role::Server, PORT, &[TcpState::Established], SOON).unwrap();
        assert_eq!(lab.listener(Role::Server, PORT).unwrap().unwrap().receive_queue, 1, "one waits to be accepted");
        assert_eq!(peer.counts().unwrap().accepted, 0);
    });
}

#[test]
fn client_that_finds_the_accept_queue_full_sends_its_first_packet_again() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = lab.peer(PeerOptions::on(Role::Server, PORT).backlog(1)).unwrap();
        peer.set_accepting(false).unwrap();
        // The kernel holds one more than it was told.
        let _waiting = [connect(), connect()];
        assert_eq!(lab.listener(Role::Server, PORT).unwrap().unwrap().receive_queue, 2);
        let third = connecting();
        let states = [TcpState::Established, TcpState::Established, TcpState::SynSent];
        lab.await_states(Role::Client, PORT, &states, SOON).unwrap();
        let waits = lab.connections_of(Role::Client, PORT).unwrap();
        let syn_sent = waits.iter().find(|socket| socket.state == TcpState::SynSent).unwrap();
        assert!(matches!(syn_sent.timer, Some((TcpTimer::Retransmit, _))), "{syn_sent}");
        peer.set_accepting(true).unwrap();
        lab.await_states(Role::Client, PORT, &[TcpState::Established; 3], SOON).unwrap();
        drop(third);
    });
}

#[test]
fn client_that_meets_a_full_queue_of_first_packets_waits_for_its_own_to_be_sent_again() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        lab.fault("syn_fill", &[&format!("port={PORT}"), "n=64"]).unwrap();
        let begun = Instant::now();
        let _client = connect();
        // The first is dropped, and the next one goes out a second later.
        assert!(begun.elapsed() >= secs(1), "connected after {:?}", begun.elapsed());
    });
}

#[test]
fn server_that_stops_listening_resets_those_it_had_not_accepted() {
    in_lab(LabOptions::default(), async |lab| {
        let listener = listen(lab, true).unwrap();
        let mut client = connect();
        lab.await_states(Role::Server, PORT, &[TcpState::Established], SOON).unwrap();
        drop(listener);
        assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
        lab.await_states(Role::Server, PORT, &[], SOON).unwrap();
    });
}

#[test]
fn side_that_closes_first_keeps_the_pair_of_addresses_for_a_minute() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        let client = lines().connect().await.unwrap();
        // As long as the peer takes to end its direction, too: what is cut short is reset, and leaves nothing behind.
        assert_eq!(client.close(SOON).await.cause, Cause::Requested);
        lab.await_states(Role::Client, PORT, &[TcpState::TimeWait], SOON).unwrap();
        lab.await_states(Role::Server, PORT, &[], SOON).unwrap();
        let (timer, left) = lab.connections_of(Role::Client, PORT).unwrap()[0].timer.unwrap();
        assert_eq!(timer, TcpTimer::TimeWait);
        assert!(left <= A_MINUTE && left > A_MINUTE - SOON, "{left:?}");
    });
}

#[test]
fn server_that_closes_first_has_the_minute_unless_the_client_resets() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let mut naive = connect();
        peer.await_counts(SOON, |counts| counts.accepted == 1).unwrap();
        peer.finish_all().unwrap();
        assert_eq!(naive.read(&mut [0]).unwrap(), 0, "the end of the stream");
        drop(naive);
        lab.await_states(Role::Server, PORT, &[TcpState::TimeWait], SOON).unwrap();

        // Nothing is drained after the peer's end: the answer is a reset, and it leaves nothing behind at either side.
        let client = lines().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        peer.await_counts(SOON, |counts| counts.accepted == 2).unwrap();
        peer.set_listening(false).unwrap();
        peer.finish_all().unwrap();
        journal.next_end_by(Cause::PeerClosed, SOON).await;
        lab.await_states(Role::Server, PORT, &[TcpState::TimeWait], SOON).unwrap();
        client.pause();
        lab.await_states(Role::Client, PORT, &[], SOON).unwrap();
    });
}

#[test]
fn client_that_ignores_the_end_stays_in_close_wait_and_its_server_lets_go_after_a_minute() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let _ignoring = connect();
        peer.await_counts(SOON, |counts| counts.accepted == 1).unwrap();
        peer.finish_all().unwrap();
        lab.await_states(Role::Client, PORT, &[TcpState::CloseWait], SOON).unwrap();
        let held = lab.connections_of(Role::Client, PORT).unwrap()[0];
        assert_eq!(held.timer, None, "nothing ever ends it: {held}");
        lab.await_states(Role::Server, PORT, &[TcpState::FinWait2], SOON).unwrap();
        let (_, left) = lab.connections_of(Role::Server, PORT).unwrap()[0].timer.unwrap();
        assert!(left <= A_MINUTE, "{left:?}");
    });
}

#[test]
fn client_of_keepline_leaves_no_close_wait_behind() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = lines().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        for round in 1..=3 {
            journal.next("connected", SOON).await;
            peer.await_counts(SOON, |counts| counts.accepted == round).unwrap();
            peer.finish_all().unwrap();
            journal.next_end_by(Cause::PeerClosed, SOON).await;
        }
        journal.next("connected", SOON).await;
        lab.await_states(Role::Client, PORT, &[TcpState::Established], SOON).unwrap();
    });
}

#[test]
fn restarted_server_can_bind_beside_time_wait_only_with_reuse_address() {
    in_lab(LabOptions::default(), async |lab| {
        let listener = listen(lab, true).unwrap();
        let client = connect();
        drop((listener.accept().unwrap(), listener));
        drop(client);
        lab.await_states(Role::Server, PORT, &[TcpState::TimeWait], SOON).unwrap();
        assert_eq!(listen(lab, false).unwrap_err().kind(), ErrorKind::AddrInUse);
        let _again = listen(lab, true).unwrap();
        let _client = connect();
    });
}

#[test]
fn half_closed_connection_carries_bytes_the_other_way() {
    in_lab(LabOptions::default(), async |lab| {
        let listener = listen(lab, true).unwrap();
        let mut client = connect();
        let (mut server, _) = listener.accept().unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        lab.await_states(Role::Client, PORT, &[TcpState::FinWait2], SOON).unwrap();
        lab.await_states(Role::Server, PORT, &[TcpState::CloseWait], SOON).unwrap();
        server.write_all(b"still").unwrap();
        let mut heard = [0; 5];
        client.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"still");
        drop(server);
        lab.await_states(Role::Client, PORT, &[TcpState::TimeWait], SOON).unwrap();
    });
}

#[test]
fn close_with_unread_bytes_is_a_reset_and_leaves_nothing_behind() {
    in_lab(LabOptions::default(), async |lab| {
        let listener = listen(lab, true).unwrap();
        let mut client = connect();
        let (server, _) = listener.accept().unwrap();
        client.write_all(b"never read").unwrap();
        server.peek(&mut [0]).unwrap();
        drop(server);
        assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
        for role in [Role::Client, Role::Server] {
            lab.await_states(role, PORT, &[], SOON).unwrap();
        }
    });
}

#[test]
fn vanished_client_stays_established_at_a_server_that_never_asks() {
    in_lab(LabOptions::default(), async |lab| {
        let listener = listen(lab, true).unwrap();
        let (first, second) = (connect(), connect());
        let trusting = listener.accept().unwrap();
        let (asking, _) = listener.accept().unwrap();
        let pace = TcpKeepalive::new().with_time(secs(1)).with_interval(secs(1)).with_retries(2);
        SockRef::from(&asking).set_tcp_keepalive(&pace).unwrap();
        lab.await_states(Role::Server, PORT, &[TcpState::Established; 2], SOON).unwrap();
        lab.fault("blackhole", &[]).unwrap();
        // Their ends are lost on the way.
        drop((first, second));
        let end = (&asking).read(&mut [0]).unwrap_err();
        assert_eq!(end.kind(), ErrorKind::TimedOut, "{end}");
        let left = lab.connections_of(Role::Server, PORT).unwrap();
        let established: Vec<_> = left.iter().filter(|socket| socket.state == TcpState::Established).collect();
        assert_eq!(established.len(), 1, "{left:?}");
        assert_eq!(established[0].timer, None, "nothing ever ends it: {}", established[0]);
        drop(trusting);
    });
}

#[test]
fn client_of_a_rebooted_server_stays_established_until_it_writes() {
    in_lab(LabOptions::default(), async |lab| {
        let _old = peer(lab);
        let mut client = connect();
        lab.await_states(Role::Client, PORT, &[TcpState::Established], SOON).unwrap();
        lab.fault("reboot", &[]).unwrap();
        lab.await_states(Role::FreshServer, PORT, &[], SOON).unwrap();
        let idle = lab.connections_of(Role::Client, PORT).unwrap()[0];
        assert_eq!((idle.state, idle.timer), (TcpState::Established, None), "nobody would ever tell");
        client.write_all(b"to the old one\n").unwrap();
        assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
        lab.await_states(Role::Client, PORT, &[], SOON).unwrap();
    });
}

#[test]
fn keepalive_first_asks_after_two_hours_unless_it_is_told_otherwise() {
    in_lab(LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        let plain = connect();
        SockRef::from(&plain).set_keepalive(true).unwrap();
        let (timer, left) = lab.connections_of(Role::Client, PORT).unwrap()[0].timer.unwrap();
        assert_eq!(timer, TcpTimer::Keepalive);
        assert!(left > secs(7_200) - SOON && left <= secs(7_200), "{left:?}");
        drop(plain);
        // The default profile, without a word about keepalive.
        let client = keepline::Client::builder((SERVER, PORT)).connect().await.unwrap();
        let sockets = lab.connections_of(Role::Client, PORT).unwrap();
        let ours = sockets.iter().find(|socket| socket.state == TcpState::Established).unwrap();
        let (timer, left) = ours.timer.unwrap();
        assert_eq!(timer, TcpTimer::Keepalive);
        assert!(left <= secs(20), "{left:?}");
        client.close(secs(5)).await;
    });
}

/// A plain connection to the server.
fn connect() -> TcpStream {
    let client = TcpStream::connect((SERVER, PORT)).unwrap();
    client.set_read_timeout(Some(SOON)).unwrap();
    client
}

/// A plain socket that has begun to connect.
fn connecting() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_nonblocking(true).unwrap();
    let server: SocketAddr = format!("{SERVER}:{PORT}").parse().unwrap();
    let begun = socket.connect(&server.into()).unwrap_err();
    assert_eq!(begun.raw_os_error(), Some(libc::EINPROGRESS), "{begun}");
    socket
}

/// A plain listener in the server's network: a socket stays in the network where it was made.
fn listen(lab: &Lab, reuse_address: bool) -> std::io::Result<TcpListener> {
    let bind = async || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(reuse_address)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)).into())?;
        socket.listen(16)?;
        Ok(TcpListener::from(socket))
    };
    lab.run_inside(Role::Server, bind).unwrap()
}
