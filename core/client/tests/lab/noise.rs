//! Row 44: loss, reordering, duplicates, corruption and jitter, which TCP heals.

use super::support::{Journal, SOON, echo, in_lab, in_lab_within, lines, peer, ping, quick, secs};
use keepline::{Client, Framing};
use keepline_testkit::lab::{LabOptions, SERVER};

/// Clients that exchange at the same time; one by one, a fifth of a second for each lost packet adds up to minutes.
const CLIENTS: usize = 25;

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
        // By chance, as on a real path: a retransmission can be lost too, and the one after it.
        lab.fault("loss", &["pct=10", "mode=random"]).unwrap();
        exchange_all(&clients, 500 / CLIENTS).await;
        // An exchange takes two packets and more: 100 of 1000 are to be expected, 50 are certain.
        assert!(lab.hits("loss").unwrap() >= 50, "{}", lab.status());
        for journal in &journals {
            assert_eq!(journal.count("disconnected"), 0, "{journal}");
        }
        assert_eq!(peer.counts().unwrap().accepted, CLIENTS as u64);
    });
}

#[test]
#[ignore = "a statement about chance: make test-lab-soak"]
fn thirty_percent_loss_ends_less_than_one_connection_in_a_thousand_exchanges() {
    const MANY: usize = 100;
    const EXCHANGES: usize = 3_000;
    in_lab_within(secs(240), LabOptions::default(), async |lab| {
        let _peer = peer(lab);
        let mut clients = Vec::new();
        for _ in 0..MANY {
            // As patient as a line like this asks for. The server's kernel doubles its pauses: a packet that is lost seven
            // times in a row (one in 5,000) comes after 25 s, one that is lost eight times (one in 15,000) after 51 s. With
            // 30 s for a reply one death in 3,000 exchanges is to be expected and three were seen; with 60 s, one in five
            // runs.
            let lossy = Client::builder((SERVER, super::support::PORT)).framing(Framing::lines());
            let lossy = lossy.heartbeat(ping().every(secs(30)).reply_within(secs(60))).user_timeout(secs(120));
            clients.push(lossy.connect().await.unwrap());
        }
        lab.fault("loss", &["pct=30", "mode=random"]).unwrap();
        let exchanging: Vec<_> =
            clients.iter().cloned().map(|client| tokio::spawn(insist(client, EXCHANGES / MANY))).collect();
        for exchange in exchanging {
            exchange.await.unwrap();
        }
        assert!(lab.hits("loss").unwrap() >= 1_000, "{}", lab.status());
        let ends = clients.iter().map(|client| client.stats().connections - 1).sum::<u64>();
        assert!(ends < EXCHANGES as u64 / 1_000, "{ends} of {MANY} connections ended in {EXCHANGES} exchanges");
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

/// Every client sends so many lines, each after the one before it has come back.
async fn exchange_all(clients: &[Client], times: usize) {
    let exchanging: Vec<_> = clients.iter().cloned().map(|client| tokio::spawn(exchange(client, times))).collect();
    for exchange in exchanging {
        exchange.await.unwrap();
    }
}

async fn exchange(client: Client, times: usize) {
    for number in 0..times {
        client.send(&*format!("exchange {number}")).await.unwrap();
        let message = client.recv_within(3 * SOON).await.unwrap().expect("the client is open");
        assert_eq!(message.payload, format!("exchange {number}"));
    }
}

/// As [`exchange`], but a line that is lost with its connection is sent again.
async fn insist(client: Client, times: usize) {
    for number in 0..times {
        let line = format!("exchange {number}");
        'again: loop {
            let epoch = client.epoch();
            client.send(&*line).await.unwrap();
            while client.epoch() == epoch {
                if matches!(client.recv_within(secs(1)).await, Ok(Some(message)) if message.payload == line) {
                    break 'again;
                }
            }
        }
    }
}
