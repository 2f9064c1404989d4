//! A server that is not ours: nginx in front of an echo server, as a module of its stream.

use crate::authority::Authority;
use crate::support::{SOON, await_event, millis};
use keepline::{Client, Framing, Tls};
use keepline_testkit::process::{NginxServer, require};
use keepline_testkit::servers::EchoServer;

#[tokio::test]
async fn a_client_survives_restarts_of_nginx_and_resumes_its_session() {
    let authority = Authority::new("tests");
    let identity = authority.sign(&["localhost"]);
    let echo = EchoServer::start().await.unwrap();
    let started = NginxServer::start(echo.addr(), &identity.chain_pem, &identity.key_pem).await;
    let Some(nginx) = require("a_client_survives_restarts_of_nginx_and_resumes_its_session", started) else { return };
    let client = Client::builder(format!("tls://{}", nginx.addr()))
        .tls(Tls::new().ca(authority.pem()).server_name("localhost"))
        .framing(Framing::lines())
        .first_spread(millis(10))
        .connect()
        .await
        .unwrap();
    let mut events = client.events();
    assert_eq!(client.stats().tls.map(|facts| facts.resumed), Some(false));
    for round in 0..3 {
        let line = format!("round {round}");
        let mut receipt = client.send_tracked(line.clone()).await.unwrap();
        let message = tokio::time::timeout(SOON, client.recv()).await.unwrap().unwrap();
        assert_eq!(message.payload, line);
        assert_eq!(receipt.outcome().await.unwrap(), keepline::Outcome::Acked);
        nginx.restart().await.unwrap();
        await_event(&mut events, "disconnected", SOON).await;
        await_event(&mut events, "connected", SOON).await;
        // Its key for tickets outlives it.
        let facts = client.stats().tls.unwrap();
        assert!(facts.resumed, "{facts:?}");
    }
}
