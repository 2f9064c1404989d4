//! A device with one slot: it meets one connection at a time, the old one reset before the next is dialled.
#![cfg(target_os = "linux")]

mod support;

use keepline::{Builder, Client, Framing, Profile};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::{SOON, eventually, millis, secs};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn device_with_one_slot_never_meets_a_second_connection() {
    let device = Device::start().await;
    let client = lines(device.address).profile(Profile::Industrial).connect().await.unwrap();
    assert!(client.config().single_connection, "on in the industrial profile");
    for connections in 2..=10 {
        client.reconnect();
        eventually("it is connected again", SOON, || client.stats().connections == connections).await;
        client.try_send("still there").unwrap();
    }
    client.pause();
    client.resume();
    eventually("it is connected again", SOON, || client.stats().connections == 11).await;
    eventually("the device has seen it", SOON, || device.served.load(Ordering::SeqCst) == 11).await;
    assert_eq!(device.refused.load(Ordering::SeqCst), 0);
    client.close(secs(0)).await;
}

#[tokio::test]
async fn without_the_policy_a_healthy_connection_is_left_in_order_and_holds_the_slot() {
    let device = Device::start().await;
    let client = lines(device.address).connect().await.unwrap();
    client.reconnect();
    eventually("the device refuses the second", SOON, || device.refused.load(Ordering::SeqCst) > 0).await;
    client.close(secs(0)).await;
}

#[tokio::test]
async fn stream_in_the_users_hands_does_not_hold_the_slot() {
    let device = Device::start().await;
    let streams = Client::builder(device.address).single_connection(true).connect_streams().await.unwrap();
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(tokio::time::timeout(SOON, streams.next()).await.unwrap().unwrap());
        streams.client().reconnect();
    }
    eventually("the device has seen all", SOON, || device.served.load(Ordering::SeqCst) >= 6).await;
    assert_eq!(device.refused.load(Ordering::SeqCst), 0);
    let mut byte = [0];
    let ended = tokio::time::timeout(SOON, held[0].read(&mut byte)).await.unwrap();
    assert!(ended.is_err(), "the old stream tells its end: {ended:?}");
    streams.close(secs(0)).await;
}

fn lines(address: SocketAddr) -> Builder {
    Client::builder(address).framing(Framing::lines()).backoff_max(millis(500))
}

/// Serves one connection, and refuses every other while that one is not reset: it never closes by itself.
struct Device {
    address: SocketAddr,
    served: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

impl Device {
    async fn start() -> Device {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let device =
            Device { address: listener.local_addr().unwrap(), served: Arc::default(), refused: Arc::default() };
        let (served, refused) = (device.served.clone(), device.refused.clone());
        tokio::spawn(async move {
            let mut slot: Option<TcpStream> = None;
            while let Ok((stream, _)) = listener.accept().await {
                if slot.as_ref().is_some_and(is_open) {
                    refused.fetch_add(1, Ordering::SeqCst);
                    continue;
                }
                served.fetch_add(1, Ordering::SeqCst);
                slot = Some(stream);
            }
        });
        device
    }
}

/// Whether the kernel still has the connection: a FIN alone gives no slot back.
fn is_open(stream: &TcpStream) -> bool {
    // The peer of a socket that was reset is forgotten.
    let (Ok(local), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) else { return false };
    let column = |address: SocketAddr| {
        let SocketAddr::V4(address) = address else { panic!("{address}") };
        format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port())
    };
    let (local, peer) = (column(local), column(peer));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().any(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        columns[1] == local && columns[2] == peer
    })
}
