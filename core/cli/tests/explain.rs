//! `keepline explain` and what every command refuses, with the built program.

use serde_json::{Value, json};
use std::process::{Command, Output};

#[test]
fn explain_prints_every_bound_with_its_formula() {
    let output = keepline(&["explain", "plc-7.example:502", "--detect-within", "10s", "--heartbeat", "PING"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    for part in [
        "Endpoint plc-7.example:502",
        "detect_within           10s            given",
        "heartbeat.reply_within  3.333s         detect_within",
        "backoff.max             8s             profile",
        "peer process frozen               10s      heartbeat.interval 6.666s + heartbeat.reply_within 3.333s",
        "A dead peer is noticed within 10s, whatever the fault.",
    ] {
        assert!(squeezed(&text).contains(&squeezed(part)), "{part:?} is missing in:\n{text}");
    }
    assert!(!text.contains('\x1b'), "a pipe gets no colours");
}

#[test]
fn explain_names_what_it_cannot_see() {
    let output = keepline(&["explain"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("peer process frozen               never"), "{text}");
    assert!(text.contains("heartbeat: a frozen peer process cannot be noticed"), "{text}");
}

#[test]
fn proxy_is_explained_without_its_credentials_and_refused_without_them_too() {
    let output = keepline(&["explain", "--proxy", "socks5://robot:hunter2@proxy.example:1080"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("socks5://proxy.example:1080") && !text.contains("hunter2"), "{text}");
    let output = keepline(&["explain", "--proxy", "https://robot:hunter2@proxy.example:1080"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("proxy: must be") && text.contains("see --proxy") && !text.contains("hunter2"), "{text}");
}

#[test]
fn explain_json_carries_values_units_and_sources() {
    let arguments = ["explain", "--json", "--profile", "industrial", "--heartbeat", "x", "--every", "5s"];
    let output = keepline(&arguments);
    let value: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    let option = |name: &str| &value["options"][name];
    assert_eq!(option("profile")["value"], "industrial");
    assert_eq!(option("heartbeat.interval")["value"], 5_000.0);
    assert_eq!(option("heartbeat.interval")["unit"], "ms");
    assert_eq!(option("heartbeat.interval")["source"], "given");
    assert_eq!(option("heartbeat.reply_within")["value"], 3_000.0);
    assert_eq!(option("heartbeat.reply_within")["source"], "profile");
    assert_eq!(option("while_down")["value"], "reject");
    assert_eq!(value["detection"]["peer_frozen"]["within_ms"], 8_000.0);
    assert_eq!(value["detection_bound_ms"], 8_000.0);
    assert!(value["notices"].is_array());
}

#[test]
fn explain_says_what_a_unix_socket_does_not_have() {
    let output = keepline(&["explain", "unix:///run/a.sock", "--json", "--heartbeat", "PING"]);
    let value: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(value["endpoints"][0], "unix:/run/a.sock");
    for name in ["keepalive.idle", "keepalive.interval", "keepalive.retries", "user_timeout", "rto_max"] {
        assert_eq!(value["options"][name]["value"], Value::Null, "{name}");
        assert_eq!(value["options"][name]["source"], "unix_socket", "{name}");
    }
    let notices = value["notices"].as_array().expect("a list");
    assert!(notices.iter().any(|notice| notice["field"] == "endpoint"), "{notices:?}");

    let mixed = keepline(&["explain", "unix:/run/a.sock", "b:1", "--json"]);
    let value: Value = serde_json::from_slice(&mixed.stdout).expect("one JSON object");
    assert_ne!(value["options"]["user_timeout"]["value"], Value::Null);
    assert_eq!(value["endpoints"][1], "b:1");
}

#[test]
fn environment_gives_way_to_options() {
    let run = |arguments: &[&str]| {
        let output = command(arguments).env("KEEPLINE_PROFILE", "mobile").output().expect("the program runs");
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")["options"]["profile"]["value"].clone()
    };
    assert_eq!(run(&["explain", "--json"]), "mobile");
    assert_eq!(run(&["explain", "--json", "--profile", "datacenter"]), "datacenter");
}

#[test]
fn bad_input_exits_with_2_and_names_the_field_or_the_option() {
    for (arguments, named) in [
        (&["explain", "--detect-within", "1s"][..], "detect_within: must be at least 4s (got 1s); see --detect-within"),
        (&["explain", "--detect-within=-1s"], "--detect-within"),
        (&["explain", "--detect-within", "NaN"], "--detect-within"),
        (&["explain", "--heartbeat", ""], "heartbeat.payload"),
        (&["explain", "--heartbeat", "x", "--every", "0"], "heartbeat.interval"),
        (&["explain", "--heartbeat", "x", "--reply-within", "0s"], "heartbeat.reply_within"),
        (&["explain", "--heartbeat", "\\q"], "--heartbeat"),
        (&["explain", "--every", "5s"], "--heartbeat"),
        (&["explain", "--keepalive", "20s"], "--keepalive"),
        (&["explain", "--keepalive", "20s/5s/0"], "keepalive.retries"),
        (&["explain", "--keepalive", "20s/5s/6", "--user-timeout", "3s"], "user_timeout"),
        (&["explain", "--user-timeout", "10ms"], "user_timeout"),
        (&["explain", "--profile", "fast"], "balanced, mobile, industrial, datacenter"),
        (&["explain", "--while-down", "panic"], "--while-down"),
        (&["explain", "--framing", "length:3"], "framing"),
        (&["explain", "--framing", "fixed:0"], "framing.size"),
        (&["explain", "--framing", "delimiter:"], "framing.delimiter"),
        (&["explain", "--max-attempts", "0"], "max_attempts: must be at least 1 (got 0); see --max-attempts"),
        (&["explain", "--connect-within", "400d"], "connect.within"),
        (&["explain", "host"], "endpoint"),
        (&["explain", "a:1", "a:1"], "endpoints: must be given once each"),
        (&["explain", "unix:relative"], "endpoint"),
        (&["explain", "--endpoint-order", "random"], "shuffled, ordered"),
        (&["connect", "a:1", "b:1", "--bind-interface", "no/such"], "bind_interface"),
        (&["connect", "a:1", "--bind-address", "host"], "--bind-address"),
        (&["connect", "host:0"], "endpoint"),
        (&["connect", "tls://host"], "endpoint"),
        (&["connect", "http://host:443"], "endpoint"),
        (&["connect", "localhost:1", "--backoff-max", "0"], "backoff.max"),
        (&["connect"], "HOST:PORT"),
        (
            &["explain", "a:1", "--weight", "b:1=3"],
            "endpoints.weight: must be one of the endpoints that are given (got b:1)",
        ),
        (&["explain", "a:1", "--weight", "a:1=0"], "endpoints.weight: must be 1 to 10000 (got 0); see --weight"),
        (&["explain", "a:1", "--weight", "a:1"], "--weight"),
        (&["explain", "a:1", "--race-through-tls"], "race_through_tls: must come with tls"),
        (&["explain", "tls://a:1", "--race-through-tls", "--addresses", "one_at_a_time"], "race_through_tls"),
        (&["explain", "a:1", "--pin", "x"], "tls.pins"),
        (&["explain", "a:1", "--ca-file", "/nowhere/ca.pem"], "tls.ca"),
        (&["explain", "--greeting", "hello"], "--greeting"),
        (&["explain", "--greeting", "credentials:AUTH {}"], "credentials: must be given: the greeting sends them"),
        (
            &["explain", "--credentials-env", "KEEPLINE_NO_SUCH"],
            "credentials: must be the name of an environment variable",
        ),
        (&["explain", "--credentials-file", "/nowhere/token"], "credentials: must be readable"),
        (&["explain", "--credentials-env", "A", "--credentials-file", "b"], "--credentials-file"),
        (&["explain", "--auth-attempts", "0"], "auth_attempts: must be at least 1 (got 0); see --auth-attempts"),
        (&["demo", "--window", "1s"], "--window"),
        (&["demo", "--only", "flood"], "--only"),
        (&["conect", "localhost:1"], "connect"),
    ] {
        let output = keepline(arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(named), "{arguments:?}: {named:?} is missing in: {told}");
        assert!(!told.contains("panicked"), "{arguments:?}: {told}");
    }
}

#[test]
fn help_tells_examples_and_exit_codes() {
    let text = String::from_utf8_lossy(&keepline(&["--help"]).stdout).into_owned();
    assert!(text.starts_with("Examples:"), "{text}");
    assert!(text.contains("3    unreachable"), "{text}");
}

#[test]
fn explain_prints_the_waits_of_each_class_by_the_declared_curve() {
    let output = keepline(&["explain", "--json", "--backoff-max", "2s"]);
    let told: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    let waits = &told["waits"];
    assert_eq!(waits.as_object().map(serde_json::Map::len), Some(9));
    assert_eq!(waits["refused"], json!({ "floor_ms": 100.0, "windows_ms": [1000.0, 500.0, 1000.0], "max_ms": 2000.0 }));
    assert_eq!(waits["dns"], json!({ "floor_ms": 100.0, "windows_ms": [1000.0, 2000.0, 4000.0], "max_ms": 6000.0 }));
    assert_eq!(waits["auth"]["floor_ms"], 10_000.0);
    assert_eq!(told["options"]["governed"], json!({ "value": "on", "unit": null, "source": "default" }));
    let output = keepline(&["explain"]);
    let text = String::from_utf8_lossy(&output.stdout);
    let row = text.lines().find(|line| line.trim_start().starts_with("local_resource")).expect("the class has a row");
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["local_resource", "1s", "1s", "2s", "4s", "8s"]);
}

#[test]
fn switches_of_the_command_line_reach_the_configuration() {
    let options = |arguments: &[&str]| -> Value {
        let output = keepline(&[&["explain", "--json"], arguments].concat());
        serde_json::from_slice::<Value>(&output.stdout).expect("one JSON object")["options"].clone()
    };
    let given = options(&["--concurrent-ok", "--no-governor", "--no-sibling-probes"]);
    assert_eq!(given["concurrent_ok"], json!({ "value": "on", "unit": null, "source": "given" }));
    assert_eq!(given["governed"], json!({ "value": null, "unit": null, "source": "given" }));
    assert_eq!(given["sibling_probes"], json!({ "value": null, "unit": null, "source": "given" }));
    let plain = options(&[]);
    assert_eq!(plain["concurrent_ok"], json!({ "value": null, "unit": null, "source": "default" }));
    assert_eq!(plain["sibling_probes"]["value"], "on");
}

#[test]
fn what_is_in_force_of_tls_has_its_rows() {
    let options = |arguments: &[&str]| -> Value {
        let output = keepline(&[&["explain", "--json"], arguments].concat());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_slice::<Value>(&output.stdout).expect(&told)["options"].clone()
    };
    let plain = options(&["a:1"]);
    assert_eq!(plain["tls"], json!({ "value": null, "unit": null, "source": "default" }));
    assert_eq!(plain["tls.handshake"], Value::Null, "nothing is in force of what is off");
    let safe = options(&["tls://a:1"]);
    for (row, value) in [
        ("tls", "on"),
        ("tls.handshake", "within max(8s, 5 × TCP time)"),
        ("tls.versions", "1.2, 1.3"),
        ("tls.trust", "the system's authorities"),
        ("tls.server_name", "the endpoint's host"),
        ("tls.resumption", "on"),
        ("tls.early_data", "never"),
        ("tls.downgrade", "never"),
    ] {
        assert_eq!(safe[row]["value"], value, "{row}");
    }
    assert_eq!(options(&["tls://a:1", "b:1"])["tls"]["value"], "for 1 of 2 endpoints");
    let given = options(&[
        "a:1",
        "--alpn",
        "h2",
        "--alpn",
        "mqtt",
        "--only-tls13",
        "--no-tls-resumption",
        "--race-through-tls",
        "--retry-tls-verdicts",
        "--server-name",
        "b.example",
        "--pin",
        PIN,
        "--pin",
        OTHER_PIN,
    ]);
    for (row, value) in [
        ("tls.alpn", json!("h2, mqtt")),
        ("tls.versions", json!("1.3")),
        ("tls.resumption", Value::Null),
        ("tls.server_name", json!("b.example")),
        ("tls.pins", json!(2)),
        ("race_through_tls", json!("on")),
        ("retry_tls_verdicts", json!("on")),
    ] {
        assert_eq!((&given[row]["value"], &given[row]["source"]), (&value, &json!("given")), "{row}");
    }
}

const PIN: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const OTHER_PIN: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b856";

#[test]
fn login_is_explained_without_the_credentials() {
    let arguments = ["explain", "--json", "--greeting", "credentials:AUTH {}", "--greeting", "expect:prefix:+OK"];
    let with_env = [&arguments[..], &["--credentials-env", "KEEPLINE_TEST_TOKEN", "--auth-attempts", "off"]].concat();
    let output = command(&with_env).env("KEEPLINE_TEST_TOKEN", "hunter2").output().expect("the program runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let told: Value = serde_json::from_str(&text).expect("one JSON object");
    assert_eq!(told["options"]["greeting"]["value"], "2 steps");
    assert_eq!(told["options"]["credentials"]["value"], "given");
    assert_eq!(told["options"]["auth_attempts"]["value"], Value::Null);
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn weights_are_explained_beside_their_endpoints() {
    let output = keepline(&["explain", "a:1", "b:1", "--weight", "b:1=3"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("Endpoint a:1\n") && text.contains("Endpoint b:1, weight 3\n"), "{text}");
}

/// The columns are as wide as what stands in them.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn keepline(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the program runs")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keepline"));
    command.args(arguments).env_remove("KEEPLINE_PROFILE");
    command.env_remove("KEEPLINE_DETECT_WITHIN").env_remove("KEEPLINE_FRAMING");
    command
}
