//! The doctor names the stage and the cause of what can be wrong with TLS: a table of injected faults.

use crate::authority::{Authority, Identity, backup_pin};
use crate::server::{ONLY_12, Plan};
use crate::support::{millis, secs};
use keepline::cause::TlsFailure;
use keepline::doctor::{Diagnosis, Doctor, StageName};
use keepline::{Cause, Client, Tls};
use keepline_testkit::chaos::{ChaosProxy, Direction};
use keepline_testkit::servers::{LineServer, Server};
use rcgen::date_time_ymd;
use std::net::SocketAddr;

/// What is wrong, and what the doctor has to say of it.
struct Case {
    fault: &'static str,
    identity: Identity,
    tls: Tls,
    failure: TlsFailure,
    words: &'static str,
}

#[tokio::test]
async fn doctor_names_tls_and_the_cause_of_every_refused_certificate() {
    let authority = Authority::new("tests");
    let changed = |change: fn(&mut rcgen::CertificateParams)| authority.sign_with(&["127.0.0.1"], change);
    let trusting = || Tls::new().ca(authority.pem());
    let good = || authority.sign(&["127.0.0.1"]);
    for Case { fault, identity, tls, failure, words } in [
        Case {
            fault: "expired",
            identity: changed(|params| params.not_after = date_time_ymd(2020, 1, 1)),
            tls: trusting(),
            failure: TlsFailure::Expired,
            words: "the clock of this machine is wrong",
        },
        Case {
            fault: "not yet valid",
            identity: changed(|params| params.not_before = date_time_ymd(2090, 1, 1)),
            tls: trusting(),
            failure: TlsFailure::NotYetValid,
            words: "the clock of this machine is wrong",
        },
        Case {
            fault: "wrong host",
            identity: authority.sign(&["other.test"]),
            tls: trusting(),
            failure: TlsFailure::NameMismatch,
            words: "another name",
        },
        Case {
            fault: "unknown authority",
            identity: Authority::new("strangers").sign(&["127.0.0.1"]),
            tls: trusting(),
            failure: TlsFailure::UntrustedIssuer,
            words: "a private CA",
        },
        Case {
            fault: "signed by itself",
            identity: Identity::self_signed(&["127.0.0.1"]),
            tls: trusting(),
            failure: TlsFailure::UntrustedIssuer,
            words: "a private CA",
        },
        Case {
            fault: "another key than the pinned",
            identity: good(),
            tls: trusting().pins([backup_pin(), "5a".repeat(32)]),
            failure: TlsFailure::Pin,
            words: "pinned",
        },
        Case {
            fault: "no common protocol",
            identity: good(),
            tls: trusting().alpn(["h2"]),
            failure: TlsFailure::Alpn,
            words: "application protocols",
        },
    ] {
        let server = Plan::new(&identity).start().await;
        assert_failed(fault, server.addr(), tls, failure, words).await;
    }
    let old = Plan { versions: ONLY_12, ..Plan::new(&good()) }.start().await;
    assert_failed("too old", old.addr(), trusting().only_tls13(), TlsFailure::Version, "older than TLS").await;
}

#[tokio::test]
async fn doctor_names_tls_and_the_cause_of_a_client_certificate_that_is_missing_or_refused() {
    let (authority, clients) = (Authority::new("tests"), Authority::new("clients"));
    let identity = authority.sign(&["127.0.0.1"]);
    let server = Plan { clients: Some(&clients), ..Plan::new(&identity) }.start().await;
    let stranger = Authority::new("strangers").sign(&["device-7"]);
    let trusting = Tls::new().ca(authority.pem());
    let refused = trusting.clone().client_certificate(stranger.chain_pem.clone(), stranger.key_pem.clone());
    for (fault, tls) in [("no client certificate", trusting), ("a stranger's certificate", refused)] {
        assert_failed(fault, server.addr(), tls, TlsFailure::ClientAuth, "client certificate").await;
    }
}

#[tokio::test]
async fn doctor_names_tls_where_the_server_speaks_plain_text_or_nothing() {
    let authority = Authority::new("tests");
    let trusting = || Tls::new().ca(authority.pem());
    let plain = LineServer::start().await.unwrap();
    let diagnosis = examine(plain.addr(), trusting()).await;
    let failed = diagnosis.failed().unwrap_or_else(|| panic!("{diagnosis:#?}"));
    assert_eq!(failed.name, StageName::Tls, "{diagnosis:#?}");
    assert!(diagnosis.words().contains("TLS fails"), "{}", diagnosis.words());

    let echo: Server<keepline_testkit::servers::Echo> = Server::start().await.unwrap();
    assert_failed("echoes the hello", echo.addr(), trusting(), TlsFailure::Protocol, "plain text").await;

    let silent = ChaosProxy::start(echo.addr()).await.unwrap();
    silent.silence(Direction::Down);
    assert_failed("never answers", silent.addr(), trusting(), TlsFailure::Timeout, "did not end the handshake").await;
}

#[tokio::test]
async fn doctor_tells_what_was_agreed_where_tls_stands() {
    let authority = Authority::new("tests");
    let server = Plan::new(&authority.sign(&["127.0.0.1"])).start().await;
    let diagnosis = examine(server.addr(), Tls::new().ca(authority.pem())).await;
    assert!(diagnosis.is_healthy(), "{diagnosis:#?}");
    let tls = diagnosis.stage(StageName::Tls).expect("examined");
    assert!(tls.facts.iter().any(|fact| fact.to_string() == "version: TLSv1.3"), "{tls:#?}");
}

async fn assert_failed(fault: &str, addr: SocketAddr, tls: Tls, failure: TlsFailure, words: &str) {
    let diagnosis = examine(addr, tls).await;
    let failed = diagnosis.failed().unwrap_or_else(|| panic!("{fault}: {diagnosis:#?}"));
    assert_eq!((failed.name, failed.cause), (StageName::Tls, Some(Cause::Tls(failure))), "{fault}: {diagnosis:#?}");
    assert_eq!(diagnosis.stages.last().map(|last| last.name), Some(StageName::Tls), "{fault}: the way ends there");
    assert!(diagnosis.words().contains(words), "{fault}: {}", diagnosis.words());
    // How far off a date is, is the hint on a clock that may be wrong.
    let is_of_dates = matches!(failure, TlsFailure::Expired | TlsFailure::NotYetValid);
    let has_hint = failed.facts.iter().any(|fact| fact.value.contains("if the clock of this machine is right"));
    assert_eq!(has_hint, is_of_dates, "{fault}: {failed:#?}");
}

async fn examine(addr: SocketAddr, tls: Tls) -> Diagnosis {
    Doctor::of(Client::builder(addr).tls(tls)).patience(secs(4)).listen(millis(200)).examine().await
}
