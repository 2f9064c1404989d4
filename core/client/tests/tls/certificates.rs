//! The matrix of certificates: which are taken, and with what cause the others are not.

use crate::authority::{Authority, Identity, backup_pin};
use crate::server::Plan;
use crate::support::{SOON, await_event, secs};
use keepline::cause::TlsFailure;
use keepline::{Cause, Client, ErrorKind, Event, EventKind, Hint, Tls};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, date_time_ymd};

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_for_this_name_is_taken() {
    let authority = Authority::new("tests");
    for (names, asked) in [
        (&["server.test"][..], "server.test"),
        (&["server.test"], "SERVER.test"),
        (&["server.test"], "server.test."),
        (&["other.test", "server.test"], "server.test"),
        (&["*.server.test"], "a.server.test"),
        (&["127.0.0.1"], "127.0.0.1"),
        (&["::1"], "::1"),
    ] {
        let identity = authority.sign(names);
        assert_eq!(outcome(&identity, trusting(&authority).server_name(asked)).await, Ok(()), "{names:?} {asked}");
    }
}

#[tokio::test]
async fn the_host_of_the_endpoint_is_expected_unless_another_name_is_given() {
    let authority = Authority::new("tests");
    assert_eq!(outcome(&authority.sign(&["127.0.0.1"]), trusting(&authority)).await, Ok(()));
    assert_eq!(
        outcome(&authority.sign(&["server.test"]), trusting(&authority)).await,
        Err((TlsFailure::NameMismatch, None))
    );
}

#[tokio::test]
async fn each_wrong_name_is_refused_as_a_wrong_name() {
    let authority = Authority::new("tests");
    for (names, asked) in [
        (&["other.test"][..], "server.test"),
        (&["*.server.test"], "server.test"),
        (&["*.server.test"], "a.b.server.test"),
        (&["*.test"], "a.server.test"),
        (&["127.0.0.2"], "127.0.0.1"),
        (&["server.test"], "127.0.0.1"),
        (&["::2"], "::1"),
        (&[], "server.test"),
    ] {
        let identity = authority.sign(names);
        let told = outcome(&identity, trusting(&authority).server_name(asked)).await;
        assert_eq!(told, Err((TlsFailure::NameMismatch, None)), "{names:?} {asked}");
    }
}

#[tokio::test]
async fn each_bad_certificate_has_its_own_cause() {
    let (authority, stranger) = (Authority::new("tests"), Authority::new("stranger"));
    let changed = |change: fn(&mut CertificateParams)| authority.sign_with(&["127.0.0.1"], change);
    for (what, identity, failure) in [
        ("unknown authority", stranger.sign(&["127.0.0.1"]), TlsFailure::UntrustedIssuer),
        ("self-signed", Identity::self_signed(&["127.0.0.1"]), TlsFailure::UntrustedIssuer),
        ("expired", changed(|params| params.not_after = date_time_ymd(2020, 1, 1)), TlsFailure::Expired),
        ("not yet valid", changed(|params| params.not_before = date_time_ymd(2090, 1, 1)), TlsFailure::NotYetValid),
        (
            "only for clients",
            changed(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
            TlsFailure::BadCertificate,
        ),
        (
            "an authority's own",
            changed(|params| params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained)),
            TlsFailure::UntrustedIssuer,
        ),
    ] {
        let told = outcome(&identity, trusting(&authority)).await.expect_err(what);
        assert_eq!(told.0, failure, "{what}");
        // Years, not seconds: the hint is what to do about it.
        let is_about_dates = matches!(failure, TlsFailure::Expired | TlsFailure::NotYetValid);
        match told.1 {
            Some(Hint::CheckClock { seconds }) => assert!(is_about_dates && seconds > 31_536_000, "{what} {seconds}"),
            Some(other) => panic!("{what}: {other}"),
            None => assert!(!is_about_dates, "{what}"),
        }
    }
}

#[tokio::test]
async fn a_long_chain_is_followed_and_an_endless_one_refused() {
    let authority = Authority::new("tests");
    assert_eq!(outcome(&authority.sign_deep(&["127.0.0.1"], 5), trusting(&authority)).await, Ok(()));
    let endless = authority.sign_deep(&["127.0.0.1"], 250);
    let size: usize = endless.chain.iter().map(|certificate| certificate.len()).sum();
    assert!(size > 64 * 1024, "{size}");
    let told = outcome(&endless, trusting(&authority)).await.expect_err("refused");
    assert_eq!(told.0, TlsFailure::Protocol);
}

#[tokio::test]
async fn dates_are_waited_for_and_everything_else_ends_the_client() {
    let (authority, stranger) = (Authority::new("tests"), Authority::new("stranger"));
    let server = Plan::new(&stranger.sign(&["127.0.0.1"])).start().await;
    let client = Client::builder(server.addr()).tls(trusting(&authority)).start().unwrap();
    let ending = tokio::time::timeout(SOON, client.closed()).await.unwrap();
    assert_eq!(ending.cause, Cause::Tls(TlsFailure::UntrustedIssuer));
    assert_eq!(server.accepted(), 1, "no storm of retries");

    let expired = authority.sign_with(&["127.0.0.1"], |params| params.not_after = date_time_ymd(2020, 1, 1));
    let server = Plan::new(&expired).start().await;
    let client = Client::builder(server.addr()).tls(trusting(&authority)).start().unwrap();
    let ended = await_event(&mut client.events(), "disconnected", SOON).await;
    let EventKind::Disconnected(ended) = ended.kind else { panic!("{ended:?}") };
    assert!(ended.retry_in.is_some_and(|wait| wait >= secs(30)), "{:?}", ended.retry_in);
    assert!(ended.ending.to_string().contains("if the clock of this machine is right"), "{}", ended.ending);
}

