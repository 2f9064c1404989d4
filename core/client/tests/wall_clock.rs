//! The time of day may be set to anything at any moment: nobody here reads it.
#![cfg(target_os = "linux")]

use keepline::{Client, Framing, Heartbeat, Matcher};
use keepline_testkit::servers::LineServer;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(86_400);
/// Set in the process whose time of day wanders.
const WANDERING: &str = "KEEPLINE_WANDERING_CLOCK";

/// Only a library between the process and the system can do this to one process alone: the time of day belongs to the whole
/// machine, and time namespaces leave it out.
#[test]
fn connection_lives_while_the_time_of_day_jumps_by_two_days_at_every_look() {
    let library = build("wandering_clock.c");
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "in_a_process_whose_time_of_day_wanders", "--ignored", "--nocapture"])
        .env(WANDERING, "1")
        .env("LD_PRELOAD", library)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&child.stderr));
}

#[tokio::test]
#[ignore = "started by the test above, with another clock"]
async fn in_a_process_whose_time_of_day_wanders() {
    if std::env::var_os(WANDERING).is_none() {
        return;
    }
    let (first, second) = (SystemTime::now(), SystemTime::now());
    let jump = second.duration_since(first).unwrap_or_else(|backwards| backwards.duration());
    assert!(jump > DAY, "the clock of this process wanders: {jump:?}");
    let server = LineServer::start().await.unwrap();
    let heartbeat = Heartbeat::new("PING").reply(Matcher::Exact("PONG".into()));
    let client = Client::builder(server.addr())
        .framing(Framing::lines())
        .heartbeat(heartbeat.every(Duration::from_secs(1)).reply_within(Duration::from_secs(2)))
        .outbox_age(Duration::from_secs(60))
        .connect()
        .await
        .unwrap();
    for number in 0..4 {
        tokio::time::sleep(Duration::from_millis(1200)).await;
        client.send(format!("{number}")).await.unwrap();
        let message = client.recv_within(Duration::from_secs(20)).await.unwrap().unwrap();
        assert_eq!(message.payload, format!("{number}"));
    }
    let stats = client.stats();
    assert_eq!((stats.connections, stats.attempts, stats.messages.expired), (1, 1, 0), "{stats:?}");
    assert!((3..=6).contains(&stats.heartbeats), "one a second of silence: {stats:?}");
}

/// Certificates have dates: how far one is off is told by the time of day, and decides nothing else.
const DATES_OF_CERTIFICATES: &str = "src/io/tls/failure.rs";

/// What would read the time of day does not stand in the sources of the client and its machine.
#[test]
fn sources_name_no_clock_that_can_be_set() {
    let client = Path::new(env!("CARGO_MANIFEST_DIR"));
    for directory in [client.join("src"), client.join("../proto/src")] {
        for file in files_below(&directory).into_iter().filter(|file| !file.ends_with(DATES_OF_CERTIFICATES)) {
            let text = std::fs::read_to_string(&file).unwrap();
            for banned in ["SystemTime", "CLOCK_REALTIME", "UNIX_EPOCH", "gettimeofday"] {
                assert!(!text.contains(banned), "{banned} in {}", file.display());
            }
        }
    }
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// Builds a library with the compiler that Rust links with.
fn build(source: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support").join(source);
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(source.with_extension("so").file_name().unwrap());
    let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).status();
    assert!(built.unwrap().success(), "{}", source.display());
    library
}
