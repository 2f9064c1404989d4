//! Row 44: loss, reordering, duplicates, corruption and jitter, which TCP heals.

use super::support::{Journal, SOON, echo, in_lab, lines, peer, ping, quick, secs};
use keepline::{Client, Framing};
use keepline_testkit::lab::{LabOptions, SERVER};

/// Clients that exchange at the same time; one by one, a fifth of a second for each lost packet adds up to minutes.
const CLIENTS: usize = 5;
const EXCHANGES: usize = 100;

#[test]
fn five_hundred_exchanges_at_ten_percent_loss_end_no_connection_of_the_default_profile() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let builder = Client::builder((SERVER, super::support::PORT)).framing(Framing::lines());
            clients.push(builder.heartbeat(ping()).connect().await.unwrap());
        }
        let journals: Vec<Journal> = clients.iter().map(Journal::of).collect();
        // Every tenth packet of each way: the same share in each run.
        lab.fault("loss", &["pct=10", "mode=inc"]).unwrap();
        let exchanging: Vec<_> = clients.iter().cloned().map(|client| tokio::spawn(exchange(client))).collect();
        for exchange in exchanging {
            exchange.await.unwrap();
        }
        assert!(lab.hits("loss").unwrap() >= 100, "{}", lab.status());
        for journal in &journals {
            assert_eq!(journal.count("disconnected"), 0, "{journal}");
        }
        assert_eq!(peer.counts().unwrap().accepted, CLIENTS as u64);
    });
}

#[test]
fn heartbeats_at_ten_percent_loss_end_no_connection_of_a_quick_configuration() {
    in_lab(LabOptions::default(), async |lab| {
        let peer = peer(lab);
        let client = quick().connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        lab.fault("loss", &["pct=10", "mode=inc"]).unwrap();
        lab.await_hits("loss", 8, 2 * SOON).unwrap();
        journal.assert_unbroken();
        assert_eq!(peer.counts().unwrap().accepted, 1);
    });
}

#[test]
fn jitter_reordering_duplicates_and_corruption_are_invisible() {
    in_lab(LabOptions::default().wire(), async |lab| {
        let peer = peer(lab);
        let client = lines().heartbeat(ping().every(secs(1)).reply_within(secs(5))).connect().await.unwrap();
        let mut journal = Journal::of(&client);
        journal.next("connected", SOON).await;
        lab.fault("wire", &["delay=3", "jitter=3", "dup=20", "reorder=20", "corrupt=2", "loss=2", "seed=7"]).unwrap();
        for number in 0..150 {
            echo(&client, &format!("{number:01000}")).await;
        }
        journal.assert_unbroken();
        assert_eq!(peer.counts().unwrap().accepted, 1);
    });
}

async fn exchange(client: Client) {
    for number in 0..EXCHANGES {
        client.send(&*format!("exchange {number}")).await.unwrap();
        let message = client.recv_within(3 * SOON).await.unwrap().expect("the client is open");
        assert_eq!(message.payload, format!("exchange {number}"));
    }
}