#[tokio::test]
async fn a_pin_anywhere_in_the_chain_is_enough_and_a_certificate_that_is_only_sent_along_is_not() {
    let (authority, stranger) = (Authority::new("tests"), Authority::new("stranger"));
    let identity = authority.sign_deep(&["127.0.0.1"], 2);
    for (place, pin) in [
        ("leaf", identity.pin(0)),
        ("issuer", identity.pin(1)),
        ("issuer's issuer", identity.pin(2)),
        ("root", authority.pin()),
    ] {
        let pinned = trusting(&authority).pins([pin, backup_pin()]);
        assert_eq!(outcome(&identity, pinned).await, Ok(()), "{place}");
    }
    let elsewhere = trusting(&authority).pins([stranger.pin(), backup_pin()]);
    assert_eq!(outcome(&identity, elsewhere).await, Err((TlsFailure::Pin, None)));
    // A pinned certificate that has nothing to do with the leaf.
    let other = authority.sign_deep(&["other.test"], 1);
    let mut padded = identity.clone();
    padded.chain.push(other.chain[1].clone());
    let pinned = trusting(&authority).pins([other.pin(1), backup_pin()]);
    assert_eq!(outcome(&padded, pinned).await, Err((TlsFailure::Pin, None)));
}

#[tokio::test]
async fn anybody_is_taken_only_where_the_danger_was_named() {
    let identity = Identity::self_signed(&["nobody.test"]);
    assert_eq!(outcome(&identity, Tls::new().danger_accept_invalid_certificates()).await, Ok(()));
    // The system trusts nobody of that name.
    let told = outcome(&Identity::self_signed(&["127.0.0.1"]), Tls::new()).await;
    assert_eq!(told, Err((TlsFailure::UntrustedIssuer, None)));
}

#[tokio::test]
async fn bad_declarations_name_the_field_and_show_no_key() {
    let authority = Authority::new("tests");
    let (ours, theirs) = (authority.sign(&["ours.test"]), authority.sign(&["theirs.test"]));
    for (tls, field) in [
        (Tls::new().ca("nonsense"), "tls.ca"),
        (Tls::new().ca_file("/nowhere/at/all.pem"), "tls.ca"),
        (Tls::new().ca(""), "tls.ca"),
        (Tls::new().ca(vec![b'-'; (4 << 20) + 1]), "tls.ca"),
        #[cfg(unix)]
        (Tls::new().ca_file("/dev/zero"), "tls.ca"),
        (Tls::new().pins(["ab".repeat(32)]), "tls.pins"),
        (Tls::new().alpn([""]), "tls.alpn"),
        (Tls::new().server_name("not a name"), "tls.server_name"),
        (Tls::new().client_certificate(ours.chain_pem.clone(), theirs.key_pem.clone()), "tls.client_key"),
        (Tls::new().client_certificate(ours.chain_pem.clone(), ours.chain_pem.clone()), "tls.client_key"),
        (Tls::new().client_certificate(ours.key_pem.clone(), ours.key_pem.clone()), "tls.client_certificate"),
        (trusting(&authority).danger_accept_invalid_certificates(), "tls.danger_accept_invalid_certificates"),
    ] {
        let shown = format!("{tls:?}");
        let error = Client::builder("127.0.0.1:1").tls(tls).start().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().starts_with(field), "{error}");
        let secret = theirs.key_pem.lines().nth(1).unwrap();
        assert!(!shown.contains(secret) && !format!("{error:?} {error}").contains(secret), "{shown} {error}");
    }
    let error = Client::builder("tls://host_name!:1").start().unwrap_err();
    assert!(error.to_string().starts_with("endpoint"), "{error}");
}

fn trusting(authority: &Authority) -> Tls {
    Tls::new().ca(authority.pem())
}

/// Connects to a server with this certificate, sends a line and gets it back; or the cause of the first failure.
async fn outcome(identity: &Identity, tls: Tls) -> Result<(), (TlsFailure, Option<Hint>)> {
    let server = Plan::new(identity).start().await;
    let client = Client::builder(server.addr()).tls(tls).start().unwrap();
    let mut events = client.events();
    loop {
        let event = tokio::time::timeout(SOON, events.recv()).await.expect("soon").expect("an event");
        match event {
            Event { kind: EventKind::Connected { .. }, .. } => {
                client.send("ping").await.unwrap();
                let echo = tokio::time::timeout(SOON, client.recv()).await.expect("soon").expect("an echo");
                assert_eq!(&echo.payload[..], b"ping");
                return Ok(());
            }
            Event { kind: EventKind::Disconnected(ended), .. } => {
                let Cause::Tls(failure) = ended.ending.cause else { panic!("{ended:?}") };
                return Err((failure, ended.ending.hint));
            }
            _ => {}
        }
    }
}
