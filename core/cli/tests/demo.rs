//! `keepline demo`: it measures, so the figures must be plausible, and it ends in time.

use serde_json::Value;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

/// 13 s of play and as much again for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn refused_for_five_seconds_is_measured_plausibly() {
    let results = demo(&["--only", "refused"]).await;
    let [result] = &results[..] else { panic!("one result, not {results:?}") };
    assert_eq!(result["fault"], "refused");
    for client in ["naive", "keepline"] {
        let figures = &result[client];
        assert_eq!(figures["hit"], true);
        let recovered = millis(&figures["recovered_after_ms"]);
        assert!(millis(&figures["noticed_after_ms"]) < 1_000.0, "{figures}");
        assert!((5_000.0..9_000.0).contains(&recovered), "{figures}");
        assert!(millis(&figures["messages"]) >= 40.0, "{figures}");
    }
    assert_eq!(result["keepline"]["detector"], "os_error");
    // Some 20 messages came due while nobody could be reached: one client has a place for them.
    assert!(millis(&result["naive"]["lost"]) >= 10.0, "{result}");
    assert!(millis(&result["keepline"]["lost"]) <= 2.0, "{result}");
    // It tries less often, too.
    assert!(millis(&result["keepline"]["failed_attempts"]) < millis(&result["naive"]["failed_attempts"]), "{result}");
}

#[tokio::test]
async fn silent_faults_are_noticed_by_the_heartbeat_alone() {
    let results = demo(&["--only", "black-hole", "--only", "frozen", "--only", "nat"]).await;
    let [black_hole, frozen, nat] = &results[..] else { panic!("three results, not {results:?}") };
    for result in [black_hole, frozen] {
        assert_eq!(result["naive"]["noticed_after_ms"], Value::Null, "{result}");
        assert_eq!(result["keepline"]["detector"], "heartbeat", "{result}");
        // Heartbeat after 1 s, reply within 2 s, counted from the last echo; and 2 s for a busy machine.
        let noticed = millis(&result["keepline"]["noticed_after_ms"]);
        assert!((2_000.0..5_000.0).contains(&noticed), "{result}");
        assert!(millis(&result["keepline"]["recovered_after_ms"]) < noticed + 3_000.0, "{result}");
        assert!(millis(&result["keepline"]["lost"]) < millis(&result["naive"]["lost"]), "{result}");
    }
    assert_eq!(nat["naive"]["hit"], true, "{nat}");
    assert_eq!(nat["naive"]["noticed_after_ms"], Value::Null, "{nat}");
    assert_eq!(nat["keepline"]["hit"], false, "{nat}");
    assert_eq!(nat["keepline"]["lost"], 0, "{nat}");
}

async fn demo(faults: &[&str]) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keepline"));
    command.args(["demo", "--json", "--fast"]).args(faults).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.expect("the demonstration ends").expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let lines = String::from_utf8(output.stdout).expect("text");
    let values = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    values.filter(|value| value["type"] == "result").collect()
}

fn millis(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("a number, not {value}"))
}
