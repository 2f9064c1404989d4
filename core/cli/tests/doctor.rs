//! `keepline doctor`, with the built program: exit codes, JSON and words.

use keepline_testkit::port::ReservedPort;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};

#[test]
fn doctor_says_in_words_where_the_way_ends_and_exits_with_its_code() {
    let nobody = ReservedPort::loopback().unwrap();
    let output = keepline(&["doctor", &nobody.addr().to_string()]);
    assert_eq!(output.status.code(), Some(12), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    for part in ["ok    names", "FAIL  tcp", "refused", "nothing listens on this port"] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
    assert!(!text.contains('\x1b'), "a pipe gets no colours");
    let output = keepline(&["doctor", "no-such-name.invalid:7000"]);
    assert_eq!(output.status.code(), Some(10), "{output:?}");
}

#[test]
fn doctor_in_json_carries_every_stage_with_its_time_and_facts() {
    let echo = echo();
    let output = keepline(&["doctor", "--json", &echo, "--heartbeat", "PING", "--heartbeat-reply", "PING"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let value: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(value["healthy"], true);
    assert_eq!(value["failed"], Value::Null);
    let stages = value["stages"].as_array().unwrap();
    let names: Vec<&str> = stages.iter().filter_map(|stage| stage["stage"].as_str()).collect();
    assert_eq!(names, ["config", "names", "route", "tcp", "greeting"]);
    for stage in stages {
        assert_eq!(stage["finding"], "passed", "{stage}");
        assert!(stage["took_ms"].is_f64() && stage["facts"].is_array(), "{stage}");
    }
}

#[test]
fn doctor_names_a_bad_configuration_by_its_field() {
    let output = keepline(&["doctor", "127.0.0.1:7000", "--detect-within", "1s"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("detect_within"), "{output:?}");
    let output = keepline(&["doctor", "127.0.0.1:7000", "--idle", "0"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("idle: must be at least 1s"), "{output:?}");
    let output = keepline(&["doctor", "nonsense"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

fn keepline(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_keepline")).args(arguments).env_clear().output().unwrap()
}

/// A server that sends everything back, until the test ends.
fn echo() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut read = [0; 1_024];
            while let Ok(count @ 1..) = stream.read(&mut read) {
                if stream.write_all(&read[..count]).is_err() {
                    break;
                }
            }
        }
    });
    address
}
