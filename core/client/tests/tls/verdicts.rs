//! Verdicts on TLS end the client, unless it is told to go on trying: slowly, and never with less.

use crate::authority::{Authority, Identity, backup_pin};
use crate::server::{ONLY_12, Plan};
use crate::support::{SOON, await_event, millis, secs};
use keepline::cause::TlsFailure;
use keepline::{Builder, Cause, Client, Disconnected, ErrorKind, EventKind, State, Tls};

#[tokio::test]
async fn verdicts_on_tls_are_tried_again_slowly_where_that_is_asked_for_and_end_the_client_otherwise() {
    let authority = Authority::new("tests");
    let identity = authority.sign(&["127.0.0.1"]);
    let trusting = || Tls::new().ca(authority.pem());
    for (tls, failure) in [
        (Tls::new().ca(Authority::new("strangers").pem()), TlsFailure::UntrustedIssuer),
        (trusting().server_name("other.test"), TlsFailure::NameMismatch),
        (trusting().pins([backup_pin(), "5a".repeat(32)]), TlsFailure::Pin),
        (trusting().only_tls13(), TlsFailure::Version),
        (trusting().alpn(["h2"]), TlsFailure::Alpn),
    ] {
        let server = Plan { versions: ONLY_12, ..Plan::new(&identity) }.start().await;
        let declared = Client::builder(server.addr()).tls(tls);
        let (patient, ended) = first_end(declared.clone().retry_tls_verdicts(true)).await;
        assert_eq!(ended.ending.cause, Cause::Tls(failure));
        assert!(ended.retry_in.is_some_and(|wait| wait >= secs(30)), "{ended:?}");
        assert_eq!(patient.state(), State::Waiting);
        let (strict, ended) = first_end(declared).await;
        assert_eq!((ended.ending.cause, ended.retry_in), (Cause::Tls(failure), None));
        assert_eq!(tokio::time::timeout(SOON, strict.closed()).await.unwrap().cause, Cause::Tls(failure));
        assert_eq!(server.accepted(), 2);
    }
}

#[tokio::test]
async fn connect_says_whether_the_client_gave_up_or_is_still_trying() {
    let server = Plan::new(&Identity::self_signed(&["127.0.0.1"])).start().await;
    let untrusted = Some(Cause::Tls(TlsFailure::UntrustedIssuer));
    let declared = Client::builder(server.addr()).tls(Tls::new().ca(Authority::new("tests").pem()));
    let error = declared.clone().connect().await.unwrap_err();
    assert_eq!((error.kind(), error.cause()), (ErrorKind::Exhausted, untrusted));
    let error = declared.retry_tls_verdicts(true).connect_within(millis(500)).connect().await.unwrap_err();
    assert_eq!((error.kind(), error.cause()), (ErrorKind::Unavailable, untrusted));
}

async fn first_end(builder: Builder) -> (Client, Disconnected) {
    let client = builder.start().unwrap();
    let event = await_event(&mut client.events(), "disconnected", SOON).await;
    let EventKind::Disconnected(ended) = event.kind else { panic!("{event:?}") };
    (client, *ended)
}
