//! The contract between the languages: generated from the core, committed, and compared by each language.
//!
//! `KEEPLINE_UPDATE_CONTRACT=1 cargo test -p keepline-bridge --test contract` writes it anew.

use keepline::cause::DnsFailure;
use keepline::doctor::{Diagnosis, Fact, Finding, Stage, StageName};
use keepline::recorder::{Entry, Transition};
use keepline::{
    Cause, Detector, Disconnected, Ending, Epoch, Event, EventKind, Hint, MessageCounts, Profile, Report, State,
    Suspicion, Time,
};
use keepline_bridge::config::{
    AutoReplyRecord, CorrelationRecord, FramingRecord, MatcherRecord, RetryAfterRecord, StepRecord, TlsRecord,
};
use keepline_bridge::{
    BridgeClient, ClientConfig, DiagnosisRecord, EventRecord, KernelFiguresRecord, ReportRecord, default_config, names,
    resolve,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn committed_contract_is_the_one_of_the_core() {
    let contract = Value::Object(contract());
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../contract/contract.json");
    if std::env::var_os("KEEPLINE_UPDATE_CONTRACT").is_some() {
        let text = serde_json::to_string_pretty(&contract).expect("plain values");
        std::fs::write(&path, text + "\n").expect("the contract can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    // Compared as values: the order of keys depends on what else is built with it.
    assert!(
        serde_json::from_str::<Value>(&committed).is_ok_and(|committed| committed == contract),
        "bindings/contract/contract.json is stale: run KEEPLINE_UPDATE_CONTRACT=1 cargo test -p keepline-bridge"
    );
}

fn contract() -> Map<String, Value> {
    let mut contract = Map::new();
    contract.insert("about".into(), json!("Generated from the core by `cargo test -p keepline-bridge`. Do not edit."));
    for (kind, names) in names::all() {
        contract.insert(kind.into(), json!(names));
    }
    contract.insert("config_fields".into(), json!(fields(&ClientConfig::default())));
    contract.insert("tls_fields".into(), json!(fields(&TlsRecord::default())));
    contract.insert("event_fields".into(), event_fields());
    contract.insert("stats_fields".into(), json!(stats_fields()));
    let report = ReportRecord::from(&report());
    contract.insert("report_fields".into(), json!(fields(&report)));
    contract.insert("report_entry_fields".into(), json!(fields(&report.entries[0])));
    contract.insert("kernel_figures".into(), json!(fields(&KernelFiguresRecord::default())));
    let diagnosis = DiagnosisRecord::from(&diagnosis());
    contract.insert("diagnosis_fields".into(), json!(fields(&diagnosis)));
    contract.insert("stage_fields".into(), json!(fields(&diagnosis.stages[0])));
    contract.insert("fact_fields".into(), json!(fields(&diagnosis.stages[0].facts[0])));
    contract.insert("bounds".into(), bounds());
    contract.insert("framings".into(), variants(framings()));
    contract.insert("matchers".into(), variants(matchers()));
    contract.insert(
        "correlations".into(),
        variants(vec![
            CorrelationRecord::Fifo,
            CorrelationRecord::Id { offset: 0, width: 2, endian: Some("big".into()) },
        ]),
    );
    contract.insert(
        "steps".into(),
        variants(vec![
            StepRecord::Send { bytes: Vec::new() },
            StepRecord::SendCredentials { prefix: Vec::new(), suffix: Vec::new() },
            StepRecord::Expect { matcher: MatcherRecord::Any },
            StepRecord::Refused { matcher: MatcherRecord::Any },
            StepRecord::RetryAfter { when: retry_after() },
        ]),
    );
    let auto_reply = AutoReplyRecord { when: MatcherRecord::Any, reply: Vec::new() };
    contract.insert("retry_after_fields".into(), json!(fields(&retry_after())));
    contract.insert("auto_reply_fields".into(), json!(fields(&auto_reply)));
    contract.insert("profiles".into(), profiles());
    contract
}

/// The values of each profile, without a heartbeat and with one, which decides some of them otherwise.
fn profiles() -> Value {
    let profiles = Profile::ALL.iter().map(|profile| {
        let plain = default_config(profile.as_str()).expect("a profile is valid");
        let beating = ClientConfig {
            profile: Some(profile.to_string()),
            heartbeat_payload: Some(b"PING".to_vec()),
            ..ClientConfig::default()
        };
        let beating = resolve(beating).expect("a profile with a heartbeat is valid").config;
        (profile.to_string(), json!({ "plain": plain, "with_heartbeat": beating }))
    });
    Value::Object(profiles.collect())
}

fn framings() -> Vec<FramingRecord> {
    let declared = [
        FramingRecord::Raw,
        FramingRecord::Lines { max: None },
        FramingRecord::Delimiter { delimiter: b"\0".to_vec(), max: None },
        FramingRecord::LengthPrefixed {
            width: 4,
            endian: None,
            offset: None,
            adjustment: None,
            strip: None,
            max: None,
        },
        FramingRecord::Fixed { size: 8 },
        FramingRecord::ModbusTcp,
        FramingRecord::Resp { max: None },
    ];
    // Resolved, so that the contract holds the framings' own sizes.
    let resolved = declared.into_iter().map(|framing| {
        let config = ClientConfig { framing: Some(framing), ..ClientConfig::default() };
        resolve(config).expect("a framing with its defaults is valid").config.framing.expect("resolved")
    });
    resolved.collect()
}

fn matchers() -> Vec<MatcherRecord> {
    vec![
        MatcherRecord::Any,
        MatcherRecord::Exact { bytes: Vec::new() },
        MatcherRecord::Prefix { bytes: Vec::new() },
        MatcherRecord::None,
    ]
}

fn retry_after() -> RetryAfterRecord {
    RetryAfterRecord { when: MatcherRecord::Any, marker: None, otherwise_ms: 0 }
}

/// `kind` → the other fields with their defaults.
fn variants<T: Serialize>(values: Vec<T>) -> Value {
    let named = values.into_iter().map(|value| {
        let Ok(Value::Object(mut fields)) = serde_json::to_value(value) else { panic!("a record is an object") };
        let Some(Value::String(kind)) = fields.remove("kind") else { panic!("a variant has a kind") };
        (kind, Value::Object(fields))
    });
    Value::Object(named.collect())
}

fn bounds() -> Value {
    let bounds = resolve(ClientConfig::default()).expect("the defaults are valid").bounds;
    json!(fields(&bounds))
}

/// The fields of a client's counters, read from one that meets nobody.
fn stats_fields() -> Vec<String> {
    let client = BridgeClient::start(&["127.0.0.1:1".into()], ClientConfig::default()).expect("the defaults are valid");
    fields(&client.stats().expect("the same process"))
}

/// Which fields an event of each kind can have.
fn event_fields() -> Value {
    let told = samples().into_iter().map(|kind| {
        let event = Event { seq: 1, at: Time::ZERO, kind };
        let record = EventRecord::from(event);
        let Ok(Value::Object(fields)) = serde_json::to_value(&record) else { panic!("a record is an object") };
        let present = fields.into_iter().filter(|(name, value)| name != "name" && !value.is_null());
        (record.name, json!(sorted(present.map(|(name, _)| name))))
    });
    let told: Map<String, Value> = told.collect();
    let names: Vec<&str> = EventKind::NAMES.to_vec();
    assert_eq!(told.len(), names.len(), "every kind of event has a sample");
    Value::Object(told)
}

/// One event of each kind, with everything in it that it can have.
fn samples() -> Vec<EventKind> {
    let epoch = Epoch(1);
    let second = Duration::from_secs(1);
    let ending = Ending {
        cause: Cause::Dns(DnsFailure::Timeout),
        detector: Some(Detector::OsError),
        errno: Some(1),
        code: Some(1),
        retry_after: Some(second),
        hint: Some(Hint::PlainText),
    };
    let endpoint: Option<Arc<str>> = Some("b:1".into());
    let disconnected = Disconnected {
        epoch,
        endpoint: endpoint.clone(),
        ending,
        up_for: Some(second),
        retry_in: Some(second),
        failures: 1,
        messages: MessageCounts::default(),
        report: Some(Arc::new(report())),
    };
    vec![
        EventKind::Connecting { epoch, endpoint: endpoint.clone() },
        EventKind::Connected { epoch, peer: Some(([127, 0, 0, 1], 1).into()), after: second, endpoint },
        EventKind::Suspect { epoch, evidence: Suspicion::HeartbeatLate },
        EventKind::Recovered { epoch },
        EventKind::Stalled { epoch },
        EventKind::Disconnected(Box::new(disconnected)),
        EventKind::InboxFull { epoch },
        EventKind::Offline,
        EventKind::Paused,
        EventKind::Resumed,
        EventKind::Missed { count: 1, state: State::Connected },
        EventKind::Closed(ending),
    ]
}

fn report() -> Report {
    Report {
        epoch: Epoch(1),
        began: Time::ZERO,
        ended: Time::ZERO,
        ending: Ending::new(Cause::Reset, None),
        up_for: None,
        retry_in: None,
        failures: 1,
        entries: vec![Entry::new(Time::ZERO, Transition::Connecting)].into(),
        overwritten: 0,
        figures: None,
    }
}

fn diagnosis() -> Diagnosis {
    let fact = Fact { name: "address", value: "refused".to_owned() };
    let stage = Stage {
        name: StageName::Tcp,
        finding: Finding::Failed,
        cause: Some(Cause::Refused),
        took: Duration::from_secs(1),
        facts: vec![fact],
    };
    Diagnosis { endpoint: "127.0.0.1:1".to_owned(), stages: vec![stage] }
}

fn fields<T: Serialize>(record: &T) -> Vec<String> {
    match serde_json::to_value(record) {
        Ok(Value::Object(fields)) => sorted(fields.into_iter().map(|(name, _)| name)),
        Ok(_) | Err(_) => panic!("a record is an object"),
    }
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}
