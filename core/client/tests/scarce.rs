//! A local resource runs out: told as what it is, waited out by its own curve, and over as soon as there is room.
#![cfg(unix)]

mod support;

use keepline::{Cause, Client, EventKind, Events, Framing, Profile, WaitClass};
use keepline_testkit::chaos::End;
use keepline_testkit::servers::LineServer;
use std::fs::File;
use std::process::Command;
use std::time::{Duration, Instant};
use support::{SOON, await_event, millis, secs};

/// Set in the process that has few descriptors.
const FEW: &str = "KEEPLINE_FEW_DESCRIPTORS";

/// The limit is that of a whole process, so it takes one of its own: this test starts itself again with few descriptors.
#[test]
fn descriptors_that_run_out_are_a_local_resource_and_the_client_comes_back_when_some_are_free() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if std::env::var_os(FEW).is_some() {
        return runtime.block_on(come_back_when_some_are_free());
    }
    let name = "descriptors_that_run_out_are_a_local_resource_and_the_client_comes_back_when_some_are_free";
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(FEW, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

async fn come_back_when_some_are_free() {
    let server = LineServer::start().await.unwrap();
    let client = Client::builder(server.addr())
        .profile(Profile::Datacenter)
        .framing(Framing::lines())
        .backoff_max(millis(500))
        .connect()
        .await;
    let client = client.unwrap();
    let mut events = client.events();
    let mut hoard = take_all();
    assert!((10..64).contains(&hoard.len()), "{}", hoard.len());
    server.stop(End::Rst).await;
    assert_eq!(ended(&mut events).await.0, Cause::Reset);
    let mut since: Option<Instant> = None;
    for _ in 0..3 {
        // The sockets that were closed have left room.
        hoard.extend(take_all());
        let (cause, wait) = ended(&mut events).await;
        if cause == Cause::Refused && since.is_none() {
            continue;
        }
        assert_eq!(cause, Cause::LocalResource);
        assert_eq!(cause.wait_class(), WaitClass::LocalResource);
        assert!(wait >= secs(1), "{wait:?}");
        assert!(since.is_none_or(|since| since.elapsed() >= secs(1)), "no busy loop: {since:?}");
        since = Some(Instant::now());
    }
    assert!(since.is_some());
    drop(hoard);
    server.start_again().unwrap();
    await_event(&mut events, "connected", SOON).await;
    client.send("still here").await.unwrap();
    assert_eq!(client.recv_within(SOON).await.unwrap().unwrap().payload, "still here");
}

fn take_all() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

async fn ended(events: &mut Events) -> (Cause, Duration) {
    let EventKind::Disconnected(end) = await_event(events, "disconnected", SOON).await.kind else { panic!() };
    (end.ending.cause, end.retry_in.unwrap_or_default())
}
