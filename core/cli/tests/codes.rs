//! The exit codes, from a list that other packages which bring the program run as well.

use keepline_testkit::port::ReservedPort;
use keepline_testkit::servers::LineServer;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

/// 60 s for each: a herd is simulated unoptimised among them.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn every_documented_way_to_end_has_its_code() {
    let server = LineServer::start().await.expect("a server");
    let nobody = ReservedPort::loopback().expect("a port");
    for line in include_str!("codes.txt").lines().filter(|line| !line.starts_with('#')) {
        let line = line.replace("{line}", &server.addr().to_string()).replace("{nobody}", &nobody.addr().to_string());
        let mut words = line.split_whitespace();
        let code: i32 = words.next().expect("a code").parse().expect("a number");
        let run =
            Command::new(env!("CARGO_BIN_EXE_keepline")).args(words).stdin(Stdio::null()).kill_on_drop(true).output();
        let ended = timeout(PATIENCE, run).await.unwrap_or_else(|_| panic!("{line}: too long")).expect("it starts");
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(code), "{line}: {told}");
    }
}
