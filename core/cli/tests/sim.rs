//! `keepline sim`, with the built program.

use serde_json::Value;
use std::process::{Command, Output};

#[test]
fn sim_prints_keepline_beside_the_others() {
    let output = keepline(&["sim", "--clients", "300", "--accept-rate", "100", "--outage", "3s"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    for part in [
        "300 clients, server away for 3s (refused), then 100 accepts a second, backlog 4,096",
        "best possible",
        "Keepline, balanced",
        "gRPC",
        "NATS (Go)",
        "Socket.IO",
        "AWS decorrelated",
        "backon, unlimited",
    ] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}

#[test]
fn sim_json_has_an_object_for_each_policy_and_outage() {
    let arguments =
        ["sim", "--json", "--clients", "100", "--outage", "1s", "--outage", "2s", "--black-hole", "--alone"];
    let output = keepline(&arguments);
    let lines = objects(&output);
    assert_eq!(lines.len(), 2);
    for (line, outage) in lines.iter().zip([1_000.0, 2_000.0]) {
        assert_eq!(line["scenario"]["outage_ms"], outage);
        assert_eq!(line["scenario"]["down"], "black_holed");
        assert_eq!(line["figures"]["came_back"], 1.0);
        assert_eq!(line["figures"]["dead_accepts"], 0);
    }
}

#[test]
fn sim_draws_tell_whether_the_budgets_hold() {
    let output = keepline(&["sim", "--draws", "2", "--seed", "3", "--scale", "200", "--json"]);
    let lines = objects(&output);
    assert_eq!(lines.len(), 2, "{output:?}");
    let all_hold = lines.iter().all(|line| line["holds"] == true);
    assert_eq!(output.status.code(), Some(if all_hold { 0 } else { 1 }), "{output:?}");
    // Numbers with which nobody can hold them.
    let broken = [
        "sim",
        "--draws",
        "1",
        "--seed",
        "3",
        "--scale",
        "200",
        "--json",
        "--backoff-max",
        "300s",
        "--first-spread",
        "300s",
    ];
    let output = keepline(&broken);
    let line = &objects(&output)[0];
    assert_eq!((output.status.code(), &line["holds"]), (Some(1), &Value::Bool(false)), "{line}");
    assert!(line["verdict"]["best_other"]["name"].is_string(), "{line}");
}

#[test]
fn sim_joins_the_runs_of_several_seeds() {
    let output = keepline(&["sim", "--json", "--clients", "100", "--seeds", "5", "--outage", "1s", "--alone"]);
    assert_eq!(objects(&output)[0]["figures"]["losses"], 500);
}

#[test]
fn sim_draws_a_picture() {
    let path = std::env::temp_dir().join(format!("keepline-sim-{}.svg", std::process::id()));
    let file = path.to_str().expect("a path in UTF-8");
    let output =
        keepline(&["sim", "--clients", "100", "--rolling", "3", "--outage", "1s", "--svg", file, "--markdown"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let picture = std::fs::read_to_string(&path).expect("the picture");
    std::fs::remove_file(&path).expect("it can be removed");
    assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("| **Keepline, balanced** |"));
}

#[test]
fn sim_refuses_what_makes_no_sense() {
    for (arguments, named) in [
        (&["sim", "--clients", "0"][..], "--clients"),
        (&["sim", "--accept-rate", "0"], "--accept-rate"),
        (&["sim", "--rolling", "1"], "--rolling"),
        (&["sim", "--outage", "30d"], "--outage"),
        (&["sim", "--backoff-max", "0"], "backoff.max"),
        (&["sim", "--backoff-multiplier", "NaN"], "backoff.multiplier"),
        (&["sim", "--draws", "2", "--outage", "3s"], "--outage"),
    ] {
        let output = keepline(arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(named), "{arguments:?}: {named:?} is missing in: {told}");
    }
}

fn objects(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect()
}

fn keepline(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_keepline")).args(arguments).output().expect("the program runs")
}
